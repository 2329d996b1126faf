package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// testLedger keeps the row that it is given, or fails, or hangs until the context ends.
type testLedger struct {
	target.Ledger
	err     error
	hangs   bool
	row     uctables.Run
	patient bool // it was given no deadline
}

func (l *testLedger) Record(ctx context.Context, r uctables.Run) error {
	_, deadline := ctx.Deadline()
	l.row, l.patient = r, !deadline
	if l.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return l.err
}

// TestRecordInLedger compares the row of a run that failed with what is known of it, and what is said where the row can't be written.
func TestRecordInLedger(t *testing.T) {
	started := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	sum := migrate.Summary{
		RunID: "run-1", Source: "https://w#1", Target: "m.a.p", Shard: shard.Shard{Index: 1, Count: 4},
		Error:   &report.Error{Message: "the source is gone"},
		Started: started, Seconds: 1.5, Listed: 9, Migrated: 1, Updated: 2, Present: 3, Deferred: 1, Skipped: 1, Failed: 1, Accepted: 1,
		SpansWritten: 5, AnnotationsWritten: 6, Bytes: 7,
	}
	interrupted := &exitError{exitInterrupted, errors.New("interrupted")}
	window := mlflowclient.Window{StartMs: new(int64(1500))}
	for name, c := range map[string]struct {
		ledger  testLedger
		outcome report.Outcome
		end     error
		code    int
		hurried bool
		signals int
		says    string
	}{
		"failed":      {outcome: report.Failed, end: errors.New("the source is gone"), code: exitFailed, hurried: true},
		"done":        {outcome: report.Done},
		"partial":     {outcome: report.Partial, end: &exitError{code: exitPartial}, code: exitPartial},
		"not written": {outcome: report.Done, ledger: testLedger{err: errors.New("c.s.n: no space")}, says: "c.s.n: no space"},
		"interrupted": {
			outcome: report.Interrupted, end: interrupted, code: exitInterrupted, signals: 1, hurried: true,
		},
		"interrupted again": {
			outcome: report.Interrupted, end: interrupted, code: exitInterrupted, signals: 2, hurried: true,
			ledger: testLedger{hangs: true}, says: "no time",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			ctx, cancel := context.WithCancel(t.Context())
			stop, cancelStop := context.WithCancel(ctx)
			for _, signal := range []func(){cancelStop, cancel}[:c.signals] {
				signal()
			}
			defer cancel()
			defer cancelStop()
			s := &session{app: &app{ctx: ctx, stop: stop}, log: slog.New(slog.NewTextHandler(&out, nil)), ledger: &c.ledger}
			s.opts.ledgerTable = "c.s.n"
			sum := sum
			sum.Outcome = c.outcome
			s.recordInLedger(&sum, endingOf("/Shared/agent", window, c.end))
			got := c.ledger.row
			want := uctables.Run{
				RunID: "run-1", StartedMicros: started.UnixMicro(), EndedMicros: started.UnixMicro() + 1_500_000, Version: version, By: got.By,
				Source: "https://w#1", SourceName: "/Shared/agent", Target: "m.a.p", Shard: "1/4", WindowStartMicros: new(int64(1_500_000)),
				Outcome: string(c.outcome), ExitCode: c.code,
				Listed: 9, Migrated: 1, Updated: 2, Present: 3, Deferred: 1, Skipped: 1, Failed: 1, Accepted: 1,
				Spans: 5, Annotations: 6, Bytes: 7, Summary: got.Summary,
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if !strings.Contains(got.By, "@") || !strings.Contains(got.Summary, `"message":"the source is gone"`) {
				t.Errorf("by %q, summary %s; want user@host and the error", got.By, got.Summary)
			}
			if c.ledger.patient == c.hurried {
				t.Errorf("given a deadline: %t, want %t", !c.ledger.patient, c.hurried)
			}
			said := out.String()
			if (said == "") != (c.says == "") || !strings.Contains(said, c.says) || said != "" && !strings.Contains(said, "table=c.s.n") {
				t.Errorf("it says %q, want %q, and which table", said, c.says)
			}
		})
	}
}
