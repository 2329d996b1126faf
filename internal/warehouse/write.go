package warehouse

import (
	"context"

	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// batch says how rows of one kind are committed.
type batch[R any, K comparable] struct {
	table       uctables.Table
	insert      func(uctables.Location, uctables.Table) string // texts for the table with the columns that it really has
	count       string                                         // counts keys in the table; empty if keys there prove nothing
	row, rowKey func([]byte, *R) []byte                        // append the line of a row, and of its key
	key         func(*R) K
	times       func(*R, *target.Times) // includes the times at which the statement has to look for a row
	subset      bool                    // the statement may leave rows out, which the table then need not have
}

// WriteAnnotations adds the annotations that the table lacks, in one commit.
func (w *Warehouse) WriteAnnotations(ctx context.Context, rows []uctables.Annotation) (target.Written, error) {
	type key struct {
		id string
		at int64
	}
	return commitRows(ctx, w, rows, batch[uctables.Annotation, key]{
		table: uctables.Annotations, insert: tablesql.InsertAnnotations,
		count: tablesql.CountAnnotations(w.opts.Location),
		row:   uctables.AppendAnnotation, rowKey: uctables.AppendAnnotationKey,
		key:   func(a *uctables.Annotation) key { return key{a.AnnotationID, a.UpdatedAtMicros} },
		times: func(a *uctables.Annotation, t *target.Times) { t.Include(a.CreatedAtMicros) },
	})
}

// ReplaceAnnotations adds newer versions of annotations where the versions that they replace are the newest, in one commit.
func (w *Warehouse) ReplaceAnnotations(ctx context.Context, rows []uctables.Replacement) (target.Written, error) {
	return commitRows(ctx, w, rows, batch[uctables.Replacement, string]{
		table: uctables.Annotations, insert: tablesql.ReplaceAnnotations,
		count:  tablesql.CountAnnotations(w.opts.Location),
		row:    uctables.AppendReplacement,
		rowKey: func(b []byte, r *uctables.Replacement) []byte { return uctables.AppendAnnotationKey(b, &r.Annotation) },
		key:    func(r *uctables.Replacement) string { return r.AnnotationID },
		subset: true,
		times: func(r *uctables.Replacement, t *target.Times) {
			t.Include(r.CreatedAtMicros)
			t.Include(r.ReplacesCreatedMicros)
		},
	})
}

// WriteSpans adds the spans that the table lacks, in one commit.
func (w *Warehouse) WriteSpans(ctx context.Context, rows []uctables.Span) (target.Written, error) {
	return commitRows(ctx, w, rows, w.spanBatch())
}

type spanKey struct{ trace, span string }

func (w *Warehouse) spanBatch() batch[uctables.Span, spanKey] {
	return batch[uctables.Span, spanKey]{
		table: uctables.Spans, insert: tablesql.InsertSpans,
		count: tablesql.CountSpans(w.opts.Location),
		row:   uctables.AppendSpan, rowKey: uctables.AppendSpanKey,
		key:   func(s *uctables.Span) spanKey { return spanKey{s.TraceID, s.SpanID} },
		times: func(s *uctables.Span, t *target.Times) { t.Include(s.TimeMicros) },
	}
}

// ReplaceSpans puts spans in the place of those that the table has under their keys, in one commit.
func (w *Warehouse) ReplaceSpans(ctx context.Context, rows []uctables.Span, times target.Times) (target.Written, error) {
	b := w.spanBatch()
	b.insert, b.count = tablesql.ReplaceSpans, ""
	b.times = func(s *uctables.Span, t *target.Times) {
		t.Join(times)
		t.Include(s.TimeMicros)
	}
	return commitRows(ctx, w, rows, b)
}

// ProbeSpans says whether WriteSpans would take rows, by the same errors, and writes nothing. It finds the refused row of a
// trace of which no part may be written.
func (w *Warehouse) ProbeSpans(ctx context.Context, rows []uctables.Span) error {
	actual, err := w.table(ctx, uctables.Spans)
	if err != nil {
		return err
	}
	in, err := w.prepareRows(ctx, len(rows), func(b []byte, i int) []byte { return uctables.AppendSpan(b, &rows[i]) })
	if err != nil {
		return err
	}
	defer w.removeFiles(ctx, in)
	return w.query(ctx, actual, in.statement(tablesql.Parse(actual)), in.params, ignoreRow, nil)
}
