package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// SumSpans implements target.Reader: the warehouse computes the sums.
func (w *Warehouse) SumSpans(
	ctx context.Context, traceIDs []string, times target.Times, deep bool, yield func(target.SpanSum) error,
) error {
	text := func(l uctables.Location, t uctables.Table) string { return tablesql.SumSpans(l, t, deep) }
	return read(ctx, w, uctables.Spans, text, traceIDs, times, func(rows *sql.Rows) (s target.SpanSum, err error) {
		err = rows.Scan(&s.TraceID, &s.Rows, &s.Spans, &s.RecordIDs, &s.Digest)
		return s, err
	}, yield)
}

// SumAnnotations implements target.Reader: the warehouse computes the sums.
func (w *Warehouse) SumAnnotations(
	ctx context.Context, traceIDs []string, times target.Times, deep bool, yield func(target.AnnotationSum) error,
) error {
	text := func(l uctables.Location, t uctables.Table) string { return tablesql.SumAnnotations(l, t, deep) }
	return read(ctx, w, uctables.Annotations, text, traceIDs, times, func(rows *sql.Rows) (s target.AnnotationSum, err error) {
		var name sql.NullString
		err = rows.Scan(&s.TraceID, &s.AnnotationID, &s.Type, &name, &s.UpdatedAtMicros, &s.Deleted, &s.Copies, &s.Digest)
		s.Name = name.String
		return s, err
	}, yield)
}

// ReadSpans implements target.Reader.
func (w *Warehouse) ReadSpans(
	ctx context.Context, traceIDs []string, times target.Times, yield func(*uctables.Span) error,
) error {
	return read(ctx, w, uctables.Spans, tablesql.ReadSpans, traceIDs, times, scanLine(uctables.ParseSpan), yield)
}

// ReadAnnotations implements target.Reader.
func (w *Warehouse) ReadAnnotations(
	ctx context.Context, traceIDs []string, times target.Times, yield func(*uctables.Annotation) error,
) error {
	return read(ctx, w, uctables.Annotations, tablesql.ReadAnnotations, traceIDs, times, scanLine(uctables.ParseAnnotation), yield)
}

// CountDuplicates counts the keys of spans, and those of annotations, that the tables hold more than once in a range of
// times.
func (w *Warehouse) CountDuplicates(ctx context.Context, times target.Times) (spans, annotations int64, err error) {
	params := []any{sql.Named(tablesql.ParamLow, times.Low), sql.Named(tablesql.ParamHigh, times.High)}
	err = bothTables(func(t uctables.Table) error {
		text, n := tablesql.CountDuplicateSpans(w.opts.Location), &spans
		if t.Suffix == uctables.Annotations.Suffix {
			text, n = tablesql.CountDuplicateAnnotations(w.opts.Location), &annotations
		}
		return w.query(ctx, t, text, params, func(rows *sql.Rows) error { return rows.Scan(n) }, nil)
	})
	return spans, annotations, err
}

// scanLine reads a row whose only column is a text, and parses that.
func scanLine[T any](parse func([]byte) (T, error)) func(*sql.Rows) (T, error) {
	return func(rows *sql.Rows) (T, error) {
		var text string
		if err := rows.Scan(&text); err != nil {
			var none T
			return none, err
		}
		return parse([]byte(text))
	}
}

// read sends a query about some traces. text makes it for the table with the columns that it really has.
func read[T any](
	ctx context.Context, w *Warehouse, t uctables.Table, text func(uctables.Location, uctables.Table) string,
	traceIDs []string, times target.Times, scan func(*sql.Rows) (T, error), yield func(T) error,
) error {
	if len(traceIDs) == 0 {
		return nil
	}
	actual, err := w.table(ctx, t)
	if err != nil {
		return err
	}
	params := []any{
		sql.Named(tablesql.ParamTraces, strings.Join(traceIDs, "\n")),
		sql.Named(tablesql.ParamLow, times.Low), sql.Named(tablesql.ParamHigh, times.High),
	}
	return Collect(ctx, w, t, text(w.opts.Location, actual), params, func(rows *sql.Rows) (T, error) {
		v, err := scan(rows)
		if err != nil {
			err = fmt.Errorf("%s: %w", w.opts.Location.Name(t), err)
		}
		return v, err
	}, yield)
}

// Collect sends a query about a table, and calls yield for its rows once all have come: a query whose answer breaks off is sent again.
func Collect[T any](
	ctx context.Context, w *Warehouse, t uctables.Table, text string, params []any,
	scan func(*sql.Rows) (T, error), yield func(T) error,
) error {
	var found []T
	if err := w.query(ctx, t, text, params, func(rows *sql.Rows) error {
		v, err := scan(rows)
		found = append(found, v)
		return err
	}, func() { found = nil }); err != nil {
		return err
	}
	for _, v := range found {
		if err := yield(v); err != nil {
			return err
		}
	}
	return nil
}
