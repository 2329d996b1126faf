package pairs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// experiments are some of these names, with the places of the names as IDs.
func experiments(names ...string) (all []Experiment) {
	for i, name := range names {
		all = append(all, Experiment{ID: string(rune('1' + i)), Name: name})
	}
	return all
}

// told has a line for each pair: its name, the ID of its experiment, and its target or why there is nothing to do.
func told(all []Pair) (lines []string) {
	for _, p := range all {
		line := p.Name + " " + p.Experiment.ID + " " + p.Target
		if p.Err != nil {
			line = p.Name + " " + p.Experiment.ID + " error: " + p.Err.Error()
		}
		lines = append(lines, line)
	}
	return lines
}

func TestExpand(t *testing.T) {
	found := experiments("/Shared/agents/Support Bot", "/Shared/agents/a/b", "/Shared/agents/日本", "/Shared/agents/sales", "/Shared/agentsX/y")
	found = append(found, found[0])
	for name, tt := range map[string]struct {
		source, target string
		want           []string
	}{
		"a table prefix of each name": {"/Shared/agents/*", "main.agents.{name}", []string{
			"p/Support Bot 1 main.agents.support_bot",
			"p/sales 4 main.agents.sales",
			`p/日本 3 error: the name of the experiment "/Shared/agents/日本" has no letter of the English alphabet and no digit, of which ` +
				`a table prefix could be made; give it a pair of its own, with a --target without {name}`,
		}},
		"all into the same tables": {"/Shared/agents/*", "file:./lake/all", []string{
			"p/Support Bot 1 file:./lake/all", "p/sales 4 file:./lake/all", "p/日本 3 file:./lake/all",
		}},
		"the rest of the path": {"/Shared/*/*", "main.agents.x_{name}", []string{
			"p/agents/Support Bot 1 main.agents.x_agents_support_bot", "p/agents/sales 4 main.agents.x_agents_sales",
			"p/agents/日本 3 main.agents.x_agents", "p/agentsX/y 5 main.agents.x_agentsx_y",
		}},
		"none": {"/Users/*", "main.agents.{name}", nil},
	} {
		if d := cmp.Diff(tt.want, told(Expand("p", tt.source, tt.target, found))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// Only experiments whose names make the same tables are refused, and each of them; where the file says that several go into the same
// tables, they do.
func TestKeepApart(t *testing.T) {
	all := Expand("a", "/a/*", "main.agents.{name}", experiments("/a/Support Bot", "/a/sales", "/a/support-bot"))
	all = append(all, Expand("b", "/b/*", "Main.agents.{name}", experiments("/b/support.bot", "/b/other"))...)
	all = append(all, Expand("c", "/c/*", "main.agents.sales", experiments("/c/1", "/c/2"))...)
	KeepApart(all)
	refused := map[string][]string{
		"a/Support Bot": {`"/a/Support Bot" and "/a/support-bot"`, "main.agents.support_bot", "pairs a/Support Bot and a/support-bot"},
		"a/support-bot": {`"/a/support-bot" and "/a/Support Bot"`},
		"b/support.bot": {`"/b/support.bot" and "/a/Support Bot"`, "give it a pair of its own"},
	}
	for _, p := range all {
		want := refused[p.Name]
		if (p.Err != nil) != (want != nil) {
			t.Errorf("%s: error %v, want one: %t", p.Name, p.Err, want != nil)
		}
		for _, text := range want {
			if p.Err != nil && !strings.Contains(p.Err.Error(), text) {
				t.Errorf("%s: %v, want %s in it", p.Name, p.Err, text)
			}
		}
	}
}

// memory opens the memory of a file of pairs.
func memory(t *testing.T, folder string) *Memory {
	t.Helper()
	m, err := OpenMemory(folder, "tracemig.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestVanished(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	m := memory(t, folder)
	if gone := m.Vanished("p", "s", "/a/*", experiments("/a/1")); gone != nil {
		t.Errorf("%v vanished, and nothing is remembered", gone)
	}
	m.Note("p", "s", "/a/*", experiments("/a/1", "/a/2", "/a/3"))
	m.Note("q", "s", "/b/*", experiments("/b/1"))
	if err := m.Save([]string{"p", "q"}); err != nil {
		t.Fatal(err)
	}
	m = memory(t, folder)
	now := []Experiment{{"2", "/a/two"}, {"3", "/a/3"}, {"4", "/a/new"}}
	want := []Vanished{{Experiment: Experiment{"1", "/a/1"}}, {Experiment: Experiment{"2", "/a/2"}, RenamedTo: "/a/two"}}
	if d := cmp.Diff(want, m.Vanished("p", "s", "/a/*", now)); d != "" {
		t.Error(d)
	}
	for name, gone := range map[string][]Vanished{
		"of another server":  m.Vanished("p", "t", "/a/*", now),
		"of another pattern": m.Vanished("p", "s", "/c/*", now),
		"of another pair":    m.Vanished("r", "s", "/a/*", now),
	} {
		if gone != nil {
			t.Errorf("%s: %v vanished", name, gone)
		}
	}
	m.Note("p", "s", "/a/*", now)
	if err := m.Save([]string{"p"}); err != nil {
		t.Fatal(err)
	}
	m = memory(t, folder)
	if gone := m.Vanished("p", "s", "/a/*", now); gone != nil {
		t.Errorf("%v vanished again", gone)
	}
	if gone := m.Vanished("q", "s", "/b/*", nil); gone != nil {
		t.Errorf("%v of a pair that is no longer in the file", gone)
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 1 {
		t.Errorf("files %v, error %v, want one", files, err)
	}
}

// A memory that can't be read, or written, is told of; the next one is written all the same.
func TestBrokenMemory(t *testing.T) {
	folder := t.TempDir()
	m := memory(t, folder)
	for text, broken := range map[string]bool{"{": true, "[]": true, `{"patterns":{"p":1}}`: true, "": true, "{}": false, "null": false} {
		if err := os.WriteFile(m.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := OpenMemory(folder, "tracemig.yaml")
		if broken != (err != nil) || err != nil && !strings.Contains(err.Error(), m.path) {
			t.Errorf("%q: error %v, want one: %t", text, err, broken)
		}
		got.Note("p", "s", "*", experiments("a"))
		if err := got.Save([]string{"p"}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if gone := memory(t, folder).Vanished("p", "s", "*", nil); len(gone) != 1 {
			t.Errorf("%q: %v vanished, want 1", text, gone)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m = &Memory{path: filepath.Join(folder, "file", "x.json"), Patterns: map[string]pattern{}}
	if err := m.Save(nil); err == nil || !strings.Contains(err.Error(), "remember what the patterns stand for") {
		t.Errorf("error %v, want one that says what was not written", err)
	}
}
