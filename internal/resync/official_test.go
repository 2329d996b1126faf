package resync

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// officialRows are the rows that Databricks' own migration writes for a trace, as docs/tables.md describes them.
func officialRows(info *mlflow.TraceInfo) table {
	at := info.RequestTime.UnixMicro()
	t := table{}
	row := func(id string, typ uctables.AnnotationType, name, value string) uctables.Annotation {
		return uctables.Annotation{
			AnnotationID: id, TargetType: uctables.TargetTrace, TargetID: hex, Type: typ, Name: name, Value: uctables.JSON(value),
			CreatedAtMicros: at, UpdatedAtMicros: at,
		}
	}
	t.put(row(uctables.MetadataID(hex), uctables.Metadata, "metadata",
		`{"client_request_id":null,"trace_metadata":{"mlflow.migration.sourceExperimentId":"`+info.ExperimentID+
			`"},"request_preview":null,"response_preview":null}`))
	for key, value := range info.Tags {
		t.put(row(uctables.OfficialTagID(hex, key), uctables.Tag, key, `"`+value+`"`))
	}
	for _, a := range info.Assessments {
		r := row(a.ID, uctables.Feedback, a.Name, string(a.Feedback.Value))
		r.Metadata = uctables.JSON(`{"mlflow.source.source_type":"HUMAN","mlflow.source.source_id":"ann"}`)
		r.CreatedAtMicros, r.UpdatedAtMicros = a.CreateTime.UnixMicro(), a.LastUpdateTime.UnixMicro()
		t.put(r)
	}
	return t
}

// takeOver does what a run does with a trace that it knows to be in the target.
func (t table) takeOver(tt fatal, info *mlflow.TraceInfo, runs []string, now int64) Difference {
	tt.Helper()
	return t.follow(tt, info, runs, now, true)
}

// tagRows are the live rows of a tag by their annotation IDs.
func (t table) tagRows(name string) map[string]string {
	rows := map[string]string{}
	for _, a := range t.newest() {
		if a.Type == uctables.Tag && a.Name == name && a.DeletedAtMicros == nil {
			rows[a.AnnotationID] = string(a.Value)
		}
	}
	return rows
}

func taken() *mlflow.TraceInfo {
	info := source(map[string]string{"a": "1", "mlflow.artifactLocation": "dbfs:/t", "mlflow.trace.spansLocation": "ARTIFACT_REPO"})
	info.ExperimentID = "7"
	f := feedback("f1", "true", epoch.Add(time.Minute))
	valid := false
	f.Valid, f.Metadata = &valid, map[string]string{"mine": "1"}
	info.Assessments = []mlflow.Assessment{f}
	return info
}

