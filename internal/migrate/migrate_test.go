package migrate

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tracemig/tracemig/internal/budget"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

func TestMain(m *testing.M) {
	flag.Set("rapid.checks", "60")
	goleak.VerifyTestMain(m)
}

type testingT interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
	Context() context.Context
	Cleanup(func())
}

func newCheckpoint(t testingT) *checkpoint.Store {
	t.Helper()
	c, err := checkpoint.Open(context.Background(), "", checkpoint.Pair{Source: "s", Target: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

var runs int

func job(src source.Source, m *memory, c *checkpoint.Store) Job {
	runs++
	return Job{
		RunID: fmt.Sprint("run", runs), Source: src, ExperimentID: "1", SourceName: "s", Target: m, Checkpoint: c, RunLinks: runlinks.OfSource,
		Fetchers: 4, BytesInFlight: 1 << 20, Recorder: &Recorder{},
	}
}

func mustRun(t testingT, j Job) Summary {
	t.Helper()
	s, err := Run(context.Background(), context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Handled() + s.NotReached; got != s.Listed && s.Shard.Count == 0 {
		t.Errorf("%d traces were listed, and %d are told of: %+v", s.Listed, got, s)
	}
	return s
}

// crashes is a migration that crashes some times before it ends.
type crashes struct {
	group  int        // traces of one read
	limit  int        // rows of a commit that the target asks for
	hard   int        // rows of a commit over which the target refuses it
	ahead  bool       // spans are made ready while others are written
	copies bool       // the target copies the spans of new traces by itself
	traces [][]string // names of the spans of each; the target refuses those named bad
	after  []int      // commits of each run that crashes
	lose   []bool     // whether the checkpoint is lost after it
}

// spansNamed are n names of spans, of which one may be refused (bad; -1 for none).
func spansNamed(n, bad int) []string {
	names := slices.Repeat([]string{"span"}, n)
	if bad >= 0 {
		names[bad] = "bad"
	}
	return names
}

// Whatever the traces' sizes, the target's limits, refused rows and crashes after a commit: no reader
// ever sees a part of a trace, and after reruns every good trace is there once, with or without the
// checkpoint.
func TestVisibleCompleteOrNotAtAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := crashes{
			group: rapid.SampledFrom([]int{1, 3}).Draw(t, "group"),
			limit: rapid.IntRange(1, 20).Draw(t, "limit"),
			hard:  rapid.IntRange(1, 20).Draw(t, "hard limit"),
			ahead: rapid.Bool().Draw(t, "ahead"), copies: rapid.Bool().Draw(t, "copies"),
		}
		for range rapid.IntRange(0, 12).Draw(t, "traces") {
			spans, bad := rapid.IntRange(1, 30).Draw(t, "spans"), -1
			if rapid.IntRange(0, 5).Draw(t, "poisoned") == 0 {
				bad = rapid.IntRange(0, spans-1).Draw(t, "where")
			}
			c.traces = append(c.traces, spansNamed(spans, bad))
		}
		for range 3 {
			c.after = append(c.after, rapid.IntRange(1, 15).Draw(t, "crash after"))
			c.lose = append(c.lose, rapid.Bool().Draw(t, "lose the checkpoint"))
		}
		c.run(t)
	})
}

// TestSpansAreMadeReadyAhead writes two batches by statements. Neither write of spans ends before the other one has begun.
func TestSpansAreMadeReadyAhead(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	m.limits.Rows = 2 // one trace
	for n := range 2 {
		src.Add(n, "root", "child")
		m.want[targetID(n)] = 2
	}
	j := job(src, m, newCheckpoint(t))
	both := &meeting{statements: statements{m}, other: make(chan struct{})}
	j.Target = both
	if s, err := Run(t.Context(), t.Context(), j); err != nil || s.Migrated != 2 || len(m.wrong) > 0 {
		t.Errorf("%+v, %v, readers saw %v; want two traces", s, err, m.wrong)
	}
}

// meeting is a target whose writes of spans wait for each other.
type meeting struct {
	statements
	other chan struct{}
}

func (m *meeting) WriteSpans(ctx context.Context, rows []uctables.Span) (target.Written, error) {
	select {
	case m.other <- struct{}{}:
	case <-m.other:
	case <-time.After(10 * time.Second):
		return target.Written{}, errors.New("no other write of spans has begun")
	}
	return m.statements.WriteSpans(ctx, rows)
}

// TestCrashBetweenSpansAndRecord is what the test above found once: after it, traces had all their spans and no METADATA
// row, and so were invisible to readers of annotations.
func TestCrashBetweenSpansAndRecord(t *testing.T) {
	c := crashes{group: 1, limit: 5, hard: 3, traces: [][]string{spansNamed(3, 2)}, after: []int{8, 5, 1}, lose: make([]bool, 3)}
	for _, spans := range []int{16, 21, 29, 19, 18, 6, 6} {
		c.traces = append(c.traces, spansNamed(spans, -1))
	}
	c.run(t)
}

// run runs until a run ends, and looks at what readers saw in between and see afterwards.
func (c crashes) run(t testingT) {
	src, m := &memsource.Experiment{Group: c.group}, newMemory()
	m.limits = target.Limits{Rows: c.limit, Bytes: 1 << 20}
	m.hardRows = c.hard
	m.poison = "bad"
	good := map[string]bool{}
	for n, names := range c.traces {
		if !slices.Contains(names, "bad") {
			good[targetID(n)] = true
		}
		src.Add(n, names...)
		m.want[targetID(n)] = len(names)
	}
	store := newCheckpoint(t)
	for i, after := range c.after {
		m.crashAt = m.commits + after
		j := job(src, m, store)
		if c.ahead {
			j.Target = statements{m}
		}
		if c.copies {
			j.Source, j.Target = copySource{Experiment: src}, &copyTarget{memory: m, src: src}
		}
		if _, err := Run(context.Background(), context.Background(), j); err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		if c.lose[i] {
			store = newCheckpoint(t)
		}
	}
	m.crashAt = 0
	j := job(src, m, store)
	if c.copies {
		j.Source, j.Target = copySource{Experiment: src}, &copyTarget{memory: m, src: src}
	}
	s := mustRun(t, j)
	if len(m.wrong) > 0 {
		t.Fatal(strings.Join(m.wrong, "\n"))
	}
	visible := map[string]bool{}
	for _, sp := range m.Spans() {
		if sp.IsRoot() {
			visible[sp.TraceID] = true
		}
	}
	if d := cmp.Diff(good, visible); d != "" {
		t.Fatalf("visible traces (-want +got):\n%s", d)
	}
	if bad := int64(len(src.Traces) - len(good)); s.Failed != bad || s.Migrated+s.Present != int64(len(good)) {
		t.Fatalf("summary %+v, want %d failed", s, bad)
	}
	// Nothing new: nothing is written, unless a failed trace is tried again.
	if s.Failed == 0 {
		if s := mustRun(t, job(src, m, store)); s.TargetWrites != 0 || s.Present != int64(len(good)) {
			t.Fatalf("second run: %+v, want %d traces already there and no write", s, len(good))
		}
	}
}

func TestPoisonedSpanIsNamedAndLeavesNothingBehind(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	m.poison = "bad"
	names := slices.Repeat([]string{"ok"}, 9)
	names[5] = "bad"
	src.Add(0, "ok")
	src.Add(1, names...)
	src.Add(2, "ok", "ok")
	m.want = map[string]int{targetID(0): 1, targetID(1): 9, targetID(2): 2}
	var reports []TraceReport
	j := job(src, m, newCheckpoint(t))
	j.OnTrace = func(r TraceReport) { reports = append(reports, r) }
	s := mustRun(t, j)
	if s.Outcome != report.Partial || s.Migrated != 2 || s.FailedReasons[ReasonRefused] != 1 || len(m.Spans()) != 3 {
		t.Errorf("%+v with %d spans", s, len(m.Spans()))
	}
	if len(reports) != 1 || reports[0].TraceID != traceID(1) ||
		!strings.Contains(reports[0].Detail, "span 0000000000000006: spans refuses a row") {
		t.Errorf("reports %+v", reports)
	}
	// Once the row is fine a later run takes the trace up again, even outside its window.
	m.poison = ""
	j = job(src, m, j.Checkpoint)
	later := epoch.Add(time.Hour).UnixMilli()
	j.Window = mlflowclient.Window{StartMs: &later}
	if s := mustRun(t, j); s.Migrated != 1 || s.Outcome != report.Done || len(m.Spans()) != 12 {
		t.Errorf("after the repair: %+v with %d spans", s, len(m.Spans()))
	}
}

func TestPoisonedAnnotation(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	src.Add(0, "ok")
	src.Add(1, "ok").Tags["bad"] = "x"
	m.want = map[string]int{targetID(0): 1, targetID(1): 1}
	m.poisonNote = "bad"
	if s := mustRun(t, job(src, m, newCheckpoint(t))); s.Failed != 1 || s.Migrated != 1 || len(m.Spans()) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestStates(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	ok := src.Add(0, "ok")
	running := src.Add(1, "ok", "ok")
	running.State, running.RequestTime = mlflow.StateInProgress, time.Now()
	lost := src.Add(2)
	src.Spans[lost.TraceID] = mlflowclient.Spans{Missing: mlflowclient.MissingLost}
	broken := src.Add(3, "ok")
	src.Spans[broken.TraceID] = mlflowclient.Spans{Err: errors.New("always 500")}
	garbled := src.Add(4)
	src.Spans[garbled.TraceID] = mlflowclient.Spans{JSON: []byte("<html>")}
	late := src.Add(5, "ok")
	late.RequestTime = time.Now()
	src.Spans[late.TraceID] = mlflowclient.Spans{JSON: src.Spans[late.TraceID].JSON, Missing: mlflowclient.MissingIncomplete}
	src.Runs = map[string][]string{"r1": {ok.TraceID}, "r2": {ok.TraceID}}
	m.want = map[string]int{targetID(0): 1, targetID(1): 2, targetID(3): 1, targetID(5): 1}

	c := newCheckpoint(t)
	s := mustRun(t, job(src, m, c))
	if s.Migrated != 1 || s.Deferred != 2 || s.Skipped != 1 || s.Failed != 2 || s.Outcome != report.Partial {
		t.Errorf("first run: %+v", s)
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	seen := func(what string, then, now report.Day) {
		t.Helper()
		then.Date, now.Date = epoch.UTC().Truncate(24*time.Hour), today
		if d := cmp.Diff([]report.Day{then, now}, s.Seen.Days()); d != "" {
			t.Errorf("days of the %s:\n%s", what, d)
		}
	}
	seen("first run", report.Day{Source: 4, Target: 1}, report.Day{Source: 2})
	wantReasons := []map[checkpoint.Reason]int64{
		{ReasonInProgress: 1, "spans_incomplete": 1}, {"spans_lost": 1}, {ReasonFetch: 1, "spans_not_json": 1},
	}
	if d := cmp.Diff(wantReasons, []map[checkpoint.Reason]int64{s.DeferredReasons, s.SkippedReasons, s.FailedReasons}); d != "" {
		t.Error(d)
	}
	links, lostRows := 0, 0
	for _, a := range m.Annotations() {
		if a.Type == uctables.RunLink && a.TargetID == targetID(0) {
			links++
		}
		if a.TargetID == targetID(2) {
			lostRows++
		}
	}
	if links != 2 || lostRows == 0 {
		t.Errorf("%d run links, %d annotations of the trace without spans", links, lostRows)
	}

	// A later, narrower run takes up what has ended or come back; the lost trace costs no write.
	running.State = mlflow.StateError
	src.Spans[late.TraceID] = mlflowclient.Spans{JSON: src.Spans[late.TraceID].JSON}
	src.Gone = map[string]bool{broken.TraceID: true, garbled.TraceID: true}
	j := job(src, m, c)
	later := epoch.Add(time.Hour).UnixMilli()
	j.Window.StartMs = &later
	s = mustRun(t, j)
	if s.Migrated != 2 || s.SkippedReasons[ReasonDeleted] != 2 || s.Failed != 0 {
		t.Errorf("second run: %+v", s)
	}
	if s = mustRun(t, job(src, m, c)); s.Present != 3 || s.Skipped != 1 || s.TargetWrites != 0 {
		t.Errorf("third run: %+v", s)
	}
	seen("third run", report.Day{Source: 2, Target: 1}, report.Day{Source: 2, Target: 2})
	if ids := s.Seen.IDs(); len(ids) != 3 || ids[0].TraceID != ok.TraceID || ids[0].TargetTraceID != targetID(0) {
		t.Errorf("IDs of the third run: %+v", ids)
	}
	if len(m.wrong) > 0 {
		t.Error(m.wrong)
	}
}

func TestFirstInterruptFinishesWhatIsInFlight(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	for n := range 200 {
		src.Add(n, "ok")
		m.want[targetID(n)] = 1
	}
	stop, interrupt := context.WithCancel(t.Context())
	j := job(src, m, newCheckpoint(t))
	j.Fetchers = 1
	src.OnRead = func(n int) {
		if n == 20 {
			interrupt()
		}
	}
	s, err := Run(t.Context(), stop, j)
	if err != nil || s.Outcome != report.Interrupted {
		t.Fatalf("%+v, %v", s, err)
	}
	if got := int64(len(m.Spans())); got < 20 || got != s.Migrated || got == 200 {
		t.Errorf("%d spans written, %d traces recorded as migrated", got, s.Migrated)
	}
	src.OnRead = nil
	if s := mustRun(t, job(src, m, j.Checkpoint)); s.Migrated+s.Present != 200 || len(m.Spans()) != 200 {
		t.Errorf("rerun: %+v", s)
	}
}

// A run whose time is over ends as one that was interrupted does, and says why.
func TestStopsAtTheEndOfItsTime(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	for n := range 200 {
		src.Add(n, "ok")
		m.want[targetID(n)] = 1
	}
	stop, end := context.WithCancelCause(t.Context())
	j := job(src, m, newCheckpoint(t))
	j.Fetchers = 1
	src.OnRead = func(n int) {
		if n == 20 {
			end(&report.StopError{At: report.AtMaxDuration})
		}
	}
	s, err := Run(t.Context(), stop, j)
	if err != nil || s.Outcome != report.Stopped || s.Stopped != report.AtMaxDuration {
		t.Fatalf("%+v, %v", s, err)
	}
	if got := int64(len(m.Spans())); got < 20 || got != s.Migrated || s.Migrated+s.NotReached != s.Listed {
		t.Errorf("%d spans written, %d traces recorded as migrated, %d of %d not reached", got, s.Migrated, s.NotReached, s.Listed)
	}
	src.OnRead = nil
	if s := mustRun(t, job(src, m, j.Checkpoint)); s.Migrated+s.Present != 200 || len(m.Spans()) != 200 || s.Stopped != "" {
		t.Errorf("rerun: %+v", s)
	}
}

// A limit bounds how many new traces are taken. Traces that earlier runs have seen don't use it up, and each run goes on where
// the one before has stopped.
func TestLimit(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	for n := range 12 {
		src.Add(n, "ok")
		m.want[targetID(n)] = 1
	}
	src.Spans[traceID(0)] = mlflowclient.Spans{Err: errors.New("500")}
	j := job(src, m, newCheckpoint(t))
	j.Limit = 5
	for i, want := range []struct {
		outcome                    report.Outcome
		migrated, failed, excluded int64
	}{{report.Stopped, 4, 1, 7}, {report.Stopped, 5, 1, 2}, {report.Partial, 2, 1, 0}} {
		s := mustRun(t, j)
		if s.Outcome != want.outcome || s.Migrated != want.migrated || s.Failed != want.failed || s.NotReached != want.excluded {
			t.Errorf("run %d: %+v, want %+v", i, s, want)
		}
		at := src.Traces[min(5*(i+1), 11)].RequestTime
		if want.outcome == report.Stopped && (s.Stopped != report.AtLimit || !s.Reached.Equal(at)) {
			t.Errorf("run %d stopped at %q, having reached %v, want %v", i, s.Stopped, s.Reached, at)
		}
	}
	// As many as there are is not too few.
	j.Checkpoint, j.Limit = newCheckpoint(t), 12
	src.Spans[traceID(0)] = src.Spans[traceID(1)]
	if s := mustRun(t, j); s.Outcome == report.Stopped || s.Stopped != "" {
		t.Errorf("%+v", s)
	}
}

func TestSecondInterruptStopsAtOnce(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	for n := range 50 {
		src.Add(n, "ok")
	}
	ctx, cancel := context.WithCancel(t.Context())
	j := job(src, m, newCheckpoint(t))
	src.OnRead = func(n int) {
		if n == 5 {
			cancel()
		}
	}
	if s, err := Run(ctx, ctx, j); err != nil || s.Outcome != report.Interrupted {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestBrokenSourceEndsTheRun(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	for n := range 3 * failuresInARow {
		src.Add(n)
		src.Spans[traceID(n)] = mlflowclient.Spans{Err: errors.New("503")}
	}
	src.Add(1000, "ok")
	m.want[targetID(1000)] = 1
	// As long as it answers at all, bad traces don't stop the rest, however many there are.
	if s := mustRun(t, job(src, m, newCheckpoint(t))); s.Failed != 3*failuresInARow || s.Migrated != 1 {
		t.Errorf("%+v", s)
	}
	src.Down = errors.New("connection refused")
	j := job(src, m, newCheckpoint(t))
	j.Fetchers = 1 // Others would go on reading while one asks whether the source works.
	s, err := Run(t.Context(), t.Context(), j)
	if err == nil || s.Outcome != report.Failed || s.NotReached == 0 || s.Failed >= failuresInARow+4 {
		t.Errorf("%+v, %v", s, err)
	}
	src.Spans[traceID(0)] = mlflowclient.Spans{Err: &mlflowclient.APIError{Status: 401}}
	src.Traces = src.Traces[:1]
	if _, err := Run(t.Context(), t.Context(), job(src, m, newCheckpoint(t))); err == nil {
		t.Error("a refused token does not end the run")
	}
}

// Bytes in flight stay under the bound however many traces there are, and a trace larger than it passes.
func TestBytesInFlightAreBounded(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	m.limits.Rows = 1 << 20
	for n := range 300 {
		src.Add(n, strings.Repeat("x", 20<<10))
		m.want[targetID(n)] = 1
	}
	src.Traces[7].Metadata[mlflow.MetadataSizeBytes] = "100000000"
	r := newRun(job(src, m, newCheckpoint(t)))
	r.bytes = budget.New(1 << 20)
	if err := r.migrate(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	// Only an empty budget takes more than its bound.
	ended, end := context.WithCancel(t.Context())
	end()
	if err := r.bytes.Acquire(ended, 2<<20); len(m.Spans()) != 300 || err != nil {
		t.Errorf("%d spans, want 300; want no bytes reserved afterwards: %v", len(m.Spans()), err)
	}
	if m.commits < 20 {
		t.Errorf("%d commits: batches larger than the bound allows", m.commits)
	}
}

func TestPlan(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	c := newCheckpoint(t)
	src.Add(0, "a", "b")
	mustRun(t, job(src, m, c))
	src.Add(1, "a", "b", "c").Metadata[mlflow.MetadataSizeStats] = `{"total_size_bytes": 100, "num_spans": 3}`
	src.Add(2, "a")
	running := src.Add(3)
	running.State, running.RequestTime = mlflow.StateInProgress, time.Now()
	before := m.commits
	p, err := MakePlan(t.Context(), job(src, m, c), false)
	if err != nil {
		t.Fatal(err)
	}
	if p.Listed != 4 || p.Present != 1 || p.Deferred != 1 || p.ToMigrate != 2 ||
		p.Spans != 6 || p.Bytes != 200 || p.EstimatedSizes != 1 || m.commits != before {
		t.Errorf("%+v", p)
	}
	if !p.Earliest.Equal(epoch) || !p.Latest.Equal(running.RequestTime) || p.ByState[mlflow.StateOK] != 3 {
		t.Errorf("%+v", p)
	}
	src.Traces = src.Traces[2:3] // no sizes known at all: some are read
	if p, err = MakePlan(t.Context(), job(src, m, c), false); err != nil || p.Spans != 1 || p.Bytes == 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// Two source traces whose spans carry one OTEL trace ID must not mix their rows.
func TestCopiesOfATrace(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	src.Add(0, "ok", "ok")
	for _, id := range []string{"custom-1", "custom-2"} {
		info := *src.Traces[0]
		info.TraceID = id
		src.Traces = append(src.Traces, &info)
		src.Spans[id] = src.Spans[traceID(0)]
	}
	src.Traces = src.Traces[1:]
	m.want = map[string]int{targetID(0): 2}
	c := newCheckpoint(t)
	for range 2 {
		s := mustRun(t, job(src, m, c))
		if s.FailedReasons[ReasonSameTraceID] != 1 || s.Migrated+s.Present != 1 || len(m.Spans()) != 2 {
			t.Errorf("%+v, %d spans", s, len(m.Spans()))
		}
	}
	// The one that was first stays the one after the checkpoint is lost.
	first := m.Spans()
	s := mustRun(t, job(src, m, newCheckpoint(t)))
	if s.FailedReasons[ReasonSameTraceID] != 1 || s.Present != 1 || len(m.Spans()) != len(first) {
		t.Errorf("without the checkpoint: %+v", s)
	}
}

// Tables that were dropped and made anew have none of the rows that the checkpoint knows of.
func TestReplacedTablesAreFilledAgain(t *testing.T) {
	src, c := &memsource.Experiment{}, newCheckpoint(t)
	src.Add(0, "ok")
	first := newMemory()
	mustRun(t, job(src, first, c))
	second := newMemory()
	if s := mustRun(t, job(src, second, c)); s.Migrated != 1 || len(second.Spans()) != 1 {
		t.Errorf("%+v, %d spans", s, len(second.Spans()))
	}
	if s := mustRun(t, job(src, second, c)); s.Present != 1 || s.TargetWrites != 0 {
		t.Errorf("%+v", s)
	}
}

// Searches may be slow: the listing goes on while all readers are busy with what it has listed before.
func TestListsAheadOfReading(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	for n := range 400 {
		src.Add(n, "ok")
		m.want[targetID(n)] = 1
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	j := job(src, m, newCheckpoint(t))
	src.OnRead = func(int) {
		for j.Recorder.Counts().Listed < 400 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}
	if s, err := Run(ctx, ctx, j); err != nil || s.Migrated != 400 {
		t.Errorf("%+v, %v", s, err)
	}
}

// What the first answer shows of the source decides how many traces the calls after it carry, and each
// carries so many.
func TestReadsInFullGroups(t *testing.T) {
	src, m := &batching{Experiment: &memsource.Experiment{}}, newMemory()
	for n := range firstGroups + 100 {
		src.Add(n, "ok")
		m.want[targetID(n)] = 1
	}
	j := job(src, m, newCheckpoint(t))
	j.Fetchers = 100
	if s := mustRun(t, j); s.Migrated != firstGroups+100 || src.Reads > firstGroups+10 {
		t.Errorf("%d traces by %d reads, want %d by %d at most", s.Migrated, src.Reads, firstGroups+100, firstGroups+10)
	}
}

// The fast way is taken for traces of which nothing was written before, and a trace of which it may not tell all is read
// again exactly.
func TestReadFast(t *testing.T) {
	src, m := &memsource.Experiment{Fast: map[string][]byte{}}, newMemory()
	for n := range 6 {
		src.Add(n, "exact")
		m.want[targetID(n)] = 1
		attributes, spanID := "", "AQAAAAAAAAE="
		switch n {
		case 4: // it may have had fewer bytes
			spanID = "AAAAAAAAAAE="
		case 1: // it may be false or 0
			attributes = `{"key":"a","value":{}}`
		case 2: // its text is kept as it is stored
			attributes = `{"key":"a","value":{"kvlist_value":{"values":[{"key":"b\u0000","value":{"int_value":"1"}}]}}}`
		}
		id, _ := hex.DecodeString(targetID(n))
		src.Fast[memsource.TraceID(n)] = fmt.Appendf(nil,
			`[{"trace_id":%q,"span_id":%q,"name":"fast","start_time_unix_nano":"1","attributes":[%s]}]`,
			base64.StdEncoding.EncodeToString(id), spanID, attributes)
	}
	src.Fast[memsource.TraceID(3)] = []byte(`[{"trace_id":`)
	store := newCheckpoint(t)
	j := job(src, m, store)
	j.Read = mlflowclient.Fast
	if s := mustRun(t, j); s.Migrated != 6 || s.ReadFast != 2 {
		t.Errorf("%d traces migrated, %d of them read fast; want 6 and 2", s.Migrated, s.ReadFast)
	}
	got := map[string]string{}
	for _, span := range m.Spans() {
		got[span.TraceID] += span.Name
	}
	for n, want := range []string{"fast", "exact", "exact", "exact", "exact", "fast"} {
		if got[targetID(n)] != want {
			t.Errorf("trace %d has span %q, want %s", n, got[targetID(n)], want)
		}
	}
	// A later run with --repair reads what was written exactly.
	rec := checkpoint.Record{TraceID: memsource.TraceID(0), TargetTraceID: targetID(0), State: checkpoint.Deferred, Reason: ReasonRepair}
	if err := store.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if s := mustRun(t, j); s.ReadFast != 0 {
		t.Errorf("%d traces read fast again, want none", s.ReadFast)
	}
}

// batching is an experiment that takes ten traces a call once it was asked.
type batching struct {
	*memsource.Experiment
	asked atomic.Bool
}

func (b *batching) FetchSpans(ctx context.Context, read mlflowclient.Read, infos []*mlflow.TraceInfo) []mlflowclient.Spans {
	b.asked.Store(true)
	return b.Experiment.FetchSpans(ctx, read, infos)
}

func (b *batching) FetchGroup(mlflowclient.Read) int {
	if b.asked.Load() {
		return 10
	}
	return 1
}
