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
// decrease, as in TCP). A small server so gets few requests at a time, and a distant one enough of them to use its quota.
//
// It begins with few requests, so that the first answers do not wait for many others of ours. Measured: one worker of MLflow
// 3.17 hands out 135 traces a second when it is asked for one or two at a time, and 116 when it is asked for eight; in
// groups of 50, 196 when it is asked for one group at a time, and 141 when it is asked for two.
type window struct {
	least float64 // size that it never falls below, and begins with
	risen float64 // times the best time to the first byte, from which on the window is too large
	rest  int     // mean times that it waits after a cut until it grows again

	mu       sync.Mutex
	size     float64         // requests that may be under way
	steady   bool            // the size has been found once: it no longer doubles with each round
	taken    int             // requests that hold a place: those under way, and those that wait for their quota
	underWay int             // requests that have been sent and not answered
	queue    []chan struct{} // requests that wait for a place; each channel is closed when its request has one

	mean time.Duration // time to an answer's first byte, a moving average
	best time.Duration // the least mean, forgotten slowly
	hold time.Time     // the size is not cut again before
	calm time.Time     // the size does not grow before
}

const (
	maxWindow = 256
	// Times to the first byte below sameLatency times the best count as unchanged, because payloads and the load by other
	// clients differ.
	sameLatency = 1.5
	// jitter is allowed on top of a window's risen, and half of it on top of sameLatency.
	jitter = 5 * time.Millisecond
	// forget is how slowly the best time gives way to a worse one: by one part in so many with each answer.
	forget = 8192
)

// newWindow makes a window for single traces, pages and the like. It keeps two places, so that a large answer, which may take
// minutes to arrive, does not stop all others.
func newWindow() *window { return &window{least: 2, size: 2, risen: 2.5} }

// newGroupWindow makes a window for groups of traces. Each keeps a worker of the server busy by itself, and two of them in one
// process of Python are slower together than one after the other. So the window stays as small as the server's answers
// tell, and seldom tries more.
func newGroupWindow() *window { return &window{least: 1, size: 1, risen: 1.75, rest: 64} }

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
	case w.mean > time.Duration(w.risen*float64(w.best))+jitter:
		if now.After(w.hold) {
			w.cut(0.8, now)
		}
	case len(w.queue) == 0 || w.underWay < w.taken/2 || now.Before(w.calm):
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
	w.size, w.steady = max(w.least, w.size*to), true
	w.hold = now.Add(2 * w.mean) // The answers until then are those of the larger window.
	w.calm = now.Add(time.Duration(w.rest) * w.mean)
}
