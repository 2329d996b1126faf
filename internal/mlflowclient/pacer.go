package mlflowclient

import (
	"context"
	"time"
)

// pacer says when a request of one kind may start: when the window has a place for it, and the quota allows it.
type pacer struct {
	quota  *quota
	window *window
	traces int // that a request asks for, where its window is for groups
}

// newPacer makes a pacer for so many requests a second; 0 is no quota.
func newPacer(perSecond float64) *pacer {
	return &pacer{quota: newQuota(perSecond), window: newWindow()}
}

// newGroupPacer makes a pacer for groups of traces that shares the quota of p.
func newGroupPacer(p *pacer) *pacer { return &pacer{quota: p.quota, window: newGroupWindow()} }

// of is the pacer for a request for a group of so many traces.
func (p *pacer) of(traces int) *pacer {
	return &pacer{quota: p.quota, window: p.window, traces: traces}
}

// answered notes how long a request waited for the first byte of its answer. Groups grow and shrink, so their times count as
// those of groups of firstBatch traces.
func (p *pacer) answered(after time.Duration, now time.Time) {
	if p.traces > 0 {
		after = after * firstBatch / time.Duration(p.traces)
	}
	p.window.answered(after, now)
}

// start returns when a request may be sent. done has to follow when it is over.
func (p *pacer) start(ctx context.Context) error {
	if err := p.window.acquire(ctx); err != nil {
		return err
	}
	// The quota comes last: requests that it has let through and that then wait for a place would be sent all at once.
	if err := p.quota.wait(ctx); err != nil {
		p.window.release()
		return err
	}
	p.window.sent()
	return nil
}

func (p *pacer) done() {
	p.window.ended()
	p.window.release()
}

// refused holds back all requests of the kind for d.
func (p *pacer) refused(d time.Duration) {
	if p.quota.refused(d) {
		p.window.refused()
	}
}
