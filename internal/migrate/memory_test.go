package migrate

import (
	"context"
	"encoding/json"
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
	"github.com/tracemig/tracemig/internal/uctables"
)

// memory is a target that keeps rows as the tables do and checks, at every commit, what readers
// would see.
type memory struct {
	mu          sync.Mutex
	limits      target.Limits
	hardRows    int    // a larger commit is too large
	poison      string // a span of this name is refused
	poisonNote  string // so is an annotation of this name
	crashAt     int    // the n-th commit ends in errCrash after it took effect; 0 for none
	commits     int
	annotations map[string]uctables.Annotation // by ID and updated_at
	spans       map[string]uctables.Span       // by trace and span ID
	want        map[string]int                 // span rows of each complete trace, by target trace ID
	wrong       []string
	probes      int
	onCommit    func() // sees the tables after each commit; may be nil
}

var errCrash = errors.New("crash")

func newMemory() *memory {
	return &memory{
		limits: target.Limits{Rows: 40, Bytes: 1 << 20}, hardRows: 1 << 30,
		annotations: map[string]uctables.Annotation{}, spans: map[string]uctables.Span{}, want: map[string]int{},
	}
}

func (m *memory) refuse(table string, n int, poisoned bool) error {
	switch {
	case n > m.hardRows:
		return &target.TooLargeError{Table: table, Err: errors.New("413")}
	case poisoned:
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

func (m *memory) WriteAnnotations(ctx context.Context, rows []uctables.Annotation) (target.Written, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	poisoned := slices.ContainsFunc(rows, func(a uctables.Annotation) bool { return m.poisonNote != "" && a.Name == m.poisonNote })
	if err := m.refuse("annotations", len(rows), poisoned); err != nil {
		return target.Written{}, err
	}
	var w target.Written
	for _, a := range rows {
		key := fmt.Sprint(a.AnnotationID, "@", a.UpdatedAtMicros)
		if _, ok := m.annotations[key]; ok {
			w.Present++
			continue
		}
		m.annotations[key] = a
		w.Inserted++
	}
	return w, m.committed()
}

func (m *memory) ReplaceAnnotations(ctx context.Context, rows []uctables.Replacement) (target.Written, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var w target.Written
	for _, r := range rows {
		if newest := m.newest()[r.AnnotationID]; newest != nil && newest.UpdatedAtMicros > r.ReplacesMicros {
			w.Present++
			continue
		}
		m.annotations[fmt.Sprint(r.AnnotationID, "@", r.UpdatedAtMicros)] = r.Annotation
		w.Inserted++
	}
	return w, m.committed()
}

func (m *memory) newest() map[string]*uctables.Annotation {
	newest := map[string]*uctables.Annotation{}
	for _, a := range m.annotations {
		if was := newest[a.AnnotationID]; was == nil || was.UpdatedAtMicros < a.UpdatedAtMicros {
			newest[a.AnnotationID] = &a
		}
	}
	return newest
}

func (m *memory) ReadAnnotations(_ context.Context, traceIDs []string, times target.Times, yield func(*uctables.Annotation) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.newest() {
		id, _, _ := strings.Cut(a.TargetID, ":")
		if slices.Contains(traceIDs, id) && times.Low <= a.CreatedAtMicros && a.CreatedAtMicros <= times.High {
			if err := yield(a); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) ReadSpans(_ context.Context, traceIDs []string, _ target.Times, yield func(*uctables.Span) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.spans {
		if slices.Contains(traceIDs, s.TraceID) {
			if err := yield(&s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) SumSpans(_ context.Context, traceIDs []string, times target.Times, deep bool, yield func(target.SpanSum) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var d uctables.Digester
	for _, id := range traceIDs {
		var rows []uctables.Span
		for _, s := range m.spans {
			if s.TraceID == id && times.Low <= s.TimeMicros && s.TimeMicros <= times.High {
				rows = append(rows, s)
			}
		}
		digest, err := d.Spans(rows, deep)
		if err == nil && len(rows) > 0 {
			err = yield(target.SpanSum{TraceID: id, Rows: len(rows), Spans: len(rows), RecordIDs: len(rows), Digest: digest})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) SumAnnotations(context.Context, []string, target.Times, bool, func(target.AnnotationSum) error) error {
	return errors.ErrUnsupported
}

func (m *memory) WriteSpans(ctx context.Context, rows []uctables.Span) (target.Written, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.probe(rows); err != nil {
		return target.Written{}, err
	}
	var w target.Written
	for _, s := range rows {
		key := s.TraceID + ":" + s.SpanID
		if _, ok := m.spans[key]; ok {
			w.Present++
			continue
		}
		m.spans[key] = s
		w.Inserted++
	}
	return w, m.committed()
}

func (m *memory) ReplaceSpans(ctx context.Context, rows []uctables.Span, _ target.Times) (target.Written, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.probe(rows); err != nil {
		return target.Written{}, err
	}
	var w target.Written
	for _, s := range rows {
		key := s.TraceID + ":" + s.SpanID
		if was, ok := m.spans[key]; ok && was.RecordID == s.RecordID && uctables.SameSpan(&was, &s) {
			w.Present++
			continue
		}
		m.spans[key] = s
		w.Inserted++
	}
	return w, m.committed()
}

func (m *memory) probe(rows []uctables.Span) error {
	return m.refuse("spans", len(rows), slices.ContainsFunc(rows, func(s uctables.Span) bool { return m.poison != "" && s.Name == m.poison }))
}

func (m *memory) ProbeSpans(ctx context.Context, rows []uctables.Span) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.probes++
	return m.probe(rows)
}

// look is a reader: each trace with a root span must have all its spans and its METADATA row.
func (m *memory) look() {
	count, visible := map[string]int{}, map[string]bool{}
	for _, s := range m.spans {
		count[s.TraceID]++
		if s.IsRoot() {
			visible[s.TraceID] = true
		}
	}
	described := map[string]bool{}
	for _, a := range m.annotations {
		if a.Type == uctables.Metadata {
			described[a.TargetID] = true
		}
	}
	for id := range visible {
		if count[id] != m.want[id] || !described[id] {
			m.wrong = append(m.wrong, fmt.Sprintf("after commit %d trace %s shows %d of %d spans, METADATA %v", m.commits, id, count[id], m.want[id], described[id]))
		}
	}
}

func (m *memory) Limits() target.Limits { return m.limits }

func (m *memory) Migrated(ctx context.Context, source string, yield func(uctables.Provenance) error) error {
	count := map[string]int{}
	for _, s := range m.spans {
		count[s.TraceID]++
	}
	for _, a := range m.newest() {
		if a.Type != uctables.Metadata {
			continue
		}
		var noted map[string]any
		if a.Metadata == nil {
			continue
		}
		if err := json.Unmarshal(a.Metadata, &noted); err != nil {
			return err
		}
		p := uctables.Provenance{TraceID: a.TargetID}
		p.Source, _ = noted[uctables.KeySource].(string)
		p.SourceTraceID, _ = noted[uctables.KeySourceTraceID].(string)
		p.Digest, _ = noted[uctables.KeyDigest].(string)
		p.SpansMissing, _ = noted[uctables.KeySpansMissing].(string)
		n, _ := noted[uctables.KeySpans].(float64)
		p.Spans = int(n)
		if p.Source == source && count[p.TraceID] == p.Spans {
			if err := yield(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) Identity(context.Context) (string, error) { return fmt.Sprintf("%p", m), nil }

func (m *memory) Check(context.Context) error  { return nil }
func (m *memory) Create(context.Context) error { return nil }
func (m *memory) String() string               { return "memory" }
func (m *memory) Close() error                 { return nil }

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
		fmt.Fprintf(&b, `,{"context":{"trace_id":%q,"span_id":"%016x"},"parent_id":%s,"name":%q,"start_time":%d,"end_time":%d,"status_code":"OK","status_message":"","attributes":{"i":"%d"},"events":[]}`,
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

func (m *memory) Official(ctx context.Context, experimentID string, yield func(string) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.newest() {
		if a.Type == uctables.Metadata && a.Metadata == nil && strings.Contains(string(a.Value), `"mlflow.migration.sourceExperimentId":"`+experimentID+`"`) {
			if err := yield(a.TargetID); err != nil {
				return err
			}
		}
	}
	return nil
}
