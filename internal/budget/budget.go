// Package budget bounds the bytes that are in flight between reading and recording.
package budget

import (
	"context"
	"sync"
)

// Budget bounds the bytes in flight. The size of a trace is known only after it was read, so a reader
// reserves an estimate and corrects it afterwards. A correction never waits: two readers that wait for each
// other's bytes would wait for ever.
type Budget struct {
	mu      sync.Mutex
	max     int64
	used    int64
	waiters []chan struct{}
	starved chan struct{} // see Starved
}

// New makes a budget of max bytes.
func New(max int64) *Budget {
	return &Budget{max: max, starved: make(chan struct{}, 1)}
}

// Acquire reserves n bytes. Anything fits into an empty budget, else one trace larger than all of it
// could never be read.
func (b *Budget) Acquire(ctx context.Context, n int64) error {
	for {
		b.mu.Lock()
		if b.used == 0 || b.used+n <= b.max {
			b.used += n
			b.mu.Unlock()
			return nil
		}
		w := make(chan struct{})
		b.waiters = append(b.waiters, w)
		b.mu.Unlock()
		select {
		case b.starved <- struct{}{}:
		default:
		}
		select {
		case <-w:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Add corrects what is reserved by n bytes, up or down.
func (b *Budget) Add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
	if n < 0 {
		for _, w := range b.waiters {
			close(w)
		}
		b.waiters = nil
		select {
		case <-b.starved:
		default:
		}
	}
}

// Starved has a value while somebody waits for bytes: then half-full batches are to be written early, since
// they hold some.
func (b *Budget) Starved() <-chan struct{} { return b.starved }

// Waited says whether somebody waits for bytes.
func (b *Budget) Waited() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiters) > 0
}
