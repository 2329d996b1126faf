package warehouse

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// CheckBeta says whether the location's tables are those of the beta form, and can be read.
func (w *Warehouse) CheckBeta(ctx context.Context) error {
	for _, t := range []uctables.Table{uctables.BetaSpans, uctables.BetaLogs} {
		name := w.opts.Location.Name(t)
		properties, err := w.nameValues(ctx, t, tablesql.ShowProperties(w.opts.Location, t), nil)
		if errors.Is(err, errNoTable) {
			return &target.TableError{Table: name, Problem: "does not exist, or this identity can't see it",
				Next: fmt.Sprintf("Name a schema with tables of the beta form as the source, and have SELECT on them. "+
					"%s.%s is taken for such a schema, since it has two parts; an experiment is named by its path or ID.",
					w.opts.Location.Catalog, w.opts.Location.Schema)}
		}
		if err != nil {
			return err
		}
		if v := properties[uctables.SchemaVersionProperty]; v != uctables.BetaSchemaVersion {
			return &target.TableError{Table: name, Problem: fmt.Sprintf("has %s %q, and not %q, which is the beta form",
				uctables.SchemaVersionProperty, v, uctables.BetaSchemaVersion),
				Next: "Only tables of the beta form are a source; traces in tables of version " + uctables.SchemaVersion + " are where they should be."}
		}
		if _, err := w.describe(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// CopySpans implements target.SpanCopier: the warehouse reads the spans, converts and writes them.
func (w *Warehouse) CopySpans(ctx context.Context, from uctables.Location, traces []uctables.SpanCopy) (target.Written, error) {
	if len(traces) == 0 {
		return target.Written{}, nil
	}
	actual, err := w.table(ctx, uctables.Spans)
	if err != nil {
		return target.Written{}, err
	}
	c := &commit{
		w: w, table: actual, lines: len(traces), subset: true,
		row:    func(text []byte, i int) []byte { return uctables.AppendSpanCopy(text, &traces[i]) },
		insert: tablesql.CopySpans(w.opts.Location, actual, from),
	}
	within := target.NoTimes
	for i := range traces {
		c.rows += traces[i].Spans
		within.Include(traces[i].LowMicros)
		within.Include(traces[i].HighMicros)
	}
	times := []any{sql.Named(tablesql.ParamLow, within.Low), sql.Named(tablesql.ParamHigh, within.High)}
	c.times = append(times, sql.Named(tablesql.ParamEnd, EndMark()))
	c.lookup = func() (string, []any) {
		var text []byte
		for i := range traces {
			text = append(uctables.AppendSpanCopy(text, &traces[i]), '\n')
		}
		return tablesql.CountCopied(w.opts.Location), append(rowsParam(strings.TrimSuffix(string(text), "\n")), times...)
	}
	if err := c.run(ctx); err != nil {
		return target.Written{}, err
	}
	inserted := int(min(c.inserted, int64(c.rows)))
	return target.Written{Inserted: inserted, Present: c.rows - inserted, Bytes: c.in.bytes, Unsure: c.unsure}, nil
}

// EndMark is a value for tablesql.ParamEnd that nobody can guess.
func EndMark() string { return rand.Text() }
