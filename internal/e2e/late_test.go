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
	local := newBed(t, m.URI, c.Experiment).toLocal()
	warehouse := newBed(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{})
	for _, b := range []*bed{local, warehouse} {
		b.mustRun(0)
	}
	expected := m.Resend(t, c.Experiment, 1).Expected
	id := c.Cases["otlp_gen_ai"][0]
	for _, b := range []*bed{local, warehouse} {
		// MLflow 3.17 counts the late span in the trace's metadata, so the run looks at the trace again.
		if s := b.mustRun(0).summary; s.Updated != 1 || s.SpansWritten != 1 || s.SpansChanged != 1 || s.SpansUpdated != 0 {
			t.Errorf("a late span and a changed one: %+v", s)
		}
		if v := b.verify("verify", 4, "--deep"); v.report.Wrong() != 1 || v.findings[id] != "differ" {
			t.Errorf("%+v %v", v.report, v.details)
		}
		if v := b.verify("repair", 0, "--deep", "--update-spans"); !v.report.Equal {
			t.Errorf("with --update-spans: %+v %v", v.report, v.details)
		}
		compare(t, expected, b.rowsOf.present())
	}
	m.Resend(t, c.Experiment, 2)
	for _, b := range []*bed{local, warehouse} {
		if s := b.mustRun(0, "--update-spans").summary; s.Updated != 1 || s.SpansUpdated != 1 || s.SpansChanged != 0 {
			t.Errorf("with --update-spans: %+v", s)
		}
		if v := b.verify("verify", 0, "--deep"); !v.report.Equal {
			t.Errorf("%+v %v", v.report, v.details)
		}
	}
	sameRows(t, local.rowsOf.present(), warehouse.rowsOf.present())
}
