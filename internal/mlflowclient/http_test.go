package mlflowclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/mlflow"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// clientOf makes a client of a server at a loopback address.
func clientOf(t testing.TB, opts Options) *Client {
	t.Helper()
	c, err := NewServer("http://127.0.0.1:5000", ServerCredentials{}, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(status int, body string, header ...string) *http.Response {
	resp := &http.Response{
		StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

const experiment7 = `{"experiment":{"experiment_id":"7","name":"agent"}}`

func TestCancelledStartsNothing(t *testing.T) {
	c := serverClient(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupted")
	cancel(cause)
	if _, err := c.Experiment(ctx, "agent"); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
	if s := c.FetchSpans(ctx, Exact, []*mlflow.TraceInfo{{TraceID: "tr-1"}}); !errors.Is(s[0].Err, cause) {
		t.Errorf("error %v, want %v", s[0].Err, cause)
	}
	if err := c.ListTraces(ctx, "7", Window{}, nil); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	c := clientOf(t, Options{MaxTraceBytes: 100, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return answer(200, `{"spans":[`+strings.Repeat(" ", 1000)+`]}`), nil
	})})
	s := c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{{TraceID: "tr-1"}})[0]
	if e, ok := errors.AsType[*TooLargeError](s.Err); !ok || e.Limit != 100 {
		t.Errorf("got %v, want a *TooLargeError", s.Err)
	}
}

// workspace is a configuration with a token that looks nothing up in the environment or the network.
func workspace(host string) *config.Config {
	return &config.Config{
		Host: host, Token: "s3cret", AuthType: "pat", WorkspaceID: "4711", Loaders: []config.Loader{config.ConfigAttributes},
		HostMetadataResolver: func(context.Context, string) (*config.HostMetadata, error) { return nil, nil },
	}
}

func TestWorkspaceAsksAgainAfter401(t *testing.T) {
	n := 0
	c := databricksClient(t, roundTrip(func(*http.Request) (*http.Response, error) {
		if n++; n == 1 {
			return answer(401, ""), nil
		}
		return answer(200, experiment7), nil
	}))
	if _, err := c.Experiment(t.Context(), "/Users/me/agent"); err != nil || n != 2 {
		t.Errorf("error %v after %d requests, want none after 2", err, n)
	}
	c = databricksClient(t, roundTrip(func(*http.Request) (*http.Response, error) { n++; return answer(401, ""), nil }))
	n = 0
	if _, err := c.Experiment(t.Context(), "7"); !isCode(err, 401) || n != 2 {
		t.Errorf("error %v after %d requests, want 401 after 2", err, n)
	}
}
