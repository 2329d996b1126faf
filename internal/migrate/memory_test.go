package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/target/memtarget"
	"github.com/tracemig/tracemig/internal/uctables"
)

// memory is a target in memory that can be made to fail, and that checks after every commit what readers would
// see.
type memory struct {
	*memtarget.Target
	limits     target.Limits
	hardRows   int    // a larger commit is too large
	poison     string // a span of this name is refused
	poisonNote string // so is an annotation of this name
	crashAt    int    // the n-th commit ends in errCrash after it took effect; 0 for none
	commits    int
	want       map[string]int // span rows of each complete trace, by target trace ID
	wrong      []string       // what readers must not see, and have seen
	onCommit   func()         // sees the tables after each commit; may be nil
}

var errCrash = errors.New("crash")

func newMemory() *memory {
	m := &memory{
		Target: memtarget.New(), limits: target.Limits{Rows: 40, Bytes: 1 << 20}, hardRows: 1 << 30, want: map[string]int{},
	}
	if err := m.Create(context.Background()); err != nil {
		panic(err)
	}
	m.Before, m.After = m.refuse, m.committed
	return m
}

func (m *memory) Limits() target.Limits { return m.limits }

func (m *memory) refuse(spans []uctables.Span, annotations []uctables.Annotation) error {
	table := "spans"
	if len(annotations) > 0 {
		table = "annotations"
	}
	switch {
	case len(spans)+len(annotations) > m.hardRows:
		return &target.TooLargeError{Table: table, Err: errors.New("413")}
	case slices.ContainsFunc(spans, func(s uctables.Span) bool { return m.poison != "" && s.Name == m.poison }),
		slices.ContainsFunc(annotations, func(a uctables.Annotation) bool { return m.poisonNote != "" && a.Name == m.poisonNote }):
		return &target.RowError{Table: table, Err: errors.New("malformed")}
	}
	return nil
}

func (m *memory) committed() error {
	m.commits++
	m.look()
	if m.onCommit != nil {
		m.onCommit()
	}
	if m.commits == m.crashAt {
		return errCrash
	}
	return nil
}

// look is a reader: each trace with a root span must have all its spans and its METADATA row.
func (m *memory) look() {
	count, visible := map[string]int{}, map[string]bool{}
	for _, s := range m.Spans() {
		count[s.TraceID]++
		if s.IsRoot() {
			visible[s.TraceID] = true
		}
	}
	described := map[string]bool{}
	for _, a := range m.Annotations() {
		if a.Type == uctables.Metadata {
			described[a.TargetID] = true
		}
	}
	for id := range visible {
		if count[id] != m.want[id] || !described[id] {
			m.wrong = append(m.wrong, fmt.Sprintf("after commit %d trace %s shows %d of %d spans, METADATA %v",
				m.commits, id, count[id], m.want[id], described[id]))
		}
	}
}

// put adds annotations as another program does: it is no commit of a run.
func (m *memory) put(rows ...uctables.Annotation) {
	before, after := m.Before, m.After
	defer func() { m.Before, m.After = before, after }()
	m.Before, m.After = nil, nil
	if w, err := m.WriteAnnotations(context.Background(), rows); err != nil || w.Inserted != len(rows) {
		panic(fmt.Sprintf("%+v, error %v", w, err))
	}
}

// keys are those of all rows of spans, and of all rows of annotations.
func (m *memory) keys() (spans, annotations []string) {
	for _, s := range m.Spans() {
		spans = append(spans, s.TraceID+":"+s.SpanID)
	}
	for _, a := range m.Annotations() {
		annotations = append(annotations, fmt.Sprint(a.AnnotationID, "@", a.UpdatedAtMicros))
	}
	return spans, annotations
}

// experiment is a source of generated traces.
type experiment struct {
	mu     sync.Mutex
	traces []*mlflow.TraceInfo
	spans  map[string]mlflowclient.Spans
	runs   map[string][]string
	others map[string]map[string][]string // runs of other experiments, by these; nil for one that is refused
	gone   map[string]bool
	reads  int
	group  int
	onRead func(n int)
	down   error // answer to TraceInfo
}

