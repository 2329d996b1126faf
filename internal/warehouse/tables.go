package warehouse

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Check says whether the tables of spans and annotations are there in schema version v2.
func (w *Warehouse) Check(ctx context.Context) error {
	return bothTables(func(t uctables.Table) error { return w.CheckTable(ctx, t) })
}

// bothTables asks about the tables of spans and annotations at the same time, since a warehouse takes long for the first
// question about a table. Where both fail, the error is that of spans.
func bothTables(ask func(uctables.Table) error) error {
	annotations := make(chan error, 1)
	go func() { annotations <- ask(uctables.Annotations) }()
	err := ask(uctables.Spans)
	return cmp.Or(err, <-annotations)
}

// CheckTable says whether one table of the location is there in schema version v2.
func (w *Warehouse) CheckTable(ctx context.Context, t uctables.Table) error {
	properties, err := w.nameValues(ctx, t, tablesql.ShowProperties(w.opts.Location, t), nil)
	if errors.Is(err, errNoTable) {
		return w.missingTable(ctx, t)
	}
	if err != nil {
		return err
	}
	if v := properties[uctables.SchemaVersionProperty]; v != uctables.SchemaVersion {
		return w.otherVersion(t, v)
	}
	_, err = w.describe(ctx, t)
	return err
}

// missingTable is the error of a table that does not exist. Beside tables of the beta form, it says so.
func (w *Warehouse) missingTable(ctx context.Context, t uctables.Table) error {
	l := w.opts.Location
	e := &target.TableError{Table: l.Name(t), Missing: true, Problem: "does not exist",
		Next: "Create an experiment with the location " + l.String() + " (tracemig target create), upon which the service makes tables and " +
			"views; only where there is no service, make them with tracemig run --create."}
	beta, err := w.nameValues(ctx, t, tablesql.ShowBetaProperties(l), nil)
	if err == nil && beta[uctables.SchemaVersionProperty] == uctables.BetaSchemaVersion {
		e.Problem = fmt.Sprintf("does not exist, and the schema holds %s, a table of the beta form (%s %s)",
			uctables.BetaSpansTable, uctables.SchemaVersionProperty, uctables.BetaSchemaVersion)
		e.Next = "Create a new experiment with a table prefix, which makes tables of version " + uctables.SchemaVersion +
			", or make them with tracemig run --create."
	}
	return e
}

// otherVersion is the error of a table of another schema version, or of none.
func (w *Warehouse) otherVersion(t uctables.Table, version string) error {
	e := &target.TableError{Table: w.opts.Location.Name(t),
		Next: "tracemig writes version " + uctables.SchemaVersion + ": name a location that has it."}
	switch version {
	case "":
		e.Problem = "has no table property " + uctables.SchemaVersionProperty + " and so is no trace table"
	case uctables.BetaSchemaVersion:
		e.Problem = fmt.Sprintf("is of the beta form (%s %s)", uctables.SchemaVersionProperty, version)
	default:
		e.Problem = fmt.Sprintf("has %s %q", uctables.SchemaVersionProperty, version)
	}
	return e
}

// Identity is the Delta IDs of the tables of spans and annotations.
func (w *Warehouse) Identity(ctx context.Context) (string, error) {
	var spans, annotations string
	err := bothTables(func(t uctables.Table) error {
		id := &spans
		if t.Suffix == uctables.Annotations.Suffix {
			id = &annotations
		}
		if err := w.query(ctx, t, tablesql.DescribeDetail(w.opts.Location, t), nil, func(rows *sql.Rows) error {
			return scanNamed(rows, map[string]any{"id": id})
		}, nil); err != nil {
			return err
		}
		if *id == "" {
			return advice.With(fmt.Errorf("%s is no Delta table: DESCRIBE DETAIL names no ID", w.opts.Location.Name(t)),
				"Name a trace location of this workspace")
		}
		return nil
	})
	return spans + " " + annotations, err
}

// table is t with the columns that it really has. The warehouse is asked for them once.
func (w *Warehouse) table(ctx context.Context, t uctables.Table) (uctables.Table, error) {
	w.mu.Lock()
	actual, ok := w.actual[t.Suffix]
	w.mu.Unlock()
	if ok {
		return actual, nil
	}
	return w.describe(ctx, t)
}

// describe asks for the columns of t. Its error is a TableError where rows can't be written to them, and where not all rows
// can be seen.
func (w *Warehouse) describe(ctx context.Context, t uctables.Table) (uctables.Table, error) {
	l := w.opts.Location
	hides := "" // what hides rows or values from some identities
	columns, err := w.nameValues(ctx, t, tablesql.DescribeTable(l, t), func(name, value string) {
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
			Next: "A row that this identity can't see as it is would be written again by every run: have the table's owner take it away " +
				"(ALTER TABLE … DROP ROW FILTER, ALTER COLUMN … DROP MASK), and keep it to views."}
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

// nameValues reads a result whose first two columns are names and values. It ends at an empty name or a headline, with which
// DESCRIBE begins the part that is not about columns. further, which may be nil, is called for each row of that part.
func (w *Warehouse) nameValues(
	ctx context.Context, t uctables.Table, text string, further func(name, value string),
) (map[string]string, error) {
	var m map[string]string
	ended := false
	err := w.query(ctx, t, text, nil, func(rows *sql.Rows) error {
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
		ended = ended || name.String == "" || strings.HasPrefix(name.String, "#")
		if !ended {
			m[name.String] = value.String
		} else if further != nil {
			further(name.String, value.String)
		}
		return nil
	}, func() { m, ended = map[string]string{}, false })
	return m, err
}

// Create makes the four tables where they are missing, and checks those of spans and annotations.
func (w *Warehouse) Create(ctx context.Context) error {
	l := w.opts.Location
	for _, t := range uctables.Tables {
		if _, err := w.createMissing(ctx, t, tablesql.CreateTable(l, t)); err != nil {
			return err
		}
	}
	return w.Check(ctx)
}

// createMissing sends text, which makes the table or view t, unless t is there. It says whether t was missing. It asks first,
// so that a nightly run with --create sends no statement that writes.
func (w *Warehouse) createMissing(ctx context.Context, t uctables.Table, text string) (missing bool, err error) {
	if _, err := w.nameValues(ctx, t, tablesql.DescribeTable(w.opts.Location, t), nil); !errors.Is(err, errNoTable) {
		return false, err
	}
	return true, w.exec(ctx, t, text)
}

// Drop drops the tables of a scratch location. It refuses to drop those of any other.
func (w *Warehouse) Drop(ctx context.Context) error {
	l := w.opts.Location
	if !l.IsScratch() {
		return fmt.Errorf("%s is no scratch location: nothing is dropped", l)
	}
	for _, t := range uctables.Tables {
		if err := w.exec(ctx, t, tablesql.DropTable(l, t)); err != nil {
			return err
		}
	}
	return nil
}
