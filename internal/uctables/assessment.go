package uctables

// Keys in column metadata of FEEDBACK and EXPECTATION rows, beside the user's own, under which the
// service keeps the fields of an assessment that the table has no column for. Their values are strings.
const (
	AssessmentSourceType          = "mlflow.source.source_type"
	AssessmentSourceID            = "mlflow.source.source_id"
	AssessmentSpanID              = "mlflow.span_id"
	AssessmentErrorCode           = "mlflow.error.error_code"
	AssessmentErrorMessage        = "mlflow.error.error_message"
	AssessmentErrorStackTrace     = "mlflow.error.stack_trace"
	AssessmentOverrides           = "mlflow.overrides"
	AssessmentValid               = "mlflow.valid" // "true" or "false"
	AssessmentSerializationFormat = "mlflow.expectation.serialization_format"
)

// JSONFormat is the serialization format of an EXPECTATION that is a list or an object. Column value
// holds it as such, not as its text.
const JSONFormat = "JSON_FORMAT"

// AssessmentKeys are all these keys.
var AssessmentKeys = []string{
	AssessmentSourceType, AssessmentSourceID, AssessmentSpanID, AssessmentErrorCode, AssessmentErrorMessage,
	AssessmentErrorStackTrace, AssessmentOverrides, AssessmentValid, AssessmentSerializationFormat,
}

// OwnPrefix begins all keys that tracemig alone writes.
const OwnPrefix = "tracemig."
