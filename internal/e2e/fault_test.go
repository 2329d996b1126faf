//go:build rig

package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/rig"
)

// TestStorms has source and target refuse, reset and cut off many requests of a run. It still ends well, with the same
// rows.
func TestStorms(t *testing.T) {
	m, c := fill(t, smallCases)
	want := newFixture(t, m.URI, c.Experiment).toLocal()
	want.mustRun(0)

	plain := rig.StartFront(t, rig.FrontOptions{MLflow: m.URI, Plain: true})
	fx := newFixture(t, plain.URL, c.Experiment).toWarehouse()
	fx.mustRun(0, "--end-time", "2015-01-01") // This run only creates the tables.

	// Each fault applies to the next matching request that the faults before it have not taken.
	for _, kind := range []string{"status429", "status503", rig.FrontReset, rig.FrontTruncate, rig.FrontCutAfterEffect} {
		plain.Fault(t, rig.FrontFault{Match: "traces/search", Kind: kind, RetryAfter: 1})
		plain.Fault(t, rig.FrontFault{Match: "get-trace-artifact", Kind: kind, Times: 4})
	}
	for _, kind := range []string{rig.Refuse429, rig.Refuse503, rig.ResetBefore, rig.Error500, rig.CutAfterEffect} {
		for _, table := range []string{"_otel_annotations", "_otel_spans"} {
			fx.warehouse.Fault(t, rig.Fault{Match: "^INSERT INTO .*" + fx.prefix + table, Kind: kind, RetryAfter: 1})
		}
	}
	before := fx.warehouse.Stats(t).Faults
	o := fx.mustRun(0)
	if o.summary.Retries == 0 || o.summary.ThrottledSeconds == 0 {
		t.Errorf("%d retries, throttled for %v s, want some of both", o.summary.Retries, o.summary.ThrottledSeconds)
	}
	if fired := fx.warehouse.Stats(t).Faults - before; fired != 10 {
		t.Errorf("%d of the warehouse's faults met the run, want 10", fired)
	}
	if fired := plain.Stats(t).Faults; fired < 25 {
		t.Errorf("%d of the source's faults met the run, want at least 25", fired)
	}
	if writes := plain.Stats(t).Writes; len(writes) > 0 {
		t.Errorf("the run wrote to the source, want no write: %v", writes)
	}
	sameRows(t, want.tables, fx.tables)
}

