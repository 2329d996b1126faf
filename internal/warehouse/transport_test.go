package warehouse

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/databricks"
)

func testConfig(token string) *config.Config {
	return &config.Config{
		Host: "http://127.0.0.1:1", Token: token, AuthType: "pat", Loaders: []config.Loader{config.ConfigAttributes},
		HostMetadataResolver: func(context.Context, string) (*config.HostMetadata, error) { return nil, nil },
	}
}

// Certificates are verified unless the profile itself says otherwise.
func TestVerifiesCertificates(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	for _, skip := range []bool{false, true} {
		transport := newTransport(&config.Config{InsecureSkipVerify: skip})
		resp, err := (&http.Client{Transport: transport}).Get(s.URL)
		if err == nil {
			resp.Body.Close()
		}
		transport.CloseIdleConnections()
		if (err == nil) != skip {
			t.Errorf("skip_verify %t: error %v, want one: %t", skip, err, !skip)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(status int) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("x"))}
}

// The driver may ask the workspace about telemetry, and send it, by the client that it is given. Only requests of the SQL
// protocol are sent.
func TestNothingButSQLLeaves(t *testing.T) {
	sent := 0
	w := watcher{
		roundTrip(func(*http.Request) (*http.Response, error) { sent++; return reply(200), nil }),
		authenticator{databricks.NewLogin(testConfig("t"))},
	}
	for _, path := range []string{
		"/api/2.0/connector-service/feature-flags/GOLANG/1.14.0", "/telemetry-ext", "/telemetry-unauth", "/api/2.0/sql/statements", "/",
	} {
		r := httptest.NewRequest(http.MethodPost, "https://dbc.example"+path, strings.NewReader("{}"))
		if _, err := w.RoundTrip(r); err == nil || sent != 0 {
			t.Errorf("%s: error %v, %d requests sent; want an error and none", path, err, sent)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "https://dbc.example/sql/1.0/warehouses/x", nil)
	if _, err := w.RoundTrip(r); err != nil || sent != 1 {
		t.Errorf("a statement: error %v, %d requests sent; want no error and one", err, sent)
	}
}

// Several statuses say that a token has ended. The request is then sent once more, with new credentials and the same body.
func TestEndedToken(t *testing.T) {
	const statement = "statement"
	for _, c := range []struct {
		status int
		header string // X-Databricks-Reason-Phrase
		body   string
		again  bool
	}{
		{401, "", "", true},
		{403, "", `{"error_code":403,"message":"JWT has expired"}`, true},
		{403, "Token is expiring within 30 seconds. (token expired)", "", true},
		{400, "", "io.jsonwebtoken.ExpiredJwtException: too old", true},
		{403, "Invalid access token.", "", false},
		{403, "", "you may not use this warehouse", false},
		{400, "BAD_REQUEST", "", false},
	} {
		for _, refusals := range []int{1, 2} {
			n := 0
			w := watcher{roundTrip(func(r *http.Request) (*http.Response, error) {
				b, err := io.ReadAll(r.Body)
				if err != nil || string(b) != statement {
					t.Errorf("body %q, %v", b, err)
				}
				if n++; n > 1 && r.Header.Get("Authorization") != "Bearer fresh" {
					t.Errorf("the second request has %q", r.Header.Get("Authorization"))
				}
				if n > refusals {
					return reply(http.StatusOK), nil
				}
				answer := reply(c.status)
				answer.Header.Set("X-Databricks-Reason-Phrase", c.header)
				answer.Body = io.NopCloser(strings.NewReader(c.body))
				return answer, nil
			}), authenticator{databricks.NewLogin(testConfig("fresh"))}}
			r, err := http.NewRequest(http.MethodPost, "https://dbc.example/sql/1.0/warehouses/x", bytes.NewReader([]byte(statement)))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer ended")
			x := &exchange{statement: true}
			resp, err := w.RoundTrip(r.WithContext(withExchange(t.Context(), x)))
			requests, taken, tokenEnded := 1, false, false
			if c.again {
				requests, taken, tokenEnded = 2, refusals == 1, refusals == 2 && c.status != 401
			}
			if n != requests || x.tokenEnded != tokenEnded {
				t.Errorf("%+v: %d requests, token ended %t; want %d, %t", c, n, x.tokenEnded, requests, tokenEnded)
			}
			switch {
			case taken && (err != nil || resp.StatusCode != 200 || x.status != 200 || x.requests != 1):
				t.Errorf("%+v: error %v, %+v; want one exchange with status 200", c, err, x)
			case !taken && (!errors.Is(err, errNotTaken) || x.status != c.status):
				t.Errorf("%+v: error %v, %+v; want %v with status %d", c, err, x, errNotTaken, c.status)
			}
		}
	}
}

func TestWatcher(t *testing.T) {
	var status int
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		rw.Header().Set("Retry-After", "3")
		rw.WriteHeader(status)
	}))
	defer s.Close()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := http.Client{Transport: watcher{base: tr}}
	do := func(x *exchange, path string) error {
		req, err := http.NewRequestWithContext(withExchange(t.Context(), x), http.MethodPost, s.URL+path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}

	status = 503
	x := &exchange{statement: true}
	if err := do(x, "/sql/1.0/warehouses/a"); !errors.Is(err, errNotTaken) || x.status != 503 || x.retryAfter != 3*time.Second {
		t.Errorf("statement: %v, %+v", err, x)
	}
	if err := do(x, "/sql/1.0/warehouses/a"); err != nil || x.status != 503 {
		t.Errorf("polling is the driver's to retry: %v, %+v", err, x)
	}
	status = 200
	if err := do(x, "/sql/1.0/warehouses/a"); err != nil || x.status != 200 {
		t.Errorf("%v, %+v", err, x)
	}
	asked = nil
	s.CloseClientConnections()
	s.Close()
	if err := do(x, "/sql/1.0/warehouses/a"); err == nil || x.err == nil || x.status != 0 {
		t.Errorf("no server: %v, %+v", err, x)
	}
	if err := do(x, "/telemetry-ext"); err == nil || len(asked) != 0 {
		t.Errorf("telemetry got out: %v, %v", err, asked)
	}
}