func TestTakeOver(t *testing.T) {
	info := taken()
	now := epoch.Add(time.Hour).UnixMicro()
	target, fresh := officialRows(info), table{}
	diff := target.takeOver(t, info, []string{"r1"}, now)
	if !diff.Official || diff.Kept != 0 || diff.Deleted != 0 {
		t.Errorf("got %+v, want a trace of the official migration with nothing kept or deleted", diff)
	}
	fresh.sync(t, info, []string{"r1"}, now)
	if d := cmp.Diff(fresh.live(), target.live()); d != "" {
		t.Errorf("(-migrated by tracemig +taken over):\n%s", d)
	}
	for name, want := range map[string]map[string]string{
		"a": {uctables.TagID(hex, "a"): `"1"`}, "mlflow.trace.spansLocation": {}, "mlflow.artifactLocation": {},
	} {
		if d := cmp.Diff(want, target.tagRows(name)); d != "" {
			t.Errorf("tag %s (-want +got):\n%s", name, d)
		}
	}
	for _, a := range target.newest() {
		if want := fresh.row(a.AnnotationID); want != nil && a.Type != uctables.Metadata && !sameContent(want, a) {
			t.Errorf("%s %s is %s with %s, want %s with %s", a.Type, a.Name, a.Value, a.Metadata, want.Value, want.Metadata)
		}
	}
	now++
	if again := target.takeOver(t, info, []string{"r1"}, now); len(again.Changes) > 0 || again.Kept > 0 || again.Official {
		t.Errorf("nothing changed, and the second run finds %+v, want no changes", again)
	}
	// From then on the trace follows the source as every other trace does.
	info.Tags["a"] = "2"
	info.Assessments = nil
	now++
	target.sync(t, info, nil, now)
	if d := cmp.Diff(map[string]string{"TAG a": `"2"`}, target.live()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func (t table) row(id string) *uctables.Annotation {
	for _, a := range t.newest() {
		if a.AnnotationID == id {
			return a
		}
	}
	return nil
}

// A run that was cut off before it wrote METADATA is continued by the next one.
func TestTakeOverInterrupted(t *testing.T) {
	info := taken()
	now := epoch.Add(time.Hour).UnixMicro()
	whole := officialRows(info)
	changes := whole.takeOver(t, info, nil, now).Changes
	for n := range changes {
		target := officialRows(info)
		for _, c := range changes[:n] {
			target.put(c.Annotation)
		}
		target.takeOver(t, info, nil, now+1)
		if d := cmp.Diff(whole.live(), target.live()); d != "" {
			t.Errorf("after %d changes (-whole +interrupted):\n%s", n, d)
		}
	}
}

// A row that somebody has changed since the official migration stays as it is.
func TestTakeOverOfChangedRows(t *testing.T) {
	info := taken()
	now := epoch.Add(time.Hour).UnixMicro()
	edit := func(target table, id, as string, deleted bool) {
		a := *target.row(id)
		a.AnnotationID, a.Value, a.UpdatedAtMicros = as, uctables.JSON(`"mine"`), epoch.Add(30*time.Minute).UnixMicro()
		if deleted {
			a.DeletedAtMicros = &a.UpdatedAtMicros
		}
		target.put(a)
	}
	old, own := uctables.OfficialTagID(hex, "a"), uctables.TagID(hex, "a")
	for name, c := range map[string]struct {
		edit func(target table)
		want map[string]string // live rows of tag a
		live string            // FEEDBACK f1
	}{
		"the service's tag":      {func(t table) { edit(t, old, own, false) }, map[string]string{own: `"mine"`}, "true"},
		"deleted by the service": {func(t table) { edit(t, old, own, true) }, map[string]string{}, "true"},
		"the tag under its ID":   {func(t table) { edit(t, old, old, false) }, map[string]string{old: `"mine"`}, "true"},
		"deleted under its ID":   {func(t table) { edit(t, old, old, true) }, map[string]string{}, "true"},
		"the feedback":           {func(t table) { edit(t, "f1", "f1", false) }, map[string]string{own: `"1"`}, `"mine"`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, written := range []bool{false, true} { // whether the rows are written before they are compared
				target := officialRows(info)
				c.edit(target)
				run := func(now int64) Difference {
					if written {
						return target.sync(t, info, nil, now)
					}
					return target.takeOver(t, info, nil, now)
				}
				diff := run(now)
				if d := cmp.Diff(c.want, target.tagRows("a")); d != "" {
					t.Errorf("written %t: tag a (-want +got):\n%s", written, d)
				}
				if got := target.live()["FEEDBACK correct f1"]; got != c.live {
					t.Errorf("written %t: the feedback is %s, want %s", written, got, c.live)
				}
				if diff.Kept != 1 || !diff.Official {
					t.Errorf("written %t: %d kept, official %t, want 1, true", written, diff.Kept, diff.Official)
				}
				if again := run(now + 1); len(again.Changes) > 0 || again.Kept != 1 {
					t.Errorf("written %t, again: %+v, want no changes and 1 kept", written, again)
				}
			}
		})
	}
}

// Rows of another experiment's migration, or of another writer, are not taken over.
func TestNotOurs(t *testing.T) {
	info := taken()
	target := officialRows(info)
	other := *info
	other.ExperimentID = "8"
	if diff := target.takeOver(t, &other, nil, epoch.Add(time.Hour).UnixMicro()); diff.Official || diff.Kept == 0 {
		t.Errorf("got %+v, want rows kept, and none that is the official migration's", diff)
	}
	if meta := target.row(uctables.MetadataID(hex)); meta.Metadata != nil {
		t.Errorf("the metadata column of METADATA is %s, want NULL", meta.Metadata)
	}
}

// A row whose created_at differs from the source's gets a version with the right one.
func TestCreatedAt(t *testing.T) {
	info := source(map[string]string{"a": "1"})
	info.Assessments = []mlflow.Assessment{{
		ID: "f1", Name: "n", CreateTime: epoch, LastUpdateTime: epoch, Feedback: &mlflow.Feedback{Value: jsontext.Value("1")},
	}}
	now := epoch.Add(time.Hour).UnixMicro()
	target := table{}
	target.sync(t, info, nil, now)
	for key, a := range target {
		if a.Type == uctables.Feedback || a.Type == uctables.Metadata {
			a.CreatedAtMicros--
			target[key] = a
		}
	}
	diff := target.sync(t, info, nil, now+1)
	if len(diff.Changes) != 2 {
		t.Errorf("%d changes, want 2: %+v", len(diff.Changes), diff.Changes)
	}
	for _, c := range diff.Changes {
		if c.CreatedAtMicros != epoch.UnixMicro() || c.ReplacesCreatedMicros != epoch.UnixMicro()-1 {
			t.Errorf("%s has created_at %d in place of %d, want %d in place of %d",
				c.Name, c.CreatedAtMicros, c.ReplacesCreatedMicros, epoch.UnixMicro(), epoch.UnixMicro()-1)
		}
	}
}
