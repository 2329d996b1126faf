package migrate

import (
	"strings"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/uctables"
)

// live adds a trace that was requested some time ago, to a source that takes each span as it comes.
func live(e *memsource.Experiment, n int, age time.Duration, spans ...string) *mlflow.TraceInfo {
	info := e.Add(n, spans...)
	info.RequestTime = time.Now().Add(-age)
	info.Tags[mlflow.TagSpansLocation] = mlflow.SpansInTrackingStore
	return info
}

// change replaces a text in the document of a trace's spans.
func change(e *memsource.Experiment, info *mlflow.TraceInfo, old, text string) {
	s := e.Spans[info.TraceID]
	s.JSON = []byte(strings.Replace(string(s.JSON), old, text, 1))
	e.Spans[info.TraceID] = s
}

// A trace with a span that has not ended is waited for, for a day.
func TestOpenSpans(t *testing.T) {
	for age, deferred := range map[time.Duration]bool{time.Hour: true, 25 * time.Hour: false} {
		src, m, c := &memsource.Experiment{}, newMemory(), newCheckpoint(t)
		info := live(src, 0, age, "root", "child")
		m.want[targetID(0)] = 2
		end := `"end_time":` + endOf(src.Spans[info.TraceID])
		change(src, info, end, `"end_time":null`)
		j := job(src, m, c)
		if s := mustRun(t, j); (s.DeferredReasons[ReasonSpansOpen] == 1) != deferred || (s.Migrated == 1) == deferred {
			t.Errorf("%v old: %+v", age, s)
		}
		if !deferred {
			continue
		}
		change(src, info, `"end_time":null`, end)
		if s := mustRun(t, job(src, m, c)); s.Migrated != 1 || len(m.wrong) > 0 {
			t.Errorf("ended: %+v, %v", s, m.wrong)
		}
	}
}

func endOf(s mlflowclient.Spans) string {
	_, rest, _ := strings.Cut(string(s.JSON), `"end_time":`)
	end, _, _ := strings.Cut(rest, ",")
	return end
}

// A trace that was migrated soon after its end is read again by a later run whose window holds it, once.
func TestSettle(t *testing.T) {
	src, m, c := &memsource.Experiment{}, newMemory(), newCheckpoint(t)
	info, quiet := live(src, 0, 30*time.Minute, "root"), live(src, 1, 30*time.Minute, "root")
	live(src, 2, 2*time.Hour, "root")
	m.want[targetID(0)], m.want[targetID(1)], m.want[targetID(2)] = 1, 1, 1
	run := func() Summary {
		t.Helper()
		src.Reads = 0
		j := job(src, m, c)
		j.Resync, j.Settle = true, time.Hour
		return mustRun(t, j)
	}
	if s := run(); s.Migrated != 3 {
		t.Fatalf("%+v", s)
	}
	// A second service's span comes after the root; nothing in the listing changes.
	src.Add(0, "root", "late")
	src.Traces = src.Traces[:3]
	m.want[targetID(0)] = 2
	if s := run(); s.Present != 3 || src.Reads != 0 {
		t.Errorf("too early: %+v, %d reads", s, src.Reads)
	}
	due, err := c.Unsettled(t.Context(), []string{traceID(0), traceID(1), traceID(2)})
	if err != nil || len(due) != 2 || due[info.TraceID] != info.RequestTime.Add(time.Hour).UnixMilli() {
		t.Errorf("to be read again at %v, %v", due, err)
	}
	if err := c.SetUnsettled(t.Context(), map[string]int64{info.TraceID: 1, quiet.TraceID: 1}); err != nil {
		t.Fatal(err)
	}
	if s := run(); s.Updated != 1 || s.Present != 2 || s.SpansWritten != 1 || src.Reads != 2 {
		t.Errorf("settled: %+v, %d reads", s, src.Reads)
	}
	if len(m.Spans()) != 4 {
		t.Errorf("%d spans", len(m.Spans()))
	}
	if s := run(); s.Present != 3 || s.TargetWrites != 0 || src.Reads != 0 {
		t.Errorf("again: %+v, %d reads", s, src.Reads)
	}
}

// A span that is sent again with other values is reported, or put in the place of its row.
func TestChangedSpans(t *testing.T) {
	for _, update := range []bool{false, true} {
		src, m, c := &memsource.Experiment{}, newMemory(), newCheckpoint(t)
		info := live(src, 0, 0, "root", "child")
		m.want[targetID(0)] = 2
		j := job(src, m, c)
		j.Resync, j.Settle = true, time.Hour
		mustRun(t, j)
		change(src, info, `"attributes":{"i":"1"}`, `"attributes":{"i":"7"}`)
		if err := c.SetUnsettled(t.Context(), map[string]int64{info.TraceID: 1}); err != nil {
			t.Fatal(err)
		}
		var reports []TraceReport
		j = job(src, m, c)
		j.Resync, j.UpdateSpans, j.OnTrace = true, update, func(r TraceReport) { reports = append(reports, r) }
		s := mustRun(t, j)
		var got uctables.JSON
		for _, row := range m.Spans() {
			if row.Name == "child" {
				got = row.Attributes
			}
		}
		switch {
		case update && (s.SpansUpdated != 1 || s.SpansChanged != 0 || string(got) != `{"i":7}` || s.Updated != 1):
			t.Errorf("updated: %+v, %s", s, got)
		case !update && (s.SpansChanged != 1 || s.SpansUpdated != 0 || string(got) != `{"i":1}` || len(reports) != 1 ||
			reports[0].Reason != ReasonSpansChanged):
			t.Errorf("reported: %+v, %s, %+v", s, got, reports)
		}
	}
}

// A trace whose root never comes is, after a day, migrated as far as it is there.
func TestNeverEnded(t *testing.T) {
	src, m, c := &memsource.Experiment{}, newMemory(), newCheckpoint(t)
	young, old := live(src, 0, time.Hour, "root"), live(src, 1, 25*time.Hour, "root")
	young.State, old.State = mlflow.StateInProgress, mlflow.StateInProgress
	m.want[targetID(1)] = 1
	s := mustRun(t, job(src, m, c))
	if s.DeferredReasons[ReasonInProgress] != 1 || s.SkippedReasons[mlflowclient.MissingIncomplete] != 1 || len(m.Spans()) != 1 {
		t.Errorf("%+v", s)
	}
	if s := mustRun(t, job(src, m, c)); s.SkippedReasons[mlflowclient.MissingIncomplete] != 1 || s.TargetWrites != 0 {
		t.Errorf("again: %+v", s)
	}
	old.State = mlflow.StateOK
	if s := mustRun(t, job(src, m, c)); s.Migrated != 1 {
		t.Errorf("ended after all: %+v", s)
	}
}
