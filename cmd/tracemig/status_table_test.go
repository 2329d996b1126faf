package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/terminal"
)

var tableNow = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func somePairs() []pairStatus {
	success := tableNow.Add(-2*time.Hour - time.Minute)
	return []pairStatus{
		{
			Source: "https://host#1", SourceName: "/Shared/agents/support-agent", Target: "main.agents.support", Success: &success,
			Traces:  map[checkpoint.State]int64{checkpoint.Migrated: 1234567, checkpoint.Skipped: 2},
			LastRun: &runStatus{Outcome: report.Done},
		},
		{
			Source: "https://host#2", Target: "file:/home/ann/a/very/long/path/that/nobody/would/want/to/read/lake/agent",
			Shard: shard.Shard{Index: 1, Count: 3}, Traces: map[checkpoint.State]int64{checkpoint.Failed: 1},
			LastRun: &runStatus{Outcome: report.Partial, Failed: 1},
		},
		{Source: "https://host#3", SourceName: "/Shared/日本語のとても長い名前の実験", Target: "main.a.b"},
	}
}

// A program gets every column and every name whole, a person what fits the terminal.
func TestStatusTable(t *testing.T) {
	shown := func(width int) string {
		var b strings.Builder
		if err := (statusTable{width: width, now: tableNow}).print(&b, somePairs()); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	golden := filepath.Join("testdata", "status_table.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(shown(0)+"\n"+shown(110)+"\n"+shown(80)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), shown(0)+"\n"+shown(110)+"\n"+shown(80)); d != "" {
		t.Errorf("in a pipe, and at 110 columns (-want +got; -update writes them):\n%s", d)
	}
	got := shown(110)
	for line := range strings.Lines(got) {
		if w := text.StringWidthWithoutEscSequences(strings.TrimSuffix(line, "\n")); w > 110 {
			t.Errorf("a line of %d columns, want at most 110: %s", w, line)
		}
	}
	for _, want := range []string{"support-agent", "(shard 1/3)", "lake/agent", "main.a.b", "status --list failed"} {
		if !strings.Contains(got, want) {
			t.Errorf("at 110 columns %q is missing:\n%s", want, got)
		}
	}
	if strings.Contains(got, "accepted") || strings.Contains(got, "2026") {
		t.Errorf("at 110 columns there are columns that say nothing:\n%s", got)
	}
	narrow := shown(80)
	for line := range strings.Lines(narrow) {
		if w := text.StringWidthWithoutEscSequences(strings.TrimSuffix(line, "\n")); w > 80 {
			t.Errorf("a line of %d columns, want at most 80: %s", w, line)
		}
	}
	if wide := shown(400); !strings.Contains(wide, somePairs()[1].Target) {
		t.Errorf("at 400 columns a name is cut:\n%s", wide)
	}
	if tiny := shown(20); !strings.Contains(tiny, "ort-agent") { // nothing can be done: it breaks the lines
		t.Errorf("at 20 columns:\n%s", tiny)
	}
}

// Colors change nothing but colors.
func TestStatusTableInColor(t *testing.T) {
	var plain, painted strings.Builder
	all := somePairs()
	all[1].judge(tableNow)
	for b, color := range map[*strings.Builder]bool{&plain: false, &painted: true} {
		if err := (statusTable{width: 100, color: color, now: tableNow}).print(b, all); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(plain.String(), text.StripEscape(painted.String())); d != "" {
		t.Errorf("without its colors (-want +got):\n%s", d)
	}
	for _, want := range []string{
		terminal.Strong.Paint("source"), terminal.OK.Paint("done"), terminal.Warning.Paint("partial"), terminal.Failed.Paint("never"),
		terminal.Failed.Paint("1"),
	} {
		if !strings.Contains(painted.String(), want) {
			t.Errorf("%q is missing in %q", want, painted.String())
		}
	}
}

func TestEndOf(t *testing.T) {
	for _, c := range []struct {
		s     string
		width int
		want  string
	}{{"abc", 3, "abc"}, {"abcd", 3, "…cd"}, {"abcd", 1, "…"}, {"", 0, ""}, {"日本語", 6, "日本語"}, {"日本語", 5, "…本語"}, {"日本語", 4, "…語"}} {
		if got := endOf(c.s, c.width); got != c.want {
			t.Errorf("the end of %q within %d is %q, want %q", c.s, c.width, got, c.want)
		}
	}
}

func TestLookAt(t *testing.T) {
	yes := true
	run := func(outcome report.Outcome, failed int64) *runStatus {
		return &runStatus{Outcome: outcome, Failed: failed}
	}
	waits := map[checkpoint.State]int64{checkpoint.Failed: 1}
	for _, c := range []struct {
		st   pairStatus
		want string
	}{
		{pairStatus{UsedBy: "process 1", LastRun: run(checkpoint.Running, 0)}, "a run goes on"},
		{pairStatus{}, "no run yet"},
		{pairStatus{LastRun: run(report.Done, 0)}, ""},
		{pairStatus{LastRun: run(report.Done, 0), Stale: &yes}, "no run in time"},
		{pairStatus{LastRun: run(report.Failed, 0), Traces: waits, Stale: &yes}, "it broke off: see its message, and run again"},
		{pairStatus{LastRun: run(report.Interrupted, 0)}, "run again to go on"},
		{pairStatus{LastRun: run(report.Stopped, 0)}, "run again to go on"},
		{pairStatus{LastRun: run(checkpoint.Killed, 0)}, "run again to go on"},
		{pairStatus{LastRun: run(checkpoint.Lost, 0)}, "the tables were replaced: run again"},
		{pairStatus{LastRun: run(report.Partial, 1), Traces: waits}, "status --list failed"},
		{pairStatus{LastRun: run(report.Partial, 1)}, "the run's summary: status -o json"},
		{pairStatus{LastRun: run(report.Partial, 0)}, "rows that are there twice: tracemig verify"},
		{pairStatus{LastRun: run(checkpoint.Rebuilt, 0), Traces: waits}, "status --list failed"},
	} {
		if got := c.st.lookAt(); got != c.want {
			t.Errorf("%+v: look at %q, want %q", c.st, got, c.want)
		}
	}
}

func TestStale(t *testing.T) {
	before, after := tableNow.Add(-time.Millisecond), tableNow.Add(time.Millisecond)
	for _, c := range []struct {
		name    string
		success *time.Time
		fresh   time.Time
		want    *bool
	}{
		{"nobody asks", &before, time.Time{}, nil},
		{"never", nil, tableNow, new(true)},
		{"too old", &before, tableNow, new(true)},
		{"just in time", &tableNow, tableNow, new(false)},
		{"newer", &after, tableNow, new(false)},
	} {
		st := pairStatus{Success: c.success}
		st.judge(c.fresh)
		if d := cmp.Diff(c.want, st.Stale); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if err := foundStale([]pairStatus{st, {}}, "1h"); (err != nil) != (c.want != nil && *c.want) || err != nil && !endsWith(err, exitFound) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
}
