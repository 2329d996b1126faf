//go:build rig

package e2e

import (
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/verify"
)

// linkedRuns returns, sorted, the MLflow runs that a trace is linked to for readers of the local target.
func (fx *fixture) linkedRuns(traceID string) []string {
	fx.t.Helper()
	runs := []string{}
	id := strings.TrimPrefix(traceID, "tr-")
	if err := fx.openLake().ReadAnnotations(fx.t.Context(), []string{id}, target.AllTimes, func(a *uctables.Annotation) error {
		if a.Type != uctables.RunLink || a.DeletedAtMicros != nil {
			return nil
		}
		var run string
		err := json.Unmarshal(a.Value, &run)
		runs = append(runs, run)
		return err
	}); err != nil {
		fx.t.Fatal(err)
	}
	slices.Sort(runs)
	return runs
}

// unlink removes the link of a run to its trace from the server's database, since MLflow has no request for that.
func unlink(t *testing.T, m *rig.MLflow, run string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+m.DB+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.ExecContext(t.Context(), "DELETE FROM entity_associations WHERE destination_id = ?", run)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("%d links deleted (%v), want 1", n, err)
	}
}

// TestRunLinksOfOtherExperiments has a trace that is linked to runs of three experiments. A migration writes and removes
// only links of the kind that --run-links asks for, so that one with `source` keeps the links that one with `all` has found.
func TestRunLinksOfOtherExperiments(t *testing.T) {
	t.Parallel()
	m := rig.SharedServer(t)
	c := m.FillCases(t, "/e2e/"+t.Name(), "linked_from_other_experiments,json_types")
	fx := newFixture(t, m.URI, c.Experiment).toLocal()
	at := slices.IndexFunc(c.Expected, func(e rig.ExpectedTrace) bool { return e.Case == "linked_from_other_experiments" })
	trace, tags := c.Expected[at].TraceID, c.Expected[at].Tags
	own, other, deleted := tags["run.own"], tags["run.other"], tags["run.deleted"]
	for i, step := range []struct {
		before func()
		links  runlinks.Scope
		want   []string
		writes bool
	}{
		{nil, runlinks.None, nil, true},
		{nil, "", []string{own}, true}, // by default
		{nil, runlinks.OfAll, []string{own, other, deleted}, true},
		{nil, runlinks.OfSource, []string{own, other, deleted}, false},
		{nil, runlinks.None, []string{own, other, deleted}, false},
		{fx.deleteCheckpoint, runlinks.OfSource, []string{own, other, deleted}, false},
		{func() { unlink(t, m, own); unlink(t, m, deleted) }, runlinks.OfSource, []string{other, deleted}, true},
		{nil, runlinks.OfAll, []string{other}, true},
		{nil, runlinks.OfAll, []string{other}, false},
	} {
		if step.before != nil {
			step.before()
		}
		var flags []string
		asked := runlinks.OfSource
		if step.links != "" {
			flags, asked = []string{"--run-links", string(step.links)}, step.links
		}
		s := fx.mustRun(0, flags...).summary
		want := append([]string{}, step.want...)
		slices.Sort(want)
		if d := cmp.Diff(want, fx.linkedRuns(trace)); d != "" || (s.TargetWrites > 0) != step.writes {
			t.Errorf("step %d (%s): links (-want +got):\n%swant writes: %t; %+v", i, asked, d, step.writes, s)
		}
		v := fx.verify("verify", 0, append(flags, "--deep")...)
		if !v.report.Equal || v.report.RunLinks != asked || v.report.Kinds[verify.Match] != v.report.Compared {
			t.Errorf("step %d (%s): verify: %v, want all compared traces to match, with run links %s", i, asked, v, asked)
		}
	}
	cmd := fx.command("--deep")
	cmd.Args[1] = "verify"
	cmd.Args = slices.DeleteFunc(cmd.Args, func(arg string) bool { return arg == "-o" || arg == "json" })
	const note = "links to runs of other experiments were not looked for; --run-links all does"
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), note) {
		t.Errorf("verify: %v, want success and %q in:\n%s", err, note, out)
	}
	fx.runPattern(m.URI, "/e2e/"+t.Name(), int64(len(c.Expected)))
}
