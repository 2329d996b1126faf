// Package targettest holds tests that every target.Writer has to pass. Each needs a target with
// empty tables.
package targettest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

const base = 1_700_000_000_000_000

// metadata is a METADATA row of a trace; info is the trace_metadata in its value.
func metadata(traceID, info, noted string) uctables.Annotation {
	a := uctables.Annotation{
		AnnotationID: "m-" + traceID, TargetType: uctables.TargetTrace, TargetID: traceID, Type: uctables.Metadata, Name: "metadata",
		Value:           uctables.JSON(`{"client_request_id":null,"request_preview":"mlflow.migration.sourceExperimentId","trace_metadata":` + info + `}`),
		CreatedAtMicros: base, UpdatedAtMicros: base,
	}
	if noted != "" {
		a.Metadata = uctables.JSON(noted)
	}
	return a
}

// Official tests which traces Writer.Official yields.
func Official(t *testing.T, w target.Writer) {
	t.Helper()
	const info = `{"mlflow.migration.sourceExperimentId":"17","mlflow.user":"ann"}`
	hex := strings.Repeat("0a", 16)
	later := func(a uctables.Annotation) uctables.Annotation { a.UpdatedAtMicros++; return a }
	deleted := func(a uctables.Annotation) uctables.Annotation {
		at := a.UpdatedAtMicros
		a.DeletedAtMicros = &at
		return a
	}
	tag := metadata("tag", info, "")
	tag.Type, tag.Name = uctables.Tag, "metadata"
	const own = `{"tracemig.source":"s#17"}`
	rows := []uctables.Annotation{
		metadata(hex, info, ""),
		metadata("my own: trace", info, `{"k":"v"}`), // an ID may be any text
		metadata("number", `{"mlflow.migration.sourceExperimentId":17}`, ""),
		metadata("another experiment", `{"mlflow.migration.sourceExperimentId":"170"}`, ""),
		metadata("nobody's", `{}`, ""), metadata("no object", `"17"`, ""), metadata("null", `null`, ""),
		metadata("ours", info, own), tag,
		metadata("taken over", info, ""), later(metadata("taken over", info, own)),
		later(metadata("official again", info, "")), metadata("official again", info, own),
		metadata("deleted", info, ""), deleted(later(metadata("deleted", info, ""))),
		deleted(metadata("back", info, "")), later(metadata("back", info, "")),
	}
	if _, err := w.WriteAnnotations(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := w.Official(t.Context(), "17", func(id string) error { got = append(got, id); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if d := cmp.Diff([]string{hex, "back", "my own: trace", "number", "official again"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	stop := errors.New("stop")
	if err := w.Official(t.Context(), "17", func(string) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want the one of yield", err)
	}
}

// Replace tests replacements whose created_at is another than that of the version before, and of no
// version.
func Replace(t *testing.T, w target.Writer) {
	t.Helper()
	const day = 24 * 60 * 60 * 1_000_000
	first := metadata("trace", `{}`, "")
	if _, err := w.WriteAnnotations(t.Context(), []uctables.Annotation{first}); err != nil {
		t.Fatal(err)
	}
	replacement := func(value string, createdAt, updatedAt, replaces, replacesCreated int64) uctables.Replacement {
		a := first
		a.Value, a.CreatedAtMicros, a.UpdatedAtMicros = uctables.JSON(value), createdAt, updatedAt
		return uctables.Replacement{Annotation: a, ReplacesMicros: replaces, ReplacesCreatedMicros: replacesCreated}
	}
	unknown := func(id string, createdAt, replacesCreated int64) uctables.Replacement {
		r := replacement(`"new"`, createdAt, base, uctables.NoVersion, replacesCreated)
		r.AnnotationID = id
		return r
	}
	for i, step := range []struct {
		row      uctables.Replacement
		inserted int
		value    string // of the newest version of first
	}{
		{replacement(`"b"`, base-day, base+1, base, base), 1, `"b"`},
		{replacement(`"b"`, base-day, base+1, base, base), 0, `"b"`},            // again
		{replacement(`"c"`, base-2*day, base+9, base, base), 0, `"b"`},          // the newer version lies between
		{replacement(`"d"`, base+day, base+2, base+1, base-day), 1, `"d"`},      // to a later created_at
		{replacement(`"e"`, base-3*day, base+9, base+1, base-2*day), 1, `"e"`},  // the range does not hold what is newer
		{unknown(first.AnnotationID, base, base), 0, `"e"`},                     // there are versions
		{unknown(first.AnnotationID, base+10*day, base+day), 0, `"e"`},          // one where it is said to be looked for
		{unknown(first.AnnotationID+"-no", base+10*day, base+10*day), 1, `"e"`}, // there is none
		{unknown(first.AnnotationID+"-no", base+10*day, base+10*day), 0, `"e"`}, // now there is
		{unknown(first.AnnotationID+"-old", target.AllTimes.Low, base), 1, ``},  // at the first time there is
	} {
		done, err := w.ReplaceAnnotations(t.Context(), []uctables.Replacement{step.row})
		if err != nil || done.Inserted != step.inserted || done.Present != 1-step.inserted {
			t.Errorf("step %d: %+v, error %v, want %d inserted", i, done, err, step.inserted)
		}
		if err := w.ReadAnnotations(t.Context(), []string{"trace"}, target.AllTimes, func(a *uctables.Annotation) error {
			if a.AnnotationID == first.AnnotationID && step.value != "" && string(a.Value) != step.value {
				t.Errorf("step %d: the newest is %s, want %s", i, a.Value, step.value)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
