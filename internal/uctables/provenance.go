package uctables

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

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

// ParseProvenance reads column metadata of a METADATA row. It leaves TraceID and RequestMicros, which other columns hold.
// A row for which it returns an error was not written by tracemig.
func ParseProvenance(metadata []byte) (Provenance, error) {
	var noted struct {
		Source        string         `json:"tracemig.source"`
		SourceTraceID string         `json:"tracemig.source_trace_id"`
		Digest        string         `json:"tracemig.digest"`
		Spans         int            `json:"tracemig.spans"`
		SpansMissing  string         `json:"tracemig.spans_missing"`
		Attachments   jsontext.Value `json:"tracemig.attachments"`
	}
	err := json.Unmarshal(metadata, &noted)
	return Provenance{
		Source: noted.Source, SourceTraceID: noted.SourceTraceID, Digest: noted.Digest, Spans: noted.Spans,
		SpansMissing: noted.SpansMissing, Attachments: string(noted.Attachments),
	}, err
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