var epoch = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)

// traceID is the ID of the n-th generated trace at the source; targetID what it becomes.
func traceID(n int) string  { return "tr-" + targetID(n) }
func targetID(n int) string { return fmt.Sprintf("%032x", n+1) }

// add adds an ended trace with the given span names; the first is the root.
func (e *experiment) add(n int, spans ...string) *mlflow.TraceInfo {
	info := &mlflow.TraceInfo{
		TraceID: traceID(n), ExperimentID: "1", RequestTime: epoch.Add(time.Duration(n) * time.Millisecond),
		State: mlflow.StateOK, Tags: map[string]string{"mlflow.traceName": "t"}, Metadata: map[string]string{},
	}
	var b strings.Builder
	for i, name := range spans {
		parent := "null"
		if i > 0 {
			parent = fmt.Sprintf("%q", fmt.Sprintf("%016x", 1))
		}
		fmt.Fprintf(&b, `,{"context":{"trace_id":%q,"span_id":"%016x"},"parent_id":%s,"name":%q,"start_time":%d,"end_time":%d,`+
			`"status_code":"OK","status_message":"","attributes":{"i":"%d"},"events":[]}`,
			targetID(n), i+1, parent, name, info.RequestTime.UnixNano(), info.RequestTime.UnixNano()+1, i)
	}
	if e.spans == nil {
		e.spans = map[string]mlflowclient.Spans{}
	}
	e.traces = append(e.traces, info)
	e.spans[info.TraceID] = mlflowclient.Spans{JSON: []byte(`{"spans":[` + strings.TrimPrefix(b.String(), ",") + `]}`)}
	return info
}

func (e *experiment) ListTraces(ctx context.Context, _ string, w mlflowclient.Window, yield func(*mlflow.TraceInfo) error) error {
	for _, t := range e.traces {
		ms := t.RequestTime.UnixMilli()
		if w.StartMs != nil && ms < *w.StartMs || w.EndMs != nil && ms >= *w.EndMs || e.gone[t.TraceID] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(t); err != nil {
			return err
		}
	}
	return nil
}

func (e *experiment) TraceInfo(_ context.Context, id string) (*mlflow.TraceInfo, error) {
	if e.down != nil {
		return nil, e.down
	}
	for _, t := range e.traces {
		if t.TraceID == id && !e.gone[id] {
			return t, nil
		}
	}
	return nil, &mlflowclient.APIError{Status: 404, Code: "RESOURCE_DOES_NOT_EXIST"}
}

func (e *experiment) FetchSpans(_ context.Context, infos []*mlflow.TraceInfo) []mlflowclient.Spans {
	e.mu.Lock()
	e.reads++
	n := e.reads
	e.mu.Unlock()
	if e.onRead != nil {
		e.onRead(n)
	}
	out := make([]mlflowclient.Spans, len(infos))
	for i, t := range infos {
		out[i] = e.spans[t.TraceID]
	}
	return out
}

func (e *experiment) FetchGroup() int { return max(e.group, 1) }

func (e *experiment) ListExperiments(_ context.Context, yield func(string) error) error {
	for _, id := range append([]string{"1"}, slices.Sorted(maps.Keys(e.others))...) {
		if err := yield(id); err != nil {
			return err
		}
	}
	return nil
}

func (e *experiment) ListRuns(_ context.Context, experimentID string, yield func(string) error) error {
	runs := e.runs
	if experimentID != "1" {
		runs = e.others[experimentID]
	}
	if runs == nil && experimentID != "1" {
		return &mlflowclient.APIError{Status: 403, Code: "PERMISSION_DENIED"}
	}
	for run := range runs {
		if err := yield(run); err != nil {
			return err
		}
	}
	return nil
}

func (e *experiment) ListRunTraces(_ context.Context, _, run string, _ mlflowclient.Window, yield func(string) error) error {
	ids := e.runs[run]
	for _, runs := range e.others {
		ids = slices.Concat(ids, runs[run])
	}
	for _, id := range ids {
		if err := yield(id); err != nil {
			return err
		}
	}
	return nil
}
