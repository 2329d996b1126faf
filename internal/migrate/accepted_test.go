package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/source/memsource"
)

// accepting is a migration whose user accepts what fails.
type accepting struct {
	*testing.T
	src   *memsource.Experiment
	to    *memory
	store *checkpoint.Store
}

func newAccepting(t *testing.T, traces int) *accepting {
	a := &accepting{T: t, src: &memsource.Experiment{}, to: newMemory(), store: newCheckpoint(t)}
	for n := range traces {
		a.src.Add(n, "ok")
		a.to.want[targetID(n)] = 1
	}
	return a
}

// accept accepts that traces fail as they did.
func (a *accepting) accept(numbers ...int) {
	a.Helper()
	for _, n := range numbers {
		known, err := a.store.Get(a.Context(), []string{traceID(n)})
		if err != nil {
			a.Fatal(err)
		}
		rec := known[traceID(n)]
		if err := a.store.Accept(a.Context(), []checkpoint.AcceptedTrace{{
			Record: rec, Acceptance: checkpoint.Acceptance{For: rec.Reason, Why: "agreed", By: "ann@there", At: time.Now()},
		}}); err != nil {
			a.Fatal(err)
		}
	}
}

// run runs, and wants these ends of traces: states and reasons by number, with "ended" behind it where an acceptance has ended.
func (a *accepting) run(what string, change func(*Job), outcome report.Outcome, want map[int]string) Summary {
	a.Helper()
	j := job(a.src, a.to, a.store)
	j.Resync = true
	got := map[int]string{}
	j.OnTrace = func(t TraceReport) {
		for n := range len(a.src.Traces) {
			if t.TraceID != traceID(n) {
				continue
			}
			got[n] = strings.TrimSpace(string(t.State) + " " + string(t.Reason))
			if t.AcceptanceEnded {
				got[n] += " ended"
			}
			if (t.Accepted != nil) != (t.State == checkpoint.Accepted) {
				a.Errorf("%s: trace %d is %s with the acceptance %v", what, n, t.State, t.Accepted)
			}
		}
	}
	if change != nil {
		change(&j)
	}
	s := mustRun(a, j)
	if d := cmp.Diff(want, got); d != "" || s.Outcome != outcome {
		a.Errorf("%s: outcome %s, want %s; traces (-want +got):\n%s", what, s.Outcome, outcome, d)
	}
	return s
}

// A failure that somebody has accepted is no fault of a run, for the reason that was accepted and as long as it lasts.
func TestAcceptedFailures(t *testing.T) {
	a := newAccepting(t, 6)
	a.src.Spans[traceID(1)] = mlflowclient.Spans{JSON: []byte("<html>")}
	a.src.Spans[traceID(2)] = mlflowclient.Spans{Err: errors.New("always 500")}
	a.src.Spans[traceID(3)] = mlflowclient.Spans{Err: errors.New("always 500")}
	a.src.Traces[4].Tags["bad"] = "x"
	a.to.poisonNote = "bad"
	a.run("before", nil, report.Partial, map[int]string{
		1: "failed spans_not_json", 2: "failed fetch_failed", 3: "failed fetch_failed", 4: "failed row_refused",
	})
	a.accept(1, 2, 4)
	a.run("one is not accepted", nil, report.Partial, map[int]string{
		1: "accepted spans_not_json", 2: "accepted fetch_failed", 3: "failed fetch_failed", 4: "accepted row_refused",
	})
	a.accept(3)
	s := a.run("all are accepted", nil, report.Done, map[int]string{
		1: "accepted spans_not_json", 2: "accepted fetch_failed", 3: "accepted fetch_failed", 4: "accepted row_refused",
	})
	if d := cmp.Diff(map[checkpoint.Reason]int64{"spans_not_json": 1, ReasonFetch: 2, ReasonRefused: 1}, s.AcceptedReasons); d != "" ||
		s.Accepted != 4 || s.Failed != 0 || s.Present != 2 {
		t.Errorf("%+v; reasons (-want +got):\n%s", s, d)
	}
	// Outside of the window they are tried too, as what has failed is.
	later := epoch.Add(time.Hour).UnixMilli()
	narrow := func(j *Job) { j.Window.StartMs = &later }
	a.run("narrow", narrow, report.Done, map[int]string{
		1: "accepted spans_not_json", 2: "accepted fetch_failed", 3: "accepted fetch_failed", 4: "accepted row_refused",
	})

	// Nobody has accepted another reason. When the first one comes back, that is still accepted.
	garbled := a.src.Spans[traceID(1)]
	a.src.Spans[traceID(1)] = a.src.Spans[traceID(2)]
	a.run("another reason", narrow, report.Partial, map[int]string{
		1: "failed fetch_failed", 2: "accepted fetch_failed", 3: "accepted fetch_failed", 4: "accepted row_refused",
	})
	const said = "always 500; it is accepted for spans_not_json, which this is not"
	if known, err := a.store.Get(t.Context(), []string{traceID(1)}); err != nil || known[traceID(1)].Detail != said {
		t.Errorf("the checkpoint has %+v, error %v, want the detail %q", known, err, said)
	}
	a.src.Spans[traceID(1)] = garbled

	// What is healed is migrated, what is gone is skipped, and both end the acceptance.
	healed := memsource.Experiment{}
	healed.Add(2, "ok")
	a.src.Spans[traceID(2)] = healed.Spans[traceID(2)]
	a.src.Gone = map[string]bool{traceID(3): true}
	a.to.poisonNote = ""
	s = a.run("healed", narrow, report.Done, map[int]string{
		1: "accepted spans_not_json", 2: "migrated ended", 3: "skipped deleted ended", 4: "migrated ended",
	})
	if s.AcceptancesEnded != 3 {
		t.Errorf("%d acceptances ended, want 3", s.AcceptancesEnded)
	}
	left, err := a.store.Acceptances(t.Context(), []string{traceID(1), traceID(2), traceID(3), traceID(4)})
	if err != nil || len(left) != 1 || left[traceID(1)] == nil {
		t.Errorf("acceptances left: %v, error %v, want that of trace 1", left, err)
	}
	a.run("after it", narrow, report.Done, map[int]string{1: "accepted spans_not_json"})
	if len(a.to.wrong) > 0 {
		t.Error(a.to.wrong)
	}
}

