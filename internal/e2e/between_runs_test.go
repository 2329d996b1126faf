//go:build rig

package e2e

import (
	"testing"
)

// TestBetweenRuns changes the source between runs. The next run takes the new traces and those that had not ended before,
// even if the window no longer covers them.
func TestBetweenRuns(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "in_progress,in_progress_info_only,json_types,otlp_orphans")
	local := newFixture(t, m.URI, c.Experiment).toLocal()
	warehouse := newFixture(t, m.URI, c.Experiment).toWarehouse()
	for _, fx := range []*fixture{local, warehouse} {
		s := fx.mustRun(0).summary
		if s.Deferred != 2 || s.DeferredReasons["in_progress"] != 2 || s.SkippedReasons["spans_incomplete"] != 1 || s.Migrated != 2 {
			t.Fatalf("first run: %+v, want 2 migrated, 2 deferred in progress, 1 skipped with incomplete spans", s)
		}
		compareWithSource(t, c.Expected, fx.tables)
	}
	m.Add(t, c.Experiment, 3)
	expected := m.EndInProgress(t, c.Experiment).Expected
	for _, fx := range []*fixture{local, warehouse} {
		s := fx.mustRun(0, "--start-time", "12h").summary
		// The trace whose spans never came counts as skipped, but its annotations are migrated.
		if s.Migrated != 4 || s.Skipped != 1 || s.Deferred != 0 || s.Failed != 0 {
			t.Errorf("second run: %+v, want 4 migrated, 1 skipped, none deferred or failed", s)
		}
		compareWithSource(t, expected, fx.tables)
	}
	sameRows(t, local.tables, warehouse.tables)
}
