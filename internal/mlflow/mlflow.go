// Package mlflow holds the plain data of a source: traces as the MLflow REST API lists them, and the IDs and
// references in them. It imports nothing of the network or the target.
//
// The shapes are those of MLflow's V3 trace API (messages TraceInfoV3 and Assessment in MLflow's
// service.proto and assessments.proto), in which int64 values and times are JSON strings.
package mlflow

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// State is the state of a trace as the source reports it.
type State string

// The states of MLflow's TraceInfoV3.
const (
	StateOK          State = "OK"
	StateError       State = "ERROR"
	StateInProgress  State = "IN_PROGRESS"
	StateUnspecified State = "STATE_UNSPECIFIED"
)

// Trace tags and metadata keys that decide how a trace is read.
const (
	TagSpansLocation    = "mlflow.trace.spansLocation" // TRACKING_STORE, ARTIFACT_REPO or ARCHIVE_REPO
	TagArtifactLocation = "mlflow.artifactLocation"
	TagArchiveLocation  = "mlflow.trace.archiveLocation"
	TagArchivalFailure  = "mlflow.trace.archivalFailure"
	TagServiceName      = "service.name"                                     // of the OTLP resource
	TagTraceDestination = "mlflow.experiment.databricksTraceDestinationPath" // of an experiment: catalog.schema.prefix
	MetadataSourceRun   = "mlflow.sourceRun"
	MetadataUser        = "mlflow.trace.user"
	MetadataSession     = "mlflow.trace.session"
	MetadataSizeBytes   = "mlflow.trace.sizeBytes" // decimal, bytes of the trace's spans
	MetadataSizeStats   = "mlflow.trace.sizeStats" // JSON: total_size_bytes, num_spans, ...
)

// SpansInTrackingStore is the value of TagSpansLocation where a server keeps each span as it comes.
const SpansInTrackingStore = "TRACKING_STORE"

// SpansInArchive is the value of TagSpansLocation where a server has moved them to a file, in another form.
const SpansInArchive = "ARCHIVE_REPO"

// TraceInfo is everything that the source lists of a trace except its spans.
// A nil pointer is an absent or null field, which differs from an empty one.
type TraceInfo struct {
	TraceID           string // as the source names it: "tr-" and 32 hex digits, or a custom ID
	ExperimentID      string
	RequestTime       time.Time // UTC, millisecond precision at the source
	ExecutionDuration *string   // protobuf duration, such as "0.030s"
	State             State
	ClientRequestID   *string
	RequestPreview    *string
	ResponsePreview   *string
	Metadata          map[string]string // trace_metadata
	Tags              map[string]string
	Assessments       []Assessment // in the order of the source

	// What only some sources list with the trace; absent in the others.
	Runs  []string // MLflow runs that the trace was linked to, besides MetadataSourceRun
	Spans int      // how many spans there are, in a source whose spans may come after the trace is listed
}

// SpansInTrackingStore says whether the server stores each span of the trace when it arrives, so that some may come after
// the trace has ended. If not, the spans are one file, which is complete.
func (t *TraceInfo) SpansInTrackingStore() bool {
	return t.Tags[TagSpansLocation] == SpansInTrackingStore
}

// Assessment is one feedback, expectation or issue reference on a trace or one of its spans.
// Exactly one of Feedback, Expectation and Issue is set in what MLflow writes today.
type Assessment struct {
	ID             string
	Name           string
	TraceID        string
	SpanID         *string // 16 hex digits, or nil for an assessment of the whole trace
	SourceType     string  // HUMAN, LLM_JUDGE, CODE, ...
	SourceID       string
	CreateTime     time.Time
	LastUpdateTime time.Time
	Feedback       *Feedback
	Expectation    *Expectation
	Issue          *string // issue_name
	Rationale      *string
	Metadata       map[string]string // nil when absent
	Overrides      *string
	Valid          *bool
}

// Feedback is the value of an assessment, its error, or both.
type Feedback struct {
	Value jsontext.Value // JSON as served; nil when absent
	Error *AssessmentError
}

// AssessmentError is the error of a feedback; nil fields were absent.
type AssessmentError struct {
	Code       *string
	Message    *string
	StackTrace *string
}

// Expectation is a plain value, or the text of a list or object in Serialized.
type Expectation struct {
	Value      jsontext.Value // JSON as served; nil when absent
	Serialized *SerializedValue
}

// SerializedValue is an expectation that MLflow keeps as text.
type SerializedValue struct {
	Format string // JSON_FORMAT
	Value  string
}
