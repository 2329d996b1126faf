package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tracemig/tracemig/internal/source/memsource"
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

// statements is memory as a target that writes by SQL statements.
type statements struct{ *memory }

func (statements) LimitStatements(int64) {}
func (statements) StatementBytes() int64 { return 0 }

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

var (
	traceID  = memsource.TraceID
	targetID = memsource.TargetID
	epoch    = memsource.Epoch
)
