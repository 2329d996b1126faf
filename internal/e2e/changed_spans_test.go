//go:build rig

package e2e

import (
	"testing"
)

// TestSpansThatChange has the server receive, after a trace was migrated, a late span of it and a span that is sent again
// with other values. The listing of traces shows nothing of such spans.
func TestSpansThatChange(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "otlp_gen_ai,json_types")
	local := newFixture(t, m.URI, c.Experiment).toLocal()
	warehouse := newFixture(t, m.URI, c.Experiment).toWarehouse()
	for _, fx := range []*fixture{local, warehouse} {
		fx.mustRun(0)
	}
	expected := m.Resend(t, c.Experiment, 1).Expected
	id := c.Cases["otlp_gen_ai"][0]
	// The first time, MLflow 3.17 lists the trace with other values than before, so that a run reads it again.
	if s := local.mustRun(0).summary; s.Updated != 1 || s.SpansWritten != 1 || s.SpansChanged != 1 || s.SpansUpdated != 0 {
		t.Errorf("a late span and a changed one: %+v, want one trace updated, one span written and one reported as changed", s)
	}
	if v := local.verify("verify", 4, "--deep"); v.report.Wrong() != 1 || v.findings[id] != "differ" {
		t.Errorf("verify: %v, want only trace %s to differ", v, id)
	}
	if v := local.verify("repair", 0, "--deep", "--update-spans"); !v.report.Equal {
		t.Errorf("repair --update-spans: %v, want an equal target", v)
	}
	s := warehouse.mustRun(0, "--update-spans").summary
	if s.Updated != 1 || s.SpansWritten != 2 || s.SpansUpdated != 1 || s.SpansChanged != 0 {
		t.Errorf("run --update-spans: %+v, want one trace updated, two spans written, one of them updated", s)
	}
	for _, fx := range []*fixture{local, warehouse} {
		compareWithSource(t, expected, fx.tables.present())
	}
	// The second time the listing does not change. A run cannot know of the change, but verify finds it.
	expected = m.Resend(t, c.Experiment, 2).Expected
	for _, fx := range []*fixture{local, warehouse} {
		if fx == local { // One target is enough, since this does not depend on it.
			if s := fx.mustRun(0).summary; s.Present != 3 {
				t.Errorf("a change that is not listed: %+v, want 3 traces present", s)
			}
			if v := fx.verify("repair", 4, "--deep"); v.findings[id] != "differ" {
				t.Errorf("repair without --update-spans: %v, want trace %s to differ", v, id)
			}
		}
		if v := fx.verify("repair", 0, "--deep", "--update-spans"); !v.report.Equal {
			t.Errorf("repair with --update-spans: %v, want an equal target", v)
		}
		compareWithSource(t, expected, fx.tables.present())
	}
	sameRows(t, local.tables.present(), warehouse.tables.present())
}
