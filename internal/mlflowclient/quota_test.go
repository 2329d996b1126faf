package mlflowclient

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

// started counts the requests that q lets start within d.
func started(t *testing.T, q *quota, d time.Duration) (n int) {
	t.Helper()
	for end := time.Now().Add(d); ; n++ {
		if err := q.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			return n
		}
	}
}

func TestQuota(t *testing.T) {
	t.Run("it is used almost whole", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if got, want := started(t, newQuota(200), time.Minute), 60*196; got < want || got > want+4 {
				t.Errorf("%d requests in a minute, want %d and a burst of at most 4", got, want)
			}
		})
	})
	t.Run("a refusal holds all requests back and halves the rate", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := newQuota(200)
			start := time.Now()
			if first := q.refused(7 * time.Second); !first {
				t.Error("the first refusal is not taken for the first")
			}
			if first := q.refused(10 * time.Second); first {
				t.Error("a refusal of the same moment is taken for another one")
			}
			if err := q.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, want := time.Since(start), 10*time.Second; got != want {
				t.Errorf("the next request started after %v, want %v", got, want)
			}
			if got, want := q.heldBack(), 10*time.Second; got != want {
				t.Errorf("held back for %v, want %v", got, want)
			}
			if got, want := started(t, q, 10*time.Second), 980; got < want-1 || got > want+4 {
				t.Errorf("%d requests in 10 s after it, want %d and a burst of at most 4", got, want)
			}
		})
	})
	t.Run("success raises a lowered rate again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := newQuota(200)
			q.refused(time.Second)
			for range 100 {
				q.succeeded()
			}
			if got, want := q.limiter.Limit(), q.full*3/4; got < want-1e-6 || got > want+1e-6 {
				t.Errorf("a rate of %v after 100 successes, want %v", got, want)
			}
			for range 1000 {
				q.succeeded()
			}
			if got, want := q.limiter.Limit(), q.full; got != want {
				t.Errorf("a rate of %v after 1000 more, want %v", got, want)
			}
		})
	})
	t.Run("refusals never stop it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := newQuota(200)
			for range 20 {
				q.refused(time.Second)
				time.Sleep(time.Second)
			}
			if got, want := q.limiter.Limit(), q.full/20; got != want {
				t.Errorf("a rate of %v, want %v", got, want)
			}
		})
	})
	t.Run("none is unlimited, before and after a refusal", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := newQuota(0)
			q.refused(time.Second)
			if got, want := q.limiter.Limit(), rate.Inf; got != want {
				t.Errorf("a rate of %v, want %v", got, want)
			}
		})
	})
}

// A workspace is asked no more than its documented quota, unless the limits say otherwise.
func TestRatesHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		answers := roundTrip(func(r *http.Request) (*http.Response, error) {
			n.Add(1)
			return answer(200, experiment7), nil
		})
		c, err := NewDatabricks(workspace("http://127.0.0.1:8443"), Options{Transport: answers})
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
			t.Errorf("%d requests in 10 s, want 240 to 255", got)
		}
	})
}
