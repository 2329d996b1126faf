package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/terminal"
	"github.com/tracemig/tracemig/internal/verify"
)

func TestVerdictOfRun(t *testing.T) {
	two := int64(2)
	for _, test := range []struct {
		s     migrate.Summary
		style terminal.Style
		want  string
	}{
		{migrate.Summary{Outcome: report.Done, Listed: 2000, Migrated: 1990, Updated: 4, Present: 6}, terminal.OK, "All 2,000 traces are in T."},
		{migrate.Summary{Outcome: report.Done, Listed: 1, Migrated: 1}, terminal.OK, "The one trace is in T."},
		{migrate.Summary{Outcome: report.Done, Listed: 3, Migrated: 1, Deferred: 2}, terminal.OK,
			"1 of 3 traces is in T; 2 wait for a later run."},
		{migrate.Summary{Outcome: report.Done, Listed: 40, Present: 38, Deferred: 1, Skipped: 1}, terminal.Warning,
			"38 of 40 traces are in T; 1 waits for a later run, 1 was skipped."},
		{migrate.Summary{Outcome: report.Partial, Listed: 40, Migrated: 38, Failed: 2}, terminal.Failed, "38 of 40 traces are in T; 2 failed."},
		{migrate.Summary{Outcome: report.Partial, Listed: 40, Migrated: 40, Duplicates: &two}, terminal.Failed,
			"All 40 traces are in T; 2 rows are there twice."},
		{migrate.Summary{Outcome: report.Failed, Listed: 40, Migrated: 10, NotReached: 30}, terminal.Failed,
			"The run failed: 10 of 40 traces are in T; 30 were not reached."},
		{migrate.Summary{Outcome: report.Failed}, terminal.Failed, "The run failed: no trace was listed."},
		{migrate.Summary{Outcome: report.Interrupted, Listed: 2, Migrated: 1, NotReached: 1}, terminal.Warning,
			"Interrupted: 1 of 2 traces is in T; 1 was not reached."},
		{migrate.Summary{Outcome: report.Done}, terminal.Warning, "Nothing to move: no trace was listed."},
	} {
		test.s.Target = "T"
		style, got := verdictOfRun(&test.s)
		if got != test.want || style != test.style {
			t.Errorf("%+v:\n%s (style %d), want\n%s (%d)", test.s, got, style, test.want, test.style)
		}
	}
}

func TestVerdictOfVerification(t *testing.T) {
	kinds := func(k verify.Kind, n int64) map[verify.Kind]int64 {
		return map[verify.Kind]int64{verify.Match: 40 - n, k: n}
	}
	for _, test := range []struct {
		r     verify.Report
		style terminal.Style
		want  string
	}{
		{verify.Report{Outcome: report.Done, Compared: 40, Equal: true}, terminal.OK, "Equal: 40 traces"},
		{verify.Report{Outcome: report.Done, Compared: 5, Equal: true, Sample: 5}, terminal.OK, "Sample equal: 5 traces"},
		{verify.Report{Outcome: report.Done, Compared: 40, Kinds: kinds(verify.Pending, 3)}, terminal.Failed,
			"NOT COMPLETE: 3 of 40 traces not moved"},
		{verify.Report{Outcome: report.Done, Compared: 40, Kinds: kinds(verify.Missing, 1)}, terminal.Failed, "NOT EQUAL: 1 of 40 traces"},
		{verify.Report{Outcome: report.Done, Compared: 40, Kinds: kinds(verify.Unreadable, 1)}, terminal.Failed,
			"Not all proven: the source does not give 1 of 40 traces"},
		{verify.Report{Outcome: report.Done, Compared: 40, Kinds: kinds(verify.Newer, 1)}, terminal.OK,
			"Nothing lost: 40 traces compared; the next run follows what is new"},
		{verify.Report{Outcome: report.Done}, terminal.Warning, "Nothing compared, so nothing is proven: no trace was listed"},
		{verify.Report{Outcome: report.Interrupted, Compared: 1}, terminal.Warning, "Interrupted: 1 trace compared"},
		{verify.Report{Outcome: report.Failed}, terminal.Failed, "The verification failed: 0 traces compared"},
	} {
		if style, got := verdict(&test.r); got != test.want || style != test.style {
			t.Errorf("%+v:\n%s (style %d), want\n%s (%d)", test.r, got, style, test.want, test.style)
		}
	}
}

