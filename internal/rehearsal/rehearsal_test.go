package rehearsal

import (
	gocmp "cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/target/memtarget"
	"github.com/tracemig/tracemig/internal/uctables"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tables are scratch tables in memory, of a warehouse that takes statements of at most 2 MB.
type tables struct {
	*memtarget.Target
	made, dropped      bool
	createErr, dropErr error
	// spoil changes the spans that are read, or nil.
	spoil func([]uctables.Span) []uctables.Span
}

// Create makes the tables also where the rehearsal has been stopped: its steps come after that.
func (m *tables) Create(context.Context) error {
	m.made, m.Target = true, memtarget.New()
	m.Before = func(spans []uctables.Span, _ []uctables.Annotation) error {
		bytes := int64(0)
		for i := range spans {
			bytes += spans[i].Size()
		}
		if bytes > 2*mb {
			return &target.TooLargeError{Bytes: bytes, Err: errors.New("too large")}
		}
		return nil
	}
	return gocmp.Or(m.createErr, m.Target.Create(context.Background()))
}

func (m *tables) Drop(ctx context.Context) error {
	m.dropped = ctx.Err() == nil
	return m.dropErr
}

func (m *tables) ReadSpans(ctx context.Context, ids []string, times target.Times, yield func(*uctables.Span) error) error {
	var rows []uctables.Span
	if err := m.Target.ReadSpans(ctx, ids, times, func(s *uctables.Span) error { rows = append(rows, *s); return nil }); err != nil {
		return err
	}
	if m.spoil != nil {
		rows = m.spoil(rows)
	}
	for i := range rows {
		if err := yield(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *tables) CountDuplicates(context.Context, target.Times) (spans, annotations int64, err error) {
	return 0, 0, nil
}

// rehearse runs a rehearsal with a sample trace and returns the results of its steps by their names.
func rehearse(ctx context.Context, t *testing.T, tables *tables) (map[string]Result, []Step, error) {
	t.Helper()
	results := map[string]Result{}
	steps, err := Run(ctx, Job{
		Open: func(context.Context, func(error, time.Duration)) (Target, error) { return tables, nil },
		Sample: func(_ context.Context, yield func(uctables.Trace) error) error {
			return yield(*plainTrace("sample", 0, 2, 100))
		},
		Step: func(s Step) { results[s.Name] = s.Result },
	})
	return results, steps, err
}

// all are the results of a rehearsal whose steps all end with r, but for those in others.
func all(r Result, others map[string]Result) map[string]Result {
	want := map[string]Result{}
	for _, name := range []string{
		"values", "commit time", "statement size", "results", "two writers", "lost answer", "newer versions", "traces of the source",
	} {
		want[name] = r
	}
	maps.Copy(want, others)
	return want
}

func TestRun(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	doubled := func(rows []uctables.Span) []uctables.Span { return append(rows, rows...) }
	for name, c := range map[string]struct {
		ctx    context.Context
		tables *tables
		want   map[string]Result
	}{
		"all is right": {t.Context(), &tables{}, all(OK, nil)},
		"stopped":      {stopped, &tables{}, all(Left, nil)},
		"spans are there twice": {t.Context(), &tables{spoil: doubled},
			all(Wrong, map[string]Result{"commit time": OK})},
		"spans get lost": {t.Context(), &tables{spoil: func(rows []uctables.Span) []uctables.Span { return rows[:len(rows)/2] }},
			all(Wrong, map[string]Result{"commit time": OK})},
		"spans change": {t.Context(), &tables{spoil: func(rows []uctables.Span) []uctables.Span {
			rows = slices.Clone(rows)
			for i := range rows {
				rows[i].Flags++
			}
			return rows
		}}, all(Wrong, map[string]Result{"commit time": OK, "results": OK})},
	} {
		t.Run(name, func(t *testing.T) {
			got, steps, err := rehearse(c.ctx, t, c.tables)
			if err != nil || !c.tables.made || !c.tables.dropped {
				t.Errorf("error %v, made %t, dropped %t; want no error, and both", err, c.tables.made, c.tables.dropped)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("results (-want +got):\n%s\n%+v", diff, steps)
			}
		})
	}
}

func TestRunFails(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		tables *tables
		steps  int
		text   string
	}{
		"no tables":                   {&tables{createErr: broken}, 0, "make the scratch tables"},
		"no tables, nor a drop":       {&tables{createErr: broken, dropErr: broken}, 0, "Drop them by hand"},
		"the tables can't be dropped": {&tables{dropErr: broken}, 8, "Drop them by hand"},
	} {
		_, steps, err := rehearse(t.Context(), t, c.tables)
		if len(steps) != c.steps || !errors.Is(err, broken) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %d steps, error %v; want %d, and %v with %q", name, len(steps), err, c.steps, broken, c.text)
		}
	}
}

// Sample converts ended traces that can be listed, and stops when it has enough.
func TestSample(t *testing.T) {
	src := &memsource.Experiment{}
	for n := range 3 * sampleSize {
		src.Add(n, "root", "child")
	}
	src.Traces[0].State = mlflow.StateInProgress
	var got []uctables.Trace
	keep := func(trace uctables.Trace) error { got = append(got, trace); return nil }
	if err := Sample(t.Context(), src, "1", keep); err != nil || len(got) != sampleSize || got[0].TraceID != memsource.TargetID(1) {
		t.Errorf("%d traces from %s on, error %v; want %d from %s on", len(got), got[0].TraceID, err, sampleSize, memsource.TargetID(1))
	}
	src.Spans[memsource.TraceID(5)] = mlflowclient.Spans{Err: errors.New("503")}
	if err := Sample(t.Context(), src, "1", keep); err == nil {
		t.Error("a trace whose spans can't be read gives no error, want one")
	}
}
