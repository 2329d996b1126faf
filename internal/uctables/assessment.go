package uctables

// Keys in column metadata of FEEDBACK and EXPECTATION rows, beside the user's own. Under them the service keeps those fields of an
// assessment for which the table has no column. Their values are strings.
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

// JSONFormat is the serialization format of an EXPECTATION that is a list or an object. Column value holds the list or the object
// itself, not its text.
const JSONFormat = "JSON_FORMAT"

// AssessmentKeys are all keys under which the service keeps fields of an assessment.
var AssessmentKeys = []string{
	AssessmentSourceType, AssessmentSourceID, AssessmentSpanID, AssessmentErrorCode, AssessmentErrorMessage,
	AssessmentErrorStackTrace, AssessmentOverrides, AssessmentValid, AssessmentSerializationFormat,
}
