package migrate

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/source/memsource"
)

// manyKinds is an experiment of which every second trace has an ID of its own making, so that only its
// spans tell what the target calls it; some are copies of others.
func manyKinds() *memsource.Experiment {
	src := &memsource.Experiment{Runs: map[string][]string{"run": nil}}
	for n := range 60 {
		info := src.Add(n, "root", "child")
		if n%2 == 0 {
			src.Runs["run"] = append(src.Runs["run"], info.TraceID)
			continue
		}
		spans := src.Spans[info.TraceID]
		if n%5 == 0 {
			spans = src.Spans[traceID(n-1)]
		}
		info.TraceID = fmt.Sprintf("custom-%d", n)
		switch n % 12 {
		case 1:
			info.State, info.RequestTime = mlflow.StateInProgress, time.Now()
		case 3:
			spans = mlflowclient.Spans{Missing: mlflowclient.MissingIncomplete}
			info.RequestTime = time.Now()
		case 7:
			spans = mlflowclient.Spans{Err: errors.New("broken")}
		case 9:
			spans = mlflowclient.Spans{Missing: "spans_lost"}
		}
		src.Spans[info.TraceID] = spans
		src.Runs["run"] = append(src.Runs["run"], info.TraceID)
	}
	return src
}

// outcomeOf is what a run counted and reported, by trace.
type outcomeOf struct {
	Counts  [6]int64
	Reports map[string]string
}

func (o *outcomeOf) add(t *testing.T, j Job) Summary {
	t.Helper()
	j.Fetchers = 1 // of copies, the first that is listed is migrated
	j.OnTrace = func(r TraceReport) {
		if _, twice := o.Reports[r.TraceID]; twice {
			t.Errorf("trace %s is told of twice", r.TraceID)
		}
		o.Reports[r.TraceID] = string(r.State) + " " + string(r.Reason)
	}
	s := mustRun(t, j)
	for i, n := range []int64{s.Listed, s.Migrated, s.Present, s.Deferred, s.Skipped, s.Failed} {
		o.Counts[i] += n
	}
	return s
}

func TestShards(t *testing.T) {
	src, whole := manyKinds(), newMemory()
	want := outcomeOf{Reports: map[string]string{}}
	c := newCheckpoint(t)
	want.add(t, job(src, whole, c))
	wantAgain := outcomeOf{Reports: map[string]string{}}
	before := src.Reads
	wantAgain.add(t, job(src, whole, c))
	reads := src.Reads - before
	states := map[string]bool{}
	for _, r := range want.Reports {
		states[r] = true
	}
	if len(states) != 5 {
		t.Fatalf("the experiment has %v", states)
	}

	parts, m := 4, newMemory()
	var cs []*checkpoint.Store
	for i := range parts {
		c, err := checkpoint.Open(context.Background(), "", checkpoint.Pair{
			Source: "s", Target: "memory", Shard: shard.Shard{Index: i, Count: parts},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		cs = append(cs, c)
	}
	var first, again, lost outcomeOf
	for _, o := range []*outcomeOf{&first, &again, &lost} {
		o.Reports = map[string]string{}
		for i, c := range cs {
			if o == &lost {
				if err := c.Forget(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			before = src.Reads
			s := o.add(t, job(src, m, c))
			if o != &first && s.TargetWrites != 0 {
				t.Errorf("shard %d wrote again: %+v", i, s)
			}
			if again := src.Reads - before; o != &first && again > reads {
				t.Errorf("shard %d read %d traces again, the whole %d: also what it knows to be another's", i, again, reads)
			}
			if s.Shard != c.Pair().Shard {
				t.Errorf("shard %v in the summary", s.Shard)
			}
		}
	}
	if d := cmp.Diff(want, first); d != "" {
		t.Errorf("shards (+) and the whole (-): %s", d)
	}
	if d := cmp.Diff(wantAgain, again); d != "" {
		t.Errorf("again: %s", d)
	}
	if d := cmp.Diff(wantAgain, lost); d != "" {
		t.Errorf("with the checkpoint lost: %s", d)
	}
	wantSpans, wantAnnotations := whole.keys()
	spans, annotations := m.keys()
	if d := cmp.Diff(wantSpans, spans); d != "" {
		t.Errorf("spans (-want +got):\n%s", d)
	}
	if d := cmp.Diff(wantAnnotations, annotations); d != "" {
		t.Errorf("annotations (-want +got):\n%s", d)
	}

	// What is to be done is told of each trace once, before and after.
	for _, done := range []bool{false, true} {
		to, listed, present := newMemory(), int64(0), int64(0)
		if done {
			to = m
		}
		for i := range parts {
			c, err := checkpoint.Open(context.Background(), "", checkpoint.Pair{
				Source: "s", Target: "memory", Shard: shard.Shard{Index: i, Count: parts},
			})
			if err != nil {
				t.Fatal(err)
			}
			p, err := MakePlan(t.Context(), job(src, to, c), false)
			c.Close()
			if err != nil {
				t.Fatal(err)
			}
			listed, present = listed+p.Listed, present+p.Present
		}
		if listed != want.Counts[0] || done && present < wantAgain.Counts[2] || !done && present != 0 {
			t.Errorf("plans of %d traces, %d of them there; want %d and %d", listed, present, want.Counts[0], wantAgain.Counts[2])
		}
	}
}