// A migrated trace that can't follow the source can be accepted too, whichever step fails. It stays as it was.
func TestAcceptedUpdates(t *testing.T) {
	a := newAccepting(t, 2)
	a.run("first", nil, report.Done, map[int]string{})
	for n, info := range a.src.Traces {
		info.Tags["new"] = fmt.Sprint("value ", n)
	}
	whole := a.src.Spans[traceID(0)]
	a.src.Spans[traceID(0)] = mlflowclient.Spans{Err: errors.New("always 500")}
	a.src.Traces[1].Tags["bad"] = "x"
	a.to.poisonNote = "bad"
	failed := map[int]string{0: "failed fetch_failed", 1: "failed row_refused"}
	a.run("failing", nil, report.Partial, failed)
	a.accept(0, 1)
	accepted := map[int]string{0: "accepted fetch_failed", 1: "accepted row_refused"}
	a.run("accepted", nil, report.Done, accepted)
	if err := a.store.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.run("rebuilt", nil, report.Done, accepted)
	if known, err := a.store.Get(t.Context(), []string{traceID(0)}); err != nil || known[traceID(0)].State != checkpoint.Migrated {
		t.Errorf("the checkpoint has %+v, error %v, want a migrated trace", known, err)
	}
	a.src.Spans[traceID(0)] = whole
	s := a.run("healed", nil, report.Done, map[int]string{0: "migrated ended", 1: "accepted row_refused"})
	if s.Updated != 1 {
		t.Errorf("%+v, want an updated trace", s)
	}
}

// A trace that the source can't list can be accepted where its ID is known.
func TestAcceptedUnlistable(t *testing.T) {
	a := newAccepting(t, 2)
	hidden := a.src.Traces[1]
	unlistable := func(id string) func(*Job) {
		return func(j *Job) { j.Source = &hiding{a.src, hidden.TraceID, id} }
	}
	a.run("before", unlistable(hidden.TraceID), report.Partial, map[int]string{1: "failed unlistable"})
	a.accept(1)
	a.run("accepted", unlistable(hidden.TraceID), report.Done, map[int]string{1: "accepted unlistable"})
	if s := mustRun(t, withSource(job(a.src, a.to, a.store), &hiding{a.src, hidden.TraceID, ""})); s.Failed != 1 || s.Accepted != 1 {
		t.Errorf("without an ID: %+v, want one failed in the listing and the accepted one that is looked at again", s)
	}
	a.run("healed", nil, report.Done, map[int]string{1: "migrated ended"})
	a.run("hidden after it was migrated", unlistable(hidden.TraceID), report.Partial, map[int]string{1: "failed unlistable"})
	a.accept(1)
	a.run("accepted again", unlistable(hidden.TraceID), report.Done, map[int]string{1: "accepted unlistable"})
}

func withSource(j Job, s *hiding) Job {
	j.Source = s
	return j
}

// hiding is an experiment that has a trace and can't list it.
type hiding struct {
	*memsource.Experiment
	hidden string
	told   string // the ID that it tells
}

func (h *hiding) ListTraces(ctx context.Context, id string, w mlflowclient.Window, yield func(*mlflow.TraceInfo) error) error {
	if err := w.Unlistable(&mlflowclient.UnlistableError{TraceID: h.told}); err != nil {
		return err
	}
	return h.Experiment.ListTraces(ctx, id, w, func(t *mlflow.TraceInfo) error {
		if t.TraceID == h.hidden {
			return nil
		}
		return yield(t)
	})
}

func (h *hiding) TraceInfo(ctx context.Context, id string) (*mlflow.TraceInfo, error) {
	if id == h.hidden {
		return nil, &mlflowclient.UnlistableError{TraceID: id}
	}
	return h.Experiment.TraceInfo(ctx, id)
}
