package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Check says whether the tables of spans and annotations are there in schema version v2.
func (w *Warehouse) Check(ctx context.Context) error {
	for _, t := range []uctables.Table{uctables.Spans, uctables.Annotations} {
		if err := w.CheckTable(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// Identity is the Delta IDs of the tables of spans and annotations.
func (w *Warehouse) Identity(ctx context.Context) (string, error) {
	var ids []string
	for _, t := range []uctables.Table{uctables.Spans, uctables.Annotations} {
		var id string
		if err := w.ask(ctx, t, tablesql.DescribeDetail(w.opts.Location, t), nil, func(rows *sql.Rows) error {
			return scanNamed(rows, map[string]any{"id": &id})
		}, nil); err != nil {
			return "", err
		}
		if id == "" {
			return "", fmt.Errorf("%s is no Delta table: DESCRIBE DETAIL names no ID. Name a trace location of this workspace", w.opts.Location.Name(t))
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " "), nil
}

// CheckTable says whether one table of the location is there in schema version v2.
func (w *Warehouse) CheckTable(ctx context.Context, t uctables.Table) error {
	l := w.opts.Location
	properties, err := w.pairs(ctx, t, tablesql.ShowProperties(l, t), nil)
	if errors.Is(err, errNoTable) {
		beta, betaErr := w.pairs(ctx, t, tablesql.ShowBetaProperties(l), nil)
		if betaErr == nil && beta[uctables.SchemaVersionProperty] == uctables.BetaSchemaVersion {
			return &target.TableError{Table: l.Name(t), Missing: true,
				Problem: fmt.Sprintf("does not exist, and the schema holds %s, a table of the beta form (%s %s)", uctables.BetaSpansTable, uctables.SchemaVersionProperty, uctables.BetaSchemaVersion),
				Next:    "Create a new experiment with a table prefix, which makes tables of version " + uctables.SchemaVersion + ", or run with --create."}
		}
		return &target.TableError{Table: l.Name(t), Missing: true, Problem: "does not exist",
			Next: "Create an experiment with the location " + l.String() + ", upon which the service makes tables and views; only where there is no service, run with --create."}
	}
	if err != nil {
		return err
	}
	if v := properties[uctables.SchemaVersionProperty]; v != uctables.SchemaVersion {
		e := &target.TableError{Table: l.Name(t),
			Problem: fmt.Sprintf("has %s %q", uctables.SchemaVersionProperty, v), Next: "tracemig writes version " + uctables.SchemaVersion + ": name a location that has it."}
		switch v {
		case "":
			e.Problem = "has no table property " + uctables.SchemaVersionProperty + " and so is no trace table"
		case uctables.BetaSchemaVersion:
			e.Problem = fmt.Sprintf("is of the beta form (%s %s)", uctables.SchemaVersionProperty, v)
		}
		return e
	}
	_, err = w.describe(ctx, t)
	return err
}

// table is t as it is in the warehouse, which is asked once.
func (w *Warehouse) table(ctx context.Context, t uctables.Table) (uctables.Table, error) {
	w.mu.Lock()
	actual, ok := w.actual[t.Suffix]
	w.mu.Unlock()
	if ok {
		return actual, nil
	}
	return w.describe(ctx, t)
}

// describe asks for the columns of t. Its error is a TableError where rows can't be written to them, or where not all
// rows can be seen.
func (w *Warehouse) describe(ctx context.Context, t uctables.Table) (uctables.Table, error) {
	l := w.opts.Location
	hides := "" // what hides rows or values from some
	columns, err := w.pairs(ctx, t, tablesql.DescribeTable(l, t), func(name, value string) {
		switch title := strings.ToLower(strings.Trim(name, "# ")); {
		case title == "row filter" && (value != "" || strings.HasPrefix(name, "#")):
			hides = "a row filter"
		case title == "column masks" || title == "column mask":
			hides = "column masks"
		}
	})
	if err != nil {
		return t, err
	}
	if hides != "" {
		return t, &target.TableError{Table: l.Name(t), Problem: "has " + hides,
			Next: "A row that this identity can't see as it is would be written again by every run: have the table's owner take it away (ALTER TABLE … DROP ROW FILTER, ALTER COLUMN … DROP MASK), and keep it to views."}
	}
	var have []uctables.Column
	for name, typ := range columns {
		have = append(have, uctables.Column{Name: name, Type: typ})
	}
	actual, clauses := t.Actual(have)
	if len(clauses) > 0 {
		next := "Its columns are not those of version " + uctables.SchemaVersion + ": name another location."
		if slices.ContainsFunc(clauses, func(c string) bool { return strings.HasSuffix(c, uctables.ErrCut.Error()) }) {
			next = "Have the warehouse print types whole, by a higher spark.sql.debug.maxToStringFields, or name another location."
		}
		return t, &target.TableError{Table: l.Name(t), Problem: strings.Join(clauses, "; "), Next: next}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.actual[t.Suffix] = actual
	return actual, nil
}

// pairs reads a result whose first two columns are names and values, up to an empty name or a headline, with which
// DESCRIBE begins other matters than columns. further, which may be nil, hears of what follows.
func (w *Warehouse) pairs(ctx context.Context, t uctables.Table, text string, further func(name, value string)) (map[string]string, error) {
	var m map[string]string
	over := false
	err := w.ask(ctx, t, text, nil, func(rows *sql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		var name, value sql.NullString
		into := []any{&name, &value}
		for range len(columns) - 2 {
			into = append(into, new(any))
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("%s: %w", w.opts.Location.Name(t), err)
		}
		over = over || name.String == "" || strings.HasPrefix(name.String, "#")
		if !over {
			m[name.String] = value.String
		} else if further != nil {
			further(name.String, value.String)
		}
		return nil
	}, func() { m, over = map[string]string{}, false })
	return m, err
}

// Create makes the four tables where they are missing.
func (w *Warehouse) Create(ctx context.Context) error {
	l := w.opts.Location
	for _, t := range uctables.Tables {
		if _, err := w.createMissing(ctx, t, tablesql.CreateTable(l, t)); err != nil {
			return err
		}
	}
	return w.Check(ctx)
}

// createMissing runs text unless t, which it makes, is there, and says whether it was missing: a nightly run with --create should send
// no statement that writes.
func (w *Warehouse) createMissing(ctx context.Context, t uctables.Table, text string) (missing bool, err error) {
	if _, err := w.pairs(ctx, t, tablesql.DescribeTable(w.opts.Location, t), nil); !errors.Is(err, errNoTable) {
		return false, err
	}
	return true, w.do(ctx, t, text)
}

// Drop drops the tables of a scratch location; of no other.
func (w *Warehouse) Drop(ctx context.Context) error {
	l := w.opts.Location
	if !l.IsScratch() {
		return fmt.Errorf("%s is no scratch location: nothing is dropped", l)
	}
	for _, t := range uctables.Tables {
		if err := w.do(ctx, t, tablesql.DropTable(l, t)); err != nil {
			return err
		}
	}
	return nil
}
