package resync

import (
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Databricks' own migration of experiments writes METADATA, TAG, FEEDBACK and EXPECTATION rows; tracemig
// takes the trace over from it. Its rows are known by what they are, as far as nobody changed them since:
// its annotation_id, the source's times, and in METADATA the experiment. What it does not write is the
// user's assessment metadata, overrides and valid of assessments, and run links; and its TAG rows have IDs
// that the service does not know.

// OfficialTraceID is the trace_id that the official migration gives a trace of the source: its MLflow ID
// without tr-, whether that is hex or not.
func OfficialTraceID(sourceTraceID string) string { return strings.TrimPrefix(sourceTraceID, "tr-") }

// OfficialMetadata says whether a METADATA row is one of the official migration, unchanged since.
func OfficialMetadata(meta *uctables.Annotation, traceID string) bool {
	return meta.AnnotationID == uctables.MetadataID(traceID) && meta.Metadata == nil && meta.DeletedAtMicros == nil &&
		meta.UpdatedAtMicros == meta.CreatedAtMicros && sourceExperiment(meta) != ""
}

// sourceExperiment is the experiment that a METADATA row says its trace was migrated from, or "".
func sourceExperiment(meta *uctables.Annotation) string {
	var value struct {
		Metadata map[string]any `json:"trace_metadata"`
	}
	if json.Unmarshal(meta.Value, &value) != nil {
		return "" // of another writer
	}
	id, _ := value.Metadata[convert.SourceExperimentID].(string)
	return id
}

// officialTag says whether s is a TAG row of the official migration, unchanged since.
func (p *planner) officialTag(s *uctables.Annotation) bool {
	return s.Type == uctables.Tag && s.AnnotationID == uctables.OfficialTagID(p.traceID, s.Name) && s.DeletedAtMicros == nil &&
		s.CreatedAtMicros == p.requested && s.UpdatedAtMicros == p.requested
}

// officialAssessment says whether s is the row of the official migration for the assessment e, unchanged
// since: it was written with the source's times, so one that is newer than the source's was changed.
func officialAssessment(e, s *uctables.Annotation) bool {
	return (e.Type == uctables.Feedback || e.Type == uctables.Expectation) && s.Type == e.Type && s.DeletedAtMicros == nil &&
		s.CreatedAtMicros == e.CreatedAtMicros && s.UpdatedAtMicros <= e.UpdatedAtMicros
}
