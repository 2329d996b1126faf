package deltalake

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// ReplaceSpans implements target.Writer. The files that hold rows to be replaced are written anew
// without these, all values of the other rows as they are, so its cost grows with the size of those
// files. The old files stay on disk until VACUUM, for readers of older versions.
func (l *Lake) ReplaceSpans(ctx context.Context, rows []uctables.Span, times target.Times) (target.Written, error) {
	if len(rows) == 0 {
		return target.Written{}, nil
	}
	r, err := l.replacing(rows, times)
	if err != nil {
		return target.Written{}, err
	}
	written, err := r.run(ctx)
	return written, r.wrap(err)
}

// replacing is a replacement under way. What it has read and written is of use for the next try too,
// when another writer's commit came first.
type replacing struct {
	*table
	*batch // rows are those to be written, as the newest version that was looked at has it
	spans  []uctables.Span
	index  spanIndex
	asked  []bool // the rows, each key once

	found   map[string][]hit    // by path of the files looked at: what they hold of the keys
	added   *newFile            // with the rows to be written
	without map[string]*newFile // by path of the old file; nil where no row of it is left
}

// hit is a row of the table under the key of a row of the batch.
type hit struct {
	row  int
	same bool // they have the same values
}

func (l *Lake) replacing(rows []uctables.Span, times target.Times) (*replacing, error) {
	b, index, ofRows, err := l.spans().spanBatch(rows)
	if err != nil {
		return nil, err
	}
	near, far := at(ofRows), within(times)
	b.meets = func(from, to int64) bool { return near(from, to) || far(from, to) }
	return &replacing{
		table: l.spans(), batch: b, spans: rows, index: index, asked: slices.Clone(b.rows),
		found: make(map[string][]hit), without: make(map[string]*newFile),
	}, nil
}

// run tries until its commit is the one that follows the version it has looked at.
func (r *replacing) run(ctx context.Context) (target.Written, error) {
	for {
		version, old, err := r.prepare(ctx)
		if errors.Is(err, errFileGone) {
			continue // rewritten meanwhile: the new files say all
		}
		if err != nil || r.left == 0 {
			r.discard()
			return target.Written{Present: len(r.rows) - r.left}, err
		}
		err = r.log.commit(version+1, r.actions(old))
		switch {
		case err == nil:
			bytes := r.added.size
			for _, f := range r.without {
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

// prepare looks at the newest version and writes the files of the commit after it; old are the files
// that it removes. Where nothing is left to be written there are none.
func (r *replacing) prepare(ctx context.Context) (version int64, old []dataFile, err error) {
	version, files, err := r.files(-1, r.meets)
	if err == nil {
		err = r.mayRemove()
	}
	if err == nil {
		err = r.look(ctx, files)
	}
	if err != nil {
		return 0, nil, err
	}
	if old = r.plan(files); r.left > 0 {
		err = r.writeFiles(ctx, old)
	}
	return version, old, err
}

// mayRemove says whether the table's newest version lets rows be taken out.
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
			return &problem{why + " (" + property + " is true)", "Set the property to false, replace the spans in Spark, or migrate into a new path."}
		}
	}
	return nil
}

// look finds the keys in those files that were not looked at before.
func (r *replacing) look(ctx context.Context, files []dataFile) error {
	span, trace, record := spanColumn("span_id"), spanColumn("trace_id"), spanColumn("record_id")
	for _, f := range files {
		if _, known := r.found[f.path]; known {
			continue
		}
		var hits []hit
		err := r.scan(ctx, f, r.meets, spanColumns, func(row *rowReader) error {
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
		if err = r.gone(f, err); err != nil {
			return err
		}
		r.found[f.path] = hits
	}
	return nil
}

// plan says which of the files have to go, and which rows are to be written: all but those that are
// there once and the same.
func (r *replacing) plan(files []dataFile) (old []dataFile) {
	copies, same := make([]int, len(r.rows)), make([]bool, len(r.rows))
	for _, f := range files {
		for _, h := range r.found[f.path] {
			copies[h.row]++
			same[h.row] = h.same
		}
	}
	before := slices.Clone(r.rows)
	r.left = 0
	for i, asked := range r.asked {
		if r.rows[i] = asked && (copies[i] != 1 || !same[i]); r.rows[i] {
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

// writeFiles writes the files of the commit that are not there from an earlier try.
func (r *replacing) writeFiles(ctx context.Context, old []dataFile) (err error) {
	if r.added == nil { // first: a row may be refused
		if r.added, err = r.writeFile(ctx, r.batch); err != nil {
			return err
		}
	}
	for path, f := range r.without {
		if !slices.ContainsFunc(old, func(o dataFile) bool { return o.path == path }) {
			f.remove()
			delete(r.without, path)
		}
	}
	for _, f := range old {
		if _, there := r.without[f.path]; there {
			continue
		}
		written, err := r.writeWithout(ctx, f)
		if err = r.gone(f, err); err != nil {
			return err
		}
		r.without[f.path] = written
	}
	return nil
}

// writeWithout writes the rows of a file that stay; nil where there are none.
func (r *replacing) writeWithout(ctx context.Context, f dataFile) (*newFile, error) {
	var keep []bool
	s := newStats()
	text := func(b []byte) *string {
		if b == nil {
			return nil
		}
		t := string(b)
		return &t
	}
	if err := scan(ctx, f.path, []string{"trace_id", "span_id", "time", "date", "service_name"}, nil, func(row *rowReader) error {
		trace, span := row.text(0), row.text(1)
		i, ok := r.index.row(trace, span)
		keep = append(keep, !ok || !r.rows[i])
		if ok && r.rows[i] {
			return row.err
		}
		s.rows++
		var micros *int64
		if at, ok := row.int(2); ok {
			micros = &at
		}
		day := int32(uctables.NoDate)
		if d, ok := row.int(3); ok {
			day = int32(d)
		}
		s.span(text(trace), text(span), micros, day, text(row.text(4)))
		return row.err
	}); err != nil || s.rows == 0 {
		return nil, err
	}
	in, err := openParquet(f.path)
	if err != nil {
		return nil, err
	}
	written, err := r.newFile(func(out *os.File) (*stats, error) { return s, copyRows(ctx, in, keep, out) })
	if closeErr := in.Close(); err == nil && closeErr != nil {
		written.remove()
		return nil, closeErr
	}
	return written, err
}

// discard removes what no commit names.
func (r *replacing) discard() {
	r.added.remove()
	for _, f := range r.without {
		f.remove()
	}
	r.added = nil
	clear(r.without)
}

func (r *replacing) actions(old []dataFile) []action {
	now := time.Now()
	actions := []action{{CommitInfo: commitInfo("MERGE", map[string]any{"predicate": "[]"}, now)}}
	for _, f := range old {
		actions = append(actions, action{Remove: &removeFile{Path: f.name, DeletionTimestamp: now.UnixMilli(), DataChange: true}})
		if w := r.without[f.path]; w != nil {
			actions = append(actions, action{Add: w.add(now)})
		}
	}
	return append(actions, action{Add: r.added.add(now)})
}
