package main

import (
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/verify"
)

// A report says which run links were not looked for.
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
		newTextPrinter(newResults(&out)).report(verify.Report{Outcome: report.Done, RunLinks: c.which, RunLinksHidden: c.hidden}, ending{})
		for _, text := range []string{elsewhere, none, hidden} {
			if strings.Contains(out.String(), text) != (text == c.says) {
				t.Errorf("%s, %d hidden: of the three texts want only %q, got\n%s", c.which, c.hidden, c.says, out.String())
			}
		}
	}
}
