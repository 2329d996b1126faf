//go:build rig

package e2e

import (
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
)

// TestSpansThatChange has a server get, after a trace was migrated, a late span of it and one that is sent again
// with other values, of which the listing shows nothing.
func TestSpansThatChange(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "otlp_gen_ai,json_types")
	local := newFixture(t, m.URI, c.Experiment).toLocal()
	warehouse := newFixture(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{})
	for _, fx := range []*fixture{local, warehouse} {
		fx.mustRun(0)
	}
	expected := m.Resend(t, c.Experiment, 1).Expected
	id := c.Cases["otlp_gen_ai"][0]
	// What MLflow 3.17 lists of the trace changes the first time, so that a run looks at the trace again.
	if s := local.mustRun(0).summary; s.Updated != 1 || s.SpansWritten != 1 || s.SpansChanged != 1 || s.SpansUpdated != 0 {
		t.Errorf("a late span and a changed one: %+v", s)
	}
	if v := local.verify("verify", 4, "--deep"); v.report.Wrong() != 1 || v.findings[id] != "differ" {
		t.Errorf("%+v %v", v.report, v.details)
	}
	if v := local.verify("repair", 0, "--deep", "--update-spans"); !v.report.Equal {
		t.Errorf("repair --update-spans: %+v %v", v.report, v.details)
	}
	if s := warehouse.mustRun(0, "--update-spans").summary; s.Updated != 1 || s.SpansWritten != 2 || s.SpansUpdated != 1 || s.SpansChanged != 0 {
		t.Errorf("run --update-spans: %+v", s)
	}
	for _, fx := range []*fixture{local, warehouse} {
		compareWithSource(t, expected, fx.tables.present())
	}
	// It does not change the second time: verify finds what a run can't know of.
	expected = m.Resend(t, c.Experiment, 2).Expected
	for _, fx := range []*fixture{local, warehouse} {
		if fx == local { // What a run and a verification make of it does not depend on the target.
			if s := fx.mustRun(0).summary; s.Present != 3 {
				t.Errorf("a change that is not listed: %+v", s)
			}
			if v := fx.verify("repair", 4, "--deep"); v.findings[id] != "differ" {
				t.Errorf("without --update-spans: %+v %v", v.report, v.details)
			}
		}
		if v := fx.verify("repair", 0, "--deep", "--update-spans"); !v.report.Equal {
			t.Errorf("with --update-spans: %+v %v", v.report, v.details)
		}
		compareWithSource(t, expected, fx.tables.present())
	}
	sameRows(t, local.tables.present(), warehouse.tables.present())
}
