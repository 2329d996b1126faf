// Package busy measures for how long something goes on.
package busy

import (
	"sync"
	"time"
)

// Clock runs while at least one of several goroutines is at something. The zero value is ready for use.
type Clock struct {
	mu    sync.Mutex
	at    int // goroutines that are at it
	since time.Time
	total time.Duration
}

// Begin says that a goroutine has begun. End has to follow.
func (c *Clock) Begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at++; c.at == 1 {
		c.since = time.Now()
	}
}

// End says that it is done.
func (c *Clock) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at--; c.at == 0 {
		c.total += time.Since(c.since)
	}
}

// Total is how long the clock has run.
func (c *Clock) Total() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at > 0 {
		return c.total + time.Since(c.since)
	}
	return c.total
}
