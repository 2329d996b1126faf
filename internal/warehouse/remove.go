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

// CheckRemoval implements target.Remover.
func (w *Warehouse) CheckRemoval(ctx context.Context) error {
	return bothTables(func(t uctables.Table) error {
		if _, err := w.describe(ctx, t); err != nil {
			return err
		}
		properties, err := w.nameValues(ctx, t, tablesql.ShowProperties(w.opts.Location, t), nil)
		if err != nil || !strings.EqualFold(properties["delta.appendOnly"], "true") {
			return err
		}
		return &target.TableError{Table: w.opts.Location.Name(t), Problem: "lets no row be removed (delta.appendOnly is true)",
			Next: "Nothing was removed. Its owner can allow it: ALTER TABLE " + w.opts.Location.Quoted(t.Suffix) +
				" SET TBLPROPERTIES ('delta.appendOnly' = 'false')"}
	})
}

// Marked implements target.Remover.
func (w *Warehouse) Marked(ctx context.Context, source string, wanted target.Wanted, yield func(target.Marked) error) error {
	if wanted.IDs != nil && len(wanted.IDs) == 0 {
		return nil
	}
	last := target.Marked{RequestMicros: wanted.Requested.Low}
	return w.pages(ctx, func(limit int) (found int, err error) {
		params := []any{
			sql.Named(tablesql.ParamSource, source), sql.Named(tablesql.ParamLow, last.RequestMicros),
			sql.Named(tablesql.ParamAfter, last.TraceID), sql.Named(tablesql.ParamHigh, wanted.Requested.High),
		}
		if wanted.IDs != nil {
			params = append(params, sql.Named(tablesql.ParamTraces, strings.Join(wanted.IDs, "\n")))
		}
		text := tablesql.SelectMarked(w.opts.Location, limit, wanted.IDs != nil)
		err = Collect(ctx, w, uctables.Annotations, text, params, scanMarked, func(m target.Marked) error {
			found, last = found+1, m
			return yield(m)
		})
		return found, err
	})
}

// scanMarked reads a row of tablesql.SelectMarked.
func scanMarked(rows *sql.Rows) (target.Marked, error) {
	m := target.Marked{SpanTimes: target.NoTimes, AnnotationTimes: target.NoTimes}
	var source, attachments sql.NullString
	var times [4]sql.NullInt64
	err := rows.Scan(&source, &m.TraceID, &m.RequestMicros, &attachments, &m.Spans, &m.Others, &times[0], &times[1], &times[2], &times[3])
	if err != nil {
		return m, fmt.Errorf("read what is to be removed: %w", err)
	}
	m.SourceTraceID, m.Attachments = source.String, attachments.String
	for i, at := range times {
		if at.Valid && i < 2 {
			m.SpanTimes.Include(at.Int64)
		} else if at.Valid {
			m.AnnotationTimes.Include(at.Int64)
		}
	}
	return m, nil
}

// ReadVersions implements target.Remover.
func (w *Warehouse) ReadVersions(
	ctx context.Context, traceIDs []string, times target.Times, yield func(*uctables.Annotation) error,
) error {
	return read(ctx, w, uctables.Annotations, tablesql.ReadVersions, traceIDs, times, scanLine(uctables.ParseAnnotation), yield)
}

// RemoveSpans implements target.Remover. How many rows went, the answer need not say: a removal that is repeated finds none.
func (w *Warehouse) RemoveSpans(ctx context.Context, traceIDs []string, times target.Times) error {
	_, err := commitRows(ctx, w, traceIDs, batch[string, string]{
		table: uctables.Spans, insert: tablesql.RemoveSpans, row: uctables.AppendTrace,
		key:   func(id *string) string { return *id },
		times: func(_ *string, t *target.Times) { t.Join(times) },
	})
	return err
}

// RemoveAnnotations implements target.Remover.
func (w *Warehouse) RemoveAnnotations(ctx context.Context, versions []uctables.Version) error {
	_, err := commitRows(ctx, w, versions, batch[uctables.Version, uctables.Version]{
		table: uctables.Annotations, insert: tablesql.RemoveAnnotations, row: uctables.AppendVersion,
		key:   func(v *uctables.Version) uctables.Version { return *v },
		times: func(v *uctables.Version, t *target.Times) { t.Include(v.CreatedAtMicros) },
	})
	return err
}
