package migrate

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// copySource is a source whose spans can be copied, but for those of hard traces.
type copySource struct {
	*memsource.Experiment
	hard func(traceID string) bool
}

func (s copySource) Tables() uctables.Location {
	return uctables.Location{Catalog: "c", Schema: "s", Prefix: uctables.BetaPrefix}
}

func (s copySource) Survey(_ context.Context, infos []*mlflow.TraceInfo) ([]*uctables.SpanCopy, error) {
	copies := make([]*uctables.SpanCopy, len(infos))
	for i, info := range infos {
		if s.hard == nil || !s.hard(info.TraceID) {
			at := info.RequestTime.UnixMicro()
			copies[i] = &uctables.SpanCopy{
				TraceID: mlflow.TargetTraceID(info.TraceID), Spans: bytes.Count(s.Spans[info.TraceID].JSON, []byte("span_id")),
				Sum: string(s.Spans[info.TraceID].JSON), LowMicros: at, HighMicros: at, Bytes: 1,
			}
		}
	}
	return copies, nil
}

// copyTarget copies spans from a copySource.
type copyTarget struct {
	*memory
	src    *memsource.Experiment
	copied []string // trace IDs of the spans that it was asked to copy
}

func (t *copyTarget) CopySpans(ctx context.Context, _ uctables.Location, traces []uctables.SpanCopy) (target.Written, error) {
	var rows []uctables.Span
	expected := 0
	for _, c := range traces {
		expected += c.Spans
		for _, info := range t.src.Traces {
			doc := t.src.Spans[info.TraceID].JSON
			if mlflow.TargetTraceID(info.TraceID) != c.TraceID || string(doc) != c.Sum {
				continue
			}
			res, err := convert.Convert(convert.Input{Info: info, Spans: bytes.Clone(doc)}, convert.Options{Source: "s"})
			if err != nil {
				return target.Written{}, err
			}
			rows = append(rows, res.Trace.Spans...)
		}
		t.copied = append(t.copied, c.TraceID)
	}
	w, err := t.WriteSpans(ctx, rows)
	w.Present = expected - w.Inserted
	return w, err
}

// TestCopiedSpans has the target copy the spans of new traces, and reads those of all others. The rows are the same as without copying.
func TestCopiedSpans(t *testing.T) {
	src := &memsource.Experiment{Group: 3}
	plain, m := newMemory(), newMemory()
	for n := range 9 {
		src.Add(n, "root", "child")
		plain.want[targetID(n)], m.want[targetID(n)] = 2, 2
	}
	mustRun(t, job(src, plain, newCheckpoint(t)))
	to, store := &copyTarget{memory: m, src: src}, newCheckpoint(t)
	run := func() Summary {
		t.Helper()
		to.copied = nil
		j := job(src, m, store)
		j.Source = copySource{src, func(id string) bool { return id == memsource.TraceID(3) }}
		j.Target = to
		return mustRun(t, j)
	}
	src.Reads = 0
	if s := run(); s.Migrated != 9 || s.Copied != 8 || len(to.copied) != 8 || slices.Contains(to.copied, targetID(3)) || src.Reads != 1 {
		t.Errorf("%+v; copied %v, %d reads; want all but the hard trace copied", s, to.copied, src.Reads)
	}
	same := func() {
		t.Helper()
		if d := cmp.Diff(plain.Spans(), m.Spans()); d != "" {
			t.Errorf("spans, -read +copied: %s", d)
		}
		if d := cmp.Diff(plain.Annotations(), m.Annotations()); d != "" {
			t.Errorf("annotations, -read +copied: %s", d)
		}
	}
	same()
	if s := run(); s.Present != 9 || s.TargetWrites != 0 {
		t.Errorf("%+v; want a second run that writes nothing", s)
	}
	store = newCheckpoint(t)
	if s := run(); s.Present != 9 || s.TargetWrites != 0 {
		t.Errorf("%+v; want a run without its checkpoint that writes nothing", s)
	}
	if len(m.wrong) > 0 {
		t.Error(m.wrong)
	}
}

// changingTarget has the source change before it copies.
type changingTarget struct {
	*copyTarget
	change func()
}

func (t *changingTarget) CopySpans(ctx context.Context, from uctables.Location, traces []uctables.SpanCopy) (target.Written, error) {
	t.change()
	return t.copyTarget.CopySpans(ctx, from, traces)
}

// TestChangedWhileCopied has a trace change between its survey and the copy: its rows are those of its new state.
func TestChangedWhileCopied(t *testing.T) {
	src, m := &memsource.Experiment{}, newMemory()
	for n := range 3 {
		src.Add(n, "root", "child")
		m.want[targetID(n)] = 2
	}
	m.want[targetID(1)] = 3
	j := job(src, m, newCheckpoint(t))
	j.Source = copySource{Experiment: src}
	j.Target = &changingTarget{&copyTarget{memory: m, src: src}, func() {
		other := &memsource.Experiment{}
		other.Add(0, "x")
		info := other.Add(1, "root", "child", "late")
		src.Spans[info.TraceID] = other.Spans[info.TraceID]
	}}
	if s := mustRun(t, j); s.Migrated != 3 || s.Copied != 2 || len(m.wrong) > 0 || len(m.Spans()) != 7 {
		t.Errorf("%+v; %d spans, readers saw %v; want 7 spans, those of two traces copied", s, len(m.Spans()), m.wrong)
	}
}
