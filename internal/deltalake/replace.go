package deltalake

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// ReplaceSpans implements target.Writer. Files that hold rows to be replaced are written again without those rows,
// with all values of the other rows as they are, so the cost grows with the size of these files. The old files
// stay on disk until VACUUM, for readers of older versions.
func (l *Lake) ReplaceSpans(ctx context.Context, rows []uctables.Span, times target.Times) (target.Written, error) {
	if len(rows) == 0 {
		return target.Written{}, nil
	}
	r, err := l.newSpanReplacement(rows, times)
	if err != nil {
		return target.Written{}, err
	}
	written, err := r.run(ctx)
	return written, r.wrap(err)
}

// spanReplacement is a call of ReplaceSpans. Where another writer's commit comes first, the next try uses what this
// one has read and written, as far as it still holds.
type spanReplacement struct {
	*table
	*batch   // rows are those to be written after the newest version that was read
	spans    []uctables.Span
	index    spanIndex
	distinct []bool // the rows of spans, each key once

	found   map[string][]hit    // by path: the rows in each file that was read under keys of the batch
	added   *newFile            // has the rows to be written
	rewrote map[string]*newFile // by path of the old file: the new one, without the replaced rows; nil where no row is left
}

// hit is a row of the table that has the key of a row of the batch.
type hit struct {
	row  int  // of the batch
	same bool // both have the same values
}

func (l *Lake) newSpanReplacement(rows []uctables.Span, times target.Times) (*spanReplacement, error) {
	b, index, ofRows, err := l.spans().spanBatch(rows)
	if err != nil {
		return nil, err
	}
	atRows, inRange := at(ofRows), within(times)
	b.times = func(from, to int64) bool { return atRows(from, to) || inRange(from, to) }
	return &spanReplacement{
		table: l.spans(), batch: b, spans: rows, index: index, distinct: slices.Clone(b.rows),
		found: make(map[string][]hit), rewrote: make(map[string]*newFile),
	}, nil
}

// run tries until no other commit comes between the version that it has read and its own.
func (r *spanReplacement) run(ctx context.Context) (target.Written, error) {
	for {
		version, old, err := r.prepare(ctx)
		if errors.Is(err, errFileGone) {
			continue // The new files, which were written meanwhile, have all rows.
		}
		if err != nil || r.left == 0 {
			r.discard()
			return target.Written{Present: len(r.rows) - r.left}, err
		}
		err = r.log.commit(version+1, r.actions(old))
		switch {
		case err == nil:
			bytes := r.added.size
			for _, f := range r.rewrote {
				if f != nil {
					bytes += f.size
				}
			}
			return target.Written{Inserted: r.left, Present: len(r.rows) - r.left, Bytes: bytes}, nil
		case !errors.Is(err, fs.ErrExist):
			// The files stay: the commit may have taken effect.
			return target.Written{}, err
		}
	}
}

// prepare reads the newest version and writes the files for the commit after it. old are the files that this commit
// removes; there are none where no row has to be written.
func (r *spanReplacement) prepare(ctx context.Context) (version int64, old []dataFile, err error) {
	version, files, err := r.files(-1, r.times)
	if err == nil {
		err = r.mayRemove()
	}
	if err == nil {
		err = r.findKeys(ctx, files)
	}
	if err != nil {
		return 0, nil, err
	}
	if old = r.selectRows(files); r.left > 0 {
		err = r.writeFiles(ctx, old)
	}
	return version, old, err
}

// mayRemove returns a problem where the table's newest version forbids that rows are removed or replaced.
func (t *table) mayRemove() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.snap == nil {
		return errNoTable
	}
	for property, why := range map[string]string{
		"delta.appendOnly":           "takes no changes of rows",
		"delta.enableChangeDataFeed": "keeps a feed of its changes, which tracemig does not write",
	} {
		if strings.EqualFold(t.snap.meta.Configuration[property], "true") {
			return &problem{
				why + " (" + property + " is true)",
				"Set the property to false, or change the rows in Spark.",
			}
		}
	}
	return nil
}

