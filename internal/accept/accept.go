// Package accept notes which traces somebody has accepted as ones that can't be migrated, so that runs no longer count them as
// failed.
package accept

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
)

// Trace is a trace that is to be accepted.
type Trace struct {
	ID  string
	Why string // in the words of who accepts it
}

// Wrong is a trace that can't be accepted, or whose acceptance can't be undone.
type Wrong struct {
	TraceID string
	Problem string // what it is instead, to follow the ID in a sentence
}

// WrongError says that nothing was changed, because of some of the traces.
type WrongError struct {
	Wrong []Wrong
	Of    int // how many were named
	Undo  bool
}

func (e *WrongError) Error() string {
	var b strings.Builder
	for _, w := range e.Wrong {
		fmt.Fprintf(&b, "\n  %s %s", w.TraceID, w.Problem)
	}
	what := "can't be accepted"
	if e.Undo {
		what = "have no acceptance to undo"
	}
	return fmt.Sprintf("nothing was changed: %d of %d traces %s:%s\n%s", len(e.Wrong), e.Of, what, b.String(), e.NextStep())
}

// NextStep says where to look for the right ones.
func (e *WrongError) NextStep() string {
	if e.Undo {
		return "tracemig status --list accepted lists those that have one"
	}
	return "tracemig status --list failed lists what can be accepted"
}

// Accept records that by accepts the failures of traces, of all of them or of none. The error is a *WrongError where one of them
// has not failed.
func Accept(ctx context.Context, s *checkpoint.Store, traces []Trace, by string, at time.Time) ([]checkpoint.AcceptedTrace, error) {
	ids, why := idsOf(traces), map[string]string{}
	for _, t := range traces {
		why[t.ID] = t.Why
	}
	known, err := s.Get(ctx, ids)
	if err != nil {
		return nil, err
	}
	wrong := &WrongError{Of: len(ids)}
	var accepted []checkpoint.AcceptedTrace
	for _, id := range ids {
		rec, ok := known[id]
		if problem := problemOf(rec, ok); problem != "" {
			wrong.Wrong = append(wrong.Wrong, Wrong{id, problem})
			continue
		}
		if rec.State == checkpoint.Failed {
			rec.State = checkpoint.Accepted
		}
		accepted = append(accepted, checkpoint.AcceptedTrace{
			Record: rec, Acceptance: checkpoint.Acceptance{For: rec.Reason, Why: why[id], By: by, At: at.UTC()},
		})
	}
	if len(wrong.Wrong) > 0 {
		return nil, wrong
	}
	return accepted, s.Accept(ctx, accepted)
}

// problemOf says why a trace can't be accepted; "" if it can. ok says whether the checkpoint knows it.
func problemOf(rec checkpoint.Record, ok bool) string {
	switch {
	case !ok:
		return "is not known to the checkpoint; a trace can be accepted once a run has failed with it"
	case rec.State == checkpoint.Failed, rec.State == checkpoint.Accepted:
		return ""
	case rec.State == checkpoint.Migrated && rec.Reason != "" && rec.Reason != migrate.ReasonSpansChanged:
		return "" // The last run failed to carry over what changed at the source.
	case rec.State == checkpoint.Migrated:
		return "is migrated"
	case rec.State == checkpoint.Skipped:
		return fmt.Sprintf("is skipped (%s), which no run counts as a failure", rec.Reason)
	case rec.State == checkpoint.Deferred:
		return fmt.Sprintf("is deferred (%s), and a later run takes it", rec.Reason)
	}
	return "belongs to another shard"
}

// Undo ends the acceptances of traces, of all of them or of none. The error is a *WrongError where one of them has none.
func Undo(ctx context.Context, s *checkpoint.Store, traces []Trace) ([]checkpoint.AcceptedTrace, error) {
	ids := idsOf(traces)
	accepted, err := s.Acceptances(ctx, ids)
	if err != nil {
		return nil, err
	}
	wrong := &WrongError{Of: len(ids), Undo: true}
	for _, id := range ids {
		if accepted[id] == nil {
			wrong.Wrong = append(wrong.Wrong, Wrong{id, "is not accepted"})
		}
	}
	if len(wrong.Wrong) > 0 {
		return nil, wrong
	}
	if err := s.Withdraw(ctx, ids); err != nil {
		return nil, err
	}
	known, err := s.Get(ctx, ids)
	undone := make([]checkpoint.AcceptedTrace, len(ids))
	for i, id := range ids {
		undone[i] = checkpoint.AcceptedTrace{Record: known[id], Acceptance: *accepted[id]}
		undone[i].TraceID = id // The record may be forgotten.
	}
	return undone, err
}

// idsOf are the IDs of traces, each once.
func idsOf(traces []Trace) (ids []string) {
	seen := map[string]bool{}
	for _, t := range traces {
		if !seen[t.ID] {
			seen[t.ID] = true
			ids = append(ids, t.ID)
		}
	}
	return ids
}
