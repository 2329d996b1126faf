package mlflowclient

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// class is a group of endpoints that share a quota at the source.
//
// It asks a little less than the quota allows, and evenly: the source counts by a clock of its own, and
// who is refused once has to wait for longer than that little. A refusal halves the rate, and what goes
// well after it raises it again step by step, because others may use the same quota.
type class struct {
	limiter *rate.Limiter
	full    rate.Limit

	mu     sync.Mutex
	paused time.Time // nothing starts before
	total  time.Duration
}

const (
	quotaShare = 0.98
	// recovery is by which part of the full rate each success raises a lowered one.
	recovery = 1. / 400
)

func newClass(perSecond float64) *class {
	full := rate.Limit(perSecond * quotaShare)
	return &class{full: full, limiter: rate.NewLimiter(full, max(1, int(perSecond/50)))}
}

// went notes a request that was not refused.
func (c *class) went() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.limiter.Limit(); now < c.full {
		c.limiter.SetLimit(min(c.full, now+c.full*recovery))
	}
}

// wait returns when a request of the class may start.
func (c *class) wait(ctx context.Context) error {
	for {
		if err := sleep(ctx, c.pause()); err != nil {
			return err
		}
		if err := c.limiter.Wait(ctx); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		// A throttle may have come while this one waited for its turn.
		if c.pause() <= 0 {
			return nil
		}
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
		c.limiter.SetLimit(max(c.limiter.Limit()/2, c.full/20))
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
