package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/rehearsal"
	"github.com/tracemig/tracemig/internal/remove"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/schemas"
	"github.com/tracemig/tracemig/internal/verify"
)

// A line is a kind of line that commands print as JSON. docs/json.md and docs/schemas/output are made of them.
type line struct {
	name     string // of the schema
	typ      string // what the key "type" says
	commands string
	when     string
	value    any
}

// lines are all kinds of lines. A new one is added here, and make schemas then writes its schema.
var lines = []line{
	{"trace", "trace", "run, repair", "a trace that was deferred or skipped, failed or was changed to fit, whose attachments stay behind " +
		"or whose spans have changed", traceLine{}},
	{"summary", "summary", "run, repair", "the last line of a run", summaryLine{}},
	{"plan", "plan", "run --dry-run", "the last line of a dry run", planLine{}},
	{"finding", "finding", "verify, repair, run --verify", "a trace that does not simply match", findingLine{}},
	{"verification", "verification", "verify, repair, run --verify", "the last line of a verification", verificationLine{}},
	{"failure", "summary", "all", "the last line of a command that failed, was stopped or interrupted before it had results", failureLine{}},
	{"pairs", "pairs", "run, check, verify, repair, status with --config", "the last line of a command that worked on the pairs of a file",
		pairsLine{}},
	{"vanished", "vanished", "run, check, verify, repair, status with --config", "an experiment that a pattern no longer stands for",
		vanishedLine{}},
	{"probe", "probe", "check", "a probe", probeLine{}},
	{"check-summary", "summary", "check", "the last line", checkSummary{}},
	{"grant", "grant", "check --print-grants", "a statement", grantPrinted{}},
	{"step", "step", "rehearse", "a step", stepLine{}},
	{"rehearsal", "rehearsal", "rehearse", "the last line", rehearsed{}},
	{"status", "status", "status", "a source and a target", pairStatus{}},
	{"run", "run", "status", "a run of a source and a target", runStatus{}},
	{"listed-trace", "trace", "status --list", "a trace", tracePrinted{}},
	{"mapping", "mapping", "status --map", "a trace that is in the target", mapping{}},
	{"acceptance", "acceptance", "accept", "a trace that was named", acceptedLine{}},
	{"accept", "accept", "accept", "the last line", acceptSummary{}},
	{"target", "target", "target create", "the only line", targetLine{}},
	{"removed-trace", "removed", "remove", "a trace that was removed, or would be, or is kept", removedLine{}},
	{"removal", "removal", "remove", "the last line", removalLine{}},
	{"problem", "problem", "config check", "something that is wrong with a file", configProblem{}},
	{"config-summary", "summary", "config check", "the last line", configSummary{}},
	{"settings", "settings", "config show", "what holds for a command, of a pair or without a file", shown{}},
	{"version", "version", "version", "the only line", build{}},
}

// values are those of types that have only a few.
var values = map[reflect.Type][]string{
	reflect.TypeFor[report.Outcome](): textsOf(report.Done, report.Partial, report.Stopped, report.Interrupted, report.Failed,
		checkpoint.Running, checkpoint.Killed, checkpoint.Rebuilt, checkpoint.Removed, checkpoint.Lost),
	reflect.TypeFor[report.Stop](): textsOf(report.AtMaxDuration, report.AtLimit),
	reflect.TypeFor[checkpoint.State](): textsOf(checkpoint.Migrated, checkpoint.Deferred, checkpoint.Skipped, checkpoint.Failed,
		checkpoint.Accepted),
	reflect.TypeFor[remove.Reason]():    textsOf(remove.Official, remove.Edited, remove.Added),
	reflect.TypeFor[verify.Kind]():      textsOf(verify.Kinds...),
	reflect.TypeFor[preflight.Result](): textsOf(preflight.OK, preflight.Warning, preflight.Failed, preflight.NotChecked),
	reflect.TypeFor[rehearsal.Result](): textsOf(rehearsal.OK, rehearsal.Wrong, rehearsal.Failed, rehearsal.Left),
	reflect.TypeFor[fault.Kind]():       kinds(),
	reflect.TypeFor[mlflow.State]():     nil, // as the source has it
}

func textsOf[T ~string](values ...T) (all []string) {
	for _, v := range values {
		all = append(all, string(v))
	}
	return all
}

func kinds() (all []string) {
	for _, k := range fault.Kinds {
		all = append(all, string(k.Kind))
	}
	return all
}

