package migrate

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source/memsource"
)

// Missing spans are waited for within a day of the request; a request time far in the future is a wrong
// clock's, and waiting for it would never end.
func TestLateSpans(t *testing.T) {
	for age, deferred := range map[time.Duration]bool{
		time.Minute: true, 23 * time.Hour: true, 25 * time.Hour: false, 100 * 365 * 24 * time.Hour: false,
		-time.Hour: true, -25 * time.Hour: false, -100 * 365 * 24 * time.Hour: false,
	} {
		src, m := &memsource.Experiment{}, newMemory()
		info := src.Add(0, "ok")
		info.RequestTime = time.Now().Add(-age)
		src.Spans[info.TraceID] = mlflowclient.Spans{JSON: src.Spans[info.TraceID].JSON, Missing: mlflowclient.MissingIncomplete}
		m.want = map[string]int{targetID(0): 1}
		if s := mustRun(t, job(src, m, newCheckpoint(t))); (s.Deferred == 1) != deferred || (s.Skipped == 1) == deferred {
			t.Errorf("%v old: %+v", age, s)
		}
	}
}

// Spans out of reach keep a trace from being written, until they are within reach. What was migrated of it before stays.
func TestSpansElsewhere(t *testing.T) {
	src, m, c := &memsource.Experiment{}, newMemory(), newCheckpoint(t)
	first, info := src.Add(0, "ok"), src.Add(1, "ok", "ok")
	m.want = map[string]int{targetID(0): 1, targetID(1): 2}
	there := src.Spans[info.TraceID]
	elsewhere := mlflowclient.Spans{Missing: mlflowclient.MissingElsewhere}
	info.Tags[mlflow.TagArtifactLocation] = "ftp://ann:pa55w0rd@store/1/traces"
	src.Spans[info.TraceID] = elsewhere
	for range 2 { // every run tries it again
		s := mustRun(t, job(src, m, c))
		if s.FailedReasons["spans_elsewhere"] != 1 || s.Migrated+s.Present != 1 || len(m.Spans()) != 1 || len(m.wrong) > 0 {
			t.Fatalf("out of reach: %+v, %d spans, %v", s, len(m.Spans()), m.wrong)
		}
	}
	known, err := c.Get(t.Context(), []string{first.TraceID, info.TraceID})
	if err != nil {
		t.Fatal(err)
	}
	rec := known[info.TraceID]
	if d := rec.Detail; rec.State != checkpoint.Failed || !strings.Contains(d, "ftp://store/1/traces") || strings.Contains(d, "pa55") ||
		!strings.Contains(d, "--artifacts-destination") || !strings.Contains(d, "--server") {
		t.Errorf("%s: %s", rec.State, d)
	}
	src.Spans[info.TraceID] = there
	if s := mustRun(t, job(src, m, c)); s.Migrated != 1 || s.Failed != 0 || len(m.Spans()) != 3 {
		t.Fatalf("within reach: %+v", s)
	}
	first.Tags["new"] = "1"
	elsewhere.Err = errors.New("the bucket is closed")
	src.Spans[first.TraceID] = elsewhere
	again := job(src, m, c)
	again.Resync = true
	if s := mustRun(t, again); s.FailedReasons["spans_elsewhere"] != 1 || len(m.Spans()) != 3 {
		t.Errorf("out of reach again: %+v", s)
	}
	if known, err = c.Get(t.Context(), []string{first.TraceID}); err != nil || known[first.TraceID].State != checkpoint.Migrated ||
		known[first.TraceID].Detail != "the bucket is closed" {
		t.Errorf("the trace that was migrated is %+v now, %v", known[first.TraceID], err)
	}
}
