package warehouse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/http"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

// queryOnce sends one statement and calls each for its rows. Its errors are those of the driver, which failure judges, and
// those of each. A statement that the warehouse refuses for its query tags did not run, and goes once more without them.
func (w *Warehouse) queryOnce(ctx context.Context, text string, params []any, each func(*sql.Rows) error) error {
	withTags, tagged := w.marks.tagged(ctx)
	err := w.send(withTags, text, params, each)
	if _, failed := errors.AsType[*statementError](err); failed && tagged && w.marks.refuseTags(err) {
		err = w.send(ctx, text, params, each)
	}
	return err
}

// send is queryOnce with the query tags of ctx.
func (w *Warehouse) send(ctx context.Context, text string, params []any, each func(*sql.Rows) error) error {
	// The session is opened by a call of its own, so that a failure there is known not to be one of the statement.
	opening := &exchange{}
	conn, err := w.db.Conn(withExchange(ctx, opening))
	if err != nil {
		return &statementError{err: err, exchange: opening}
	}
	defer conn.Close()
	running := &exchange{statement: true}
	fail := func(err error) error {
		if running.status != http.StatusOK || reportOf(err).nameless() {
			// The answer was lost, or the fault is not one of the statement, so the session may be broken. The driver does not say so.
			// ErrBadConn keeps the pool from handing the session out again.
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

// query is queryOnce for statements that only read or create, which are tried again as a whole. start, which may be nil,
// forgets what an earlier try has read.
func (w *Warehouse) query(
	ctx context.Context, table uctables.Table, text string, params []any, each func(*sql.Rows) error, start func(),
) error {
	failures := 0
	return w.retry(ctx, func(ctx context.Context) error {
		if start != nil {
			start()
		}
		err := w.queryOnce(ctx, text, params, each)
		if err == nil {
			return nil
		}
		if _, ok := errors.AsType[*statementError](err); !ok {
			return err // of each
		}
		f := w.failure(ctx, table, 0, err)
		switch f.outcome {
		case outcomeInterrupted, outcomeRefused, outcomeTooLarge, outcomeTooSlow, outcomeFileMissing:
			return f.err
		}
		if failures++; f.unrecognized && failures > unrecognizedTries {
			return f.err
		}
		return w.again(ctx, f)
	})
}

// retry repeats op as long as another try can help, and tells who watches of each wait.
func (w *Warehouse) retry(ctx context.Context, op func(context.Context) error) error {
	told := w.opts.Waits.Operation()
	defer told.Over()
	return retry.Do(ctx, w.policy, op, func(wait retry.Wait) {
		told.Waits(fmt.Sprintf("the SQL warehouse asks for another try (%v)", wait.Err), wait)
		if w.opts.Waiting != nil {
			w.opts.Waiting(wait.Err, wait.For)
		}
	})
}

// exec is query for statements without an answer.
func (w *Warehouse) exec(ctx context.Context, t uctables.Table, text string) error {
	return w.query(ctx, t, text, nil, ignoreRow, nil)
}

func ignoreRow(*sql.Rows) error { return nil }

// again asks package retry for another try. Where the warehouse may have been stopped, again first sees to it that it runs.
// What is wrong with it, the other try says. Waiting for its start is not a fault: a classic warehouse takes minutes.
func (w *Warehouse) again(ctx context.Context, f failure) error {
	waited := false
	if f.stopped {
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

// insert sends an INSERT or MERGE once and returns how many rows it added. The error is errNoCount where the statement took
// effect, but the answer does not tell.
func (w *Warehouse) insert(ctx context.Context, text string, params []any) (int64, error) {
	inserted := int64(-1)
	err := w.queryOnce(ctx, text, params, func(rows *sql.Rows) error {
		// A warehouse answers an INSERT with one row of both.
		var affected, added sql.NullInt64
		if err := scanNamed(rows, map[string]any{"num_affected_rows": &affected, "num_inserted_rows": &added}); err != nil {
			return err
		}
		for _, n := range []sql.NullInt64{affected, added} {
			if n.Valid && n.Int64 >= 0 { // -1 says that the number is not known
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

// queryNumber sends a query once that answers one number.
func (w *Warehouse) queryNumber(ctx context.Context, text string, params []any) (int64, error) {
	var n int64
	err := w.queryOnce(ctx, text, params, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}

// rowsParam is the parameter of a statement that holds its rows as lines.
func rowsParam(lines string) []any { return []any{sql.Named(tablesql.ParamRows, lines)} }

// scanNamed reads the named columns of a row, whichever other columns it has.
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
