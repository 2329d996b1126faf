//go:build rig

package rig

import (
	"slices"
	"testing"
)

func TestSharedMLflowHoldsTheCorpus(t *testing.T) {
	_, c := SharedMLflow(t)
	if len(c.Errors) > 0 {
		t.Errorf("the SDK refused cases: %v", c.Errors)
	}
	written := 0
	for _, ids := range c.Cases {
		written += len(ids)
	}
	if written != c.Listed || len(c.Expected) != c.Listed {
		t.Errorf("wrote %d traces, the server lists %d, its client reads %d", written, c.Listed, len(c.Expected))
	}
	noSpans := []string{"state_unspecified", "in_progress_info_only", "no_spans", "no_spans_info_only", "corrupt_artifact"}
	unreadable := []string{"integers_beyond_64_bits"} // The server's traces/get fails on them; their artifact can be read.
	for _, trace := range c.Expected {
		if slices.Contains(c.Deleted, trace.TraceID) {
			t.Errorf("deleted trace %s is listed", trace.TraceID)
		}
		if len(trace.Spans) == 0 && !slices.Contains(noSpans, trace.Case) && !slices.Contains(unreadable, trace.Case) {
			t.Errorf("trace %s of case %s has no spans: %v", trace.TraceID, trace.Case, *trace.Error)
		}
	}
}

func TestMLflowChangesBetweenRuns(t *testing.T) {
	m := StartMLflow(t)
	filled := m.FillCases(t, "changes", "in_progress,in_progress_info_only")
	if filled.States["IN_PROGRESS"] != 2 {
		t.Fatalf("states after filling: %v", filled.States)
	}
	if added := m.Add(t, "changes", 3); added.Listed != 5 {
		t.Errorf("%d traces after adding 3 to 2", added.Listed)
	}
	ended := m.EndInProgress(t, "changes")
	if ended.States["IN_PROGRESS"] != 0 || ended.States["ERROR"] != 1 {
		t.Errorf("states after ending: %v", ended.States)
	}
	for _, trace := range m.Dump(t, "changes") {
		if trace.Case == "in_progress" && len(trace.Spans) != 2 {
			t.Errorf("the ended trace has %d spans", len(trace.Spans))
		}
	}
	if bulk := m.AddBulk(t, "changes", 1500); bulk.Listed != 1505 {
		t.Errorf("%d traces after 1500 more", bulk.Listed)
	}
}
