//go:build rig

package e2e

import (
	"slices"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/verify"
)

// small are cases with a bit of everything, for tests that need no more.
const small = "json_types,links,events,feedback_values,overridden_feedback,expectations,span_level_assessments,in_run_and_linked,otlp_two_roots,span_200"

// fill writes cases of the corpus into an experiment of the test's own.
func fill(t *testing.T, cases string) (*rig.MLflow, rig.Corpus) {
	t.Helper()
	m := source(t)
	return m, m.FillCases(t, "/e2e/"+t.Name(), cases)
}

// TestCorpus moves all hard cases by each way, and holds the rows against the source and against
// each other.
func TestCorpus(t *testing.T) {
	m := source(t)
	_, c := rig.SharedMLflow(t)
	server := newBed(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{})
	o := server.mustRun(3)
	t.Logf("%+v", o.summary)
	var failed []string
	for _, trace := range o.traces {
		if trace.State == "failed" {
			failed = append(failed, trace.TraceID)
			if !slices.Contains(c.Cases["corrupt_artifact"], trace.TraceID) {
				t.Errorf("%+v", trace)
			}
		}
	}
	compare(t, c.Expected, server.rowsOf, failed...)

	// The digests that Spark computes are those of the source, whatever a row holds.
	if v := server.verify("verify", 3, "--deep"); v.report.Wrong() > 0 || v.report.Kinds[verify.Unreadable] != int64(len(failed)) {
		t.Errorf("%+v %v %v", v.report, v.findings, v.details)
	}

	local := newBed(t, m.URI, c.Experiment).toLocal()
	local.mustRun(3)
	if v := local.verify("verify", 3, "--deep"); v.report.Wrong() > 0 {
		t.Errorf("%+v %v %v", v.report, v.findings, v.details)
	}
	sameRows(t, server.rowsOf, local.rowsOf)

	workspace := newWorkspaceBed(t, rig.FrontOptions{MLflow: m.URI, Forms: []string{"v2", "v30", "v3", "v350"}}, c.Experiment).toWarehouse(rig.FrontOptions{})
	workspace.mustRun(3)
	sameRowsButForStorage(t, server.rowsOf, workspace.rowsOf)
	if stats := workspace.front.Stats(t); stats.SignedWithToken > 0 || len(stats.Writes) > 0 || stats.Downloads == 0 {
		t.Errorf("the workspace saw %+v", stats)
	}

	// The older search gives the same rows.
	older := newWorkspaceBed(t, rig.FrontOptions{MLflow: m.URI, V4: rig.V4NotYet}, c.Experiment).toLocal()
	older.mustRun(3)
	sameRowsButForStorage(t, workspace.rowsOf, older.rowsOf)

	unchanged(t, c.Expected, m.Dump(t, c.Experiment))
}
