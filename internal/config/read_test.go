package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

var testKeys = Keys{
	"source": Anywhere, "target": Anywhere, "warehouse-id": Anywhere, "start-time": Anywhere, "start-time-ms": Anywhere,
	"tracking-uri": Anywhere, "create": Anywhere, "concurrency": Anywhere, "shard": Anywhere, "stage": Anywhere, "staging-volume": Anywhere,
	"profile": Anywhere, "source-profile": Anywhere, "target-profile": Anywhere, "host": Anywhere,
	"checkpoint": OfPair, "extra": OfPair, "output": OfDefaults,
}

// problemsIn are the problems of a text, one a line.
func problemsIn(text string) string { return problemLines(Parse("f", []byte(text), testKeys)) }

func problemLines(_ *File, problems Problems) string {
	if len(problems) == 0 {
		return ""
	}
	return problems.Error()
}

func TestParse(t *testing.T) {
	const text = `
defaults: &all
  create: yes
  start_time: 2026-01-31
  stage: auto
  output: json
pairs:
  - &first
    name: first
    source: 123456789012345678
    target: main.agents.first
    concurrency: 0x10
  - <<: *first
    name: second
    source: "007"
    warehouse_id: 1e3
    start_time_ms: 1_000
    staging_volume: /Volumes/a/b/c
    create: ""
`
	file, problems := Parse("f", []byte(text), testKeys)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	want := &File{
		Path: "f",
		Defaults: map[string]Setting{
			"create": {"yes", 3}, "start-time": {"2026-01-31", 4}, "stage": {"auto", 5}, "output": {"json", 6},
		},
		Pairs: []Pair{
			{Name: "first", Line: 8, Wrong: map[string]bool{}, Settings: map[string]Setting{
				"source": {"123456789012345678", 10}, "target": {"main.agents.first", 11}, "concurrency": {"0x10", 12},
				"create": {"yes", 3}, "start-time": {"2026-01-31", 4}, "stage": {"auto", 5}, "output": {"json", 6},
			}},
			{Name: "second", Line: 13, Wrong: map[string]bool{}, Settings: map[string]Setting{
				"source": {"007", 15}, "target": {"main.agents.first", 11}, "concurrency": {"0x10", 12},
				"warehouse-id": {"1e3", 16}, "start-time-ms": {"1_000", 17}, "staging-volume": {"/Volumes/a/b/c", 18},
				"create": {"", 19}, "output": {"json", 6},
			}},
		},
	}
	if diff := cmp.Diff(want, file); diff != "" {
		t.Errorf("the file: -want +got\n%s", diff)
	}
}

