package warehouse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/http"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

func rowsParam(lines string) []any { return []any{sql.Named(tablesql.ParamRows, lines)} }

// unknownTries bounds how often a statement is sent again after an error that nothing is known of.
const unknownTries = 3

// scanNamed reads some columns of a row, whichever others it has.
func scanNamed(rows *sql.Rows, into map[string]any) error {
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	for i, name := range columns {
		if values[i] = into[name]; values[i] == nil {
			values[i] = new(any)
		}
	}
	return rows.Scan(values...)
}

// insert runs one INSERT or MERGE and returns how many rows it added; errNoCount when it took effect, but the
// answer does not tell.
func (w *Warehouse) insert(ctx context.Context, text string, params []any) (int64, error) {
	inserted := int64(-1)
	err := w.query(ctx, text, params, func(rows *sql.Rows) error {
		// A warehouse answers an INSERT with one row of both.
		var affected, added sql.NullInt64
		if err := scanNamed(rows, map[string]any{"num_affected_rows": &affected, "num_inserted_rows": &added}); err != nil {
			return err
		}
		for _, n := range []sql.NullInt64{affected, added} {
			if n.Valid && n.Int64 >= 0 { // -1 is for not known
				inserted = n.Int64
			}
		}
		return nil
	})
	if err == nil && inserted < 0 {
		err = errNoCount
	}
	return inserted, err
}

// number runs a query that answers one number.
func (w *Warehouse) number(ctx context.Context, text string, params []any) (int64, error) {
	var n int64
	err := w.query(ctx, text, params, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}

// query runs one statement and calls each for its rows. Errors are raw, for failure to judge.
func (w *Warehouse) query(ctx context.Context, text string, params []any, each func(*sql.Rows) error) error {
	// The session is opened apart, so that what fails there is known not to have executed.
	opening := &exchange{}
	conn, err := w.db.Conn(withExchange(ctx, opening))
	if err != nil {
		return &statementError{err: err, exchange: opening}
	}
	defer conn.Close()
	running := &exchange{statement: true}
	fail := func(err error) error {
		if r := reportOf(err); running.status != http.StatusOK || r.state == "" && len(r.names) == 0 {
			// After a lost answer, or a fault that is not the statement's, the session may be of no use; the driver does
			// not tell, and the pool must not hand it out again.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		return &statementError{err: err, exchange: running}
	}
	rows, err := conn.QueryContext(withExchange(ctx, running), text, params...)
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	return nil
}

// ask is query for statements that only read or create, retried as a whole; start forgets what an
// earlier try has seen.
func (w *Warehouse) ask(ctx context.Context, table uctables.Table, text string, params []any, each func(*sql.Rows) error, start func()) error {
	doubts := 0
	return retry.Do(ctx, w.policy, func(ctx context.Context) error {
		if start != nil {
			start()
		}
		err := w.query(ctx, text, params, each)
		if err == nil {
			return nil
		}
		var s *statementError
		if !errors.As(err, &s) {
			return err // of each
		}
		f := w.failure(ctx, table, 0, err)
		if f.kind == refused || f.kind == gone {
			return f.err
		}
		if doubts++; f.unknown && doubts > unknownTries {
			return f.err
		}
		return w.again(ctx, f)
	}, w.opts.Waiting)
}

// again asks for another try, before which it sees to it that the warehouse runs: it may have been stopped
// meanwhile. What is wrong with it is left to the try to say. To wait for it, a classic one takes minutes, is no
// fault.
func (w *Warehouse) again(ctx context.Context, f failure) error {
	waited := false
	if f.asleep {
		_ = databricks.EnsureRunning(ctx, w.opts.Config, w.opts.WarehouseID, func(state string) {
			waited = true
			if w.opts.Progress != nil {
				w.opts.Progress(state)
			}
		})
	}
	if waited || f.busy {
		return retry.Busy(f.err, f.after)
	}
	return retry.Again(f.err, f.after)
}

func (w *Warehouse) do(ctx context.Context, t uctables.Table, text string) error {
	return w.ask(ctx, t, text, nil, func(*sql.Rows) error { return nil }, nil)
}
