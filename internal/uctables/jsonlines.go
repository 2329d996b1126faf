package uctables

import (
	"strconv"
	"unicode/utf8"
)

// Rows are sent to a SQL warehouse as JSON lines. Each row is an object with the columns as keys, and without the keys of NULLs.
// Times are integers: microseconds for TIMESTAMP, days for DATE. VARIANT values are nested JSON, which from_json reads as
// parse_json would.

// AppendSpan appends the span as one line without its newline.
//
// status is always a struct; events and links are empty arrays if there are none. resource is NULL without attributes, and
// instrumentation_scope without a name. The schema URLs are NULL, since MLflow has none.
func AppendSpan(b []byte, s *Span) []byte {
	b = append(b, `{"record_id":`...)
	b = appendString(b, s.RecordID)
	b = appendInt(b, "time", s.TimeMicros)
	if s.Date != NoDate {
		b = appendInt(b, "date", int64(s.Date))
	}
	b = appendOptional(b, "service_name", s.ServiceName)
	b = appendText(b, "trace_id", s.TraceID)
	b = appendText(b, "span_id", s.SpanID)
	b = appendOptional(b, "trace_state", s.TraceState)
	b = appendOptional(b, "parent_span_id", s.ParentSpanID)
	b = appendInt(b, "flags", int64(s.Flags))
	b = appendText(b, "name", s.Name)
	b = appendText(b, "kind", s.Kind)
	b = appendInt(b, "start_time_unix_nano", s.StartTimeUnixNano)
	if s.EndTimeUnixNano != nil {
		b = appendInt(b, "end_time_unix_nano", *s.EndTimeUnixNano)
	}
	b = appendJSON(b, "attributes", s.Attributes)
	b = appendInt(b, "dropped_attributes_count", int64(s.DroppedAttributesCount))
	b = appendEvents(b, s.Events)
	b = appendInt(b, "dropped_events_count", int64(s.DroppedEventsCount))
	b = appendLinks(b, s.Links)
	b = appendInt(b, "dropped_links_count", int64(s.DroppedLinksCount))
	b = appendStatus(b, s)
	if s.ResourceAttributes != nil {
		b = append(b, `,"resource":{"attributes":`...)
		b = appendDocument(b, s.ResourceAttributes)
		b = append(b, `,"dropped_attributes_count":0}`...)
	}
	if s.ScopeName != nil {
		b = append(b, `,"instrumentation_scope":{"name":`...)
		b = appendString(b, *s.ScopeName)
		b = append(b, `,"dropped_attributes_count":0}`...)
	}
	return append(b, '}')
}

