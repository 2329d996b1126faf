package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

const (
	// unrecognizedTries bounds how often a statement is sent again after errors of which nothing is known.
	unrecognizedTries = 3
	// unsentTries is how often a connection may break while a statement is sent before the cause is taken to be a gateway that
	// cuts large requests off.
	unsentTries = 3
)

// commit is one atomic write of rows to a table. It is made by a statement, which is tried until it is known to have taken
// effect, or until no other try can help.
type commit struct {
	w      *Warehouse
	table  uctables.Table               // with the columns that it really has
	rows   int                          // distinct ones that it writes
	lines  int                          // that the statement reads: one a row, unless it copies rows of another table
	row    func(b []byte, i int) []byte // appends a line
	times  []any                        // parameters: the range of times in which the statement looks for the rows
	insert string                       // the statement
	lookup func() (string, []any)       // query that counts the rows' keys in the table; nil if keys there prove nothing
	subset bool                         // the statement may leave rows out, which the table then need not have

	in         *input
	uncertain  int  // tries after which it was uncertain what they did, or why they failed
	unsent     int  // tries in which the connection broke while the statement was sent
	unanswered bool // an earlier try of which nothing is known may have written the rows
	inserted   int64
	unsure     bool // inserted is not from an answer
}

// commitRows writes rows in one commit.
func commitRows[R any, K comparable](ctx context.Context, w *Warehouse, rows []R, b batch[R, K]) (target.Written, error) {
	if len(rows) == 0 {
		return target.Written{}, nil
	}
	distinct := distinctRows(rows, b.key)
	within := target.NoTimes
	for _, r := range distinct {
		b.times(r, &within)
	}
	actual, err := w.table(ctx, b.table)
	if err != nil {
		return target.Written{}, err
	}
	c := &commit{
		w: w, table: actual, rows: len(distinct), lines: len(distinct), subset: b.subset,
		row:    func(text []byte, i int) []byte { return b.row(text, distinct[i]) },
		times:  []any{sql.Named(tablesql.ParamLow, within.Low), sql.Named(tablesql.ParamHigh, within.High)},
		insert: b.insert(w.opts.Location, actual),
	}
	if b.count != "" {
		c.lookup = func() (string, []any) { return b.count, append(rowsParam(lines(distinct, b.rowKey)), c.times...) }
	}
	if err := c.run(ctx); err != nil {
		return target.Written{}, err
	}
	// Where a MERGE does not say what it inserted, the rows that it affected are more than it was given.
	inserted := int(min(c.inserted, int64(c.rows)))
	return target.Written{Inserted: inserted, Present: len(rows) - inserted, Bytes: c.in.bytes, Unsure: c.unsure}, nil
}

// distinctRows are the first rows of each key: the statement compares rows with the table, but not with each other.
func distinctRows[R any, K comparable](rows []R, key func(*R) K) []*R {
	distinct := make([]*R, 0, len(rows))
	seen := make(map[K]bool, len(rows))
	for i := range rows {
		if k := key(&rows[i]); !seen[k] {
			seen[k] = true
			distinct = append(distinct, &rows[i])
		}
	}
	return distinct
}

// lines are the rows in the form of ParamRows.
func lines[R any](rows []*R, line func([]byte, *R) []byte) string {
	var text []byte
	for i, r := range rows {
		if i > 0 {
			text = append(text, '\n')
		}
		text = line(text, r)
	}
	return string(text)
}

