package checkpoint

import (
	"testing"
	"time"
)

func TestLookedUpTo(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 2, 0, 0, 0, time.UTC) }
	ms := func(n int) *int64 { v := day(n).UnixMilli(); return &v }
	// run begins on a day, ends an hour later, and looks at a window; 0 is no bound.
	run := func(begin, from, end int) Run {
		r := Run{Start: day(begin), End: day(begin).Add(time.Hour)}
		if from > 0 {
			r.WindowStartMs = ms(from)
		}
		if end > 0 {
			r.WindowEndMs = ms(end)
		}
		return r
	}
	for name, c := range map[string]struct {
		runs []Run
		from *int64 // of what is verified
		want time.Time
	}{
		"no run":                          {},
		"one of all":                      {runs: []Run{run(5, 0, 0)}, want: day(5)},
		"up to a time":                    {runs: []Run{run(5, 0, 3)}},
		"up to a time to come":            {runs: []Run{run(5, 0, 8)}, want: day(5)},
		"windows alone":                   {runs: []Run{run(5, 3, 0), run(6, 4, 0)}},
		"windows alone, and what they do": {runs: []Run{run(5, 3, 0), run(6, 4, 0)}, from: ms(4), want: day(6)},
		"all, then nightly":               {runs: []Run{run(5, 0, 0), run(6, 4, 0), run(7, 5, 0)}, want: day(7)},
		"a gap":                           {runs: []Run{run(5, 0, 0), run(9, 7, 0)}, want: day(5)},
		"a gap, then all":                 {runs: []Run{run(5, 0, 0), run(9, 7, 0), run(10, 0, 0)}, want: day(10)},
	} {
		t.Run(name, func(t *testing.T) {
			covered, reach := lookedUpTo(c.runs, c.from)
			if !covered.Equal(c.want) || reach.Before(covered) || !covered.IsZero() && reach.Sub(covered) > time.Hour {
				t.Errorf("up to %v, reach %v, want %v", covered, reach, c.want)
			}
		})
	}
}
