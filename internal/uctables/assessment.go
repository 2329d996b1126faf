package uctables

// Keys in column metadata of FEEDBACK and EXPECTATION rows for the fields of an assessment that the
// table has no column for. The service's own names are not public; these are tracemig's. Their
// values are JSON strings but for AssessmentValid, a JSON boolean. The user's own metadata stands
// beside them under its own keys.
const (
	AssessmentSourceType          = "mlflow.assessment.source_type"
	AssessmentSourceID            = "mlflow.assessment.source_id"
	AssessmentSpanID              = "mlflow.assessment.span_id"
	AssessmentErrorCode           = "mlflow.assessment.error_code"
	AssessmentErrorMessage        = "mlflow.assessment.error_message"
	AssessmentErrorStackTrace     = "mlflow.assessment.error_stack_trace"
	AssessmentOverrides           = "mlflow.assessment.overrides"
	AssessmentValid               = "mlflow.assessment.valid"
	AssessmentSerializationFormat = "mlflow.assessment.serialization_format" // of an EXPECTATION whose value is a serialized text
)
