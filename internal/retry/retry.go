// Package retry repeats an operation with exponential backoff and jitter. It judges no answers: the
// operation itself says, by the error it returns, whether another try can help.
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
	Budget  time.Duration // no wait begins that would end later than this after the start
}

// Default is the policy for REST calls and statements: waits from 0.5 s to 30 s, for five minutes.
var Default = Policy{Initial: 500 * time.Millisecond, Max: 30 * time.Second, Budget: 5 * time.Minute}

// Again marks err as one that another try may cure. after is the least time to wait, as a server
// asks for it with Retry-After, or zero.
func Again(err error, after time.Duration) error {
	return &again{err: err, after: after}
}

// Lost marks err as that of a race that somebody else has won, such as for the next version of a table.
// Each lost race is the progress of another, so no number of them tells of a fault: they don't use up
// the budget for faults, but one of their own of an hour. And another try is made soon: when losers
// wait long and winners don't wait at all, the winners keep winning. Of eight simulated writers that
// never pause, each statement 1.5 s, long waits had a loser go without for 5 minutes 47 times an hour;
// short ones never had one wait longer than 6, with as many commits in all.
func Lost(err error) error {
	return &again{err: err, lost: true, patient: true}
}

// Busy marks err as that of a service that is well, but has no room yet or is still starting, as Again does.
// To wait for it uses up nothing of the budget for faults, which begins anew, but, like lost races, one of an hour.
func Busy(err error, after time.Duration) error {
	return &again{err: err, after: after, patient: true}
}

const (
	raceMax  = 4 * time.Second // longest wait after a lost race
	patience = time.Hour       // the budget of lost races and of waiting for a busy service
)

// After is how long an answer's Retry-After asks to wait: seconds, or until a date. It is 0 where there is
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
	lost    bool // short waits
	patient bool // the budget for faults begins anew
}

func (e *again) Error() string { return e.err.Error() }
func (e *again) Unwrap() error { return e.err }

// Do calls op until it succeeds, returns an error not marked by Again, Lost or Busy, the policy's budget is
// exhausted, or ctx ends. It starts nothing when ctx has already ended. waiting, which may be nil,
// hears of every wait before it begins. The error is op's last, without the mark.
func Do(ctx context.Context, p Policy, op func(context.Context) error, waiting func(err error, wait time.Duration)) error {
	deadline, end := time.Now().Add(p.Budget), time.Now().Add(patience)
	backoff := p.Initial
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		err := op(ctx)
		var a *again
		if !errors.As(err, &a) {
			return err
		}
		// Full jitter over the upper half keeps clients apart without ever hammering the server.
		wait := backoff/2 + rand.N(backoff/2+1)
		wait = max(wait, a.after)
		backoff = min(2*backoff, p.Max)
		if a.lost {
			backoff = min(backoff, raceMax)
		}
		if a.patient {
			deadline = time.Now().Add(p.Budget)
		}
		if at := time.Now().Add(wait); at.After(deadline) || a.patient && at.After(end) {
			return a.err
		}
		if waiting != nil {
			waiting(a.err, wait)
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