// words say what a key means wherever its field has no comment of its own.
var words = map[string]string{
	"type":            "The kind of the line",
	"pair":            "Name of the pair, where a command works on the pairs of a file",
	"run_id":          "ID of the run",
	"trace_id":        "ID of the trace at the source",
	"target_trace_id": "ID of the trace at the target",
	"source":          "The source: its server or workspace, and the ID of the experiment behind #",
	"source_name":     "The experiment's name; absent where it was not found out",
	"target":          "The target: catalog.schema.prefix, or file: and a path",
	"shard":           "Which part of the source's traces it is about; absent for all of them",
	"checkpoint":      "Path of the checkpoint",
	"outcome":         "How it ended",
	"error":           "What made it fail",
	"started":         "When it began",
	"ended":           "When it ended; absent while it goes on, and for one that was killed",
	"seconds":         "How long it took",
	"state":           "What became of the trace",
	"reason":          "Why, as a code; docs/copied.md has all of them",
	"detail":          "Why, in words",
	"version":         "Version of tracemig",
	"exit_code":       "Exit code",
	"request_time":    "When the trace was requested",
	"accepted":        "The acceptance of its failure",
	"result":          "How it went",
	"text":            "What was found, in words",
	"bytes":           "Payload bytes that were written",
	"pairs":           "How many pairs there are",
	"traces":          "How many traces",
	"command":         "Name of the command",
	"file":            "The file",
}

func TestSchemas(t *testing.T) {
	g := schemas.Generator{
		Values: values, Words: words, Stands: map[string]reflect.Type{"runStatus.Summary": reflect.TypeFor[migrate.Summary]()},
	}
	doc := bytes.NewBufferString(strings.ReplaceAll(jsonHead, "'", "`"))
	written := map[string]bool{}
	for _, l := range lines {
		s, err := g.Of(reflect.TypeOf(l.value))
		if err != nil {
			t.Errorf("%s: %v", l.name, err)
			continue
		}
		s.Properties[0].Schema.Const = l.typ
		if s.Properties[0].Name != "type" {
			t.Fatalf("%s: the first key is %s, want type", l.name, s.Properties[0].Name)
		}
		s.Version, s.Title = "https://json-schema.org/draft/2020-12/schema", "tracemig: "+l.when
		s.Description = "Printed with -o json by: " + l.commands
		s.Add("pair", &schemas.Schema{Type: "string", Description: words["pair"]})
		text, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		written[l.name+".json"] = true
		sameFile(t, filepath.Join(schemas.Folder(), l.name+".json"), string(text)+"\n")
		describe(doc, l, s)
	}
	files, err := os.ReadDir(schemas.Folder())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !written[f.Name()] {
			t.Errorf("%s is the schema of no line", f.Name())
		}
	}
	sameFile(t, filepath.Join(docRoot, "docs", "json.md"), doc.String())
}

// sameFile holds a file against what it should be, or writes it with -update.
func sameFile(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := os.ReadFile(path) // a missing one is empty
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not as the types say (make schemas writes it): -want +got\n%s", path, diff)
	}
}

const jsonHead = `# What -o json prints

One JSON object a line. Written by make schemas from the types that are printed; a test holds them against each other, and
what the tests print against the schemas. Keys may be added by later versions; those that are there keep their names and
meaning.

With '--config' each line about a pair begins with its name, as 'pair'. The last line of a command has an 'exit_code', but
where there is a line for each trace, run or pair ('status', 'check --print-grants', 'config show', 'version').
[status.md](status.md#exit-codes-and-error-codes) lists exit codes and the codes of errors.
`

// describe writes what docs/json.md says of a line.
func describe(b *bytes.Buffer, l line, s *schemas.Schema) {
	fmt.Fprintf(b, "\n## %s\n\n`\"type\":%q` of `%s`: %s. [Schema](schemas/output/%s.json)\n\n| key | |\n|---|---|\n", l.name, l.typ,
		strings.Join(strings.Split(l.commands, ", "), "`, `"), l.when, l.name)
	for _, p := range s.Properties {
		if p.Name != "type" && p.Name != "pair" {
			fmt.Fprintf(b, "| `%s` | %s%s |\n", p.Name, p.Schema.Description, inside(p.Schema))
		}
	}
}

// inside says of what the value of a key consists.
func inside(s *schemas.Schema) string {
	var parts []string
	if len(s.Enum) > 0 {
		parts = append(parts, "one of `"+strings.Join(s.Enum, "`, `")+"`")
	}
	if s.Items != nil {
		s = s.Items
	}
	if values, ok := s.AdditionalProperties.(*schemas.Schema); ok && values.Properties != nil {
		s = values
	}
	var names []string
	for _, p := range s.Properties {
		names = append(names, "`"+p.Name+"`")
	}
	if len(names) > 0 && len(names) < 15 {
		parts = append(parts, "with "+strings.Join(names, ", "))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, "; ")
}