// run prepares the rows and tries the statement until next says that no other try is needed.
func (c *commit) run(ctx context.Context) (err error) {
	w := c.w
	if c.in, err = w.prepareRows(ctx, c.lines, c.row); err != nil {
		return err
	}
	defer func() { w.removeFiles(ctx, c.in) }()

	// Statements that read the table they write conflict with each other, and the loser has to run again. Therefore one process
	// sends one at a time. Conflicts with other processes are left to the retry.
	lock := w.locks[c.table.Suffix]
	select {
	case lock <- struct{}{}:
		defer func() { <-lock }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	mark := w.marks.comment()
	return w.retry(ctx, func(ctx context.Context) error {
		return c.next(ctx, c.try(ctx, mark))
	})
}

// try sends the statement once. Where its answer leaves open what it did, or why it failed, a query finds that out.
func (c *commit) try(ctx context.Context, mark string) failure {
	inserted, err := c.w.insert(ctx, c.in.statement(c.insert)+mark, slices.Concat(c.in.params, c.times))
	if err == nil {
		c.inserted = inserted
		if c.unanswered {
			c.inserted = int64(c.rows) // by this try or by that one
		}
		return failure{outcome: outcomeCommitted}
	}
	f := c.w.failure(ctx, c.table, c.in.bytes, err)
	switch f.outcome {
	case outcomeUnsent:
		return c.judgeUnsent(f)
	case outcomeTaskFailed:
		return c.findBadRow(ctx, f)
	case outcomeUncounted, outcomeUnknown:
		return c.lookUp(ctx, f)
	}
	return f
}

// next says whether to try again after f: it returns nil where the rows are written, an error marked by package retry where
// another try can help, and any other error where none can.
func (c *commit) next(ctx context.Context, f failure) error {
	switch f.outcome {
	case outcomeCommitted:
		return nil
	case outcomeRaceLost:
		return retry.Lost(f.err)
	case outcomeNotRun, outcomeUnsent:
		return c.w.again(ctx, f)
	case outcomeUncounted, outcomeUnknown:
		// Another try is safe even where the server still runs this one, which can't be waited for without its handle: whichever of
		// the two commits second has read the table before the first one's commit, so Delta fails it with a conflict, and its next
		// try finds the rows.
		if c.uncertain++; f.unrecognized && c.uncertain > unrecognizedTries {
			return f.err
		}
		return c.w.again(ctx, f)
	case outcomeTaskFailed:
		if c.uncertain++; c.uncertain > unrecognizedTries {
			return f.err
		}
		return retry.Again(f.err, 0)
	case outcomeFileMissing:
		if c.uncertain++; c.in.folder == "" || c.uncertain > unrecognizedTries {
			return f.err
		}
		c.w.removeFiles(ctx, c.in)
		var err error
		if c.in, err = c.w.prepareRows(ctx, c.lines, c.row); err != nil {
			return err
		}
		return retry.Again(f.err, 0)
	case outcomeTooLarge:
		c.w.learnTooLarge(c.in.bytes)
	}
	return f.err
}

// judgeUnsent takes a statement that several connections did not carry to be too large for a gateway, unless it is small.
func (c *commit) judgeUnsent(f failure) failure {
	if c.unsent++; c.unsent < unsentTries || c.in.bytes < LeastStatementBytes {
		return f
	}
	name := c.w.opts.Location.Name(c.table)
	return failure{outcome: outcomeTooLarge, err: &target.TooLargeError{Table: name, Bytes: c.in.bytes, Err: f.err}}
}

// findBadRow reads the rows without writing them, since the error of a failed task may lack its cause: a row that is refused
// then is the cause.
func (c *commit) findBadRow(ctx context.Context, f failure) failure {
	if _, err := c.w.queryNumber(ctx, c.in.statement(tablesql.Parse(c.table)), c.in.params); err != nil {
		parse := c.w.failure(ctx, c.table, c.in.bytes, err)
		if _, ok := errors.AsType[*target.RowError](parse.err); ok {
			return parse
		}
	}
	return f
}

// lookUp asks the table whether it holds the rows. They may be there, or may yet come.
func (c *commit) lookUp(ctx context.Context, f failure) failure {
	uncounted := f.outcome == outcomeUncounted
	if c.lookup == nil {
		if uncounted {
			c.inserted, c.unsure = int64(c.rows), true
			return failure{outcome: outcomeCommitted}
		}
		c.unanswered = true // That the keys are there would prove nothing; the next try compares the values.
		return f
	}
	text, params := c.lookup()
	found, err := c.w.queryNumber(ctx, text, params)
	if err == nil && (found == int64(c.rows) || c.subset && uncounted) {
		c.inserted, c.unsure = found, true
		return failure{outcome: outcomeCommitted}
	}
	return f
}
