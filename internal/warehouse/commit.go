package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
)

// write sends the rows as one statement until it is known to have taken effect.
func write[R any, K comparable](ctx context.Context, w *Warehouse, rows []R, b batch[R, K]) (target.Written, error) {
	if len(rows) == 0 {
		return target.Written{}, nil
	}
	// The statement compares rows with the table but not with each other.
	distinct := make([]*R, 0, len(rows))
	seen := make(map[K]bool, len(rows))
	for i := range rows {
		if k := b.key(&rows[i]); !seen[k] {
			seen[k] = true
			distinct = append(distinct, &rows[i])
		}
	}
	within := target.NoTimes
	for _, r := range distinct {
		b.times(r, &within)
	}
	times := []any{sql.Named(tablesql.ParamLow, within.Low), sql.Named(tablesql.ParamHigh, within.High)}
	table, err := w.table(ctx, b.table)
	if err != nil {
		return target.Written{}, err
	}
	line := func(text []byte, i int) []byte { return b.row(text, distinct[i]) }
	in, err := w.lay(ctx, len(distinct), line)
	if err != nil {
		return target.Written{}, err
	}
	defer func() { w.remove(ctx, in) }()

	// Statements that read the table they write conflict with each other, and the loser has to run
	// again: of one process, one at a time is sent. Other processes are left to the retry.
	lock := w.locks[b.table.Suffix]
	select {
	case lock <- struct{}{}:
		defer func() { <-lock }()
	case <-ctx.Done():
		return target.Written{}, context.Cause(ctx)
	}

	var inserted int64
	var doubts, unsent int
	var unanswered bool // a statement of which nothing is known may have done it
	unsure := false
	mark := w.mark()
	err = retry.Do(ctx, w.policy, func(ctx context.Context) error {
		var err error
		inserted, err = w.insert(ctx, in.statement(b.insert(w.opts.Location, table))+mark, slices.Concat(in.params, times))
		if err == nil {
			if unanswered {
				inserted = int64(len(distinct)) // by this statement or by that one
			}
			return nil
		}
		f := w.failure(ctx, b.table, in.bytes, err)
		if f.unsent {
			if unsent++; unsent >= unsentTries && in.bytes >= LeastStatementBytes {
				f = failure{kind: refused, err: &target.TooLargeError{Table: w.opts.Location.Name(b.table), Bytes: in.bytes, Err: f.err}}
			}
		}
		switch f.kind {
		case again:
			if f.lost {
				return retry.Lost(f.err)
			}
			return w.again(ctx, f)
		case unexplained:
			// A failed task's error may lack its cause. Reading the rows without writing names it.
			if _, err := w.number(ctx, in.statement(b.parse(w.opts.Location, table)), in.params); err != nil {
				var row *target.RowError
				if p := w.failure(ctx, b.table, in.bytes, err); errors.As(p.err, &row) {
					return p.err
				}
			}
			if doubts++; doubts > unknownTries {
				return f.err
			}
			return retry.Again(f.err, 0)
		case gone:
			if doubts++; in.folder == "" || doubts > unknownTries {
				return f.err
			}
			w.remove(ctx, in)
			if in, err = w.lay(ctx, len(distinct), line); err != nil {
				return err
			}
			return retry.Again(f.err, 0)
		case doubtful:
			// The answer got lost, or it does not count. The rows may be there, or may yet come: a statement that the
			// server still runs can't be waited for without its handle. Trying again is safe all the
			// same: whichever of the two commits second has read the table before the first one's
			// commit, so Delta fails it with a conflict, and its next try finds the rows.
			uncounted := errors.Is(err, errNoCount) // It took effect.
			if b.count == "" {
				if uncounted {
					inserted, unsure = int64(len(distinct)), true
					return nil
				}
				unanswered = true // that the keys are there says nothing; whether the values are, the next try sees
			} else if found, lookupErr := w.number(ctx, b.count, append(rowsParam(lines(distinct, b.rowKey)), times...)); lookupErr == nil &&
				(found == int64(len(distinct)) || b.some && uncounted) {
				inserted, unsure = found, true
				return nil
			}
			if doubts++; f.unknown && doubts > unknownTries {
				return f.err
			}
			return w.again(ctx, f)
		}
		var large *target.TooLargeError
		if errors.As(f.err, &large) && !large.Slow {
			w.learn(in.bytes)
		}
		return f.err
	}, w.opts.Waiting)
	if err != nil {
		return target.Written{}, err
	}
	// What a MERGE affected, where it does not say what it inserted, are more rows than it was given.
	inserted = min(inserted, int64(len(distinct)))
	return target.Written{Inserted: int(inserted), Present: len(rows) - int(inserted), Bytes: in.bytes, Unsure: unsure}, nil
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

// SetRun names the run whose rows are written from now on.
func (w *Warehouse) SetRun(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.run, w.written = id, 0
}

var notPlain = regexp.MustCompile(`[^0-9A-Za-z._-]+`)

// mark is a comment at the end of a statement that writes, by which the query history (system.query.history) tells
// which run sent it; tries of one write have the same.
func (w *Warehouse) mark() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run == "" {
		return ""
	}
	w.written++
	return fmt.Sprintf("\n/* tracemig run %s, write %d */", notPlain.ReplaceAllString(w.run, "_"), w.written)
}
