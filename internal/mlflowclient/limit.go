package mlflowclient

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// class is a group of endpoints that share a quota at the source.
type class struct {
	limiter *rate.Limiter

	mu     sync.Mutex
	paused time.Time // nothing starts before
	total  time.Duration
}

func newClass(perSecond float64) *class {
	return &class{limiter: rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/10)))}
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
