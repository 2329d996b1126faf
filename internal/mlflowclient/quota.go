package mlflowclient

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tracemig/tracemig/internal/busy"
)

// quota keeps requests of one kind below the number a second that the source allows for them.
//
// It asks for a little less than allowed, and evenly: the source counts by its own clock, and a refused
// request has to wait for longer than that little. A refusal halves the rate. Each success after it raises the rate
// by a small step, because other clients may use the same quota.
type quota struct {
	limiter *rate.Limiter
	full    rate.Limit // the rate while nothing is refused
	waiting busy.Clock // runs while a request waits

	mu     sync.Mutex
	resume time.Time     // no request starts before
	held   time.Duration // the time for which refusals have held back requests
}

const (
	// quotaShare is the part of the documented quota that is used.
	quotaShare = 0.98
	// quotaRecovery is the part of the full rate by which each success raises a lowered one.
	quotaRecovery = 1. / 400
)

// newQuota makes a quota of so many requests a second; 0 is no quota.
func newQuota(perSecond float64) *quota {
	q := &quota{full: rate.Inf, limiter: rate.NewLimiter(rate.Inf, 0)}
	if perSecond > 0 {
		q.full = rate.Limit(perSecond * quotaShare)
		q.limiter = rate.NewLimiter(q.full, max(1, int(perSecond/50)))
	}
	return q
}

// atMost lowers the quota to so many requests a second, if it is higher; 0 is no quota.
func (q *quota) atMost(perSecond float64) {
	lower := newQuota(perSecond)
	q.mu.Lock()
	defer q.mu.Unlock()
	if lower.full < q.full {
		q.full = lower.full
		q.limiter.SetBurst(lower.limiter.Burst())
		q.limiter.SetLimit(min(q.limiter.Limit(), q.full))
	}
}

// wait returns when the quota has room for one more request.
func (q *quota) wait(ctx context.Context) error {
	q.waiting.Begin()
	defer q.waiting.End()
	for {
		if err := sleep(ctx, q.pause()); err != nil {
			return err
		}
		err := q.limiter.Wait(ctx)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		// Another request may have been refused while this one waited for its turn.
		if q.pause() <= 0 {
			return nil
		}
	}
}

// pause is how long no request may start.
func (q *quota) pause() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Until(q.resume)
}

// succeeded notes a request that was not refused.
func (q *quota) succeeded() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := q.limiter.Limit(); now < q.full {
		q.limiter.SetLimit(min(q.full, now+q.full*quotaRecovery))
	}
}

// refused holds back every request of the kind for d, because the quota counts all of them together. It says
// whether this is the first refusal since requests could start: those that are under way
// at the same time are refused together, and count as one refusal.
func (q *quota) refused(d time.Duration) (first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	until := now.Add(d)
	if !until.After(q.resume) {
		return false
	}
	from := q.resume
	if first = !q.resume.After(now); first {
		from = now
		if q.full != rate.Inf {
			q.limiter.SetLimit(max(q.limiter.Limit()/2, q.full/20))
		}
	}
	q.held += until.Sub(from)
	q.resume = until
	return first
}

// heldBack is the time for which refusals have held back requests.
func (q *quota) heldBack() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held
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
