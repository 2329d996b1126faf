package main

import (
	"strings"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/verify"
)

// A report says what was not looked for.
func TestReportOfRunLinks(t *testing.T) {
	const elsewhere, none = "links to runs of other experiments were not looked for", "links to runs were not looked for"
	const hidden = "the source did not show 3 experiments or runs of others"
	for _, c := range []struct {
		which  runlinks.Scope
		hidden int64
		says   string // of the three
	}{
		{runlinks.OfSource, 0, elsewhere},
		{runlinks.None, 0, none},
		{runlinks.OfAll, 0, ""},
		{runlinks.OfAll, 3, hidden},
	} {
		var out strings.Builder
		newTextPrinter(&out).report(verify.Report{Outcome: report.Done, RunLinks: c.which, RunLinksHidden: c.hidden})
		for _, text := range []string{elsewhere, none, hidden} {
			if strings.Contains(out.String(), text) != (text == c.says) {
				t.Errorf("%s, %d hidden:\n%s", c.which, c.hidden, out.String())
			}
		}
	}
}

func TestLookedUpTo(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 2, 0, 0, 0, time.UTC) }
	ms := func(n int) *int64 { v := day(n).UnixMilli(); return &v }
	// run begins on a day, ends an hour later, and looks at a window; 0 is no bound.
	run := func(begin, from, end int) checkpoint.Run {
		r := checkpoint.Run{Start: day(begin), End: day(begin).Add(time.Hour)}
		if from > 0 {
			r.WindowStartMs = ms(from)
		}
		if end > 0 {
			r.WindowEndMs = ms(end)
		}
		return r
	}
	for name, c := range map[string]struct {
		runs []checkpoint.Run
		from *int64 // of what is verified
		want time.Time
	}{
		"no run":                          {},
		"one of all":                      {runs: []checkpoint.Run{run(5, 0, 0)}, want: day(5)},
		"up to a time":                    {runs: []checkpoint.Run{run(5, 0, 3)}},
		"up to a time to come":            {runs: []checkpoint.Run{run(5, 0, 8)}, want: day(5)},
		"windows alone":                   {runs: []checkpoint.Run{run(5, 3, 0), run(6, 4, 0)}},
		"windows alone, and what they do": {runs: []checkpoint.Run{run(5, 3, 0), run(6, 4, 0)}, from: ms(4), want: day(6)},
		"all, then nightly":               {runs: []checkpoint.Run{run(5, 0, 0), run(6, 4, 0), run(7, 5, 0)}, want: day(7)},
		"a gap":                           {runs: []checkpoint.Run{run(5, 0, 0), run(9, 7, 0)}, want: day(5)},
		"a gap, then all":                 {runs: []checkpoint.Run{run(5, 0, 0), run(9, 7, 0), run(10, 0, 0)}, want: day(10)},
	} {
		t.Run(name, func(t *testing.T) {
			covered, reach := lookedUpTo(c.runs, mlflowclient.Window{StartMs: c.from})
			if !covered.Equal(c.want) || reach.Before(covered) || !covered.IsZero() && reach.Sub(covered) > time.Hour {
				t.Errorf("up to %v, reach %v, want %v", covered, reach, c.want)
			}
		})
	}
}
