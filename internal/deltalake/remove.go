package deltalake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// CheckRemoval implements target.Remover.
func (l *Lake) CheckRemoval(ctx context.Context) error {
	for _, t := range []*table{l.spans(), l.annotations()} {
		_, err := t.id()
		if err == nil {
			err = t.mayRemove()
		}
		if err != nil {
			return t.wrap(err)
		}
	}
	return ctx.Err()
}

// RemoveSpans implements target.Remover. Files that hold such spans are written again without them, with all values of the other
// rows as they are. The old files stay on disk until VACUUM.
func (l *Lake) RemoveSpans(ctx context.Context, traceIDs []string, times target.Times) error {
	wanted := make(map[string]bool, len(traceIDs))
	for _, id := range traceIDs {
		wanted[id] = true
	}
	columns := slices.Concat(spanStatColumns, ownSpanColumns)
	trace, at := 0, 2 // in spanStatColumns
	return l.spans().remove(ctx, within(times), columns, noteSpan, func(r *rowReader) bool {
		if !wanted[string(r.text(trace))] {
			return false
		}
		micros, ok := r.int(at)
		return ok && times.Contains(micros) && ownSpan(r, len(spanStatColumns))
	})
}

// RemoveAnnotations implements target.Remover, as RemoveSpans does.
func (l *Lake) RemoveAnnotations(ctx context.Context, versions []uctables.Version) error {
	gone := make(map[uctables.Version]bool, len(versions))
	times := make([]int64, len(versions))
	for i, v := range versions {
		gone[v], times[i] = true, v.CreatedAtMicros
	}
	columns := slices.Concat(annotationStatColumns, []string{"deleted_at", "deleted_by"})
	return l.annotations().remove(ctx, at(times), columns, noteAnnotation, func(r *rowReader) bool {
		v := uctables.Version{AnnotationID: string(r.text(0)), TargetID: string(r.text(1))}
		v.CreatedAtMicros, _ = r.int(2)
		v.UpdatedAtMicros, _ = r.int(3)
		_, deleted := r.int(4)
		return gone[v] && (!deleted || string(r.text(5)) == uctables.DeletedBy)
	})
}

// The columns that ownSpan reads, at and after the first.
var ownSpanColumns = []string{"trace_id", "span_id", "record_id", "start_time_unix_nano"}

// ownSpan says whether tracemig has written the row of a span.
func ownSpan(r *rowReader, first int) bool {
	start, ok := r.int(first + 3)
	return ok && string(r.text(first+2)) == uctables.RecordID(start, string(r.text(first)), string(r.text(first+1)))
}

// remove removes the rows that are gone, in one commit, or none at all. gone and note read columns.
func (t *table) remove(
	ctx context.Context, times timeFilter, columns []string, note func(*rowReader, *stats), gone func(*rowReader) bool,
) error {
	made := make(map[string]rewritten) // by path of the old file; the next try uses those that still hold
	for {
		version, actions, err := t.prepareRemoval(ctx, times, made, func(f dataFile) (rewritten, error) {
			return t.without(ctx, f, columns, note, gone)
		})
		if errors.Is(err, errFileGone) {
			continue // Another writer's commit came meanwhile.
		}
		if err != nil || len(actions) == 0 {
			for _, w := range made {
				w.file.remove()
			}
			return t.wrap(err)
		}
		now := time.Now()
		actions = append([]action{{CommitInfo: commitInfo("DELETE", map[string]any{"predicate": "[]"}, now)}}, actions...)
		if err := t.log.commit(version+1, actions); !errors.Is(err, fs.ErrExist) {
			return t.wrap(err) // After an error the files stay: the commit may have taken effect.
		}
	}
}

// prepareRemoval reads the newest version, and has rewrite write the files for the commit after it. There are no actions where no
// row is to be removed.
func (t *table) prepareRemoval(
	ctx context.Context, times timeFilter, made map[string]rewritten, rewrite func(dataFile) (rewritten, error),
) (version int64, actions []action, err error) {
	version, files, err := t.files(-1, times)
	if err == nil {
		err = cmp.Or(t.mayRemove(), ctx.Err())
	}
	if err != nil {
		return 0, nil, err
	}
	now := time.Now()
	current := make(map[string]bool, len(files))
	for _, f := range files {
		w, known := made[f.path]
		if !known {
			if w, err = rewrite(f); err != nil {
				return 0, nil, t.explainMissing(f, err)
			}
			made[f.path] = w
		}
		current[f.path] = true
		if w.removed == 0 {
			continue
		}
		actions = append(actions, action{Remove: &removeFile{Path: f.name, DeletionTimestamp: now.UnixMilli(), DataChange: true}})
		if w.file != nil {
			actions = append(actions, action{Add: w.file.add(now)})
		}
	}
	for path, w := range made {
		if !current[path] { // Another writer has rewritten it.
			w.file.remove()
			delete(made, path)
		}
	}
	return version, actions, nil
}

// rewritten is a file that takes the place of another.
type rewritten struct {
	file    *newFile // nil where no row is left, or none was removed
	removed int      // rows of the old file that it does not have
}

// without writes a file with the rows of f that are not gone. note adds the statistics of a row. Both read columns.
func (t *table) without(
	ctx context.Context, f dataFile, columns []string, note func(*rowReader, *stats), gone func(*rowReader) bool,
) (w rewritten, err error) {
	var keep []bool
	s := newStats()
	if err := scan(ctx, f.path, columns, nil, func(r *rowReader) error {
		stays := !gone(r)
		if keep = append(keep, stays); stays {
			s.rows++
			note(r, s)
		} else {
			w.removed++
		}
		return r.err
	}); err != nil || w.removed == 0 || s.rows == 0 {
		return w, err
	}
	in, err := openParquet(f.path)
	if err != nil {
		return w, err
	}
	w.file, err = t.newFile(func(out *os.File) (*stats, error) { return s, copyRows(ctx, in, keep, out) })
	if closeErr := in.Close(); err == nil && closeErr != nil {
		w.file.remove()
		return rewritten{}, closeErr
	}
	return w, err
}

