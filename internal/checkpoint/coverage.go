package checkpoint

import (
	"context"
	"slices"
	"time"

	"github.com/tracemig/tracemig/internal/report"
)

// Until is up to which request time the run looked for traces, exclusive: its start, or the end of its
// window if that is earlier.
func (r *Run) Until() time.Time {
	if r.WindowEndMs != nil {
		if end := time.UnixMilli(*r.WindowEndMs).UTC(); end.Before(r.Start) {
			return end
		}
	}
	return r.Start
}

// Coverage is the window of the run that looked at the source up to the latest request time, and failed with no trace.
type Coverage struct {
	FromMs *int64    // inclusive, in milliseconds since the Unix epoch; nil for no bound
	Until  time.Time // exclusive
	RunID  string
}

// include makes c the window of r if that reaches further. c may be nil.
func (c *Coverage) include(r Run) *Coverage {
	if until := r.Until(); r.Outcome == report.Done && (c == nil || until.After(c.Until)) {
		return &Coverage{FromMs: r.WindowStartMs, Until: until, RunID: r.ID}
	}
	return c
}

// LookedUpTo is up to which request time runs have looked at all traces that were requested since startMs (nil for all
// traces), and up to which request time they can have migrated any: a run takes traces that come while it goes on, but
// need not see all of those. Both are zero where no run has ended.
func (s *Store) LookedUpTo(ctx context.Context, startMs *int64) (covered, reach time.Time, err error) {
	var runs []Run
	err = s.Runs(ctx, func(r Run) error {
		if r.Outcome == report.Done || r.Outcome == report.Partial {
			runs = append(runs, r)
		}
		return nil
	})
	slices.Reverse(runs)
	covered, reach = lookedUpTo(runs, startMs)
	return covered, reach, err
}

// lookedUpTo is LookedUpTo for runs that ended, the earliest first.
func lookedUpTo(runs []Run, startMs *int64) (covered, reach time.Time) {
	for _, r := range runs {
		from := r.WindowStartMs
		switch {
		case r.Until().Before(r.Start):
			continue // Its window ended before it began, so it did not look at all traces up to its start.
		case from == nil, startMs != nil && *from <= *startMs: // It looked at all up to its start.
		case covered.IsZero() || time.UnixMilli(*from).After(covered):
			continue // No run looked at the time between covered and the start of its window.
		}
		if r.Start.After(covered) {
			covered = r.Start
		}
		if r.End.After(reach) {
			reach = r.End
		}
	}
	return covered, reach
}
