package mlflowclient

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// ask has many callers make requests of p for d, each of which lasts as long as serve. It returns how many were
// served, and how many were under way at most in the second half of the time.
func ask(p *pacer, d time.Duration, serve func()) (served, most int) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	half := time.Now().Add(d / 2)
	var mu sync.Mutex
	var all sync.WaitGroup
	underWay := 0
	for range maxWindow {
		all.Go(func() {
			for p.start(ctx) == nil {
				mu.Lock()
				if underWay++; time.Now().After(half) {
					most = max(most, underWay)
				}
				mu.Unlock()
				began := time.Now()
				serve()
				now := time.Now()
				p.answered(now.Sub(began), now)
				p.quota.succeeded()
				mu.Lock()
				underWay--
				served++
				mu.Unlock()
				p.done()
			}
		})
	}
	all.Wait()
	return served, most
}

func TestWindowFollowsTheSource(t *testing.T) {
	t.Run("a distant source gets enough requests to use the quota", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			quota := rate.NewLimiter(200, 20) // as the source counts
			served, _ := ask(newPacer(200), time.Minute, func() {
				if !quota.Allow() {
					t.Error("a request over the quota")
				}
				time.Sleep(700 * time.Millisecond)
			})
			if want := 60 * 200 * 9 / 10; served < want {
				t.Errorf("%d requests in a minute, want at least %d", served, want)
			}
		})
	})
	t.Run("a source that serves two at a time gets few requests at a time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			workers := make(chan struct{}, 2)
			served, most := ask(newPacer(1e6), time.Minute, func() {
				workers <- struct{}{}
				time.Sleep(50 * time.Millisecond)
				<-workers
			})
			if most > 6 {
				t.Errorf("%d requests under way at a source that serves 2, want at most 6", most)
			}
			if want := 60 * 40 * 99 / 100; served < want {
				t.Errorf("%d requests in a minute, want at least %d", served, want)
			}
		})
	})
	t.Run("a source that slows down is asked less, and more again when it recovers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPacer(0)
			quick := func() { time.Sleep(100 * time.Millisecond) }
			if _, most := ask(p, 10*time.Second, quick); most != maxWindow {
				t.Errorf("%d requests under way at a quick source, want %d", most, maxWindow)
			}
			if _, most := ask(p, 10*time.Second, func() { time.Sleep(time.Second) }); most > maxWindow/2 {
				t.Errorf("%d requests under way at a slow source, want at most %d", most, maxWindow/2)
			}
			if _, most := ask(p, 15*time.Second, quick); most < maxWindow*5/8 {
				t.Errorf("%d requests under way after it recovered, want at least %d", most, maxWindow*5/8)
			}
		})
	})
	t.Run("refusals at one moment halve it once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPacer(0)
			ask(p, 10*time.Second, func() { time.Sleep(100 * time.Millisecond) })
			want := p.window.size / 2
			p.refused(time.Second)
			p.refused(time.Second)
			if got := p.window.size; got != want {
				t.Errorf("a window of %v, want %v", got, want)
			}
		})
	})
}

// A request that gives up waiting keeps no place.
func TestWindowGivesUpPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow()
		w.size = 8
		for range 8 {
			if err := w.acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		cause := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if err := w.acquire(ctx); err == nil {
					w.release()
				} else if !errors.Is(err, cause) {
					t.Errorf("error %v, want %v", err, cause)
				}
			})
		}
		synctest.Wait()
		go cancel(cause) // while places become free
		for range 8 {
			w.release()
		}
		all.Wait()
		if w.taken != 0 || len(w.queue) != 0 {
			t.Errorf("%d places are taken and %d requests wait, want none of either", w.taken, len(w.queue))
		}
	})
}

// A request that gives up while it waits for its quota gives its place in the window back.
func TestPacerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(0)
		p.refused(time.Minute)
		cause := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := p.start(ctx); !errors.Is(err, cause) {
					t.Errorf("error %v, want %v", err, cause)
				}
			})
		}
		synctest.Wait()
		if w := p.window; w.taken != 2 || w.underWay != 0 {
			t.Errorf("%d places are taken and %d requests under way, want 2 and 0", w.taken, w.underWay)
		}
		cancel(cause)
		all.Wait()
		if w := p.window; w.taken != 0 || w.underWay != 0 || len(w.queue) != 0 {
			t.Errorf("%d places are taken, %d requests under way and %d wait, want none of either", w.taken, w.underWay, len(w.queue))
		}
	})
}

// A refused request holds back all requests of its kind, and none of another kind.
func TestRefusalHoldsBackTheKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var searches, downloads []time.Duration
		c := clientOf(t, Options{Limits: unlimited, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
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
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				c.Experiment(t.Context(), "agent")
				c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{{TraceID: "tr-1"}})
			})
		}
		wg.Go(func() {
			time.Sleep(10 * time.Second)
			c.FetchSpans(t.Context(), Exact, []*mlflow.TraceInfo{{TraceID: "tr-1"}})
		})
		wg.Wait()
		for _, d := range searches[1:] {
			if d < 60*time.Second {
				t.Errorf("a search started %v after the refusal, want at least 60s", d)
			}
		}
		if downloads[0] != 10*time.Second {
			t.Errorf("the first download started after %v, want 10s", downloads[0])
		}
		if s := c.Stats(); s.Throttled != 60*time.Second {
			t.Errorf("throttled for %v, want 60s", s.Throttled)
		}
	})
}
