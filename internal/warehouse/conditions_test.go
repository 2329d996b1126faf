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
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if fields := strings.Split(line, "\t"); len(fields) == 3 {
			states[fields[1]] = fields[0]
		}
	}
	if len(states) < 1000 {
		t.Fatalf("%d conditions", len(states))
	}
	return states
}

// TestConditions holds the table of conditions against what is documented: no name in it is misspelt, and what
// its classes say of all documented conditions is what it is meant to.
func TestConditions(t *testing.T) {
	states := documented(t)
	named := map[string]bool{}
	for _, c := range conditions {
		if c.source == "" || c.means == unknownMeaning || len(c.names)+len(c.states) == 0 && c.words == nil {
			t.Errorf("%+v says nothing, or not whence", c)
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
		"22": badRow, "23": badRow, "40": conflict, "2D521": conflict, "42P01": noTable, "42501": noRight, "54": tooLarge, "HY008": cancelled,
		"08": passing, "53": passing, "57": passing, "58": passing, "58030": writeFailed, "57KD0": tooLong, "08KD1": notReady, "KP001": noThrift,
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
