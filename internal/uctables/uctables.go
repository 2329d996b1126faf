// Package uctables holds the OTEL tables of a Unity Catalog trace location: their rows (span.go, annotation.go), the forms in which
// rows are sent and compared (jsonlines.go, digest.go, same.go), their columns in schema version v2 (schema.go, types.go), the
// names of locations and volumes (location.go, volume.go), and what tracemig notes in the rows (provenance.go, attachment.go).
//
// It is pure: the writers are in packages warehouse and deltalake, and the SQL is in package tablesql.
package uctables

// JSON is the text of one VARIANT value: a valid JSON document that Spark's parse_json takes (no duplicate keys, no NaN, within
// VARIANT's limits). nil is SQL NULL, and the text null is a VARIANT null.
type JSON []byte

// Trace is all rows of one trace. A writer writes Annotations before Spans, and both in their order. METADATA is the last
// annotation, and root spans are the last spans, so that a trace that is written in several commits becomes visible with the
// last one.
type Trace struct {
	TraceID     string // column trace_id, 32 lowercase hex digits
	Annotations []Annotation
	Spans       []Span
}
