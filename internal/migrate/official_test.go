package migrate

import (
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/uctables"
)

// official leaves in m what Databricks' own migration writes of a trace, under the ID that it gives it.
func (m *memory) official(info *mlflow.TraceInfo, id string) {
	at := info.RequestTime.UnixMicro()
	row := func(annotationID string, typ uctables.AnnotationType, name, value string) {
		m.put(uctables.Annotation{
			AnnotationID: annotationID, TargetType: uctables.TargetTrace, TargetID: id, Type: typ, Name: name, Value: uctables.JSON(value),
			CreatedAtMicros: at, UpdatedAtMicros: at,
		})
	}
	row(uctables.MetadataID(id), uctables.Metadata, "metadata", `{"trace_metadata":{"mlflow.migration.sourceExperimentId":"1"}}`)
	for key, value := range info.Tags {
		row(uctables.OfficialTagID(id, key), uctables.Tag, key, `"`+value+`"`)
	}
}

// Traces that Databricks' own migration has moved are taken over: their spans stay, of a tag there is one
// live row after every commit, and one that stands there under an ID of another form is left alone.
func TestTakeOver(t *testing.T) {
	src, m, c := &memsource.Experiment{}, newMemory(), newCheckpoint(t)
	moved, custom := src.Add(0, "root", "child"), src.Add(1, "root")
	src.Add(2, "root")
	moved.Tags["k"] = "1"
	spans := src.Spans[custom.TraceID]
	delete(src.Spans, custom.TraceID)
	custom.TraceID = "tr-custom"
	src.Spans[custom.TraceID] = spans
	m.official(moved, targetID(0))
	m.official(custom, "custom")
	m.want[targetID(0)], m.want[targetID(2)] = 2, 1
	m.onCommit = func() {
		live := 0
		for _, a := range m.Newest() {
			if a.Type == uctables.Tag && a.TargetID == targetID(0) && a.Name == "k" && a.DeletedAtMicros == nil {
				live++
			}
		}
		if live != 1 {
			t.Errorf("after commit %d the tag has %d live rows", m.commits, live)
		}
	}

	j := job(src, m, c)
	j.Resync = true
	p, err := MakePlan(t.Context(), j, false)
	if err != nil || p.ToTakeOver != 1 || p.ToMigrate != 2 || p.Present != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	s := mustRun(t, j)
	if s.TakenOver != 1 || s.Migrated != 2 || s.SkippedReasons[ReasonOfficialID] != 1 {
		t.Errorf("%+v", s)
	}
	if got := m.shown(targetID(0)); got != `"1"` {
		t.Errorf("the tag shows %s", got)
	}
	for _, sp := range m.Spans() {
		if sp.TraceID != targetID(0) && sp.TraceID != targetID(2) {
			t.Errorf("a span of %s was written", sp.TraceID)
		}
	}
	if len(m.wrong) > 0 {
		t.Error(m.wrong)
	}
	for _, lost := range []bool{false, true} {
		if lost {
			c = newCheckpoint(t)
		}
		j = job(src, m, c)
		j.Resync = true
		if s := mustRun(t, j); s.TargetWrites != 0 || s.TakenOver != 0 || s.Present != 2 || s.SkippedReasons[ReasonOfficialID] != 1 {
			t.Errorf("again, checkpoint lost %t: %+v", lost, s)
		}
	}
}

// A trace that MLflow's clients can't open in a UC location is written, and counted.
func TestLargeForClients(t *testing.T) {
	src, m, c := &memsource.Experiment{}, newMemory(), newCheckpoint(t)
	src.Add(0, "root")
	large := src.Add(1, "root")
	preview := strings.Repeat("x", largeForClients)
	large.RequestPreview = &preview
	if s := mustRun(t, job(src, m, c)); s.LargeForClients != 1 || s.Migrated != 2 {
		t.Errorf("%+v", s)
	}
}
