package mlflowclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/mlflow"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string, header ...string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

const experiment7 = `{"experiment":{"experiment_id":"7","name":"agent"}}`

// cut is a body that ends before its Content-Length.
func cut(body string) io.ReadCloser {
	return io.NopCloser(io.MultiReader(strings.NewReader(body[:len(body)/2]), roundReader{}))
}

type roundReader struct{}

func (roundReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestFaultsAreRetriedOrNot(t *testing.T) {
	tests := map[string]struct {
		fault   func() (*http.Response, error)
		least   time.Duration // of the wait before the next try
		most    time.Duration
		refused bool // the fault is final
	}{
		"429 with seconds": {fault: func() (*http.Response, error) { return answer(429, "", "Retry-After", "7"), nil }, least: 7 * time.Second, most: 7 * time.Second},
		"429 with a date": {fault: func() (*http.Response, error) {
			return answer(429, "", "Retry-After", time.Now().Add(90*time.Second).UTC().Format(http.TimeFormat)), nil
		}, least: 89 * time.Second, most: 90 * time.Second},
		"429 without a hint": {fault: func() (*http.Response, error) { return answer(429, ""), nil }, least: 250 * time.Millisecond, most: time.Second},
		"500":                {fault: func() (*http.Response, error) { return answer(500, ""), nil }, least: 250 * time.Millisecond, most: time.Second},
		"502":                {fault: func() (*http.Response, error) { return answer(502, "<html>"), nil }, least: 250 * time.Millisecond, most: time.Second},
		"503":                {fault: func() (*http.Response, error) { return answer(503, "", "Retry-After", "3"), nil }, least: 3 * time.Second, most: 3 * time.Second},
		"504":                {fault: func() (*http.Response, error) { return answer(504, ""), nil }, least: 250 * time.Millisecond, most: time.Second},
		"reset":              {fault: func() (*http.Response, error) { return nil, syscall.ECONNRESET }, least: 250 * time.Millisecond, most: time.Second},
		"cut body": {fault: func() (*http.Response, error) {
			r := answer(200, experiment7)
			r.Body = cut(experiment7)
			return r, nil
		}, least: 250 * time.Millisecond, most: time.Second},
		"400": {fault: func() (*http.Response, error) { return answer(400, ""), nil }, refused: true},
		"401": {fault: func() (*http.Response, error) { return answer(401, ""), nil }, refused: true},
		"403": {fault: func() (*http.Response, error) { return answer(403, ""), nil }, refused: true},
		"409": {fault: func() (*http.Response, error) { return answer(409, ""), nil }, refused: true},
		"501": {fault: func() (*http.Response, error) { return answer(501, ""), nil }, refused: true},
		"redirect": {fault: func() (*http.Response, error) {
			return answer(302, "", "Location", "https://elsewhere.example/?t=secret"), nil
		}, refused: true},
		"nobody listens":   {fault: func() (*http.Response, error) { return nil, syscall.ECONNREFUSED }, refused: true},
		"a stalled answer": {fault: nil, least: stallTimeout, most: stallTimeout + time.Second},
		"code in a 429's JSON": {fault: func() (*http.Response, error) {
			return answer(429, `{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"slow"}`, "Retry-After", "1"), nil
		}, least: time.Second, most: time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var at []time.Time
				start := time.Now()
				c, err := NewServer("http://127.0.0.1:5000/?key=secret", ServerCredentials{Token: "secret-token"}, Options{Limits: unlimited, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					at = append(at, time.Now())
					if len(at) > 1 {
						return answer(200, experiment7), nil
					}
					if tt.fault == nil {
						<-r.Context().Done()
						return nil, r.Context().Err()
					}
					return tt.fault()
				})})
				if err != nil {
					t.Fatal(err)
				}
				e, err := c.Experiment(t.Context(), "agent")
				if tt.refused {
					if err == nil || len(at) != 1 {
						t.Fatalf("%d requests, error %v", len(at), err)
					}
					if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "?") {
						t.Errorf("the error shows what it must not: %v", err)
					}
					return
				}
				if err != nil || e.ID != "7" || len(at) != 2 {
					t.Fatalf("%d requests, experiment %+v, error %v", len(at), e, err)
				}
				if waited := at[1].Sub(start); waited < tt.least || waited > tt.most {
					t.Errorf("waited %v, want %v to %v", waited, tt.least, tt.most)
				}
				if s := c.Stats(); s.Requests != 2 || s.Retries != 1 {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// A refused request holds back all requests of its kind, and none of another kind.
func TestRefusalHoldsBackTheKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var searches, downloads []time.Duration
		c, err := NewServer("http://127.0.0.1:5000", ServerCredentials{}, Options{Limits: unlimited, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if strings.HasSuffix(r.URL.Path, "get-trace-artifact") {
				downloads = append(downloads, time.Since(start))
				return answer(200, `{"spans":[{}]}`), nil
			}
			searches = append(searches, time.Since(start))
			if len(searches) == 1 {
				return answer(429, "", "Retry-After", "60"), nil
			}
			return answer(200, experiment7), nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				c.Experiment(t.Context(), "agent")
				c.FetchSpans(t.Context(), []*mlflow.TraceInfo{{TraceID: "tr-1"}})
			})
		}
		wg.Go(func() {
			time.Sleep(10 * time.Second)
			c.FetchSpans(t.Context(), []*mlflow.TraceInfo{{TraceID: "tr-1"}})
		})
		wg.Wait()
		for _, d := range searches[1:] {
			if d < 60*time.Second {
				t.Errorf("a search started %v after the throttle", d)
			}
		}
		if downloads[0] != 10*time.Second {
			t.Errorf("the first download started at %v", downloads[0])
		}
		if s := c.Stats(); s.Throttled != 60*time.Second {
			t.Errorf("throttled for %v", s.Throttled)
		}
	})
}

func TestRatesHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		c, err := NewServer("http://127.0.0.1:5000", ServerCredentials{}, Options{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			n.Add(1)
			return answer(200, experiment7), nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for ctx.Err() == nil {
					c.Experiment(ctx, "agent")
				}
			})
		}
		wg.Wait()
		if got := n.Load(); got < 240 || got > 255 {
			t.Errorf("%d requests in 10 s, want 25 a second", got)
		}
	})
}

func TestCancelledStartsNothing(t *testing.T) {
	c := serverClient(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupted")
	cancel(cause)
	if _, err := c.Experiment(ctx, "agent"); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
	if s := c.FetchSpans(ctx, []*mlflow.TraceInfo{{TraceID: "tr-1"}}); !errors.Is(s[0].Err, cause) {
		t.Errorf("error %v", s[0].Err)
	}
	if err := c.ListTraces(ctx, "7", Window{}, nil); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	c, err := NewServer("http://127.0.0.1:5000", ServerCredentials{}, Options{MaxTraceBytes: 100, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return answer(200, `{"spans":[`+strings.Repeat(" ", 1000)+`]}`), nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	s := c.FetchSpans(t.Context(), []*mlflow.TraceInfo{{TraceID: "tr-1"}})[0]
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

func TestCredentialsGoWhereTheyMay(t *testing.T) {
	for name, tt := range map[string]struct {
		uri   string
		creds ServerCredentials
		want  string // Authorization, or "refused"
	}{
		"none over http":          {"http://mlflow.example:5000", ServerCredentials{}, ""},
		"token over http":         {"http://mlflow.example:5000", ServerCredentials{Token: "s3cret"}, "refused"},
		"password over http":      {"http://mlflow.example:5000", ServerCredentials{Username: "u", Password: "s3cret"}, "refused"},
		"in the address":          {"http://u:s3cret@mlflow.example:5000", ServerCredentials{}, "refused"},
		"in the address, https":   {"https://u:s3cret@mlflow.example", ServerCredentials{}, "Basic dTpzM2NyZXQ="},
		"token over https":        {"https://mlflow.example", ServerCredentials{Token: "s3cret"}, "Bearer s3cret"},
		"token to loopback":       {"http://localhost:5000", ServerCredentials{Token: "s3cret"}, "Bearer s3cret"},
		"token to ::1":            {"http://[::1]:5000", ServerCredentials{Token: "s3cret"}, "Bearer s3cret"},
		"password before a token": {"https://mlflow.example", ServerCredentials{Token: "t", Username: "u", Password: "s3cret"}, "Basic dTpzM2NyZXQ="},
		"a user alone":            {"https://mlflow.example", ServerCredentials{Token: "s3cret", Username: "u"}, "Bearer s3cret"},
		"databricks":              {"databricks://prod", ServerCredentials{}, "refused"},
		"no address":              {"u:s3cret@host", ServerCredentials{}, "refused"},
		"a file":                  {"file:///tmp/store", ServerCredentials{}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			got := "nothing sent"
			var log bytes.Buffer
			c, err := NewServer(tt.uri, tt.creds, Options{
				Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
				Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					got = r.Header.Get("Authorization")
					return answer(403, `{"error_code":"PERMISSION_DENIED","message":"no, see https://x.example/y?sig=abc"}`), nil
				})})
			if err != nil {
				if tt.want != "refused" || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("error %v", err)
				}
				return
			}
			_, err = c.Experiment(t.Context(), "agent")
			if got != tt.want {
				t.Errorf("sent %q, want %q", got, tt.want)
			}
			for _, text := range []string{err.Error(), c.Identity(), log.String()} {
				if strings.Contains(text, "s3cret") || strings.Contains(text, "sig=") {
					t.Errorf("a secret shows in %q", text)
				}
			}
		})
	}
	for host, ok := range map[string]bool{"http://dbx.example": false, "https://dbx.example": true, "http://127.0.0.1:8080": true} {
		_, err := NewDatabricks(workspace(host), Options{})
		if (err == nil) != ok {
			t.Errorf("%s: %v", host, err)
		}
	}
}
