package mlflowclient

import (
	"context"
	"slices"
	"sync"
	"time"
)

// window bounds how many requests of one kind are under way at a time, and follows what the source can serve.
//
// It grows by one with each round of answers as long as these begin as quickly as before, and shrinks when
// a request is refused or when answers take much longer to begin than at their best (additive increase, multiplicative
// decrease, as in TCP). A small server so gets few requests at a time, and a distant one
// enough of them to use its quota.
type window struct {
	mu       sync.Mutex
	size     float64         // requests that may be under way
	steady   bool            // the size has been found once: it no longer doubles with each round
	taken    int             // requests that hold a place: those under way, and those that wait for their quota
	underWay int             // requests that have been sent and not answered
	queue    []chan struct{} // requests that wait for a place; each channel is closed when its request has one

	mean time.Duration // time to an answer's first byte, a moving average
	best time.Duration // the least mean, forgotten slowly
	hold time.Time     // the size is not cut again before
}

const (
	minWindow = 8
	maxWindow = 256
	// Times to the first byte below sameLatency times the best count as unchanged, because payloads and the load by other
	// clients differ. Times above risenLatency times the best cut the window.
	sameLatency, risenLatency = 1.5, 2.5
	// jitter is allowed on top of risenLatency, and half of it on top of sameLatency.
	jitter = 20 * time.Millisecond
	// forget is how slowly the best time gives way to a worse one: by one part in so many with each answer.
	forget = 8192
)

func newWindow() *window { return &window{size: minWindow} }

// acquire waits for a place. Each place has to be given back by release.
func (w *window) acquire(ctx context.Context) error {
	w.mu.Lock()
	turn := make(chan struct{})
	w.queue = append(w.queue, turn)
	w.admit()
	w.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.queue, turn); i >= 0 {
		w.queue = slices.Delete(w.queue, i, i+1)
	} else { // The place came at the same time.
		w.taken--
		w.admit()
	}
	return context.Cause(ctx)
}

func (w *window) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken--
	w.admit()
}

// admit gives free places to those that wait longest. The caller holds the lock.
func (w *window) admit() {
	for len(w.queue) > 0 && w.taken < int(w.size) {
		w.taken++
		close(w.queue[0])
		w.queue = w.queue[1:]
	}
}

// sent notes that a request which holds a place is under way.
func (w *window) sent() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.underWay++
}

// ended notes that such a request is over.
func (w *window) ended() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.underWay--
}

// answered notes how long a request waited for the first byte of its answer.
func (w *window) answered(after time.Duration, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mean == 0 {
		w.mean, w.best = after, after
	}
	w.mean += (after - w.mean) / 16
	w.best = min(w.mean, w.best+w.best/forget+1)
	switch {
	case w.mean > time.Duration(risenLatency*float64(w.best))+jitter:
		if now.After(w.hold) {
			w.cut(0.8, now)
		}
	case len(w.queue) == 0 || w.underWay < w.taken/2:
		// No request waits for a place, or most of them wait for their quota: a larger window would change nothing.
	case w.mean > time.Duration(sameLatency*float64(w.best))+jitter/2:
		w.steady = true
	case w.steady:
		w.size = min(maxWindow, w.size+1/w.size)
	default:
		w.size = min(maxWindow, w.size+1)
	}
}

// refused notes that the source has refused a request because it has too many.
func (w *window) refused() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut(0.5, time.Now())
}

// cut shrinks the window to a part of its size. The caller holds the lock.
func (w *window) cut(to float64, now time.Time) {
	w.size, w.steady = max(minWindow, w.size*to), true
	w.hold = now.Add(2 * w.mean) // The answers until then are those of the larger window.
}
