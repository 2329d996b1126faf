package main

import (
	"testing"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/verify"
)

func TestNext(t *testing.T) {
	o := defaultRunOptions()
	o.source, o.target, o.profile, o.startTime = "/Shared/my agent", "main.agents.support", "prod", "2d"
	s := &session{app: &app{args: []string{"run", "--source", "/Shared/my agent", "--tracking-uri=http://u:secret-word@h"}}, opts: o}
	const pair = " --source '/Shared/my agent' --target main.agents.support --profile prod"
	one := int64(1)
	for _, test := range []struct {
		s    migrate.Summary
		want string
	}{
		{migrate.Summary{Outcome: report.Done, Listed: 1, Migrated: 1}, "tracemig verify" + pair + " --start-time 2d --deep"},
		{migrate.Summary{Outcome: report.Partial, Listed: 1, Failed: 1}, "tracemig status" + pair + " --list failed"},
		{migrate.Summary{Outcome: report.Partial, Listed: 1, Migrated: 1, Duplicates: &one}, "tracemig verify" + pair + " --start-time 2d"},
		{migrate.Summary{Outcome: report.Interrupted}, "tracemig run --source '/Shared/my agent' '--tracking-uri=…'"},
		{migrate.Summary{Outcome: report.Failed}, "tracemig run --source '/Shared/my agent' '--tracking-uri=…'"},
		{migrate.Summary{Outcome: report.Done}, "tracemig check" + pair},
	} {
		if got := s.afterRun(&test.s).String(); got != test.want {
			t.Errorf("after %+v:\n%s, want\n%s", test.s, got, test.want)
		}
	}
	s.opts.verify = true
	if n := s.afterRun(&migrate.Summary{Outcome: report.Done, Listed: 1, Migrated: 1}); len(n.args) > 0 {
		t.Errorf("a verification follows the run by itself, and %s is named", n)
	}
	s.opts.runLinks, s.opts.startTime = runlinks.OfAll, ""
	links := " --run-links all"
	for _, test := range []struct {
		kind verify.Kind
		deep bool
		want string
	}{
		{verify.Match, false, "tracemig verify" + pair + links + " --deep"},
		{verify.Match, true, "tracemig "}, // nothing
		{verify.Pending, false, "tracemig run" + pair + links},
		{verify.Missing, false, "tracemig repair" + pair + links},
		{verify.Differ, true, "tracemig repair" + pair + links + " --deep"},
		{verify.Newer, true, "tracemig run" + pair + links},
		{verify.Unreadable, true, "tracemig run --source '/Shared/my agent' '--tracking-uri=…'"},
	} {
		s.opts.deep = test.deep
		r := verify.Report{Outcome: report.Done, Compared: 1, Kinds: map[verify.Kind]int64{test.kind: 1}}
		if got := s.afterVerification(&r).String(); got != test.want {
			t.Errorf("after %s:\n%s, want\n%s", test.kind, got, test.want)
		}
	}
	if got, want := s.afterVerification(&verify.Report{Outcome: report.Done}).String(), "tracemig check"+pair; got != want {
		t.Errorf("after nothing: %s, want %s", got, want)
	}
}

// A command to copy never holds a password.
func TestWithoutPassword(t *testing.T) {
	for in, want := range map[string]string{
		"http://h:5000": "http://h:5000", "http://u:p@h": "…", "--tracking-uri=http://u:p@h/x": "--tracking-uri=…", "http://u:p%zz@h": "…",
		"/Users/ann@example.com/agent": "/Users/ann@example.com/agent", "--source=a": "--source=a", "file:a@b": "file:a@b",
		"postgresql://ann:12/p@h/x?sslmode=require":           "postgresql://ann@h/x?sslmode=require",
		"--tracking-uri=mysql+pymysql://ann:p@h/x?password=p": "--tracking-uri=mysql+pymysql://ann@h/x",
		"--verify-from=sqlite:////data/mlflow.db":             "--verify-from=sqlite:////data/mlflow.db",
	} {
		if got := withoutPassword(in); got != want {
			t.Errorf("%s is printed as %s, want %s", in, got, want)
		}
	}
}

// What names a source by two ways goes with each command that finds the pair.
func TestNextOfDatabase(t *testing.T) {
	o := defaultRunOptions()
	o.source, o.target, o.trackingURI, o.sourceName = "a", "file:lake/a", "postgresql://ann:pa55@db/mlflow", "prod"
	o.server, o.artifacts, o.verifyFrom = "https://ann:pa55@h", "s3://bucket", "https://other"
	s := &session{app: &app{}, opts: o}
	r := verify.Report{Outcome: report.Done, Compared: 1, Kinds: map[verify.Kind]int64{verify.Match: 1}}
	const pair = " --source a --target file:lake/a --tracking-uri postgresql://ann@db/mlflow --source-name prod --server '…' " +
		"--artifacts-destination s3://bucket"
	if got, want := s.afterVerification(&r).String(), "tracemig verify"+pair+" --verify-from https://other --deep"; got != want {
		t.Errorf("after a verification: %s, want %s", got, want)
	}
	r.Kinds = map[verify.Kind]int64{verify.Pending: 1}
	if got, want := s.afterVerification(&r).String(), "tracemig run"+pair; got != want {
		t.Errorf("after one that found traces missing: %s, want %s", got, want)
	}
}