// findKeys finds the rows under the batch's keys in those files that were not read before.
func (r *spanReplacement) findKeys(ctx context.Context, files []dataFile) error {
	span, trace, record := spanColumn("span_id"), spanColumn("trace_id"), spanColumn("record_id")
	for _, f := range files {
		if _, known := r.found[f.path]; known {
			continue
		}
		var hits []hit
		err := r.scan(ctx, f, r.times, spanColumns, func(row *rowReader) error {
			i, ok := r.index.row(row.text(trace), row.text(span))
			if !ok {
				return row.err
			}
			h := hit{row: i}
			if want := &r.spans[i]; string(row.text(record)) == want.RecordID {
				got, err := row.span()
				if err != nil {
					return err
				}
				h.same = uctables.SameSpan(want, got)
			}
			hits = append(hits, h)
			return row.err
		})
		if err = r.explainMissing(f, err); err != nil {
			return err
		}
		r.found[f.path] = hits
	}
	return nil
}

// selectRows decides which rows are to be written, which are all but those that the table has once and with the same
// values, and returns the files that hold rows under their keys.
func (r *spanReplacement) selectRows(files []dataFile) (old []dataFile) {
	copies, same := make([]int, len(r.rows)), make([]bool, len(r.rows))
	for _, f := range files {
		for _, h := range r.found[f.path] {
			copies[h.row]++
			same[h.row] = h.same
		}
	}
	before := slices.Clone(r.rows)
	r.left = 0
	for i, distinct := range r.distinct {
		if r.rows[i] = distinct && (copies[i] != 1 || !same[i]); r.rows[i] {
			r.left++
		}
	}
	if !slices.Equal(before, r.rows) {
		r.discard()
	}
	for _, f := range files {
		if slices.ContainsFunc(r.found[f.path], func(h hit) bool { return r.rows[h.row] }) {
			old = append(old, f)
		}
	}
	return old
}

// writeFiles writes the files of the commit, except those that an earlier try has written.
func (r *spanReplacement) writeFiles(ctx context.Context, old []dataFile) (err error) {
	if r.added == nil { // This one comes first, since a row may be refused.
		if r.added, err = r.writeFile(ctx, r.batch); err != nil {
			return err
		}
	}
	for path, f := range r.rewrote {
		if !slices.ContainsFunc(old, func(o dataFile) bool { return o.path == path }) {
			f.remove()
			delete(r.rewrote, path)
		}
	}
	for _, f := range old {
		if _, there := r.rewrote[f.path]; there {
			continue
		}
		written, err := r.rewrite(ctx, f)
		if err = r.explainMissing(f, err); err != nil {
			return err
		}
		r.rewrote[f.path] = written
	}
	return nil
}

// rewrite writes a file with the rows of f that stay. It returns nil where none does.
func (r *spanReplacement) rewrite(ctx context.Context, f dataFile) (*newFile, error) {
	w, err := r.without(ctx, f, spanStatColumns, noteSpan, func(row *rowReader) bool {
		i, ok := r.index.row(row.text(0), row.text(1))
		return ok && r.rows[i]
	})
	return w.file, err
}

// discard removes the files that were written, none of which a commit names.
func (r *spanReplacement) discard() {
	r.added.remove()
	for _, f := range r.rewrote {
		f.remove()
	}
	r.added = nil
	clear(r.rewrote)
}

func (r *spanReplacement) actions(old []dataFile) []action {
	now := time.Now()
	actions := []action{{CommitInfo: commitInfo("MERGE", map[string]any{"predicate": "[]"}, now)}}
	for _, f := range old {
		actions = append(actions, action{Remove: &removeFile{Path: f.name, DeletionTimestamp: now.UnixMilli(), DataChange: true}})
		if w := r.rewrote[f.path]; w != nil {
			actions = append(actions, action{Add: w.add(now)})
		}
	}
	return append(actions, action{Add: r.added.add(now)})
}
