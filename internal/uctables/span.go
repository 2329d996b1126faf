package uctables

import (
	"math"
	"slices"
)

// Span is one row of <prefix>_otel_spans. Nil pointers are NULL.
type Span struct {
	RecordID               string // UUIDv7 form, a function of the span's time and key
	TimeMicros             int64  // column time: start, microseconds since the Unix epoch
	Date                   int32  // column date: Day(TimeMicros) in correct rows; NoDate for NULL
	ServiceName            *string
	TraceID                string // 32 lowercase hex digits
	SpanID                 string // 16 lowercase hex digits
	TraceState             *string
	ParentSpanID           *string // nil for a root span
	Flags                  int32
	Name                   string
	Kind                   string // SPAN_KIND_INTERNAL and so on, as OTLP names them
	StartTimeUnixNano      int64
	EndTimeUnixNano        *int64
	Attributes             JSON // an object
	DroppedAttributesCount int32
	Events                 []Event
	DroppedEventsCount     int32
	Links                  []Link
	DroppedLinksCount      int32
	StatusMessage          *string
	StatusCode             *string // STATUS_CODE_OK or STATUS_CODE_ERROR; nil for unset
	ResourceAttributes     JSON    // nil: resource is NULL
	ScopeName              *string // instrumentation_scope.name; nil: instrumentation_scope is NULL
}

// IsRoot says whether the span is a root, by which readers find the trace.
func (s *Span) IsRoot() bool { return s.ParentSpanID == nil }

// Event is one element of a span's events.
type Event struct {
	TimeUnixNano           int64
	Name                   string
	Attributes             JSON // an object, or nil
	DroppedAttributesCount int32
}

// Link is one element of a span's links.
type Link struct {
	TraceID                string // 32 lowercase hex digits, if the source has an OTEL trace ID
	SpanID                 string
	TraceState             *string
	Attributes             JSON // an object, or nil
	DroppedAttributesCount int32
	Flags                  int32
}

// Documents makes s independent of the span that it is a copy of, and returns its documents.
func (s *Span) Documents() []*JSON {
	s.Events, s.Links = slices.Clone(s.Events), slices.Clone(s.Links)
	all := []*JSON{&s.Attributes, &s.ResourceAttributes}
	for i := range s.Events {
		all = append(all, &s.Events[i].Attributes)
	}
	for i := range s.Links {
		all = append(all, &s.Links[i].Attributes)
	}
	return all
}

// NoDate is the Date of a row without a date.
const NoDate = math.MinInt32

// Day is the UTC day, in days since the Unix epoch, of a time in microseconds since then.
func Day(micros int64) int32 { return int32(floorDiv(micros, microsPerDay)) }

// Micros is a time in nanoseconds since the Unix epoch in whole microseconds, as column time has it: rounded down,
// also before the epoch.
func Micros(nanos int64) int64 { return floorDiv(nanos, 1000) }

// floorDiv divides by a positive number and rounds down, where Go's division rounds towards zero.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

const microsPerDay = 24 * 60 * 60 * 1_000_000
