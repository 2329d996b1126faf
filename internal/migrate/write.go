package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/resync"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// A unit is one trace on its way into the target.
type unit struct {
	rows   uctables.Trace
	weight int64 // bytes reserved in the budget
	report TraceReport
	record checkpoint.Record
	failed error // why it can't be written; its spans then stay away

	resync bool // the target has the trace, in an earlier state
	repair bool // verification found it wanting
	there  bool // the target has rows of it, as far as is known
	large  bool // for clients that read it back

	compare      bool // its spans may have other values than the rows
	changedSpans []uctables.Span
	reread       bool  // only because spans may have come since it was migrated
	due          int64 // when it is to be read again, in milliseconds since the Unix epoch; 0 for never

	takenOver bool // from Databricks' own migration
	kept      kept // what became of its attachments
	changes   []uctables.Replacement
}

// fail keeps the first reason why u can't be written.
func (u *unit) fail(err error) {
	if u.failed == nil {
		u.failed = err
	}
}

// writeAnnotations writes the annotations of all units, splitting where the target asks for it. A
// unit whose row the target refuses fails, with nothing of it visible: METADATA and the spans, which
// come later, are not written. The error is one that no split cures.
//
// Where the target has rows of a trace, they may be of an earlier state of it, or of another writer: those of
// such a unit are looked at first, and all that is to be written of it goes into one commit.
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
	err := writeSplit(ctx, fresh, r.job.Target.Limits(),
		func(u *unit) []uctables.Annotation { return u.rows.Annotations },
		(*uctables.Annotation).Size,
		func(ctx context.Context, rows []uctables.Annotation) error {
			w, err := r.job.Target.WriteAnnotations(ctx, rows)
			r.wrote(w, timesOf(rows, func(a *uctables.Annotation) int64 { return a.CreatedAtMicros }), &r.job.Progress.Annotations, &r.summary.AnnotationsPresent)
			present = present || w.Present > 0 || w.Unsure
			return err
		},
		nil, nameAnnotation)
	if err != nil {
		return err
	}
	if present {
		there = append(there, fresh...)
	}
	return r.bringUpToDate(ctx, slices.DeleteFunc(there, func(u *unit) bool { return u.failed != nil }))
}

// countDuplicates looks, at the times of what the run has written, for keys that are there more than once.
func (r *run) countDuplicates(ctx context.Context) error {
	counter, ok := r.job.Target.(target.DuplicateCounter)
	if !ok || r.writtenAt == target.NoTimes {
		return nil
	}
	spans, annotations, err := counter.CountDuplicates(ctx, r.writtenAt)
	if err != nil {
		return fmt.Errorf("look for rows that are there twice, after all was written: %w", err)
	}
	n := spans + annotations
	r.summary.Duplicates = &n
	return nil
}

// lookedAt says which of the MLflow runs that stored annotations name this run has asked for their traces.
func (r *run) lookedAt(ctx context.Context, stored map[string][]*uctables.Annotation) (map[string]bool, error) {
	if !r.job.RunLinks.asked() {
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

// bringUpToDate has the annotations of units that the target had before follow the source.
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
			times.Low = target.AllTimes.Low // its rows may lie at wrong times
		}
	}
	// What the source no longer has may have been made later than the rest of its trace.
	times.High = target.AllTimes.High
	stored := map[string][]*uctables.Annotation{}
	if err := r.job.Target.ReadAnnotations(ctx, ids, times, func(a *uctables.Annotation) error {
		id, _, _ := strings.Cut(a.TargetID, ":")
		stored[id] = append(stored[id], a)
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
		if u.resync { // The links of a trace that an earlier run left open may not have been read.
			o.LookedAt = lookedAt
		}
		plan, err := resync.Plan(u.rows.TraceID, u.rows.Annotations, stored[u.rows.TraceID], o)
		if err != nil {
			u.fail(err)
			continue
		}
		u.changes, u.takenOver = plan.Changes, plan.Official
		r.mu.Lock()
		r.summary.AnnotationsDeleted += int64(plan.Deleted)
		r.summary.AnnotationsKept += int64(plan.Kept)
		r.mu.Unlock()
	}
	return writeSplit(ctx, units, r.job.Target.Limits(),
		func(u *unit) []uctables.Replacement { return u.changes },
		func(c *uctables.Replacement) int64 { return c.Size() },
		func(ctx context.Context, rows []uctables.Replacement) error {
			w, err := r.job.Target.ReplaceAnnotations(ctx, rows)
			r.wrote(w, timesOf(rows, func(c *uctables.Replacement) int64 { return c.CreatedAtMicros }), &r.job.Progress.Annotations, &r.summary.AnnotationsPresent)
			return err
		},
		nil, func(c *uctables.Replacement) string { return nameAnnotation(&c.Annotation) })
}

