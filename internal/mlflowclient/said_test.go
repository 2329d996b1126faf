package mlflowclient

import (
	"bytes"
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
