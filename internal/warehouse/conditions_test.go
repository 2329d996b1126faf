package warehouse

import (
	"os"
	"strings"
	"testing"
)

// documented are the error conditions that Spark and Delta document, with their SQLSTATEs.
func documented(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/conditions.tsv")
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		if fields := strings.Split(line, "\t"); len(fields) == 3 {
			states[fields[1]] = fields[0]
		}
	}
	if len(states) < 1000 {
		t.Fatalf("%d conditions are documented, want more than 1000", len(states))
	}
	return states
}

// TestConditions compares the table of conditions with the documented ones: no name in the table is misspelt, and the states
// give each documented condition the meaning that is intended for its class.
func TestConditions(t *testing.T) {
	states := documented(t)
	named := map[string]bool{}
	for _, c := range conditions {
		if c.source == "" || c.means == unknownMeaning || len(c.names)+len(c.states) == 0 && c.words == nil {
			t.Errorf("%+v lacks what it is recognized by, its meaning, or its source", c)
		}
		for _, name := range c.names {
			start, all := strings.CutSuffix(name, "*")
			found := false
			for condition := range states {
				if condition == name || all && strings.HasPrefix(condition, start) {
					named[condition], found = true, true
				}
			}
			if !found && !strings.Contains(c.source, "docs.databricks.com") && name != "FILE_NOT_EXIST" {
				t.Errorf("%s is not documented by Spark or Delta, and %q does not say where else", name, c.source)
			}
		}
	}
	byClass := map[string]meaning{
		"22": badRow, "23": badRow, "40": conflict, "2D521": conflict, "42P01": noTable, "42501": noRight, "54": tooLarge,
		"HY008": cancelled, "08": transient, "53": transient, "57": transient, "58": transient, "58030": writeFailed,
		"57KD0": outOfTime, "08KD1": notReady, "KP001": noThrift,
	}
	for condition, state := range states {
		want, ok := byClass[state]
		if !ok {
			want = byClass[state[:2]]
		}
		if got := readReport("["+condition+"] Something. SQLSTATE: "+state, "").meaning(); got != want && !named[condition] {
			t.Errorf("%s (%s) means %d, want %d", condition, state, got, want)
		}
	}
}
