package migrate

import (
	"context"
	"fmt"
	"testing"

	"github.com/tracemig/tracemig/internal/budget"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// discard is a target that keeps nothing.
type discard struct{ *memory }

func (discard) WriteSpans(_ context.Context, rows []uctables.Span) (target.Written, error) {
	return target.Written{Inserted: len(rows)}, nil
}

func (discard) WriteAnnotations(_ context.Context, rows []uctables.Annotation) (target.Written, error) {
	return target.Written{Inserted: len(rows)}, nil
}

// BenchmarkBatch collects traces into batches and writes these into nothing: what the pipeline itself
// costs between the conversion and the target.
func BenchmarkBatch(b *testing.B) {
	m := newMemory()
	m.limits = target.Limits{Rows: 5000, Bytes: 8 << 20}
	j := job(nil, m, nil)
	j.Target = discard{m}
	j.BytesInFlight = DefaultBytesInFlight
	r := &run{job: j, recorder: &Recorder{}, bytes: budget.New(j.BytesInFlight), attachmentBytes: budget.New(1)}
	all := make([]*unit, 2000)
	for i := range all {
		u := &unit{weight: 12_000}
		u.rows.TraceID = fmt.Sprintf("%032x", i)
		for n := range 6 {
			s := uctables.Span{TraceID: u.rows.TraceID, SpanID: fmt.Sprintf("%016x", n), Attributes: make([]byte, 2000)}
			u.rows.Spans = append(u.rows.Spans, s)
		}
		for n := range 5 {
			u.rows.Annotations = append(u.rows.Annotations, uctables.Annotation{AnnotationID: fmt.Sprint(i, n), TargetID: u.rows.TraceID})
		}
		all[i] = u
	}
	b.ReportAllocs()
	for b.Loop() {
		units, batches := make(chan *unit), make(chan []*unit)
		go func() {
			for _, u := range all {
				units <- u
			}
			close(units)
		}()
		done := make(chan error, 1)
		go func() {
			done <- r.batch(b.Context(), units, batches)
			close(batches)
		}()
		for batch := range batches {
			if err := r.writeAnnotations(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			if err := r.writeSpans(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(all)), "ns/trace")
}