// The summary of a run that had some of everything. What its numbers of traces add up to is what was listed.
func TestSummaryInWords(t *testing.T) {
	s := migrate.Summary{
		RunID: "r", Source: "http://s#1", Target: "T", Outcome: report.Partial, Listed: 1055, Migrated: 1000, Updated: 7, Present: 33,
		Deferred: 2, DeferredReasons: map[checkpoint.Reason]int64{migrate.ReasonInProgress: 2},
		Skipped: 1, SkippedReasons: map[checkpoint.Reason]int64{"never_had_spans": 1},
		Failed: 2, FailedReasons: map[checkpoint.Reason]int64{migrate.ReasonFetch: 1, "of_tomorrow": 1}, NotReached: 10,
		SpansWritten: 5, Seconds: 1,
	}
	for _, color := range []bool{false, true} {
		var b strings.Builder
		out := newResults(&b)
		out.color = color
		p := newTextPrinter(out)
		p.trace(migrate.TraceReport{TraceID: "tr-1", State: checkpoint.Failed, Reason: migrate.ReasonFetch, Detail: "it is \x1b[31mdamaged"})
		p.summary(s, ending{})
		p.next(next{"to see why", []string{"status", "--source", "it's a", "--list", "failed"}})
		want := `1,040 of 1,055 traces are in T; 2 wait for a later run, 1 was skipped, 2 failed, 10 were not reached.
  source                 http://s#1
  target                 T
  run                    r
  traces listed          1,055
    migrated             1,000
    updated              7, changed at the source since
    already there        33
    deferred             2
      had not ended      2
        a later run takes it once it has
    skipped              1
      never had spans    1
        nothing says that it ever had any: its annotations are migrated
    failed               2
      spans unreadable   1  tr-1
        every run tries it again
        it is \u001b[31mdamaged
      of tomorrow        1
    not reached          10, before the run ended
  spans written          5
  annotations written    0
  bytes written          0 B in 1s, 0 traces/s
  traffic                0 requests, 0 retries, throttled 0.0 s; 0 writes to the target
Next, to see why:
  tracemig status --source 'it'\''s a' --list failed
`
		got := b.String()
		if color {
			verdict, _, _ := strings.Cut(want, "\n")
			want = strings.Replace(want, verdict, "\x1b[31m✗\x1b[0m\x1b[1m "+verdict+"\x1b[0m", 1)
			want = strings.Replace(want, "Next", "\x1b[1mNext\x1b[0m", 1)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("color %v: %s", color, d)
		}
	}
}

// Every reason that the code can give has words, and stands in the docs.
func TestReasonsHaveWords(t *testing.T) {
	docs, err := os.ReadFile(filepath.FromSlash("../../docs/copied.md"))
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	for file, ours := range map[string]func(name, typ string) bool{
		"../../internal/migrate/summary.go":    func(_, typ string) bool { return typ == "checkpoint.Reason" },
		"../../internal/checkpoint/removal.go": func(_, typ string) bool { return typ == "Reason" },
		"../../internal/convert/convert.go":    func(_, typ string) bool { return typ == "Reason" },
		"../../internal/mlflowclient/spans.go": func(name, _ string) bool { return strings.HasPrefix(name, "Missing") },
	} {
		for _, code := range constants(t, file, ours) {
			codes[code] = true
		}
	}
	if len(codes) < 20 {
		t.Fatalf("only %d reasons were found: %v", len(codes), codes)
	}
	for code := range codes {
		r, ok := reasons[checkpoint.Reason(code)]
		if !ok || r.words == "" || len(r.words) > 18 || r.means == "" {
			t.Errorf("%s has the words %q and means %q, want at most 18 letters and a meaning", code, r.words, r.means)
		}
		if !strings.Contains(string(docs), "`"+code+"`") {
			t.Errorf("docs/copied.md does not tell of %s", code)
		}
	}
	for code := range reasons {
		if !codes[string(code)] {
			t.Errorf("%s has words, and nothing gives it", code)
		}
	}
}

// What a report says of values and findings has words for each code.
func TestCodesHaveWords(t *testing.T) {
	for _, code := range convert.NoteCodes {
		if noteWords[code] == "" {
			t.Errorf("%s has no words", code)
		}
	}
	for _, kind := range verify.Kinds {
		if kindWords[kind] == "" && kind != verify.Match {
			t.Errorf("%s has no words", kind)
		}
	}
	for _, code := range worstFirst {
		if exitWords[code] == "" {
			t.Errorf("exit code %d has no words", code)
		}
	}
}

// constants are the values of the text constants of a file that are wanted, by name and type.
func constants(t *testing.T, file string, wanted func(name, typ string) bool) (values []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	typeOf := func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.Ident:
			return e.Name
		case *ast.SelectorExpr:
			return e.X.(*ast.Ident).Name + "." + e.Sel.Name
		}
		return ""
	}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !wanted(spec.Names[0].Name, typeOf(spec.Type)) {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			value, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	return values
}
