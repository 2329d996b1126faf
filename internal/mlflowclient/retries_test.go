package mlflowclient

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// A source that stops listening is waited for, and users are warned of that now and then, not for each request. When the
// first request already finds nothing that listens, it fails at once.
func TestWarnsOfWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone time.Time // From then on nothing listens for 20 seconds.
		var out bytes.Buffer
		c := clientOf(t, Options{
			Logger: slog.New(slog.NewTextHandler(&out, nil)),
			Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				if time.Since(gone) < 20*time.Second {
					return nil, syscall.ECONNREFUSED
				}
				return answer(200, experiment7), nil
			}),
		})
		gone = time.Now()
		want := "connection refused; check the address"
		if _, err := c.Experiment(t.Context(), "7"); err == nil || !strings.Contains(err.Error(), want) || time.Since(gone) > 0 {
			t.Errorf("error %v of the first request after %v, want %s at once", err, time.Since(gone), want)
		}
		gone = time.Time{}
		if _, err := c.Experiment(t.Context(), "7"); err != nil {
			t.Fatal(err)
		}
		gone = time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := c.Experiment(t.Context(), "7"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		n := strings.Count(out.String(), "level=WARN")
		if n < 2 || n > 8 || !strings.Contains(out.String(), "connection refused") {
			t.Errorf("%d warnings, want 2 to 8 of connection refused:\n%s", n, out.String())
		}
	})
}

func TestFaultsAreRetriedOrNot(t *testing.T) {
	const least, most = 250 * time.Millisecond, time.Second // of a first wait, without a Retry-After
	gives := func(status int, body string, header ...string) func() (*http.Response, error) {
		return func() (*http.Response, error) { return answer(status, body, header...), nil }
	}
	fails := func(err error) func() (*http.Response, error) {
		return func() (*http.Response, error) { return nil, err }
	}
	tests := map[string]struct {
		fault       func() (*http.Response, error) // nil for an answer that never comes
		least, most time.Duration                  // of the wait before the next try
		refused     bool                           // there is no other try
	}{
		"429 with seconds": {fault: gives(429, "", "Retry-After", "7"), least: 7 * time.Second, most: 7 * time.Second},
		"429 with a date": {fault: func() (*http.Response, error) {
			return answer(429, "", "Retry-After", time.Now().Add(90*time.Second).UTC().Format(http.TimeFormat)), nil
		}, least: 89 * time.Second, most: 90 * time.Second},
		"429 without a hint": {fault: gives(429, ""), least: least, most: most},
		"500":                {fault: gives(500, ""), least: least, most: most},
		"502":                {fault: gives(502, "<html>"), least: least, most: most},
		"503":                {fault: gives(503, "", "Retry-After", "3"), least: 3 * time.Second, most: 3 * time.Second},
		"504":                {fault: gives(504, ""), least: least, most: most},
		"reset":              {fault: fails(syscall.ECONNRESET), least: least, most: most},
		"cut body": {fault: func() (*http.Response, error) {
			r := answer(200, experiment7)
			r.Body = cut(experiment7)
			return r, nil
		}, least: least, most: most},
		"400":              {fault: gives(400, ""), refused: true},
		"401":              {fault: gives(401, ""), refused: true},
		"403":              {fault: gives(403, ""), refused: true},
		"409":              {fault: gives(409, ""), refused: true},
		"501":              {fault: gives(501, ""), refused: true},
		"redirect":         {fault: gives(302, "", "Location", "https://elsewhere.example/?t=secret"), refused: true},
		"nobody listens":   {fault: fails(syscall.ECONNREFUSED), refused: true},
		"a stalled answer": {least: stallTimeout, most: stallTimeout + time.Second},
		"code in a 429's JSON": {
			fault: gives(429, `{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"slow"}`, "Retry-After", "1"),
			least: time.Second, most: time.Second,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var at []time.Time
				start := time.Now()
				serve := roundTrip(func(r *http.Request) (*http.Response, error) {
					at = append(at, time.Now())
					if len(at) > 1 {
						return answer(200, experiment7), nil
					}
					if tt.fault == nil {
						<-r.Context().Done()
						return nil, r.Context().Err()
					}
					return tt.fault()
				})
				creds := ServerCredentials{Token: "secret-token"}
				c, err := NewServer("http://127.0.0.1:5000/?key=secret", creds, Options{Limits: unlimited, Transport: serve})
				if err != nil {
					t.Fatal(err)
				}
				e, err := c.Experiment(t.Context(), "agent")
				if tt.refused {
					if err == nil || len(at) != 1 {
						t.Fatalf("%d requests, error %v, want one after 1", len(at), err)
					}
					if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "?") {
						t.Errorf("error %v, want one without the query and the token", err)
					}
					return
				}
				if err != nil || e.ID != "7" || len(at) != 2 {
					t.Fatalf("%d requests, experiment %+v, error %v, want experiment 7 after 2", len(at), e, err)
				}
				if waited := at[1].Sub(start); waited < tt.least || waited > tt.most {
					t.Errorf("waited %v, want %v to %v", waited, tt.least, tt.most)
				}
				if s := c.Stats(); s.Requests != 2 || s.Retries != 1 {
					t.Errorf("stats %+v, want 2 requests and 1 retry", s)
				}
			})
		})
	}
}

// A server with a wrong clock may give a Retry-After far in the future, which ends the request instead of holding it for
// years, or one in the past, which does not shorten the wait.
func TestRetryAfterOfAWrongClock(t *testing.T) {
	for _, date := range []time.Duration{-24 * 365 * time.Hour, 24 * 365 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			start := time.Now()
			c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
				if n++; n == 1 {
					w.Header().Set("Retry-After", time.Now().Add(date).UTC().Format(http.TimeFormat))
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				io.WriteString(w, experiment7)
			})
			_, err := c.Experiment(t.Context(), "agent")
			waited := time.Since(start)
			if (err == nil) != (date < 0) {
				t.Errorf("%v: error %v, want one: %t", date, err, date > 0)
			}
			if waited > 5*time.Minute || date < 0 && waited < 250*time.Millisecond {
				t.Errorf("%v: waited %v, want 250ms to 5m", date, waited)
			}
		})
	}
}

// cut is a body that ends before its Content-Length.
func cut(body string) io.ReadCloser {
	return io.NopCloser(io.MultiReader(strings.NewReader(body[:len(body)/2]), iotest.ErrReader(io.ErrUnexpectedEOF)))
}
