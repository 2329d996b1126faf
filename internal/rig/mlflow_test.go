//go:build rig

package rig

import "testing"

func TestMLflowChangesBetweenRuns(t *testing.T) {
	m := SharedServer(t)
	filled := m.FillCases(t, "changes", "in_progress,in_progress_info_only")
	if filled.States["IN_PROGRESS"] != 2 {
		t.Fatalf("states after filling: %v, want 2 IN_PROGRESS", filled.States)
	}
	if added := m.Add(t, "changes", 3); added.Listed != 5 {
		t.Errorf("%d traces after adding 3 to 2, want 5", added.Listed)
	}
	ended := m.EndInProgress(t, "changes")
	if ended.States["IN_PROGRESS"] != 0 || ended.States["ERROR"] != 1 {
		t.Errorf("states after ending: %v, want 1 ERROR and none IN_PROGRESS", ended.States)
	}
	for _, trace := range ended.Expected {
		if trace.Case == "in_progress" && len(trace.Spans) != 2 {
			t.Errorf("the ended trace has %d spans, want 2", len(trace.Spans))
		}
	}
	if bulk := m.AddBulk(t, "changes", 600, 2); bulk.Listed != 605 {
		t.Errorf("%d traces after 600 more, want 605", bulk.Listed)
	}
}
