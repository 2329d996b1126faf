//go:build rig

package e2e

import (
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
)

// TestBetweenRuns changes the source between runs: new traces are taken, and so are those that had
// not ended, wherever the window lies by then.
func TestBetweenRuns(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "in_progress,in_progress_info_only,json_types,otlp_orphans")
	local := newFixture(t, m.URI, c.Experiment).toLocal()
	warehouse := newFixture(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{})
	for _, fx := range []*fixture{local, warehouse} {
		if s := fx.mustRun(0).summary; s.Deferred != 2 || s.DeferredReasons["in_progress"] != 2 || s.SkippedReasons["spans_incomplete"] != 1 || s.Migrated != 2 {
			t.Fatalf("first run: %+v", s)
		}
		compareWithSource(t, c.Expected, fx.tables)
	}
	m.Add(t, c.Experiment, 3)
	expected := m.EndInProgress(t, c.Experiment).Expected
	for _, fx := range []*fixture{local, warehouse} {
		s := fx.mustRun(0, "--start-time", "12h").summary
		// The one whose spans never came is skipped, but what is known of it moved.
		if s.Migrated != 4 || s.Skipped != 1 || s.Deferred != 0 || s.Failed != 0 {
			t.Errorf("second run: %+v", s)
		}
		compareWithSource(t, expected, fx.tables)
	}
	sameRows(t, local.tables, warehouse.tables)
}