// writeSpans writes the spans of all units in one commit, or in one a trace where the target asks
// for it. Only a trace too large for a commit of its own is cut, and then its roots come last.
func (r *run) writeSpans(ctx context.Context, units []*unit) error {
	probe := func(context.Context, []uctables.Span) error { return nil }
	if p, ok := r.job.Target.(target.SpanProber); ok {
		probe = p.ProbeSpans
	}
	return writeSplit(ctx, units, r.job.Target.Limits(),
		func(u *unit) []uctables.Span { return u.rows.Spans },
		(*uctables.Span).Size,
		func(ctx context.Context, rows []uctables.Span) error {
			w, err := r.job.Target.WriteSpans(ctx, rows)
			r.wrote(w, timesOf(rows, timeOfSpan), &r.job.Progress.Spans, &r.summary.SpansPresent)
			return err
		},
		probe,
		func(s *uctables.Span) string { return "span " + s.SpanID })
}

func timeOfSpan(s *uctables.Span) int64 { return s.TimeMicros }

// timesOf are the times at which rows lie in their table.
func timesOf[T any](rows []T, at func(*T) int64) target.Times {
	times := target.NoTimes
	for i := range rows {
		times.Include(at(&rows[i]))
	}
	return times
}

// writeSplit writes the rows of units in as few commits as limits allow: whole units together, a unit
// over the limits alone and in parts. When the target refuses a commit it halves the units, and then
// the one unit's rows, until the refused row is found.
//
// probe is set where a part of a unit's rows must not be written before all are known to be good: the
// rest of a trace with a refused span would lie in the table for nobody.
func writeSplit[T any](ctx context.Context, units []*unit, limits target.Limits, rowsOf func(*unit) []T, size func(*T) int64,
	write func(context.Context, []T) error, probe func(context.Context, []T) error, name func(*T) string,
) error {
	var good []*unit
	count := 0
	for _, u := range units {
		if u.failed == nil {
			good = append(good, u)
			count += len(rowsOf(u))
		}
	}
	all := make([]T, 0, count)
	var bytes int64
	for _, u := range good {
		all = append(all, rowsOf(u)...)
	}
	for i := range all {
		bytes += size(&all[i])
	}
	if len(all) == 0 {
		return nil
	}
	fits := len(all) <= limits.Rows && bytes <= limits.Bytes
	if fits {
		err := write(ctx, all)
		if !splittable(err) {
			return err
		}
		if len(good) == 1 {
			return writeParts(ctx, good[0], all, err, write, probe, name)
		}
	} else if len(good) == 1 {
		for len(all) > 0 {
			n, b := 0, int64(0)
			for n < len(all) && n < limits.Rows && (n == 0 || b+size(&all[n]) <= limits.Bytes) {
				b += size(&all[n])
				n++
			}
			if err := write(ctx, all[:n]); splittable(err) {
				if err := writeParts(ctx, good[0], all[:n], err, write, probe, name); err != nil {
					return err
				}
			} else if err != nil {
				return err
			}
			if good[0].failed != nil {
				return nil
			}
			all = all[n:]
		}
		return nil
	}
	half := len(good) / 2
	if err := writeSplit(ctx, good[:half], limits, rowsOf, size, write, probe, name); err != nil {
		return err
	}
	return writeSplit(ctx, good[half:], limits, rowsOf, size, write, probe, name)
}

// writeParts deals with rows of one unit that the target refused with cause: too large a commit is
// written in halves, in order; a refused row is looked for, and fails the unit.
func writeParts[T any](ctx context.Context, u *unit, rows []T, cause error, write, probe func(context.Context, []T) error, name func(*T) string) error {
	if len(rows) == 1 {
		u.fail(fmt.Errorf("%s: %w", name(&rows[0]), cause))
		return nil
	}
	var refused *target.RowError
	try := write
	if errors.As(cause, &refused) && probe != nil {
		try = probe
	}
	half := len(rows) / 2
	found := false
	for _, part := range [][]T{rows[:half], rows[half:]} {
		err := try(ctx, part)
		if splittable(err) {
			found = true
			if err := writeParts(ctx, u, part, err, write, probe, name); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if u.failed != nil {
			return nil
		}
	}
	if refused != nil && probe != nil && !found {
		// Each half alone would be taken, and still the whole was not: nobody knows the row.
		u.fail(cause)
	}
	return nil
}

func splittable(err error) bool {
	var row *target.RowError
	var large *target.TooLargeError
	return errors.As(err, &row) || errors.As(err, &large)
}
