// Package official recognizes the rows that Databricks' own migration of experiments into UC trace locations has
// written, so that tracemig can take over from it. It is pure.
//
// The migration writes spans and METADATA, TAG, FEEDBACK and EXPECTATION rows. It does not write the user's
// metadata of assessments, their overrides and valid, links between spans, and links to runs. Its TAG rows
// have IDs that the service does not know. Traces that it skipped once it never migrates. The forms of its rows are
// those that its published package writes, see docs/tables.md. Rows are recognized by their contents, unless
// somebody has changed them since.
package official

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/tracemig/tracemig/internal/uctables"
)

// TraceID is the trace_id that the migration gives a trace of the source: its MLflow ID without tr-, even if
// that is no hex.
func TraceID(sourceTraceID string) string { return strings.TrimPrefix(sourceTraceID, "tr-") }

// Metadata says whether a METADATA row is the migration's, unchanged since.
func Metadata(meta *uctables.Annotation) bool {
	return meta.AnnotationID == uctables.MetadataID(meta.TargetID) && meta.Metadata == nil && meta.DeletedAtMicros == nil &&
		meta.UpdatedAtMicros == meta.CreatedAtMicros && SourceExperiment(meta) != ""
}

// SourceExperiment is the ID of the experiment that a METADATA row says its trace was migrated from, or "".
func SourceExperiment(meta *uctables.Annotation) string {
	var value struct {
		Metadata map[string]any `json:"trace_metadata"`
	}
	if json.Unmarshal(meta.Value, &value) != nil {
		return "" // of another writer
	}
	id, _ := value.Metadata[uctables.SourceExperimentID].(string)
	return id
}

// Tag says whether s is a TAG row of the migration, unchanged since, of a trace requested at the given time.
func Tag(s *uctables.Annotation, requestMicros int64) bool {
	return s.Type == uctables.Tag && HasTagID(s) && s.DeletedAtMicros == nil &&
		s.CreatedAtMicros == requestMicros && s.UpdatedAtMicros == requestMicros
}

// HasTagID says whether a TAG row, of whatever version, has the annotation_id that the migration gives it.
func HasTagID(s *uctables.Annotation) bool {
	return s.AnnotationID == uctables.OfficialTagID(s.TargetID, s.Name)
}

// Assessment says whether s is the migration's row for the assessment of which e is tracemig's, unchanged since. The
// migration writes the source's times, so a row that is newer than the source's assessment was changed.
func Assessment(e, s *uctables.Annotation) bool {
	return (e.Type == uctables.Feedback || e.Type == uctables.Expectation) && s.Type == e.Type && s.DeletedAtMicros == nil &&
		s.CreatedAtMicros == e.CreatedAtMicros && s.UpdatedAtMicros <= e.UpdatedAtMicros
}

// The tags of the source experiment in which the migration records how far it came with a location.
const (
	tagTime  = "mlflow.databricks.migrate_traces_to_uc.latest_request_time_ms.location."
	tagTrace = "mlflow.databricks.migrate_traces_to_uc.latest_trace_id.location."
)

// Progress is how far the migration came.
type Progress struct {
	Until   time.Time // request time of the latest trace
	TraceID string    // of that trace, or ""
}

func (p Progress) String() string {
	s := "up to the request time " + p.Until.Format(time.RFC3339Nano)
	if p.TraceID != "" {
		s += fmt.Sprintf(" (trace %s)", p.TraceID)
	}
	return s
}

// ReadProgress reads the tags of a source experiment. ok is false if the migration has not moved any of
// its traces to the location.
func ReadProgress(experimentTags map[string]string, l uctables.Location) (p Progress, ok bool) {
	location := l.Catalog + "." + l.Schema + "." + l.Prefix
	for key, value := range experimentTags {
		if name, is := strings.CutPrefix(key, tagTime); is && strings.EqualFold(name, location) {
			ms, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				continue
			}
			p.Until, ok = time.UnixMilli(ms).UTC(), true
		} else if name, is := strings.CutPrefix(key, tagTrace); is && strings.EqualFold(name, location) {
			p.TraceID = value
		}
	}
	return p, ok
}
