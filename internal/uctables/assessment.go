package uctables

// Keys in column metadata of FEEDBACK and EXPECTATION rows for the fields of an assessment that the table
// has no column for. All values are strings. The keys are the service's own; beside them stand those of
// the user's assessment metadata.
const (
	AssessmentSourceType          = "mlflow.source.source_type"
	AssessmentSourceID            = "mlflow.source.source_id"
	AssessmentSpanID              = "mlflow.span_id" // of an assessment of one span
	AssessmentErrorCode           = "mlflow.error.error_code"
	AssessmentErrorMessage        = "mlflow.error.error_message"
	AssessmentErrorStackTrace     = "mlflow.error.stack_trace"
	AssessmentOverrides           = "mlflow.overrides"
	AssessmentValid               = "mlflow.valid"                            // true or false
	AssessmentSerializationFormat = "mlflow.expectation.serialization_format" // JSONFormat where an expectation is a list or object
)

// JSONFormat is the serialization format of an expectation that is a list or object. Its value is nested.
const JSONFormat = "JSON_FORMAT"

// AssessmentKeys are all of these keys.
var AssessmentKeys = []string{
	AssessmentSourceType, AssessmentSourceID, AssessmentSpanID,
	AssessmentErrorCode, AssessmentErrorMessage, AssessmentErrorStackTrace,
	AssessmentOverrides, AssessmentValid, AssessmentSerializationFormat,
}

// For the views until they read the keys above.
const (
	assessmentPrefix        = "mlflow.assessment."
	AssessmentFeedbackError = assessmentPrefix + "feedbackError" // object {code, message, stackTrace}
)
