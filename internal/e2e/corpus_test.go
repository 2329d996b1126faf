//go:build rig

package e2e

import (
	"slices"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/verify"
)

// smallCases are a few cases of the corpus of different kinds, for tests that do not need all of them.
const smallCases = "json_types,links,events,feedback_values,overridden_feedback,expectations,span_level_assessments," +
	"in_run_and_linked,otlp_two_roots,span_200"

// fill writes cases of the corpus into an experiment that only this test uses.
func fill(t *testing.T, cases string) (*rig.MLflow, rig.Corpus) {
	t.Helper()
	m := mlflowServer(t)
	return m, m.FillCases(t, "/e2e/"+t.Name(), cases)
}

// fillBulk is fill with count small traces in addition.
func fillBulk(t *testing.T, cases string, count int) (*rig.MLflow, rig.Corpus) {
	t.Helper()
	m := mlflowServer(t)
	return m, m.FillBulk(t, "/e2e/"+t.Name(), cases, count)
}

// checkCorpus fails unless the corpus is complete, since the tests would prove nothing for a missing case.
func checkCorpus(t *testing.T, c rig.Corpus) {
	t.Helper()
	if len(c.Errors) > 0 {
		t.Errorf("the SDK refused cases, want none refused: %v", c.Errors)
	}
	written := 0
	for _, ids := range c.Cases {
		written += len(ids)
	}
	if written != c.Listed || len(c.Expected) != c.Listed {
		t.Errorf("wrote %d traces, the server lists %d, its client reads %d; want the same number", written, c.Listed, len(c.Expected))
	}
	noSpans := []string{"state_unspecified", "in_progress_info_only", "no_spans", "no_spans_info_only", "corrupt_artifact"}
	unreadable := []string{"integers_beyond_64_bits"} // The server's traces/get fails on them, but their artifact can be read.
	for _, trace := range c.Expected {
		if slices.Contains(c.Deleted, trace.TraceID) {
			t.Errorf("deleted trace %s is listed, want it not to be", trace.TraceID)
		}
		if len(trace.Spans) == 0 && !slices.Contains(noSpans, trace.Case) && !slices.Contains(unreadable, trace.Case) {
			t.Errorf("trace %s of case %s has no spans, want some: %v", trace.TraceID, trace.Case, *trace.Error)
		}
	}
}

// TestCorpus migrates the whole corpus from each kind of source to each kind of target. It compares the rows with the
// source and with each other.
func TestCorpus(t *testing.T) {
	t.Parallel()
	m := mlflowServer(t)
	_, c := rig.SharedMLflow(t)
	checkCorpus(t, c)
	server := newFixture(t, m.URI, c.Experiment).toWarehouse()
	o := server.mustRun(3)
	t.Logf("%+v", o.summary)
	var failed []string
	for _, trace := range o.traces {
		if trace.State == "failed" {
			failed = append(failed, trace.TraceID)
			if !slices.Contains(c.Cases["corrupt_artifact"], trace.TraceID) {
				t.Errorf("%+v failed, want only traces of case corrupt_artifact to fail", trace)
			}
		}
	}
	compareWithSource(t, c.Expected, server.tables, failed...)

	// The digests that Spark computes equal those of the source, whatever a row holds.
	v := server.verify("verify", 3, "--deep")
	if v.report.Wrong() > 0 || v.report.Kinds[verify.Unreadable] != int64(len(failed)) {
		t.Errorf("verify: %v, want nothing wrong and %d traces unreadable", v, len(failed))
	}

	local := newFixture(t, m.URI, c.Experiment).toLocal()
	local.mustRun(3)
	if v := local.verify("verify", 3, "--deep"); v.report.Wrong() > 0 {
		t.Errorf("verify of local tables: %v, want nothing wrong", v)
	}
	// What these clients have logged, the fast way reads in the same way.
	fast := newFixture(t, m.URI, c.Experiment).toLocal()
	if s := fast.mustRun(3, "--read", "fast").summary; s.ReadFast < s.Migrated/2 {
		t.Errorf("%d of %d traces read fast, want most of them", s.ReadFast, s.Migrated)
	}
	sameRows(t, server.tables, local.tables, fast.tables)

	forms := rig.FrontOptions{MLflow: m.URI, Forms: []string{"v2", "v30", "v3", "v350"}}
	workspace := newWorkspaceFixture(t, forms, c.Experiment).toWarehouse()
	workspace.mustRun(3)
	sameRowsButForStorage(t, server.tables, workspace.tables)
	if stats := workspace.front.Stats(t); stats.SignedWithToken > 0 || len(stats.Writes) > 0 || stats.Downloads == 0 {
		t.Errorf("the workspace saw %+v, want downloads, no write, and no token at a signed address", stats)
	}

	// The older search gives the same rows.
	older := newWorkspaceFixture(t, rig.FrontOptions{MLflow: m.URI, V4: rig.V4NotYet}, c.Experiment).toLocal()
	older.mustRun(3)
	sameRowsButForStorage(t, workspace.tables, older.tables)

	checkUnchanged(t, c.Expected, m.Dump(t, c.Experiment))
}
