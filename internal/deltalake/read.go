package deltalake

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// ofTraces reads columns of the rows of some traces within some times. traceColumn holds the trace ID, up to a colon
// if it has one.
func (t *table) ofTraces(
	ctx context.Context, traceIDs []string, times target.Times, traceColumn string, columns []string,
	yield func(traceID string, r *rowReader) error,
) error {
	if len(traceIDs) == 0 {
		return nil
	}
	wanted := make(map[string]string, len(traceIDs))
	for _, id := range traceIDs {
		wanted[id] = id
	}
	trace, time := slices.Index(columns, traceColumn), slices.Index(columns, t.log.timeColumn)
	return t.scanAll(ctx, times, columns, func(r *rowReader) error {
		id, _, _ := bytes.Cut(r.text(trace), []byte(":"))
		traceID, ok := wanted[string(id)]
		if !ok {
			return nil
		}
		if at, ok := r.int(time); !ok || at < times.Low || at > times.High {
			return nil
		}
		return yield(traceID, r)
	})
}

// ReadSpans implements target.Reader. It holds one span at a time in memory.
func (l *Lake) ReadSpans(ctx context.Context, traceIDs []string, times target.Times, yield func(*uctables.Span) error) error {
	return l.spans().ofTraces(ctx, traceIDs, times, "trace_id", spanColumns, func(_ string, r *rowReader) error {
		s, err := r.span()
		if err != nil {
			return err
		}
		return yield(s)
	})
}

// SumSpans implements target.Reader. With deep it holds the spans of all the traces at the same time, since the
// spans of a trace may be in several files.
func (l *Lake) SumSpans(
	ctx context.Context, traceIDs []string, times target.Times, deep bool, yield func(target.SpanSum) error,
) error {
	record, span := spanColumn("record_id"), spanColumn("span_id")
	found := make(map[string][]uctables.Span)
	if err := l.spans().ofTraces(ctx, traceIDs, times, "trace_id", spanColumns, func(traceID string, r *rowReader) error {
		s, err := &uctables.Span{RecordID: string(r.text(record)), SpanID: string(r.text(span))}, r.err
		if deep {
			s, err = r.span()
		}
		found[traceID] = append(found[traceID], *s)
		return err
	}); err != nil {
		return err
	}
	var d uctables.Digester
	for traceID, rows := range found {
		spans, records := make(map[string]bool), make(map[string]bool)
		for i := range rows {
			spans[rows[i].SpanID], records[rows[i].RecordID] = true, true
		}
		digest, err := d.Spans(rows, deep)
		if err == nil {
			err = yield(target.SpanSum{TraceID: traceID, Rows: len(rows), Spans: len(spans), RecordIDs: len(records), Digest: digest})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// newest is the newest version of an annotation.
type newest struct {
	*uctables.Annotation
	traceID   string
	deletedAt int64 // notDeleted for one that is not
	copies    int   // rows with its updated_at
}

// notDeleted is before every time of deletion, since of two versions with one updated_at the deleted one is newer.
const notDeleted = math.MinInt64

// newest finds the newest versions of the annotations of some traces that were created within some times. read reads
// the values that are wanted of a row.
func (l *Lake) newest(
	ctx context.Context, traceIDs []string, times target.Times, read func(*rowReader) (*uctables.Annotation, error),
) (map[string]*newest, error) {
	id, updatedAt, deletedAt := annotationColumn("annotation_id"), annotationColumn("updated_at"), annotationColumn("deleted_at")
	found := make(map[string]*newest)
	return found, l.annotations().ofTraces(ctx, traceIDs, times, "target_id", annotationColumns, func(traceID string, r *rowReader) error {
		updated, _ := r.int(updatedAt)
		deleted, ok := r.int(deletedAt)
		if !ok {
			deleted = notDeleted
		}
		copies := 1
		if n := found[string(r.text(id))]; n != nil {
			if updated == n.UpdatedAtMicros {
				n.copies++
				copies = n.copies
			}
			if cmp.Or(cmp.Compare(updated, n.UpdatedAtMicros), cmp.Compare(deleted, n.deletedAt)) <= 0 {
				return r.err
			}
		}
		a, err := read(r)
		found[a.AnnotationID] = &newest{a, traceID, deleted, copies}
		return err
	})
}

// SumAnnotations implements target.Reader.
func (l *Lake) SumAnnotations(
	ctx context.Context, traceIDs []string, times target.Times, deep bool, yield func(target.AnnotationSum) error,
) error {
	found, err := l.newest(ctx, traceIDs, times, func(r *rowReader) (*uctables.Annotation, error) {
		if deep {
			return r.annotation()
		}
		updated, _ := r.int(annotationColumn("updated_at"))
		return &uctables.Annotation{
			AnnotationID: string(r.text(annotationColumn("annotation_id"))),
			Type:         uctables.AnnotationType(r.text(annotationColumn("annotation_type"))),
			Name:         string(r.text(annotationColumn("name"))), UpdatedAtMicros: updated,
		}, r.err
	})
	if err != nil {
		return err
	}
	var d uctables.Digester
	for _, n := range found {
		digest := ""
		if deep {
			if digest, err = d.Annotation(n.Annotation); err != nil {
				return err
			}
		}
		if err := yield(target.AnnotationSum{
			TraceID: n.traceID, AnnotationID: n.AnnotationID, Type: n.Type, Name: n.Name, UpdatedAtMicros: n.UpdatedAtMicros,
			Deleted: n.deletedAt != notDeleted, Copies: n.copies, Digest: digest,
		}); err != nil {
			return err
		}
	}
	return nil
}

// ReadAnnotations implements target.Reader.
func (l *Lake) ReadAnnotations(
	ctx context.Context, traceIDs []string, times target.Times, yield func(*uctables.Annotation) error,
) error {
	found, err := l.newest(ctx, traceIDs, times, (*rowReader).annotation)
	for _, n := range found {
		if err == nil {
			err = yield(n.Annotation)
		}
	}
	return err
}
