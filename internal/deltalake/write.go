package deltalake

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/variant"
)

// WriteSpans implements target.Writer. It looks for the keys in files that hold a row at the time of one of rows.
func (l *Lake) WriteSpans(ctx context.Context, rows []uctables.Span) (target.Written, error) {
	t := l.spans()
	b, index, times, err := t.spanBatch(rows)
	if err != nil {
		return target.Written{}, err
	}
	b.times = at(times)
	b.keys = []string{"trace_id", "span_id"}
	b.mark = func(r *rowReader) {
		if row, ok := index.row(r.text(0), r.text(1)); ok {
			b.drop(row)
		}
	}
	written, err := t.insert(ctx, b)
	return written, t.wrap(err)
}

// spanBatch is a batch of spans, the first of each key, with their places in rows and their times.
func (t *table) spanBatch(rows []uctables.Span) (b *batch, index spanIndex, times []int64, err error) {
	index, times = make(spanIndex, len(rows)), make([]int64, 0, len(rows))
	b = newBatch(len(rows))
	for i := range rows {
		var k spanKey
		if !hexID(k.trace[:], rows[i].TraceID) || !hexID(k.span[:], rows[i].SpanID) {
			return nil, nil, nil, t.rowError("span %q of trace %q: the IDs are not 16 and 32 lowercase hex digits",
				rows[i].SpanID, rows[i].TraceID)
		}
		if _, twice := index[k]; twice {
			b.drop(i)
			continue
		}
		index[k] = i
		times = append(times, rows[i].TimeMicros)
	}
	b.write = func(w *rowWriter, i int) error {
		if err := w.span(&rows[i]); err != nil {
			return t.writeError(err, "span %s of trace %s", rows[i].SpanID, rows[i].TraceID)
		}
		return nil
	}
	b.stats = func(i int, s *stats) {
		r := &rows[i]
		s.span(&r.TraceID, &r.SpanID, &r.TimeMicros, r.Date, r.ServiceName)
	}
	return b, index, times, nil
}

type spanKey struct {
	trace [16]byte
	span  [8]byte
}

// hexID decodes an ID of exactly 2*len(dst) lowercase hex digits.
func hexID[T []byte | string](dst []byte, id T) bool {
	if len(id) != 2*len(dst) || strings.ContainsAny(string(id), "ABCDEF") {
		return false
	}
	_, err := hex.Decode(dst, []byte(id))
	return err == nil
}

// spanIndex has the place of each span in its batch.
type spanIndex map[spanKey]int

func (x spanIndex) row(trace, span []byte) (row int, ok bool) {
	var k spanKey
	if !hexID(k.trace[:], trace) || !hexID(k.span[:], span) {
		return 0, false
	}
	row, ok = x[k]
	return row, ok
}

// WriteAnnotations implements target.Writer. It looks for the keys in files that hold a row with the created_at of
// one of rows.
func (l *Lake) WriteAnnotations(ctx context.Context, rows []uctables.Annotation) (target.Written, error) {
	index := make(map[annotationKey]int, len(rows))
	times := make([]int64, 0, len(rows))
	b := newBatch(len(rows))
	for i := range rows {
		k := annotationKey{rows[i].AnnotationID, rows[i].UpdatedAtMicros}
		if _, twice := index[k]; twice {
			b.drop(i)
			continue
		}
		index[k] = i
		times = append(times, rows[i].CreatedAtMicros)
	}
	b.times = at(times)
	b.mark = func(r *rowReader) {
		if updatedAt, ok := r.int(1); ok {
			if row, ok := index[annotationKey{string(r.text(0)), updatedAt}]; ok {
				b.drop(row)
			}
		}
	}
	return l.insertAnnotations(ctx, b, func(i int) *uctables.Annotation { return &rows[i] })
}

type annotationKey struct {
	id        string
	updatedAt int64
}

// ReplaceAnnotations implements target.Writer. It looks for newer versions that were created within the range of
// all created_at that rows name.
func (l *Lake) ReplaceAnnotations(ctx context.Context, rows []uctables.Replacement) (target.Written, error) {
	index := make(map[string]int, len(rows))
	times := target.NoTimes
	b := newBatch(len(rows))
	for i := range rows {
		if _, twice := index[rows[i].AnnotationID]; twice {
			b.drop(i)
			continue
		}
		index[rows[i].AnnotationID] = i
		times.Include(rows[i].CreatedAtMicros)
		times.Include(rows[i].ReplacesCreatedMicros)
	}
	b.times = within(times)
	b.mark = func(r *rowReader) {
		if row, ok := index[string(r.text(0))]; ok {
			if updatedAt, ok := r.int(1); ok && updatedAt > rows[row].ReplacesMicros {
				b.drop(row)
			}
		}
	}
	return l.insertAnnotations(ctx, b, func(i int) *uctables.Annotation { return &rows[i].Annotation })
}

func (l *Lake) insertAnnotations(ctx context.Context, b *batch, row func(i int) *uctables.Annotation) (target.Written, error) {
	t := l.annotations()
	b.keys = []string{"annotation_id", "updated_at"}
	b.write = func(w *rowWriter, i int) error {
		a := row(i)
		if err := w.annotation(a); err != nil {
			return t.writeError(err, "annotation %s of %s", a.AnnotationID, a.TargetID)
		}
		return nil
	}
	b.stats = func(i int, s *stats) {
		a := row(i)
		s.text("annotation_id", &a.AnnotationID)
		s.text("target_id", &a.TargetID)
		s.time("created_at", a.CreatedAtMicros)
		s.time("updated_at", a.UpdatedAtMicros)
	}
	written, err := t.insert(ctx, b)
	return written, t.wrap(err)
}

// rowError is the error for a row whose values the table refuses.
func (t *table) rowError(format string, args ...any) error {
	return &target.RowError{Table: t.log.dir, Err: fmt.Errorf(format, args...)}
}

// writeError tells a row that VARIANT does not hold from a file that can't be written.
func (t *table) writeError(err error, format string, args ...any) error {
	_, syntax := errors.AsType[*variant.SyntaxError](err)
	if syntax || errors.Is(err, variant.ErrDuplicateKey) || errors.Is(err, variant.ErrTooDeep) || errors.Is(err, variant.ErrTooLarge) {
		return t.rowError("%s: %w", fmt.Sprintf(format, args...), err)
	}
	return err
}
