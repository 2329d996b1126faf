package checkpoint

import (
	"context"
	"time"

	"github.com/tracemig/tracemig/internal/report"
)

// Status is what a checkpoint tells of its pair.
type Status struct {
	SourceName string // see Store.SourceName
	Complete   bool   // it holds all that the target holds
	UsedBy     *Holder
	Traces     map[State]int64        // without those that are Elsewhere
	Reasons    []Count                // of the traces that have one
	Accepted   map[string]*Acceptance // of the examples of Reasons that are Accepted, by trace ID
	NewestMs   int64                  // see Newest
	Covered    *Coverage              // nil where no run has looked at its whole window
	Runs       int64
	LastDone   time.Time // when the last run ended that failed with no trace; zero where none did
}

// Status reads what the checkpoint tells, and yields each run, the latest first. A run whose process is gone without
// having recorded its end has the outcome Killed. path is that of the checkpoint's lock: a temporary
// checkpoint stands for the one at path.
func (s *Store) Status(ctx context.Context, path string, yield func(Run) error) (Status, error) {
	st := Status{Traces: map[State]int64{Migrated: 0, Skipped: 0, Deferred: 0, Failed: 0, Accepted: 0}}
	now, err := lookAt(path)
	if err != nil {
		return st, err
	}
	if now.held {
		st.UsedBy = &now.holder
	}
	if st.Complete, err = s.Complete(ctx); err != nil {
		return st, err
	}
	if st.SourceName, err = s.SourceName(ctx); err != nil {
		return st, err
	}
	if err := s.countInto(ctx, &st); err != nil {
		return st, err
	}
	if st.NewestMs, err = s.Newest(ctx); err != nil {
		return st, err
	}
	return st, s.Runs(ctx, func(r Run) error {
		if now.killed(r) {
			r.Outcome = Killed
		}
		st.Covered = st.Covered.include(r)
		if r.Outcome == report.Done && r.End.After(st.LastDone) {
			st.LastDone = r.End
		}
		st.Runs++
		return yield(r)
	})
}

// countInto counts the traces by state and reason.
func (s *Store) countInto(ctx context.Context, st *Status) error {
	counts, err := s.Counts(ctx)
	if err != nil {
		return err
	}
	var examples []string
	for _, c := range counts {
		st.Traces[c.State] += c.Traces
		if c.Reason != "" {
			st.Reasons = append(st.Reasons, c)
		}
		if c.State == Accepted {
			examples = append(examples, c.Example)
		}
	}
	st.Accepted, err = s.Acceptances(ctx, examples)
	return err
}

// activity is who works with a checkpoint at a moment.
type activity struct {
	at     time.Time
	held   bool
	holder Holder
}

func lookAt(path string) (a activity, err error) {
	a.at = time.Now().Add(-time.Millisecond) // runs are recorded in whole milliseconds
	a.held, a.holder, err = Held(path)
	return a, err
}

// killed says whether the process of r is gone and has not recorded how r ended. A run that began after the moment
// lives: it was not looked for.
func (a *activity) killed(r Run) bool {
	alive := a.held && a.holder.RunID == r.ID || r.Start.After(a.at)
	return r.Outcome == Running && !alive
}
