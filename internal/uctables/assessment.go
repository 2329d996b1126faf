package uctables

// Keys in column metadata of FEEDBACK and EXPECTATION rows for the fields of an assessment that the
// table has no column for: the package convert writes them, the views read them. The service's own
// names are not public.
const (
	assessmentPrefix              = "mlflow.assessment."
	AssessmentSourceType          = assessmentPrefix + "sourceType"
	AssessmentSourceID            = assessmentPrefix + "sourceId"
	AssessmentFeedbackError       = assessmentPrefix + "feedbackError" // object {code, message, stackTrace}
	AssessmentOverrides           = assessmentPrefix + "overrides"
	AssessmentValid               = assessmentPrefix + "valid"               // boolean
	AssessmentSerializationFormat = assessmentPrefix + "serializationFormat" // of an EXPECTATION whose value is a serialized text
)
