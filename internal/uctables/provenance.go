package uctables

// Provenance is what tracemig notes in column metadata of a trace's METADATA row, so that the trace of the source can still be
// found, and a lost checkpoint can be rebuilt from the target.
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

// OwnPrefix is the prefix of all keys that only tracemig writes.
const OwnPrefix = "tracemig."

// The keys of the provenance in column metadata of the METADATA row, beside KeyAttachments.
const (
	KeySource        = "tracemig.source"
	KeySourceTraceID = "tracemig.source_trace_id"
	KeyDigest        = "tracemig.digest"
	KeySpans         = "tracemig.spans"
	KeySpansMissing  = "tracemig.spans_missing" // absent if the spans were there
	// KeyVersions lists [annotation_id, updated_at] of each row that does not itself show that tracemig wrote it, see package
	// resync.
	KeyVersions = "tracemig.versions"
)

// SourceExperimentID is a key in trace_metadata, a member of the METADATA row's value. Under it tracemig, and Databricks' own
// migration, note the ID of the experiment that a trace was migrated from.
const SourceExperimentID = "mlflow.migration.sourceExperimentId"
