package verify

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/uctables"
)

// An acceptance excuses what follows from a trace that can't be migrated, and nothing else.
func TestExcuse(t *testing.T) {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	of := func(state checkpoint.State) *checkpoint.AcceptedTrace {
		return &checkpoint.AcceptedTrace{
			Record: checkpoint.Record{State: state}, Acceptance: checkpoint.Acceptance{By: "ann@there", At: at, Why: "agreed"},
		}
	}
	never := map[Kind]bool{Unreadable: true, Changed: true, Pending: true, Newer: true, Missing: true, Incomplete: true}
	update := map[Kind]bool{Unreadable: true, Changed: true}
	for _, k := range Kinds {
		for _, c := range []struct {
			name    string
			trace   *checkpoint.AcceptedTrace
			excused map[Kind]bool
		}{
			{"not accepted", nil, nil}, {"never migrated", of(checkpoint.Accepted), never}, {"an update", of(checkpoint.Migrated), update},
		} {
			want, detail := k, "why"
			if c.excused[k] {
				want, detail = Accepted, string(k)+", which ann@there accepted at 2026-05-04T03:02:01Z (agreed): why"
			}
			if kind, d := excuse(c.trace, k, "why"); kind != want || d != detail {
				t.Errorf("%s, %s: %s, %q, want %s, %q", c.name, k, kind, d, want, detail)
			}
		}
	}
}

// What is accepted is found as such, whether the source does not give it, does not list it, or the target has nothing of it.
func TestRunFindsAccepted(t *testing.T) {
	for _, deep := range []bool{false, true} {
		p := newPair(t, func(n int) bool { return n < 6 }, func(n int, rows *uctables.Trace) {
			if n == 5 {
				rows.Spans = rows.Spans[:1]
			}
		})
		p.source.Spans[memsource.TraceID(7)] = mlflowclient.Spans{JSON: []byte("<html>")}
		p.source.Spans[memsource.TraceID(8)] = mlflowclient.Spans{Err: errors.New("always 500")}
		job := p.job()
		job.Deep, job.Source = deep, &hiding{p.source, memsource.TraceID(9)}
		job.Moved = func(context.Context, []string) (map[string]bool, error) { return nil, nil }
		before, r := verified(t, job)
		if want := map[int]Kind{5: Incomplete, 6: Pending, 7: Unreadable, 8: Unreadable, 9: Unreadable}; !maps.Equal(before, want) {
			t.Fatalf("before: %v, want %v", before, want)
		}
		job.Accepted = func(_ context.Context, ids []string) (map[string]*checkpoint.AcceptedTrace, error) {
			m := map[string]*checkpoint.AcceptedTrace{}
			for _, id := range ids {
				if id >= memsource.TraceID(5) {
					m[id] = &checkpoint.AcceptedTrace{Record: checkpoint.Record{State: checkpoint.Accepted}}
				}
			}
			return m, nil
		}
		found, r := verified(t, job)
		want := map[int]Kind{5: Accepted, 6: Accepted, 7: Accepted, 8: Accepted, 9: Accepted}
		if !maps.Equal(found, want) || r.Wrong() != 0 || r.Equal || r.Kinds[Accepted] != 5 || r.Kinds[Unreadable] != 0 ||
			r.Outcome != report.Done {
			t.Errorf("deep %v: %v, report %+v, want %v", deep, found, r, want)
		}
		broken := errors.New("no checkpoint")
		job.Accepted = func(context.Context, []string) (map[string]*checkpoint.AcceptedTrace, error) { return nil, broken }
		if _, err := Run(t.Context(), job); !errors.Is(err, broken) {
			t.Errorf("error %v, want that of the checkpoint", err)
		}
	}
}

// hiding is an experiment that has a trace and can't list it.
type hiding struct {
	*memsource.Experiment
	hidden string
}

func (h *hiding) ListTraces(ctx context.Context, id string, w mlflowclient.Window, yield func(*mlflow.TraceInfo) error) error {
	if err := w.Unlistable(&mlflowclient.UnlistableError{TraceID: h.hidden}); err != nil {
		return err
	}
	return h.Experiment.ListTraces(ctx, id, w, func(t *mlflow.TraceInfo) error {
		if t.TraceID == h.hidden {
			return nil
		}
		return yield(t)
	})
}
