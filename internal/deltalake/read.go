package deltalake

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/variant"
)

// columnNames are the columns of a type as scan takes them, in their order: VARIANT is two.
func columnNames(path string, t uctables.Type) (names []string) {
	switch t.Name {
	case "struct":
		for _, f := range t.Fields {
			name := f.Name
			if path != "" {
				name = path + "." + name
			}
			names = append(names, columnNames(name, f.Type)...)
		}
		return names
	case "array":
		return columnNames(path, t.Elems[0])
	case "variant":
		return []string{path + ".value", path + ".metadata"}
	}
	return []string{path}
}

var (
	spanColumns       = columnNames("", uctables.Spans.Struct())
	annotationColumns = columnNames("", uctables.Annotations.Struct())
)

func spanColumn(name string) int       { return slices.Index(spanColumns, name) }
func annotationColumn(name string) int { return slices.Index(annotationColumns, name) }

// row reads the columns of one row in the order of the table. What other writers may have and a Span or
// Annotation has not (NULL in most columns, unknown names of a kind) becomes its zero value.
type row struct {
	*rowReader
	at int
}

func (r *row) next() int      { r.at++; return r.at - 1 }
func (r *row) string() string { return string(r.text(r.next())) }

func (r *row) optString() *string {
	b := r.text(r.next())
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

func (r *row) int64() int64 {
	v, _ := r.int(r.next())
	return v
}

func (r *row) int32() int32 { return int32(r.int64()) }

func (r *row) date() int32 {
	v, ok := r.int(r.next())
	if !ok {
		return uctables.NoDate
	}
	return int32(v)
}

func (r *row) optInt64() *int64 {
	v, ok := r.int(r.next())
	if !ok {
		return nil
	}
	return &v
}

func (r *row) variant() uctables.JSON {
	value, metadata := r.next(), r.next()
	b := r.text(value)
	if b == nil {
		return nil
	}
	text, err := variant.AppendJSON(nil, b, r.text(metadata))
	if err != nil && r.err == nil {
		r.fail(value, err)
	}
	return text
}

// list reads a list of n columns.
func (r *row) list(n int, element func()) {
	from := r.at
	r.rowReader.list(from, from+n, func() { r.at = from; element() })
	r.at = from + n
}

// span reads a row of uctables.Spans, columns spanColumns.
func (rr *rowReader) span() (*uctables.Span, error) {
	r := &row{rowReader: rr}
	s := &uctables.Span{}
	s.RecordID = r.string()
	s.TimeMicros = r.int64()
	s.Date = r.date()
	s.ServiceName = r.optString()
	s.TraceID = r.string()
	s.SpanID = r.string()
	s.TraceState = r.optString()
	s.ParentSpanID = r.optString()
	s.Flags = r.int32()
	s.Name = r.string()
	s.Kind = r.string()
	s.StartTimeUnixNano = r.int64()
	s.EndTimeUnixNano = r.optInt64()
	s.Attributes = r.variant()
	s.DroppedAttributesCount = r.int32()
	r.list(5, func() {
		s.Events = append(s.Events, uctables.Event{
			TimeUnixNano: r.int64(), Name: r.string(), Attributes: r.variant(), DroppedAttributesCount: r.int32(),
		})
	})
	s.DroppedEventsCount = r.int32()
	r.list(7, func() {
		s.Links = append(s.Links, uctables.Link{
			TraceID: r.string(), SpanID: r.string(), TraceState: r.optString(), Attributes: r.variant(),
			DroppedAttributesCount: r.int32(), Flags: r.int32(),
		})
	})
	s.DroppedLinksCount = r.int32()
	s.StatusMessage = r.optString()
	s.StatusCode = r.optString()
	s.ResourceAttributes = r.variant()
	r.next() // its dropped_attributes_count
	r.next() // resource_schema_url
	s.ScopeName = r.optString()
	return s, rr.err
}

// annotation reads a row of uctables.Annotations, columns annotationColumns.
func (rr *rowReader) annotation() (*uctables.Annotation, error) {
	r := &row{rowReader: rr}
	a := &uctables.Annotation{}
	a.AnnotationID = r.string()
	a.TargetType = uctables.TargetType(r.string())
	a.TargetID = r.string()
	a.Type = uctables.AnnotationType(r.string())
	a.Name = r.string()
	a.Value = r.variant()
	a.Comment = r.optString()
	a.Metadata = r.variant()
	a.CreatedAtMicros = r.int64()
	a.CreatedBy = r.optString()
	a.UpdatedAtMicros = r.int64()
	a.UpdatedBy = r.optString()
	a.DeletedAtMicros = r.optInt64()
	a.DeletedBy = r.optString()
	return a, rr.err
}

// ofTraces reads columns of the rows of some traces at some times; traceColumn holds the trace ID up to
// a colon.
func (t *table) ofTraces(ctx context.Context, traceIDs []string, times target.Times, traceColumn string, columns []string, yield func(traceID string, r *rowReader) error) error {
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

// ReadSpans implements target.Reader. It holds one span at a time.
func (l *Lake) ReadSpans(ctx context.Context, traceIDs []string, times target.Times, yield func(*uctables.Span) error) error {
	return l.spans().ofTraces(ctx, traceIDs, times, "trace_id", spanColumns, func(_ string, r *rowReader) error {
		s, err := r.span()
		if err != nil {
			return err
		}
		return yield(s)
	})
}

// SumSpans implements target.Reader. With deep it holds the spans of all the traces, since those of
// one may lie in several files.
func (l *Lake) SumSpans(ctx context.Context, traceIDs []string, times target.Times, deep bool, yield func(target.SpanSum) error) error {
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
	deletedAt int64 // or live
	copies    int
}

// live is before all times of deletion: of two equal versions the deleted one counts.
const live = math.MinInt64

// newest finds the newest versions of the traces' annotations, of which it needs to know read's part
// and the times.
func (l *Lake) newest(ctx context.Context, traceIDs []string, times target.Times, read func(*rowReader) (*uctables.Annotation, error)) (map[string]*newest, error) {
	id, updatedAt, deletedAt := annotationColumn("annotation_id"), annotationColumn("updated_at"), annotationColumn("deleted_at")
	found := make(map[string]*newest)
	return found, l.annotations().ofTraces(ctx, traceIDs, times, "target_id", annotationColumns, func(traceID string, r *rowReader) error {
		updated, _ := r.int(updatedAt)
		deleted, ok := r.int(deletedAt)
		if !ok {
			deleted = live
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
func (l *Lake) SumAnnotations(ctx context.Context, traceIDs []string, times target.Times, deep bool, yield func(target.AnnotationSum) error) error {
	found, err := l.newest(ctx, traceIDs, times, func(r *rowReader) (*uctables.Annotation, error) {
		if deep {
			return r.annotation()
		}
		updated, _ := r.int(annotationColumn("updated_at"))
		return &uctables.Annotation{
			AnnotationID: string(r.text(annotationColumn("annotation_id"))), Type: uctables.AnnotationType(r.text(annotationColumn("annotation_type"))),
			Name: string(r.text(annotationColumn("name"))), UpdatedAtMicros: updated,
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
			Deleted: n.deletedAt != live, Copies: n.copies, Digest: digest,
		}); err != nil {
			return err
		}
	}
	return nil
}

// ReadAnnotations implements target.Reader.
func (l *Lake) ReadAnnotations(ctx context.Context, traceIDs []string, times target.Times, yield func(*uctables.Annotation) error) error {
	found, err := l.newest(ctx, traceIDs, times, (*rowReader).annotation)
	for _, n := range found {
		if err == nil {
			err = yield(n.Annotation)
		}
	}
	return err
}
