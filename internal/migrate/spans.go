package migrate

import (
	"context"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/tracemig/tracemig/internal/official"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// compareSpans compares the spans of traces that the target has with its rows. Spans that it lacks are left for
// writeSpans. Spans that have other values there are reported, or replace their rows.
//
// Spans change on a server that stores each one when it arrives: a span that was exported before it ended is sent again
// with its end, status and outputs.
func (r *run) compareSpans(ctx context.Context, units []*unit) error {
	var compared []*unit
	times := target.NoTimes
	for _, u := range units {
		if u.failed == nil && u.compare && len(u.rows.Spans) > 0 {
			compared = append(compared, u)
			for i := range u.rows.Spans {
				times.Include(u.rows.Spans[i].TimeMicros)
			}
		}
	}
	differing, err := r.differing(ctx, compared, times)
	if err != nil || len(differing) == 0 {
		return err
	}
	there, err := r.spansOf(ctx, differing)
	if err != nil {
		return err
	}
	old := target.NoTimes // of the rows that are replaced
	var changed []*unit
	for _, u := range differing {
		u.splitSpans(there[u.rows.TraceID], &old)
		if len(u.changedSpans) > 0 {
			changed = append(changed, u)
		}
	}
	return r.replaceSpans(ctx, changed, old)
}

// differing are the units of which some span has another value in the target, or is not there. The spans of the others
// need not be written.
func (r *run) differing(ctx context.Context, units []*unit, times target.Times) (differing []*unit, err error) {
	if len(units) == 0 {
		return nil, nil
	}
	ids := make([]string, len(units))
	for i, u := range units {
		ids[i] = u.rows.TraceID
	}
	sums := map[string]target.SpanSum{}
	if err := r.job.Target.SumSpans(ctx, ids, times, true, func(s target.SpanSum) error {
		sums[s.TraceID] = s
		return nil
	}); err != nil {
		return nil, err
	}
	var d uctables.Digester
	for _, u := range units {
		digest, err := d.Spans(u.rows.Spans, true)
		if err != nil {
			u.fail(err)
			continue
		}
		if s := sums[u.rows.TraceID]; s.Rows == len(u.rows.Spans) && s.Digest == digest {
			u.rows.Spans = nil
		} else {
			differing = append(differing, u)
		}
	}
	return differing, nil
}

// spansOf reads the rows of units' spans at all times, by trace and span ID.
func (r *run) spansOf(ctx context.Context, units []*unit) (map[string]map[string]*uctables.Span, error) {
	ids := make([]string, len(units))
	there := map[string]map[string]*uctables.Span{}
	for i, u := range units {
		ids[i] = u.rows.TraceID
		there[u.rows.TraceID] = map[string]*uctables.Span{}
	}
	return there, r.job.Target.ReadSpans(ctx, ids, target.AllTimes, func(s *uctables.Span) error {
		there[s.TraceID][s.SpanID] = s
		return nil
	})
}

// splitSpans leaves in rows the spans that the target lacks, and moves those that have other values there to
// changedSpans. Rows of Databricks' own migration stay as they are. old gets the times of rows to be replaced.
func (u *unit) splitSpans(there map[string]*uctables.Span, old *target.Times) {
	var lacking []uctables.Span
	for i := range u.rows.Spans {
		s := &u.rows.Spans[i]
		switch got := there[s.SpanID]; {
		case got == nil:
			lacking = append(lacking, *s)
		case !uctables.SameSpan(s, got) && !official.SameSpan(s, got):
			u.changedSpans = append(u.changedSpans, *s)
			old.Include(got.TimeMicros)
		}
	}
	u.rows.Spans = lacking
}

// replaceSpans replaces the rows of changed spans, where the job says so, else it reports the spans.
func (r *run) replaceSpans(ctx context.Context, units []*unit, old target.Times) error {
	n := 0
	for _, u := range units {
		n += len(u.changedSpans)
		if !r.job.UpdateSpans {
			u.report.Reason = ReasonSpansChanged
			u.report.Detail = fmt.Sprintf("%s with other values at the source now: %s; "+
				"tracemig repair --deep --update-spans puts the new ones in the place of the rows",
				english.Plural(len(u.changedSpans), "span", ""), spanIDs(u.changedSpans))
		}
	}
	r.recorder.spansDiffer(n, r.job.UpdateSpans)
	if !r.job.UpdateSpans || n == 0 {
		return nil
	}
	c := r.spanCommits(func(u *unit) []uctables.Span { return u.changedSpans },
		func(ctx context.Context, rows []uctables.Span) (target.Written, error) {
			return r.job.Target.ReplaceSpans(ctx, rows, old)
		})
	return c.writeAll(ctx, units)
}

// spanIDs names the first spans.
func spanIDs(spans []uctables.Span) string {
	var ids []string
	for i := range spans[:min(len(spans), 3)] {
		ids = append(ids, spans[i].SpanID)
	}
	if len(spans) > len(ids) {
		ids = append(ids, "…")
	}
	return strings.Join(ids, ", ")
}
