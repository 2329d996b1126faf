package migrate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tracemig/tracemig/internal/resync"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// writeAnnotations writes the annotations of all units, in smaller commits where the target asks for it. A unit of
// which the target refuses a row fails. Nothing of it becomes visible, since METADATA and the spans come later and are
// not written. The returned error is one that smaller commits don't cure.
//
// Rows that the target already has of a trace may be of an earlier state of it, or of another writer. For such a unit
// they are read first, and all that is to be written of it goes into one commit.
func (r *run) writeAnnotations(ctx context.Context, units []*unit) error {
	var fresh, there []*unit
	for _, u := range units {
		if u.there {
			there = append(there, u)
		} else {
			fresh = append(fresh, u)
		}
	}
	var present bool
	c := commits[uctables.Annotation]{
		limits: r.job.Target.Limits(),
		rowsOf: func(u *unit) []uctables.Annotation { return u.rows.Annotations },
		size:   (*uctables.Annotation).Size,
		name:   nameAnnotation,
		write: func(ctx context.Context, rows []uctables.Annotation) error {
			w, err := r.job.Target.WriteAnnotations(ctx, rows)
			r.recorder.wroteAnnotations(w, timesOf(rows, func(a *uctables.Annotation) int64 { return a.CreatedAtMicros }))
			present = present || w.Present > 0 || w.Unsure
			return err
		},
	}
	if err := c.writeAll(ctx, fresh); err != nil {
		return err
	}
	if present {
		there = append(there, fresh...)
	}
	return r.bringUpToDate(ctx, slices.DeleteFunc(there, func(u *unit) bool { return u.failed != nil }))
}

// lookedAt says which of the MLflow runs that the stored annotations link to were asked for their traces by this run.
func (r *run) lookedAt(ctx context.Context, stored map[string][]*uctables.Annotation) (map[string]bool, error) {
	if !r.job.RunLinks.Asked() {
		return nil, nil
	}
	var runs []string
	for _, annotations := range stored {
		runs = append(runs, resync.LinkedRuns(annotations)...)
	}
	return r.job.Checkpoint.HasLookedAt(ctx, runs)
}

func nameAnnotation(a *uctables.Annotation) string {
	return fmt.Sprintf("annotation %s (%s)", a.AnnotationID, a.Type)
}

// bringUpToDate changes the annotations that the target has of the units to what the source has now.
func (r *run) bringUpToDate(ctx context.Context, units []*unit) error {
	if len(units) == 0 {
		return nil
	}
	ids := make([]string, len(units))
	times := target.NoTimes
	for i, u := range units {
		ids[i] = u.rows.TraceID
		for _, a := range u.rows.Annotations {
			times.Include(a.CreatedAtMicros)
		}
		if u.repair {
			times.Low = target.AllTimes.Low // its rows may have wrong times
		}
	}
	// An annotation that the source no longer has may be newer than all others of its trace.
	times.High = target.AllTimes.High
	stored := map[string][]*uctables.Annotation{}
	if err := r.job.Target.ReadAnnotations(ctx, ids, times, func(a *uctables.Annotation) error {
		stored[a.TraceID()] = append(stored[a.TraceID()], a)
		return nil
	}); err != nil {
		return err
	}
	lookedAt, err := r.lookedAt(ctx, stored)
	if err != nil {
		return err
	}
	now := time.Now().UnixMicro()
	for _, u := range units {
		o := resync.Options{NowMicros: now, Insert: u.there}
		if u.resync { // Of a trace that an earlier run left open the links may not have been read.
			o.LookedAt = lookedAt
		}
		diff, err := resync.Compare(u.rows.TraceID, u.rows.Annotations, stored[u.rows.TraceID], o)
		if err != nil {
			u.fail(err)
			continue
		}
		u.changes, u.takenOver = diff.Changes, diff.Official
		r.recorder.followed(&diff)
	}
	c := commits[uctables.Replacement]{
		limits: r.job.Target.Limits(),
		rowsOf: func(u *unit) []uctables.Replacement { return u.changes },
		size:   func(c *uctables.Replacement) int64 { return c.Size() },
		name:   func(c *uctables.Replacement) string { return nameAnnotation(&c.Annotation) },
		write: func(ctx context.Context, rows []uctables.Replacement) error {
			w, err := r.job.Target.ReplaceAnnotations(ctx, rows)
			r.recorder.wroteAnnotations(w, timesOf(rows, func(c *uctables.Replacement) int64 { return c.CreatedAtMicros }))
			return err
		},
	}
	return c.writeAll(ctx, units)
}

// writeSpans writes the spans of all units in one commit, or in one commit for each trace where the target asks for it.
// Only a trace too large for a commit of its own is divided, and then its root spans are written last.
func (r *run) writeSpans(ctx context.Context, units []*unit) error {
	if err := r.compareSpans(ctx, units); err != nil {
		return err
	}
	probe := func(context.Context, []uctables.Span) error { return nil }
	if p, ok := r.job.Target.(target.SpanProber); ok {
		probe = p.ProbeSpans
	}
	c := r.spanCommits(func(u *unit) []uctables.Span { return u.rows.Spans }, r.job.Target.WriteSpans)
	c.probe = probe
	if err := c.writeAll(ctx, units); err != nil {
		return err
	}
	return r.copySpans(ctx, units)
}

// spanCommits writes spans of units by write, without probing.
func (r *run) spanCommits(rowsOf func(*unit) []uctables.Span,
	write func(context.Context, []uctables.Span) (target.Written, error),
) *commits[uctables.Span] {
	return &commits[uctables.Span]{
		limits: r.job.Target.Limits(),
		rowsOf: rowsOf,
		size:   (*uctables.Span).Size,
		name:   func(s *uctables.Span) string { return "span " + s.SpanID },
		write: func(ctx context.Context, rows []uctables.Span) error {
			w, err := write(ctx, rows)
			r.recorder.wroteSpans(w, timesOf(rows, func(s *uctables.Span) int64 { return s.TimeMicros }))
			return err
		},
	}
}

// timesOf is the range of the times of rows, by the column that their table is pruned by.
func timesOf[T any](rows []T, at func(*T) int64) target.Times {
	times := target.NoTimes
	for i := range rows {
		times.Include(at(&rows[i]))
	}
	return times
}
