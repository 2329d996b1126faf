package rehearsal

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tables are the tables of a warehouse in memory, which takes statements of at most 2 MB.
type tables struct {
	mu          sync.Mutex
	made        bool
	dropped     bool
	spans       []uctables.Span
	annotations []uctables.Annotation

	createErr, dropErr error
	// spoil changes rows that are to be added, or nil.
	spoil func([]uctables.Span) []uctables.Span
}

// memory is a writer to tables.
type memory struct {
	target.Writer // nil: the rehearsal uses only the methods below
	*tables
}

func (m memory) String() string { return "memory" }
func (m memory) Close() error   { return nil }

func (m memory) Create(context.Context) error {
	m.made = true
	return m.createErr
}

func (m memory) Drop(ctx context.Context) error {
	m.dropped = ctx.Err() == nil
	return m.dropErr
}

func (m memory) WriteSpans(ctx context.Context, rows []uctables.Span) (target.Written, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return target.Written{}, ctx.Err()
	}
	bytes := int64(0)
	var missing []uctables.Span
	for _, r := range rows {
		bytes += r.Size()
		if !slices.ContainsFunc(m.spans, func(s uctables.Span) bool { return s.TraceID == r.TraceID && s.SpanID == r.SpanID }) {
			missing = append(missing, r)
		}
	}
	if bytes > 2*mb {
		return target.Written{}, &target.TooLargeError{Bytes: bytes, Err: errors.New("too large")}
	}
	written := target.Written{Inserted: len(missing), Present: len(rows) - len(missing)}
	if m.spoil != nil {
		missing = m.spoil(missing)
	}
	m.spans = append(m.spans, missing...)
	return written, nil
}

func (m memory) WriteAnnotations(_ context.Context, rows []uctables.Annotation) (written target.Written, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range rows {
		if slices.ContainsFunc(m.annotations, func(a uctables.Annotation) bool { return a.AnnotationID == r.AnnotationID }) {
			written.Present++
			continue
		}
		m.annotations = append(m.annotations, r)
		written.Inserted++
	}
	return written, nil
}

func (m memory) ReplaceSpans(_ context.Context, rows []uctables.Span, _ target.Times) (target.Written, error) {
	for _, r := range rows {
		i := slices.IndexFunc(m.spans, func(s uctables.Span) bool { return s.TraceID == r.TraceID && s.SpanID == r.SpanID })
		m.spans[i] = r
	}
	return target.Written{Inserted: len(rows)}, nil
}

func (m memory) ReplaceAnnotations(_ context.Context, rows []uctables.Replacement) (target.Written, error) {
	for _, r := range rows {
		i := slices.IndexFunc(m.annotations, func(a uctables.Annotation) bool { return a.AnnotationID == r.AnnotationID })
		m.annotations[i] = r.Annotation
	}
	return target.Written{Inserted: len(rows)}, nil
}

func (m memory) ReadSpans(_ context.Context, ids []string, _ target.Times, yield func(*uctables.Span) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.spans {
		if slices.Contains(ids, s.TraceID) {
			if err := yield(&s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m memory) ReadAnnotations(_ context.Context, ids []string, _ target.Times, yield func(*uctables.Annotation) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.annotations {
		if trace, _, _ := strings.Cut(a.TargetID, ":"); slices.Contains(ids, trace) {
			if err := yield(&a); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m memory) SumSpans(
	_ context.Context, ids []string, _ target.Times, deep bool, yield func(target.SpanSum) error,
) error {
	var rows []uctables.Span
	for _, s := range m.spans {
		if s.TraceID == ids[0] {
			rows = append(rows, s)
		}
	}
	var d uctables.Digester
	digest, err := d.Spans(rows, deep)
	if err != nil {
		return err
	}
	return yield(target.SpanSum{TraceID: ids[0], Digest: digest})
}

func (m memory) CountDuplicates(context.Context, target.Times) (spans, annotations int64, err error) {
	seen := map[string]bool{}
	for _, s := range m.spans {
		if seen[s.TraceID+s.SpanID] {
			spans++
		}
		seen[s.TraceID+s.SpanID] = true
	}
	return spans, 0, nil
}

// rehearse runs a rehearsal with a sample trace and returns the results of its steps by their names.
func rehearse(ctx context.Context, t *testing.T, tables *tables) (map[string]Result, []Step, error) {
	t.Helper()
	results := map[string]Result{}
	steps, err := Run(ctx, Job{
		Open: func(context.Context, func(error, time.Duration)) (Target, error) { return memory{tables: tables}, nil },
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
