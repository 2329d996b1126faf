package deltalake

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/tracemig/tracemig/internal/target"
)

// batch is the rows that one commit may add.
type batch struct {
	times timeFilter       // of rows of the table that may be in the way of a row of the batch
	rows  []bool           // which rows are still to be written
	left  int              // how many these are
	keys  []string         // the columns that mark reads
	mark  func(*rowReader) // drops the rows in whose way a row of the table is
	write func(w *rowWriter, row int) error
	stats func(row int, s *stats)
}

func newBatch(rows int) *batch {
	b := &batch{rows: make([]bool, rows), left: rows}
	for i := range b.rows {
		b.rows[i] = true
	}
	return b
}

// drop takes a row out.
func (b *batch) drop(row int) {
	if b.rows[row] {
		b.rows[row] = false
		b.left--
	}
}

// insert adds the rows whose keys the table does not have, in one commit, or none at all.
//
// Other writers may commit at the same time. A writer that finds its version taken reads what the other one added,
// drops the rows that are there now, and tries the next version.
func (t *table) insert(ctx context.Context, b *batch) (target.Written, error) {
	var data *newFile
	discard := func() {
		data.remove()
		data = nil
	}
	for since := int64(-1); ; {
		version, files, err := t.files(since, b.times)
		before := b.left
		for _, f := range files {
			if err != nil || b.left == 0 {
				break
			}
			err = t.markPresent(ctx, b, f)
		}
		if errors.Is(err, errFileGone) {
			since = -1 // The new files, which were written meanwhile, have all rows.
			continue
		}
		if err == nil {
			err = ctx.Err()
		}
		if b.left < before {
			discard()
		}
		if err != nil || b.left == 0 {
			discard()
			return target.Written{Present: len(b.rows) - b.left}, err
		}
		since = version
		if data == nil {
			if data, err = t.writeFile(ctx, b); err != nil {
				return target.Written{}, err
			}
		}
		now := time.Now()
		err = t.log.commit(version+1, []action{
			{CommitInfo: commitInfo("WRITE", map[string]any{"mode": "Append", "partitionBy": "[]"}, now)},
			{Add: data.add(now)},
		})
		switch {
		case err == nil:
			return target.Written{Inserted: b.left, Present: len(b.rows) - b.left, Bytes: data.size}, nil
		case !errors.Is(err, fs.ErrExist):
			// The file stays: the commit may have taken effect.
			return target.Written{}, err
		}
	}
}

// markPresent drops the rows of the batch in whose way a row of the file is.
func (t *table) markPresent(ctx context.Context, b *batch, f dataFile) error {
	return t.explainMissing(f, t.scan(ctx, f, b.times, b.keys, func(r *rowReader) error {
		b.mark(r)
		return nil
	}))
}

// writeFile writes the rows of the batch that are to be written.
func (t *table) writeFile(ctx context.Context, b *batch) (*newFile, error) {
	t.mu.Lock()
	part, used := t.part, t.used
	t.used = nil
	t.mu.Unlock()
	return t.newFile(func(f *os.File) (*stats, error) {
		w := newRowWriter(noClose{f}, part, used)
		s := newStats()
		for row, missing := range b.rows {
			if !missing {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := b.write(w, row); err != nil {
				return nil, err
			}
			s.rows++
			b.stats(row, s)
		}
		if err := w.close(); err != nil {
			return nil, err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.used = w
		return s, nil
	})
}
