package uctables_test

import (
	"testing"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/uctables"
)

// The views read what the converter writes.
func TestAssessmentKeys(t *testing.T) {
	for written, read := range map[string]string{
		convert.KeySourceType:          uctables.AssessmentSourceType,
		convert.KeySourceID:            uctables.AssessmentSourceID,
		convert.KeyFeedbackError:       uctables.AssessmentFeedbackError,
		convert.KeyOverrides:           uctables.AssessmentOverrides,
		convert.KeyValid:               uctables.AssessmentValid,
		convert.KeySerializationFormat: uctables.AssessmentSerializationFormat,
	} {
		if written != read {
			t.Errorf("convert writes %s, the view reads %s", written, read)
		}
	}
}
