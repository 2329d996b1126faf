//go:build rig

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// TestChangesAtTheSource adds, changes, removes and again adds tags, assessments and run links of migrated traces. After
// each run the target shows the present state of the source.
func TestChangesAtTheSource(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "json_types,links,feedback_values,expectations,tags,in_run_and_linked")
	local := newFixture(t, m.URI, c.Experiment).toLocal()
	remote := newFixture(t, m.URI, c.Experiment).toWarehouse().withViews()
	for _, fx := range []*fixture{local, remote} {
		fx.mustRun(0)
	}
	changed := map[string]bool{}
	for step := 1; step <= 4; step++ {
		now := m.Change(t, c.Experiment, step)
		for _, id := range now.Cases["changed"] {
			changed[id] = true
		}
		expected := now.Expected
		for _, fx := range []*fixture{local, remote} {
			if step == 3 {
				fx.deleteCheckpoint() // The next run finds the migrated states of traces in the target.
			}
			s := fx.mustRun(0).summary
			if s.Updated != 4 || s.Migrated != 0 || s.SpansWritten != 0 || s.AnnotationsKept != 0 ||
				(step == 3) != (s.AnnotationsDeleted == 8) {
				t.Errorf("step %d: %+v, want 4 traces updated, 8 annotations deleted in step 3 alone, and nothing else", step, s)
			}
			compareWithSource(t, expected, fx.tables.present())
			if step > 1 && step < 4 {
				continue
			}
			if again := fx.mustRun(0).summary; again.TargetWrites != 0 || again.Updated != 0 {
				t.Errorf("step %d, second run: %+v, want no write and no update", step, again)
			}
		}
		// The views show the same state.
		tags := map[string]string{}
		view := "SELECT trace_id, tags['late'], size(assessments) FROM default." + remote.prefix + "_trace_metadata"
		for _, row := range remote.warehouse.SQL(t, view) {
			tags["tr-"+row[0].(string)] = fmt.Sprintf("%v %v", row[1], row[2])
		}
		for _, e := range expected {
			var late, size any
			if v, ok := e.Tags["late"]; ok {
				late = v
			}
			if len(e.Assessments) > 0 {
				size = int64(len(e.Assessments))
			}
			if want := fmt.Sprintf("%v %v", late, size); tags[e.TraceID] != want {
				t.Errorf("step %d: the view has %s of trace %s, want %s", step, tags[e.TraceID], e.TraceID, want)
			}
		}
	}
	if len(changed) != 4 {
		t.Fatalf("%d traces changed, want 4: %v", len(changed), slices.Sorted(maps.Keys(changed)))
	}

	// Changes that were made at the target stay, whatever changes at the source later.
	fx := remote
	edit := func(set, name string) {
		fx.warehouse.SQL(t, fmt.Sprintf(`INSERT INTO %s
			SELECT annotation_id, target_type, target_id, annotation_type, name, %s, comment, metadata, created_at, created_by,
				now() + INTERVAL 1 HOUR, 'bob', NULL, NULL, 'insert'
			FROM (SELECT *, row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC) AS age FROM %s)
			WHERE age = 1 AND name = '%s' AND annotation_type = 'TAG'`, fx.tables.annotations, set, fx.tables.annotations, name))
	}
	edit(`parse_json('"of bob"')`, "late")
	m.Change(t, c.Experiment, 2)
	if s := fx.mustRun(0).summary; s.Updated != 4 || s.AnnotationsKept != 4 {
		t.Errorf("edited at the target: %+v, want 4 traces updated and 4 annotations kept", s)
	}
	rows := fx.warehouse.SQL(t, "SELECT count(*) FROM default."+fx.prefix+"_trace_metadata WHERE tags['late'] = 'of bob'")
	if rows[0][0] != int64(4) {
		t.Errorf("%v traces show the tag as it was edited at the target, want 4", rows[0][0])
	}
}