func appendEvents(b []byte, events []Event) []byte {
	b = append(b, `,"events":[`...)
	for i := range events {
		e := &events[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"time_unix_nano":`...)
		b = strconv.AppendInt(b, e.TimeUnixNano, 10)
		b = appendText(b, "name", e.Name)
		b = appendJSON(b, "attributes", e.Attributes)
		b = appendInt(b, "dropped_attributes_count", int64(e.DroppedAttributesCount))
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendLinks(b []byte, links []Link) []byte {
	b = append(b, `,"links":[`...)
	for i := range links {
		l := &links[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"trace_id":`...)
		b = appendString(b, l.TraceID)
		b = appendText(b, "span_id", l.SpanID)
		b = appendOptional(b, "trace_state", l.TraceState)
		b = appendJSON(b, "attributes", l.Attributes)
		b = appendInt(b, "dropped_attributes_count", int64(l.DroppedAttributesCount))
		b = appendInt(b, "flags", int64(l.Flags))
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendStatus(b []byte, s *Span) []byte {
	b = append(b, `,"status":{`...)
	comma := false
	if s.StatusMessage != nil {
		b = append(b, `"message":`...)
		b = appendString(b, *s.StatusMessage)
		comma = true
	}
	if s.StatusCode != nil {
		if comma {
			b = append(b, ',')
		}
		b = append(b, `"code":`...)
		b = appendString(b, *s.StatusCode)
	}
	return append(b, '}')
}

// AppendAnnotation appends the annotation as one line without its newline.
func AppendAnnotation(b []byte, a *Annotation) []byte {
	b = append(b, `{"annotation_id":`...)
	b = appendString(b, a.AnnotationID)
	b = appendText(b, "target_type", string(a.TargetType))
	b = appendText(b, "target_id", a.TargetID)
	b = appendText(b, "annotation_type", string(a.Type))
	b = appendText(b, "name", a.Name)
	b = appendJSON(b, "value", a.Value)
	b = appendOptional(b, "comment", a.Comment)
	b = appendJSON(b, "metadata", a.Metadata)
	b = appendInt(b, "created_at", a.CreatedAtMicros)
	b = appendOptional(b, "created_by", a.CreatedBy)
	b = appendInt(b, "updated_at", a.UpdatedAtMicros)
	b = appendOptional(b, "updated_by", a.UpdatedBy)
	if a.DeletedAtMicros != nil {
		b = appendInt(b, "deleted_at", *a.DeletedAtMicros)
	}
	b = appendOptional(b, "deleted_by", a.DeletedBy)
	return append(b, '}')
}

// AppendReplacement appends the replacement as one line without its newline.
func AppendReplacement(b []byte, r *Replacement) []byte {
	b = AppendAnnotation(b, &r.Annotation)
	b = appendInt(b[:len(b)-1], "replaces", r.ReplacesMicros)
	return append(b, '}')
}

// AppendSpanKey appends a line with the columns by which tablesql.CountSpans finds the span.
func AppendSpanKey(b []byte, s *Span) []byte {
	b = append(b, `{"trace_id":`...)
	b = appendString(b, s.TraceID)
	b = appendText(b, "span_id", s.SpanID)
	return append(b, '}')
}

// AppendAnnotationKey appends a line with the columns by which tablesql.CountAnnotations finds the annotation.
func AppendAnnotationKey(b []byte, a *Annotation) []byte {
	b = append(b, `{"annotation_id":`...)
	b = appendString(b, a.AnnotationID)
	b = appendInt(b, "updated_at", a.UpdatedAtMicros)
	return append(b, '}')
}

// AppendVersion appends a line with the columns by which tablesql.RemoveAnnotations finds the version.
func AppendVersion(b []byte, v *Version) []byte {
	b = append(b, `{"annotation_id":`...)
	b = appendString(b, v.AnnotationID)
	b = appendText(b, "target_id", v.TargetID)
	b = appendInt(b, "updated_at", v.UpdatedAtMicros)
	return append(b, '}')
}

// AppendTrace appends a line with the trace ID by which tablesql.RemoveSpans finds the trace's spans.
func AppendTrace(b []byte, traceID *string) []byte {
	b = append(b, `{"trace_id":`...)
	return append(appendString(b, *traceID), '}')
}

func appendKey(b []byte, key string) []byte {
	b = append(b, `,"`...)
	b = append(b, key...)
	return append(b, `":`...)
}

func appendInt(b []byte, key string, v int64) []byte {
	return strconv.AppendInt(appendKey(b, key), v, 10)
}

func appendText(b []byte, key, v string) []byte { return appendString(appendKey(b, key), v) }

func appendOptional(b []byte, key string, v *string) []byte {
	if v == nil {
		return b
	}
	return appendText(b, key, *v)
}

func appendJSON(b []byte, key string, v JSON) []byte {
	if v == nil {
		return b
	}
	return appendDocument(appendKey(b, key), v)
}

// appendDocument appends a document as it is, but with a space for each newline, which would end the line. A raw newline is white
// space there, since JSON strings hold none.
func appendDocument(b []byte, v JSON) []byte {
	start := len(b)
	b = append(b, v...)
	for i := start; i < len(b); i++ {
		if b[i] == '\n' {
			b[i] = ' '
		}
	}
	return b
}

const hexDigits = "0123456789ABCDEF"

// appendString appends s as a JSON string, in the form that Spark's to_json gives it. Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, s[start:i]...)
				b = append(b, "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			case '\b':
				b = append(b, `\b`...)
			case '\f':
				b = append(b, `\f`...)
			default:
				b = append(b, `\u00`...)
				b = append(b, hexDigits[c>>4], hexDigits[c&0xf])
			}
			start = i + 1
		}
		i++
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