// TestAnswerCutOff has inserts take effect without an answer. The run finds out, and no row is written twice, in the ledger neither.
func TestAnswerCutOff(t *testing.T) {
	t.Parallel()
	m, c := fill(t, smallCases)
	fx := newFixture(t, m.URI, c.Experiment).toWarehouse()
	for _, table := range []string{"_otel_annotations", "_otel_spans", "_runs"} {
		fx.warehouse.Fault(t, rig.Fault{Match: "^INSERT INTO .*" + fx.prefix + table, Kind: rig.CutAfterEffect})
	}
	ledger := "spark_catalog.default." + fx.prefix + "_runs"
	fx.targetFlags = append(fx.targetFlags, "--ledger-table", ledger)
	o := fx.mustRun(0, "--start-time", "2015-02-03")
	marked := 0
	for _, e := range fx.warehouse.Stats(t).Log {
		if !strings.Contains(e.Statement, fx.prefix) {
			continue
		}
		marked++
		if e.Tags["tracemig_run_id"] != o.summary.RunID || e.Tags["tracemig_version"] == "" {
			t.Errorf("a statement has the tags %v, want the run %s and its version: %s", e.Tags, o.summary.RunID, tail(e.Statement))
		}
		if e.Kind == "INSERT" && !strings.Contains(e.Statement, " run "+o.summary.RunID+", write ") {
			t.Errorf("a statement ends in %s, want a comment with the run %s", tail(e.Statement), o.summary.RunID)
		}
	}
	if marked == 0 {
		t.Error("the warehouse has had no statement of the run, want some")
	}
	if o.summary.SpansPresent == 0 || o.summary.AnnotationsPresent == 0 {
		t.Fatalf("want spans and annotations found present after answers were cut off: %+v", o.summary)
	}
	rows := fx.warehouse.SQL(t, "SELECT (SELECT count(*) FROM "+fx.tables.spans+"), (SELECT count(*) FROM "+fx.tables.annotations+")")
	// Rows whose answer was lost count as present, since the run cannot tell whether it or another run wrote them.
	s := o.summary
	spans, annotations := s.SpansWritten+s.SpansPresent, s.AnnotationsWritten+s.AnnotationsPresent
	if rows[0][0] != spans || rows[0][1] != annotations {
		t.Errorf("the tables have %v rows, want %d spans and %d annotations", rows[0], spans, annotations)
	}
	compareWithSource(t, c.Expected, fx.tables)
	again := fx.mustRun(0, "--shard", "0/1").summary
	if again.TargetWrites != 0 {
		t.Errorf("second run: %+v, want no write", again)
	}
	got := fx.warehouse.SQL(t, `SELECT run_id, source, source_name, target, shard, unix_micros(window_start), window_end IS NULL, outcome,
		exit_code, traces_listed, traces_migrated, traces_already_there, spans_written, annotations_written, bytes,
		get_json_object(summary, '$.run_id'), ended >= started, version IS NOT NULL, run_by LIKE '%@%' FROM `+ledger+` ORDER BY started`)
	row := func(s migrate.Summary, shard, start any) []any {
		return []any{s.RunID, s.Source, c.Experiment, s.Target, shard, start, true, "done",
			int64(0), s.Listed, s.Migrated, s.Present, s.SpansWritten, s.AnnotationsWritten, s.Bytes, s.RunID, true, true, true}
	}
	if diff := cmp.Diff([][]any{row(s, nil, int64(1422921600_000_000)), row(again, "0/1", nil)}, got); diff != "" {
		t.Errorf("the ledger (-want +got):\n%s", diff)
	}
}

// TestPoisoned has traces with unreadable spans among good ones.
func TestPoisoned(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "links,corrupt_artifact,feedback_values")
	fx := newFixture(t, m.URI, c.Experiment).toLocal()
	o := fx.mustRun(3)
	bad := c.Cases["corrupt_artifact"]
	s := o.summary
	if s.Failed+s.Skipped+s.Deferred > int64(len(bad)) || s.Failed == 0 || s.Outcome != "partial" ||
		s.Migrated < int64(c.Listed-len(bad)) {
		t.Errorf("%+v, want a partial outcome in which only traces of the %d bad ones are not migrated", s, len(bad))
	}
	for _, trace := range o.traces {
		if trace.State == "failed" && (trace.Reason == "" || trace.Detail == "") {
			t.Errorf("%+v, want a reason and a detail", trace)
		}
		if trace.State != "migrated" && !strings.Contains(strings.Join(bad, " "), trace.TraceID) {
			t.Errorf("%+v, want it migrated", trace)
		}
	}
	good := c.Expected[:0:0]
	for _, e := range c.Expected {
		if e.Case != "corrupt_artifact" {
			good = append(good, e)
		}
	}
	present := map[string]bool{}
	query := "SELECT concat('spans ', trace_id) FROM " + fx.tables.spans +
		" UNION ALL SELECT concat('annotations ', substring(target_id, 1, 32)) FROM " + fx.tables.annotations
	for _, row := range rig.SharedWarehouse(t).SQL(t, query) {
		present[row[0].(string)] = true
	}
	for _, e := range good {
		for _, table := range []string{"spans ", "annotations "} {
			if !present[table+strings.TrimPrefix(e.TraceID, "tr-")] {
				t.Errorf("the tables have no %sof %s (%s), want some", table, e.TraceID, e.Case)
			}
		}
	}
	if again := fx.mustRun(3).summary; again.Migrated != 0 || again.Failed != s.Failed || again.SpansWritten != 0 {
		t.Errorf("second run: %+v, want nothing migrated and %d failed", again, s.Failed)
	}
}
