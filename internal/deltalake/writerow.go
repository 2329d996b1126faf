package deltalake

import "github.com/tracemig/tracemig/internal/uctables"

// span writes a row of uctables.Spans. Its NULLs and empty values are those that uctables.AppendSpan gives a
// warehouse.
func (w *rowWriter) span(s *uctables.Span) error {
	w.string(s.RecordID)
	w.int64(s.TimeMicros)
	w.optInt32(s.Date, s.Date != uctables.NoDate)
	w.optString(s.ServiceName)
	w.string(s.TraceID)
	w.string(s.SpanID)
	w.optString(s.TraceState)
	w.optString(s.ParentSpanID)
	w.int32(s.Flags)
	w.string(s.Name)
	w.string(s.Kind)
	w.int64(s.StartTimeUnixNano)
	w.optInt64(s.EndTimeUnixNano)
	w.variant("attributes", s.Attributes)
	w.int32(s.DroppedAttributesCount)
	w.list(len(s.Events), "event", func(i int) {
		e := &s.Events[i]
		w.int64(e.TimeUnixNano)
		w.string(e.Name)
		w.variant("attributes", e.Attributes)
		w.int32(e.DroppedAttributesCount)
	})
	w.int32(s.DroppedEventsCount)
	w.list(len(s.Links), "link", func(i int) {
		l := &s.Links[i]
		w.string(l.TraceID)
		w.string(l.SpanID)
		w.optString(l.TraceState)
		w.variant("attributes", l.Attributes)
		w.int32(l.DroppedAttributesCount)
		w.int32(l.Flags)
	})
	w.int32(s.DroppedLinksCount)
	w.group(func() {
		w.optString(s.StatusMessage)
		w.optString(s.StatusCode)
	})
	w.optGroup(s.ResourceAttributes != nil, func() {
		w.variant("attributes of the resource", s.ResourceAttributes)
		w.int32(0)
	})
	w.skip() // resource_schema_url
	w.optGroup(s.ScopeName != nil, func() {
		w.optString(s.ScopeName)
		w.optString(nil) // version
		w.variant("", nil)
		w.int32(0)
	})
	w.skip() // span_schema_url
	return w.endRow()
}

// annotation writes a row of uctables.Annotations.
func (w *rowWriter) annotation(a *uctables.Annotation) error {
	w.string(a.AnnotationID)
	w.string(string(a.TargetType))
	w.string(a.TargetID)
	w.string(string(a.Type))
	w.string(a.Name)
	w.variant("value", a.Value)
	w.optString(a.Comment)
	w.variant("metadata", a.Metadata)
	w.int64(a.CreatedAtMicros)
	w.optString(a.CreatedBy)
	w.int64(a.UpdatedAtMicros)
	w.optString(a.UpdatedBy)
	w.optInt64(a.DeletedAtMicros)
	w.optString(a.DeletedBy)
	if w.changeType {
		w.string(uctables.Insert)
	}
	return w.endRow()
}
