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
	"testing/synctest"
	"time"
)

// A source that stops listening is waited for, and this is said now and then, not for each request. At the
// first request it is told at once.
func TestWaitingIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone time.Time // since when nothing listens, for 20 seconds
		var out bytes.Buffer
		c, err := NewServer("http://127.0.0.1:5000", ServerCredentials{}, Options{
			Logger: slog.New(slog.NewTextHandler(&out, nil)),
			Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				if time.Since(gone) < 20*time.Second {
					return nil, syscall.ECONNREFUSED
				}
				return answer(200, experiment7), nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		gone = time.Now()
		if _, err := c.Experiment(t.Context(), "7"); err == nil || !strings.Contains(err.Error(), "connection refused; check the address") || time.Since(gone) > 0 {
			t.Errorf("at first: %v after %v", err, time.Since(gone))
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
		if said := strings.Count(out.String(), "level=WARN"); said < 2 || said > 8 || !strings.Contains(out.String(), "connection refused") {
			t.Errorf("%d lines:\n%s", said, out.String())
		}
	})
}

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

// A Retry-After far in the future, as a server with a wrong clock gives it, ends the request instead
// of holding it for years; one in the past is no reason to hurry.
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
			if waited := time.Since(start); waited > 5*time.Minute || (err == nil) != (date < 0) || date < 0 && waited < 250*time.Millisecond {
				t.Errorf("%v: error %v after %v", date, err, waited)
			}
		})
	}
}

// cut is a body that ends before its Content-Length.
func cut(body string) io.ReadCloser {
	return io.NopCloser(io.MultiReader(strings.NewReader(body[:len(body)/2]), roundReader{}))
}

type roundReader struct{}

func (roundReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
