// Package budget bounds the bytes that are in flight between reading and recording, of one run or of all runs of a process.
package budget

import (
	"context"
	"slices"
	"sync"
)

// Pool is the bytes that all runs of a process may have in flight together. Each run takes from it by a Budget of its own.
//
// A run that can't go on, because its source hangs, must not keep the others from going on. So while several runs use the pool,
// none takes more than is left free: one that hangs holds half of the pool at most, the next a third.
//
// Nobody waits for ever, as long as each run gives back in the end what it holds. Whoever waits while his own run holds bytes is
// let in when these come back: that run is told by Starved to write its half-full batch. Whoever waits while his run
// holds nothing wants more than is free: nobody who came later is let in before him, and all runs are told.
type Pool struct {
	mu      sync.Mutex
	max     int64
	used    int64
	members []*Budget
	queue   []*waiter
}

// Budget is what one run takes from a Pool. The size of a trace is known only after it was read, so a reader reserves an estimate
// and corrects it afterwards. A correction never waits: two readers that wait for each other's bytes would wait for ever.
type Budget struct {
	pool    *Pool
	used    int64
	starved chan struct{} // see Starved
	told    bool          // starved is closed
}

// waiter is a call of Acquire that waits.
type waiter struct {
	of  *Budget
	n   int64
	let chan struct{} // closed once the bytes are reserved
}

// Memory is what the runs of a process may have in flight together: payload, and apart from it the bytes of attachments. Traces
// that are read already wait for those: who waits for Attachments may hold some of Payload, never the other way round.
type Memory struct{ Payload, Attachments *Pool }

// attachmentShare is which part of the bytes is set aside for attachments.
const attachmentShare = 4

// NewMemory makes the memory of so many bytes; attachments says whether any are set aside for attachments.
func NewMemory(bytes int64, attachments bool) *Memory {
	m := &Memory{NewPool(bytes), NewPool(bytes / attachmentShare)}
	if attachments {
		m.Payload.max -= m.Attachments.max
	}
	return m
}

// NewPool makes a pool of max bytes.
func NewPool(max int64) *Pool { return &Pool{max: max} }

// New makes the budget of a run that has a pool of max bytes for itself.
func New(max int64) *Budget { return NewPool(max).Join() }

// Join makes the budget of one more run. Leave has to follow.
func (p *Pool) Join() *Budget {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &Budget{pool: p, starved: make(chan struct{})}
	p.members = append(p.members, b)
	p.changed() // Others may wait for more than is free.
	return b
}

// Leave gives back what the run still holds: one that failed in the middle holds some.
func (b *Budget) Leave() {
	p := b.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used -= b.used
	b.used = 0
	p.members = slices.DeleteFunc(p.members, func(m *Budget) bool { return m == b })
	p.changed()
}

// Acquire reserves n bytes. Anything fits into an empty pool, else one trace larger than all of it could never be read.
func (b *Budget) Acquire(ctx context.Context, n int64) error {
	p := b.pool
	w := &waiter{of: b, n: n, let: make(chan struct{})}
	p.mu.Lock()
	p.queue = append(p.queue, w)
	p.changed()
	p.mu.Unlock()
	select {
	case <-w.let: // at once, also where ctx has ended
		return nil
	default:
	}
	select {
	case <-w.let:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := slices.Index(p.queue, w); at >= 0 {
		p.queue = slices.Delete(p.queue, at, at+1)
	} else { // The bytes came at the same time.
		p.used -= n
		b.used -= n
	}
	p.changed()
	return context.Cause(ctx)
}

// Add corrects what is reserved by n bytes, up or down.
func (b *Budget) Add(n int64) {
	p := b.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	b.used += n
	p.used += n
	if n < 0 && len(p.queue) > 0 {
		p.changed()
	}
}

// Starved is closed while somebody waits for bytes that the run holds, or may hold: half-full batches are then to be
// written early. It has to be asked for anew each time.
func (b *Budget) Starved() <-chan struct{} {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	return b.starved
}

// Part is what the run may count on: an equal part of the pool.
func (b *Budget) Part() int64 {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	return b.pool.max / int64(max(len(b.pool.members), 1))
}

// fits says whether n more bytes can be reserved. The caller holds the lock.
func (b *Budget) fits(n int64) bool {
	p := b.pool
	free := p.max - p.used
	return p.used == 0 || n <= free && (len(p.members) == 1 || b.used+n <= free)
}

// changed lets those in for whom there is room now, and tells runs whether somebody waits. The caller holds the lock.
func (p *Pool) changed() {
	waiting := map[*Budget]bool{} // runs of which somebody waits who has to be let in before others of the run
	all := false                  // somebody waits whose run holds nothing
	p.queue = slices.DeleteFunc(p.queue, func(w *waiter) bool {
		if all || waiting[w.of] {
			return false
		}
		if w.of.fits(w.n) {
			p.used += w.n
			w.of.used += w.n
			close(w.let)
			return true
		}
		waiting[w.of] = true
		all = w.of.used == 0
		return false
	})
	for _, b := range p.members {
		b.tell(all || waiting[b])
	}
}

// tell has Starved say whether somebody waits.
func (b *Budget) tell(starved bool) {
	switch {
	case starved && !b.told:
		close(b.starved)
	case !starved && b.told:
		b.starved = make(chan struct{})
	}
	b.told = starved
}
