package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

// How many rows are read at once of a result with a row for each trace, of some 300 bytes.
const (
	pageRows  = 50_000 // by one statement, whose rows are held in memory until all have come
	fetchRows = 10_000 // by one request of the driver
)

// Migrated implements target.Writer: it calls yield for each trace of source that is complete in the tables.
func (w *Warehouse) Migrated(ctx context.Context, source string, yield func(uctables.Provenance) error) error {
	if empty, err := w.noAnnotations(ctx); empty || err != nil {
		return err
	}
	last := uctables.Provenance{RequestMicros: math.MinInt64}
	return w.pages(ctx, func(limit int) (found int, err error) {
		params := []any{
			sql.Named(tablesql.ParamSource, source), sql.Named(tablesql.ParamLow, last.RequestMicros),
			sql.Named(tablesql.ParamAfter, last.TraceID),
		}
		scan := func(rows *sql.Rows) (uctables.Provenance, error) {
			p := uctables.Provenance{Source: source}
			var sourceTrace, digest, missing, attachments sql.NullString
			var spans sql.NullInt64
			if err := rows.Scan(&sourceTrace, &p.TraceID, &digest, &spans, &missing, &p.RequestMicros, &attachments); err != nil {
				return p, fmt.Errorf("%s: read what was migrated: %w", w, err)
			}
			p.SourceTraceID, p.Digest, p.Spans, p.SpansMissing = sourceTrace.String, digest.String, int(spans.Int64), missing.String
			p.Attachments = attachments.String
			return p, nil
		}
		err = Collect(ctx, w, uctables.Annotations, tablesql.SelectMigrated(w.opts.Location, limit), params, scan,
			func(p uctables.Provenance) error {
				found, last = found+1, p
				return yield(p)
			})
		return found, err
	})
}

// noAnnotations says whether the table of annotations has no file, as it is before a first migration: a question that costs
// little and saves those that cost a warehouse a second.
func (w *Warehouse) noAnnotations(ctx context.Context) (bool, error) {
	var files sql.NullInt64
	t := uctables.Annotations
	err := w.query(ctx, t, tablesql.DescribeDetail(w.opts.Location, t), nil, func(rows *sql.Rows) error {
		return scanNamed(rows, map[string]any{"numFiles": &files})
	}, nil)
	return files.Valid && files.Int64 == 0, err
}

// Official implements target.Writer: it calls yield for each trace that Databricks' own migration wrote from the experiment.
func (w *Warehouse) Official(ctx context.Context, experimentID string, yield func(targetTraceID string) error) error {
	if empty, err := w.noAnnotations(ctx); empty || err != nil {
		return err
	}
	last := ""
	return w.pages(ctx, func(limit int) (found int, err error) {
		params := []any{sql.Named(tablesql.ParamExperiment, experimentID), sql.Named(tablesql.ParamAfter, last)}
		scan := func(rows *sql.Rows) (id string, err error) {
			if err = rows.Scan(&id); err != nil {
				err = fmt.Errorf("%s: read what Databricks' own migration wrote: %w", w, err)
			}
			return id, err
		}
		err = Collect(ctx, w, uctables.Annotations, tablesql.SelectOfficial(w.opts.Location, limit), params, scan,
			func(id string) error {
				found, last = found+1, id
				return yield(id)
			})
		return found, err
	})
}

// pages asks for one page after another until one is not full. A result with a row for each trace does not fit into memory, and
// would have to be read from its start again after a connection broke.
func (w *Warehouse) pages(ctx context.Context, page func(limit int) (found int, err error)) error {
	for {
		if found, err := page(w.pageRows); err != nil || found < w.pageRows {
			return err
		}
	}
}

// OfficialSkips counts, by reason, the traces of a source experiment that Databricks' own migration has skipped on their way
// to the location. It is nil where the table in which that migration notes them does not exist.
func (w *Warehouse) OfficialSkips(ctx context.Context, experimentID string) (map[string]int64, error) {
	l := w.opts.Location
	var skips map[string]int64
	params := []any{
		sql.Named(tablesql.ParamExperiment, experimentID),
		sql.Named(tablesql.ParamLocation, l.Catalog+"."+l.Schema+"."+l.Prefix),
	}
	table := uctables.Table{Suffix: tablesql.OfficialSkippedTable}
	err := w.query(ctx, table, tablesql.CountOfficialSkips(l), params, func(rows *sql.Rows) error {
		var reason string
		var traces int64
		err := rows.Scan(&reason, &traces)
		skips[reason] = traces
		return err
	}, func() { skips = map[string]int64{} })
	if errors.Is(err, errNoTable) {
		return nil, nil
	}
	return skips, err
}
