package retry

import (
	"sync"
	"time"
)

// Wait is a wait for another try.
type Wait struct {
	Err   error         // what the last try ended with
	For   time.Duration // how long Do waits now
	Until time.Time     // Do gives up rather than wait until later than this
}

// Waits knows which operations wait for another try, so that who watches can be told. All methods may be called at any
// time, also of a nil *Waits, which knows of none.
type Waits struct {
	mu      sync.Mutex
	waiting map[*Operation]Waiting
	watched bool
}

// Waiting is what is known of an operation that has failed and is tried again.
type Waiting struct {
	What  string    // what it waits for: a clause, such as "the source does not answer (EOF)"
	Since time.Time // of the first failure
	Until time.Time // it is given up then
}

// Operation is one that may have to wait.
type Operation struct{ of *Waits }

// Operation is a new operation. Its end is told by Over.
func (w *Waits) Operation() *Operation {
	if w == nil {
		return nil
	}
	return &Operation{w}
}

// Waits says that the operation has failed and waits for another try.
func (o *Operation) Waits(what string, w Wait) {
	if o == nil {
		return
	}
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	if o.of.waiting == nil {
		o.of.waiting = map[*Operation]Waiting{}
	}
	since := time.Now()
	if before, ok := o.of.waiting[o]; ok {
		since = before.Since
	}
	o.of.waiting[o] = Waiting{what, since, w.Until}
}

// Over says that the operation has ended, well or not.
func (o *Operation) Over() {
	if o == nil {
		return
	}
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	delete(o.of.waiting, o)
}

// Watch says whether somebody is shown what waits, so that it need not be logged too.
func (w *Waits) Watch(shown bool) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watched = shown
}

// Watched says what was last said by Watch.
func (w *Waits) Watched() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.watched
}

// Longest is the operation that has waited longest; ok says whether there is one.
func (w *Waits) Longest() (longest Waiting, ok bool) {
	if w == nil {
		return longest, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, each := range w.waiting {
		if !ok || each.Since.Before(longest.Since) {
			longest, ok = each, true
		}
	}
	return longest, ok
}