func TestParseProblems(t *testing.T) {
	const head = "pairs:\n- name: a\n  source: x\n  target: m.a.p\n"
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                 {"", "f: the file is empty; write pairs:"},
		"a comment":               {"# nothing", "f: the file is empty; write pairs:"},
		"no pairs":                {"defaults:\n", "f: there are no pairs; write pairs:"},
		"an empty list":           {"pairs: []\n", "f:1: there are no pairs; write a name"},
		"pairs as a map":          {"pairs:\n  a: {source: x}\n", "f:2: pairs is no list; begin each pair with a dash"},
		"a pair as a text":        {"pairs:\n- main.agents.x\n", "f:2: a pair is no list of keys"},
		"a text":                  {"pairs", "f:1: the file has no keys"},
		"no YAML":                 {"pairs:\n- name: [a\n  x: y\n", "it is no YAML: "},
		"a tab":                   {"pairs:\n\t- name: a\n", "f:2: it is no YAML: found character that cannot start any token"},
		"two documents":           {head + "---\n" + head, "f:5: a second document begins here"},
		"broken further on":       {head + "---\n[", "it is no YAML: "},
		"an unknown key":          {head + "  warehouse: 5\n", "f:5: pair a: unknown key warehouse; did you mean warehouse_id?"},
		"a flag's name":           {head + "  warehouse-id: 5\n", "f:5: pair a: unknown key warehouse-id; did you mean warehouse_id?"},
		"nothing like it":         {head + "  frobnicate: 5\n", "f:5: pair a: unknown key frobnicate; keys are the flags of tracemig run"},
		"a top key":               {head + "default:\n", "f:5: unknown key default; did you mean defaults?"},
		"a flag on top":           {head + "warehouse_id: 5\n", "f:5: unknown key warehouse_id; write it below defaults:, or in a pair"},
		"a key twice":             {head + "  source: y\n", "f:5: pair a: source is there twice, in line 3 too; leave one out"},
		"a list":                  {head + "  stage: [auto]\n", "f:5: pair a: stage has a list; write one value"},
		"a map":                   {head + "  stage: {a: b}\n", "f:5: pair a: stage has keys and values below it; write one value"},
		"no value":                {head + "  stage:\n", `f:5: pair a: stage has no value; write one, or leave the line out; ""`},
		"null":                    {head + "  stage: ~\n", "f:5: pair a: stage has no value"},
		"a tag":                   {head + "  stage: !!binary aGk=\n", "f:5: pair a: stage has a value of the YAML type !!binary"},
		"two lines":               {head + "  stage: |\n    a\n    b\n", "f:5: pair a: stage has a line break"},
		"an escape":               {head + "  stage: \"\\e[2J\"\n", "f:5: pair a: stage has a line break or another control character"},
		"a hostile key":           {head + "  \"\\e[2J\": 1\n", `f:5: pair a: unknown key "\x1b[2J"`},
		"no name":                 {"pairs:\n- source: x\n", "f:2: the pair has no name; give it one"},
		"a bad name":              {"pairs:\n- name: a/b\n", "f:2: pair a/b: the name is not of the form of one"},
		"a name twice":            {head + "- name: a\n", "f:5: pair a: the name is that of the pair in line 2 too; give it another"},
		"a name below defaults":   {"defaults: {name: x}\n" + head, "f:1: name can't be a default"},
		"a file below defaults":   {"defaults: {checkpoint: x}\n" + head, "f:1: checkpoint can't be a default: pairs can't share it"},
		"the process's in a pair": {head + "  output: json\n", "f:5: pair a: output is the same for all pairs; write it in the defaults"},
		"an unknown anchor":       {"pairs: *x\n", "it is no YAML: unknown anchor 'x' referenced"},
		"merged into itself":      {"defaults: &a\n  <<: *a\npairs: []\n", "f:3: there are no pairs"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := problemsIn(c.text); !strings.Contains(got, c.want) {
				t.Errorf("problems:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
	if got := problemsIn(head); got != "" {
		t.Errorf("problems of a file that is right: %s", got)
	}
}

// Aliases within aliases come to an end.
func TestParseAliases(t *testing.T) {
	var b strings.Builder
	b.WriteString("defaults:\n  <<: &a0 {create: true}\n")
	for i := range 18 {
		fmt.Fprintf(&b, "x%d: &a%d\n  <<: [%s]\n", i, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	b.WriteString("pairs:\n- name: a\n  <<: *a18\n")
	if got := problemsIn(b.String()); !strings.Contains(got, "unknown key x0") {
		t.Errorf("problems: %.300s", got)
	}
}

func TestRead(t *testing.T) {
	if _, _, err := Read(filepath.Join(t.TempDir(), "none.yaml"), testKeys); err == nil || !strings.Contains(err.Error(), "--config") {
		t.Errorf("a file that is not there: %v, want an error that says what to do", err)
	}
	path := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(path, []byte(strings.Repeat("# comment\n", maxBytes/10+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(path, testKeys); err == nil || !strings.Contains(err.Error(), "more than 4 MiB") {
		t.Errorf("a file that is too large: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("defaults: &d {create: true}\n" +
		"pairs:\n- {name: a, source: x*, target: 'm.a.{name}', <<: *d}\n- name: b\n  source: x1\n  target: m.a.x1\n")
	f.Add("pairs:\n- &a\n  <<: *a\n- *a\n")
	f.Add("? [a]\n: b\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, problems := Parse("f", []byte(text), testKeys)
		file.Collisions()
		for _, p := range problems {
			if strings.ContainsFunc(p.String(), control) {
				t.Errorf("a problem has a control character: %q", p)
			}
		}
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		flags.Int("concurrency", 1, "")
		flags.Bool("create", false, "")
		for _, p := range file.Pairs {
			file.Set(flags, p)
		}
	})
}
