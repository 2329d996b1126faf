package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/uctables"
)

// linked are the runs that readers of the target see a trace linked to.
func (m *memory) linked(trace string) string {
	var runs []string
	for _, a := range m.Newest() {
		if a.Type == uctables.RunLink && a.TargetID == trace && a.DeletedAtMicros == nil {
			var run string
			_ = json.Unmarshal(a.Value, &run)
			runs = append(runs, run)
		}
	}
	slices.Sort(runs)
	return strings.Join(runs, " ")
}

// TestRunLinksOfOtherExperiments asks for the runs of the source one night and for all the next: each run
// follows the links that it looks for, and leaves the others alone without a read or a write.
func TestRunLinksOfOtherExperiments(t *testing.T) {
	src, m, c := &memsource.Experiment{}, newMemory(), newCheckpoint(t)
	info := src.Add(0, "root")
	src.Add(1, "root")
	m.want[targetID(0)], m.want[targetID(1)] = 1, 1
	src.Runs = map[string][]string{"own": {traceID(0)}}
	src.Others = map[string]map[string][]string{"2": {"foreign": {traceID(0)}, "empty": nil}, "3": nil}
	forget := func() { c = newCheckpoint(t) }
	nothing := func() {}
	for i, step := range []struct {
		do     func()
		asks   runlinks.Scope
		linked string
		writes int64 // commits
	}{
		{nothing, runlinks.OfSource, "own", 2},
		{nothing, runlinks.OfSource, "own", 0},
		{nothing, runlinks.OfAll, "foreign own", 1},
		{nothing, runlinks.OfSource, "foreign own", 0},
		{nothing, runlinks.OfAll, "foreign own", 0},
		{nothing, runlinks.None, "foreign own", 0},
		{func() { info.Tags["k"] = "1" }, runlinks.OfSource, "foreign own", 1},
		{nothing, runlinks.OfAll, "foreign own", 0},
		{func() { info.Tags["k"] = "2" }, runlinks.None, "foreign own", 1},
		{nothing, runlinks.OfAll, "foreign own", 0},
		{forget, runlinks.OfSource, "foreign own", 0},
		{func() { src.Runs["own"] = nil }, runlinks.OfSource, "foreign", 1},
		{func() { src.Others["2"]["foreign"] = nil }, runlinks.OfSource, "foreign", 0},
		{func() { src.Others["2"], src.Others["4"] = nil, map[string][]string{"later": {traceID(0)}} }, runlinks.OfAll, "foreign later", 1},
		{func() { src.Others["2"] = map[string][]string{"foreign": {traceID(0)}} }, runlinks.OfAll, "foreign later", 1},
		{func() { src.Others["2"]["foreign"] = nil }, runlinks.OfAll, "later", 1},
		{forget, runlinks.OfAll, "later", 0},
	} {
		step.do()
		j := job(src, m, c)
		j.RunLinks, j.Resync = step.asks, true
		s := mustRun(t, j)
		if got := m.linked(targetID(0)); got != step.linked || s.TargetWrites != step.writes ||
			(i > 0 && s.Migrated > 0) || m.linked(targetID(1)) != "" {
			t.Errorf("step %d (%s): linked to %q, want %q; %+v", i, step.asks, got, step.linked, s)
		}
		hidden := int64(0)
		if step.asks == runlinks.OfAll {
			for _, runs := range src.Others {
				if runs == nil {
					hidden++
				}
			}
		}
		if s.RunLinksHidden != hidden {
			t.Errorf("step %d: %d experiments hidden, want %d", i, s.RunLinksHidden, hidden)
		}
	}
	if len(m.wrong) > 0 {
		t.Error(m.wrong)
	}
}

// What the source experiment itself refuses is a fault.
func TestRunLinksRefused(t *testing.T) {
	src, m := &refusing{Experiment: memsource.Experiment{}}, newMemory()
	src.Add(0, "root")
	j := job(src, m, newCheckpoint(t))
	if _, err := Run(t.Context(), t.Context(), j); err == nil || !strings.Contains(err.Error(), "run links") {
		t.Errorf("%v", err)
	}
}

type refusing struct{ memsource.Experiment }

func (r *refusing) ListRuns(_ context.Context, _ string, _ func(string) error) error {
	return fmt.Errorf("list: %w", &mlflowclient.APIError{Status: 403, Code: "PERMISSION_DENIED"})
}
