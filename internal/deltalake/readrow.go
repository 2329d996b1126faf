package deltalake

import (
	"slices"

	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/variant"
)

// columnNames are the names by which scan takes the columns of a type, in their order. A VARIANT is two columns.
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

// row reads the columns of one row in the order of the table. NULL, which other writers may have in any column,
// becomes the zero value where a Span or Annotation has no other form for it.
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

// list reads a list whose elements have n columns.
func (r *row) list(n int, element func()) {
	from := r.at
	r.rowReader.list(from, from+n, func() { r.at = from; element() })
	r.at = from + n
}

// span reads a row of uctables.Spans. The columns must be spanColumns.
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
	r.next() // dropped_attributes_count of the resource
	r.next() // resource_schema_url
	s.ScopeName = r.optString()
	return s, rr.err
}

// annotation reads a row of uctables.Annotations. The columns must be annotationColumns.
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