// The columns of which the files of spans have statistics, and noteSpan adds those of a row.
var spanStatColumns = []string{"trace_id", "span_id", "time", "date", "service_name"}

func noteSpan(r *rowReader, s *stats) {
	var micros *int64
	if at, ok := r.int(2); ok {
		micros = &at
	}
	day := int32(uctables.NoDate)
	if d, ok := r.int(3); ok {
		day = int32(d)
	}
	s.span(optional(r.text(0)), optional(r.text(1)), micros, day, optional(r.text(4)))
}

// The columns of which the files of annotations have statistics, and noteAnnotation adds those of a row.
var annotationStatColumns = []string{"annotation_id", "target_id", "created_at", "updated_at"}

func noteAnnotation(r *rowReader, s *stats) {
	for i, name := range annotationStatColumns[:2] {
		s.text(name, optional(r.text(i)))
	}
	for i, name := range annotationStatColumns[2:] {
		if micros, ok := r.int(i + 2); ok {
			s.time(name, micros)
		}
	}
}

// optional is a text; nil for NULL.
func optional(b []byte) *string {
	if b == nil {
		return nil
	}
	text := string(b)
	return &text
}

// Marked implements target.Remover. It reads the METADATA rows twice, and a few columns of all other rows once. It holds some 300
// bytes for each of the wanted traces.
func (l *Lake) Marked(ctx context.Context, source string, wanted target.Wanted, yield func(target.Marked) error) error {
	found, err := l.findMarked(ctx, source, wanted)
	if err != nil {
		return err
	}
	if err := l.measure(ctx, found); err != nil {
		return err
	}
	order := make([]*target.Marked, 0, len(found))
	for _, m := range found {
		order = append(order, m)
	}
	slices.SortFunc(order, func(a, b *target.Marked) int {
		return cmp.Or(cmp.Compare(a.RequestMicros, b.RequestMicros), cmp.Compare(a.TraceID, b.TraceID))
	})
	for _, m := range order {
		if err := yield(*m); err != nil {
			return err
		}
	}
	return nil
}

// findMarked finds the wanted traces by their METADATA rows, by trace ID.
func (l *Lake) findMarked(ctx context.Context, source string, wanted target.Wanted) (map[string]*target.Marked, error) {
	type newest struct {
		updatedAt int64
		deleted   bool
	}
	newestOf := make(map[[16]byte]newest) // by a hash of annotation_id
	found := make(map[string]*target.Marked)
	byHash := make(map[[16]byte]string) // trace IDs of found
	ids := make(map[string]bool, len(wanted.IDs))
	for _, id := range wanted.IDs {
		ids[id] = true
	}
	err := l.provenanceRows(ctx, func(m *metadataVersion, p *uctables.Provenance) error {
		if p == nil || p.Source == "" {
			return nil
		}
		if n, ok := newestOf[m.id]; ok && (m.updatedAt < n.updatedAt || m.updatedAt == n.updatedAt && (n.deleted || !m.deleted)) {
			return nil
		}
		newestOf[m.id] = newest{m.updatedAt, m.deleted}
		delete(found, byHash[m.id])
		delete(byHash, m.id)
		if p.Source != source || !wanted.Requested.Contains(p.RequestMicros) ||
			wanted.IDs != nil && !ids[p.SourceTraceID] && !ids[p.TraceID] {
			return nil
		}
		byHash[m.id] = p.TraceID
		found[p.TraceID] = &target.Marked{
			SourceTraceID: p.SourceTraceID, TraceID: p.TraceID, RequestMicros: p.RequestMicros, Attachments: p.Attachments,
			SpanTimes: target.NoTimes, AnnotationTimes: target.NoTimes,
		}
		return nil
	})
	return found, err
}

// measure completes traces with what the tables hold of them.
func (l *Lake) measure(ctx context.Context, found map[string]*target.Marked) error {
	err := l.annotations().scanAll(ctx, target.AllTimes, []string{"target_id", "created_at"}, func(r *rowReader) error {
		id, _, _ := bytes.Cut(r.text(0), []byte(":"))
		if m := found[string(id)]; m != nil {
			if at, ok := r.int(1); ok {
				m.AnnotationTimes.Include(at)
			}
		}
		return r.err
	})
	if err != nil {
		return err
	}
	columns := slices.Concat(ownSpanColumns, []string{"time"})
	return l.spans().scanAll(ctx, target.AllTimes, columns, func(r *rowReader) error {
		m := found[string(r.text(0))]
		if m == nil {
			return r.err
		}
		if at, ok := r.int(len(ownSpanColumns)); ok {
			m.SpanTimes.Include(at)
		}
		if ownSpan(r, 0) {
			m.Spans++
		} else {
			m.Others++
		}
		return r.err
	})
}

// ReadVersions implements target.Remover.
func (l *Lake) ReadVersions(
	ctx context.Context, traceIDs []string, times target.Times, yield func(*uctables.Annotation) error,
) error {
	return l.annotations().ofTraces(ctx, traceIDs, times, "target_id", annotationColumns, func(_ string, r *rowReader) error {
		a, err := r.annotation()
		if err != nil {
			return err
		}
		return yield(a)
	})
}
