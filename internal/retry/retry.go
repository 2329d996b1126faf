// Package retry repeats an operation with exponential backoff and jitter. It does not look at answers: the
// operation's error says whether another try can help.
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Policy says how long and how often to try.
type Policy struct {
	Initial time.Duration // first wait; doubled each time
	Max     time.Duration // longest wait that backoff itself asks for; a server's Retry-After may be longer
	Budget  time.Duration // Do gives up rather than wait until later than this after its start
}

// Default is the policy for REST calls and statements: waits from 0.5 s to 30 s, for five minutes.
var Default = Policy{Initial: 500 * time.Millisecond, Max: 30 * time.Second, Budget: 5 * time.Minute}

// Again marks err as one after which another try may succeed. after is the least time to wait, which a server asks for
// with Retry-After, or zero.
func Again(err error, after time.Duration) error {
	return &again{err: err, after: after}
}

// Lost marks err as that of a race that another writer has won, such as for the next version of a table. Each lost race is
// the progress of another writer, so even many of them are no sign of a fault. They don't use up the budget for faults, but
// a budget of their own of an hour. The next try is made soon: when losers wait long and winners don't wait at all, the
// winners keep winning. This was simulated with eight writers that never pause and statements of 1.5 s. With long waits, a
// writer went without a commit for 5 minutes 47 times an hour. With short waits none ever waited longer than
// 6 minutes, and there were as many commits in all.
func Lost(err error) error {
	return &again{err: err, lost: true, noFault: true}
}

// Busy is Again for a service that works, but has no room yet or is still starting. Waiting for it does not use up the budget
// for faults, which begins anew, but the budget of an hour that lost races have.
func Busy(err error, after time.Duration) error {
	return &again{err: err, after: after, noFault: true}
}

const (
	raceMax    = 4 * time.Second // longest wait after a lost race
	longBudget = time.Hour       // for lost races and for waiting for a busy service
)

// After is how long an answer's Retry-After asks to wait, which it gives in seconds or as a date. It is 0 where there is
// none.
func After(h http.Header, now time.Time) time.Duration {
	asked := h.Get("Retry-After")
	if s, err := strconv.ParseInt(asked, 10, 32); err == nil {
		return max(0, time.Duration(s)*time.Second)
	}
	if t, err := http.ParseTime(asked); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

type again struct {
	err     error
	after   time.Duration
	lost    bool // waits are short
	noFault bool // the budget for faults begins anew, and longBudget counts
}

func (e *again) Error() string { return e.err.Error() }
func (e *again) Unwrap() error { return e.err }

// Do calls op until it succeeds, returns an error that is not marked by Again, Lost or Busy, the policy's budget is
// exhausted, or ctx ends. It starts nothing when ctx has already ended. waiting, which may be nil, is called before every
// wait. The returned error is op's last one without the mark, or the cause of ctx's end.
func Do(ctx context.Context, p Policy, op func(context.Context) error, waiting func(Wait)) error {
	deadline, end := time.Now().Add(p.Budget), time.Now().Add(longBudget)
	backoff := p.Initial
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		err := op(ctx)
		a, ok := errors.AsType[*again](err)
		if !ok {
			return err
		}
		// A random part of the upper half keeps clients from trying at the same time, and no wait is too short.
		wait := backoff/2 + rand.N(backoff/2+1)
		wait = max(wait, a.after)
		backoff = min(2*backoff, p.Max)
		if a.lost {
			backoff = min(backoff, raceMax)
		}
		until := deadline
		if a.noFault {
			deadline, until = time.Now().Add(p.Budget), end
		}
		if at := time.Now().Add(wait); at.After(deadline) || at.After(until) {
			return a.err
		}
		if waiting != nil {
			waiting(Wait{a.err, wait, until})
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}
