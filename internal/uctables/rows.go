// Package uctables holds what the OTEL tables of a Unity Catalog trace location are: their rows,
// their schema (version v2), their names and the SQL that makes and fills them.
// It is pure: the writers are in the packages warehouse and deltalake.
package uctables

import "math"

// JSON is the text of one VARIANT value: a valid JSON document that Spark's parse_json takes (no
// duplicate keys, no NaN, within VARIANT's limits). nil is SQL NULL; the text null is a VARIANT null.
type JSON []byte

// Span is one row of <prefix>_otel_spans. Nil pointers are NULL.
type Span struct {
	RecordID               string // UUIDv7 form, a function of the span's time and key
	TimeMicros             int64  // column time: start, microseconds since the Unix epoch
	Date                   int32  // column date: Day(TimeMicros) in rows that are right; NoDate for NULL
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

// NoDate is the Date of a row that has none.
const NoDate = math.MinInt32

const microsPerDay = 24 * 60 * 60 * 1_000_000

// Day is the UTC day of a time in microseconds since the Unix epoch, in days since then.
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

// IsRoot says whether readers find the trace by this span.
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
	TraceID                string // 32 lowercase hex digits where the source's link is an OTEL one
	SpanID                 string
	TraceState             *string
	Attributes             JSON // an object, or nil
	DroppedAttributesCount int32
	Flags                  int32
}

// TargetType says what an annotation is attached to.
type TargetType string

// The values of column target_type.
const (
	TargetTrace TargetType = "TRACE"
	TargetSpan  TargetType = "SPAN"
)

// AnnotationType is the value of column annotation_type.
type AnnotationType string

// The annotation types of schema version v2.
const (
	Metadata    AnnotationType = "METADATA"
	Tag         AnnotationType = "TAG"
	Feedback    AnnotationType = "FEEDBACK"
	Expectation AnnotationType = "EXPECTATION"
	RunLink     AnnotationType = "RUN_LINK"
)

// Annotation is one row of <prefix>_otel_annotations. Nil pointers are NULL. Times are microseconds
// since the Unix epoch.
type Annotation struct {
	AnnotationID    string
	TargetType      TargetType
	TargetID        string // "{trace_id}" or "{trace_id}:{span_id}"
	Type            AnnotationType
	Name            string
	Value           JSON
	Comment         *string
	Metadata        JSON
	CreatedAtMicros int64
	CreatedBy       *string
	UpdatedAtMicros int64
	UpdatedBy       *string
	DeletedAtMicros *int64
	DeletedBy       *string
}

// Trace is all rows of one trace. A writer writes Annotations in their order and before Spans;
// METADATA stands last among the annotations, root spans stand last among the spans, so that a trace
// written in several commits becomes visible with the last one.
type Trace struct {
	TraceID     string // column trace_id, 32 lowercase hex digits
	Annotations []Annotation
	Spans       []Span
}

// Provenance is what tracemig notes in column metadata of a trace's METADATA row, so that the
// source's trace stays findable and a lost checkpoint can be rebuilt from the target.
// Keys: tracemig.source, tracemig.source_trace_id, tracemig.digest, tracemig.spans,
// tracemig.spans_missing (absent when the spans were there), tracemig.versions (see package resync),
// tracemig.attachments (KeyAttachments; absent where the spans refer to none).
type Provenance struct {
	Source        string // the source's identity, e.g. "https://host#experiment/123"
	SourceTraceID string
	TraceID       string // column target_id
	Digest        string // of the source's listing, see mlflow.TraceInfo.Digest
	Spans         int    // span rows that the trace has when complete
	RequestMicros int64  // column created_at, microseconds since the Unix epoch
	SpansMissing  string // reason, or empty
	Attachments   string // JSON of an array of Attachment, or empty
}

// SourceExperimentID is the key in trace_metadata, a member of a METADATA row's value, under which
// tracemig, and Databricks' own migration, note the ID of the experiment that a trace was migrated from.
const SourceExperimentID = "mlflow.migration.sourceExperimentId"

// Provenance keys in the METADATA row's metadata column.
const (
	KeySource        = "tracemig.source"
	KeySourceTraceID = "tracemig.source_trace_id"
	KeyDigest        = "tracemig.digest"
	KeySpans         = "tracemig.spans"
	KeySpansMissing  = "tracemig.spans_missing"
	KeyVersions      = "tracemig.versions" // [annotation_id, updated_at] of each row that does not itself show that tracemig wrote it
)
