package mlflowclient

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// class is a group of endpoints that share a quota, and a server's strength, at the source.
//
// It asks a little less than the quota allows, and evenly: the source counts by a clock of its own, and
// who is refused once has to wait for longer than that little. A refusal halves the rate, and what goes
// well after it raises it again step by step, because others may use the same quota.
//
// How many requests are under way at a time follows the source too: more by one with each round of
// answers as long as they come as quickly as before, fewer when a refusal comes or the answers take
// much longer than at their best. A small server so gets few at a time, and a distant one enough to
// use the quota.
type class struct {
	limiter *rate.Limiter
	full    rate.Limit

	mu     sync.Mutex
	paused time.Time // nothing starts before
	total  time.Duration

	window   float64 // requests that may be under way
	steady   bool    // the window has found its size once: no more doubling
	taken    int     // places of the window, by requests under way or about to be
	underWay int
	queue    []chan struct{} // who waits for a place, each closed when it has one

	mean  time.Duration // of the time to an answer's first byte
	best  time.Duration // the least mean, forgotten slowly
	until time.Time     // the window is not cut again before
}

const (
	quotaShare = 0.98
	// recovery is by which part of the full rate each success raises a lowered one.
	recovery = 1. / 400

	minWindow = 8
	maxWindow = 256
	// What times to the first byte are let pass as the same: payloads and neighbours differ.
	sameLatency, risenLatency = 1.5, 2.5
	jitter                    = 20 * time.Millisecond
	// forget is how slowly the best time gives way to a worse one, an answer at a time.
	forget = 8192
)

// newClass makes a class of so many requests a second; 0 is no quota.
func newClass(perSecond float64) *class {
	c := &class{full: rate.Inf, limiter: rate.NewLimiter(rate.Inf, 0), window: minWindow}
	if perSecond > 0 {
		c.full = rate.Limit(perSecond * quotaShare)
		c.limiter = rate.NewLimiter(c.full, max(1, int(perSecond/50)))
	}
	return c
}

// enter returns when a request of the class may start. leave has to follow when it is over.
func (c *class) enter(ctx context.Context) error {
	if err := c.place(ctx); err != nil {
		return err
	}
	// The quota comes last: who has its leave must not wait for anything else, or many start at once.
	for {
		err := sleep(ctx, c.pause())
		if err == nil {
			if err = c.limiter.Wait(ctx); ctx.Err() != nil {
				err = context.Cause(ctx)
			}
		}
		if err != nil {
			c.free()
			return err
		}
		// A throttle may have come while this one waited for its turn.
		if c.pause() <= 0 {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay++
	return nil
}

func (c *class) leave() {
	c.mu.Lock()
	c.underWay--
	c.mu.Unlock()
	c.free()
}

// place waits for one of the window's places.
func (c *class) place(ctx context.Context) error {
	c.mu.Lock()
	turn := make(chan struct{})
	c.queue = append(c.queue, turn)
	c.admit()
	c.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.queue, turn); i >= 0 {
		c.queue = slices.Delete(c.queue, i, i+1)
	} else {
		c.taken--
		c.admit()
	}
	return context.Cause(ctx)
}

// free gives a place back.
func (c *class) free() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken--
	c.admit()
}

func (c *class) admit() {
	for len(c.queue) > 0 && c.taken < int(c.window) {
		c.taken++
		close(c.queue[0])
		c.queue = c.queue[1:]
	}
}

// answered notes how long a request of the class waited for its answer to begin.
func (c *class) answered(after time.Duration, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mean == 0 {
		c.mean, c.best = after, after
	}
	c.mean += (after - c.mean) / 16
	c.best = min(c.mean, c.best+c.best/forget+1)
	switch {
	case c.mean > time.Duration(risenLatency*float64(c.best))+jitter:
		if now.After(c.until) {
			c.cut(0.8, now)
		}
	case len(c.queue) == 0 || c.underWay < c.taken/2: // Nobody waits for a place, or most wait for the quota.
	case c.mean > time.Duration(sameLatency*float64(c.best))+jitter/2:
		c.steady = true
	case c.steady:
		c.window = min(maxWindow, c.window+1/c.window)
	default:
		c.window = min(maxWindow, c.window+1)
	}
}

func (c *class) cut(to float64, now time.Time) {
	c.window, c.steady = max(minWindow, c.window*to), true
	c.until = now.Add(2 * c.mean) // Those under way tell of the larger window.
}

// went notes a request that was not refused.
func (c *class) went() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.limiter.Limit(); now < c.full {
		c.limiter.SetLimit(min(c.full, now+c.full*recovery))
	}
}

func (c *class) pause() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Until(c.paused)
}

// throttled holds back every request of the class for d: who is told to slow down speaks for all.
func (c *class) throttled(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	until := now.Add(d)
	if !until.After(c.paused) {
		return
	}
	from := now
	if c.paused.After(now) {
		from = c.paused
	} else {
		// Those that were under way together are refused together: they count as one.
		c.cut(0.5, now)
		if c.full != rate.Inf {
			c.limiter.SetLimit(max(c.limiter.Limit()/2, c.full/20))
		}
	}
	c.total += until.Sub(from)
	c.paused = until
}

func (c *class) throttledFor() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
