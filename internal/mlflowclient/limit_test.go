package mlflowclient

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

// ask has many callers make requests of c for d, each lasting as serve has it last, and returns how
// many were served and how many were under way at most in the second half of the time.
func ask(c *class, d time.Duration, serve func()) (served, most int) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	half := time.Now().Add(d / 2)
	var mu sync.Mutex
	var all sync.WaitGroup
	underWay := 0
	for range maxWindow {
		all.Go(func() {
			for c.enter(ctx) == nil {
				mu.Lock()
				if underWay++; time.Now().After(half) {
					most = max(most, underWay)
				}
				mu.Unlock()
				began := time.Now()
				serve()
				now := time.Now()
				c.answered(now.Sub(began), now)
				c.went()
				mu.Lock()
				underWay--
				served++
				mu.Unlock()
				c.leave()
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
			served, _ := ask(newClass(200), time.Minute, func() {
				if !quota.Allow() {
					t.Error("a request over the quota")
				}
				time.Sleep(700 * time.Millisecond)
			})
			if want := 60 * 200 * 9 / 10; served < want {
				t.Errorf("%d requests in a minute, want %d", served, want)
			}
		})
	})
	t.Run("a source that serves two at a time is not buried", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			workers := make(chan struct{}, 2)
			served, most := ask(newClass(1e6), time.Minute, func() {
				workers <- struct{}{}
				time.Sleep(50 * time.Millisecond)
				<-workers
			})
			if most > 3*minWindow {
				t.Errorf("%d requests under way at a source for 2", most)
			}
			if want := 60 * 40 * 99 / 100; served < want {
				t.Errorf("%d requests in a minute, want %d", served, want)
			}
		})
	})
	t.Run("a source that slows down is asked less, and more again when it recovers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newClass(0)
			quick := func() { time.Sleep(100 * time.Millisecond) }
			if _, most := ask(c, 10*time.Second, quick); most != maxWindow {
				t.Errorf("%d requests under way at a quick source, want %d", most, maxWindow)
			}
			if _, most := ask(c, 10*time.Second, func() { time.Sleep(time.Second) }); most > maxWindow/2 {
				t.Errorf("%d requests under way at a slow source", most)
			}
			if _, most := ask(c, 15*time.Second, quick); most < maxWindow*5/8 {
				t.Errorf("%d requests under way after it recovered, want %d", most, maxWindow*5/8)
			}
		})
	})
	t.Run("a refusal halves it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newClass(0)
			ask(c, 10*time.Second, func() { time.Sleep(100 * time.Millisecond) })
			before := c.window
			c.throttled(time.Second)
			c.throttled(time.Second) // of the same moment
			if c.window != before/2 {
				t.Errorf("window %v, want half of %v", c.window, before)
			}
		})
	})
}

// Whoever gives up waiting leaves no place taken.
func TestGivingUpAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClass(0)
		for range minWindow {
			if err := c.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if err := c.enter(ctx); err == nil {
					c.leave()
				} else if !errors.Is(err, gone) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		go cancel(gone) // while places become free
		for range minWindow {
			c.leave()
		}
		all.Wait()
		if c.taken != 0 || c.underWay != 0 || len(c.queue) != 0 {
			t.Errorf("%d places taken, %d requests under way, %d waiting", c.taken, c.underWay, len(c.queue))
		}
	})
}
