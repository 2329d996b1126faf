package targettest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// race calls write with each writer at the same time, and look, unless nil, again and again until all have ended.
// It returns how many rows the writers say that they inserted.
func (s *suite) race(t *testing.T, write func(i int, w target.Writer) (target.Written, error), look func()) (inserted int) {
	t.Helper()
	all := append([]target.Writer{s.w}, s.others...)
	results := make([]target.Written, len(all))
	var wg sync.WaitGroup
	for i, w := range all {
		wg.Go(func() {
			var err error
			if results[i], err = write(i, w); err != nil {
				t.Errorf("writer %d: error %v, want none", i, err)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		wg.Wait()
	}()
	for racing := look != nil; racing; {
		look()
		select {
		case <-ended:
			racing = false
		default:
		}
	}
	<-ended
	for _, r := range results {
		inserted += r.Inserted
	}
	return inserted
}

// concurrentWrites has writers write the same rows at the same time: each row is there once, one writer says
// that it inserted it, and a reader sees all rows of a write or none.
func (s *suite) concurrentWrites(t *testing.T) {
	for round := range s.Rounds {
		const size = 20
		trace := traceID(t, round)
		var spans []uctables.Span
		var annotations []uctables.Annotation
		for i := range size {
			spans = append(spans, span(trace, i+1, base+int64(i)))
			annotations = append(annotations, annotation(trace, fmt.Sprint(i)))
		}
		look := func() {
			if n := spanSums(t, s.w, target.AllTimes, false, trace)[trace].Rows; n != 0 && n != size {
				t.Errorf("round %d: a reader sees %d spans, want 0 or %d", round, n, size)
			}
		}
		if n := s.race(t, func(_ int, w target.Writer) (target.Written, error) {
			both, err := w.WriteSpans(t.Context(), spans)
			if err != nil {
				return both, err
			}
			got, err := w.WriteAnnotations(t.Context(), annotations)
			both.Inserted += got.Inserted
			return both, err
		}, look); n != 2*size {
			t.Errorf("round %d: the writers inserted %d rows, want %d", round, n, 2*size)
		}
		sameSpans(t, fmt.Sprint("round ", round), spansOf(t, s.w, target.AllTimes, trace), spans...)
		sums := annotationSums(t, s.w, target.AllTimes, false, trace)
		for id, sum := range sums {
			if sum.Copies != 1 {
				t.Errorf("round %d: annotation %s is there %d times, want once", round, id, sum.Copies)
			}
		}
		if len(sums) != size {
			t.Errorf("round %d: %d annotations, want %d", round, len(sums), size)
		}
	}
}

// concurrentReplacements has writers that all saw the same versions replace them: each annotation gets one more.
func (s *suite) concurrentReplacements(t *testing.T) {
	for round := range s.Rounds {
		const size = 10
		trace := traceID(t, round)
		var first []uctables.Annotation
		for i := range size {
			first = append(first, annotation(trace, fmt.Sprint(i)))
		}
		mustWriteAnnotations(t, s.w, first...)
		if n := s.race(t, func(i int, w target.Writer) (target.Written, error) {
			var rows []uctables.Replacement
			for _, a := range first {
				rows = append(rows, uctables.Replacement{
					Annotation: version(a, fmt.Sprint(i), base+1+int64(i)), ReplacesMicros: base, ReplacesCreatedMicros: base,
				})
			}
			return w.ReplaceAnnotations(t.Context(), rows)
		}, nil); n != size {
			t.Errorf("round %d: the writers inserted %d versions, want %d", round, n, size)
		}
		values := make(map[string]int)
		for _, a := range annotationsOf(t, s.w, target.AllTimes, trace) {
			values[string(a.Value)]++
		}
		if len(values) != 1 || values[`"a"`] != 0 { // a batch of rows is one commit
			t.Errorf("round %d: the newest versions have the values %v, want those of one writer", round, values)
		}
		// Nothing of the others is hidden behind the newest versions.
		var versions []uctables.Annotation
		for i := range 1 + len(s.others) {
			for _, a := range first {
				versions = append(versions, version(a, "9", base+1+int64(i)))
			}
		}
		got, err := s.w.WriteAnnotations(t.Context(), versions)
		wrote(t, fmt.Sprint("versions that are not there, round ", round), got, err, len(s.others)*size, size)
	}
}

// concurrentSpanReplacements has writers replace the same spans, and one add some of them, at the same time:
// the rows are those of the last one, each once.
func (s *suite) concurrentSpanReplacements(t *testing.T) {
	for round := range s.Rounds {
		const there, size = 10, 20
		trace := traceID(t, round)
		var spans []uctables.Span
		for i := range size {
			spans = append(spans, span(trace, i+1, base+int64(i)))
		}
		mustWriteSpans(t, s.w, named("old", spans[:there]...)...)
		s.race(t, func(i int, w target.Writer) (target.Written, error) {
			rows := named(fmt.Sprint("writer ", i), spans...)
			if i == 0 {
				return w.WriteSpans(t.Context(), rows)
			}
			got, err := w.ReplaceSpans(t.Context(), rows, target.NoTimes)
			if err == nil && got.Inserted != size {
				t.Errorf("round %d: writer %d: %+v, want %d inserted", round, i, got, size)
			}
			return got, err
		}, nil)
		found := make(map[string]int)
		for _, s := range spansOf(t, s.w, target.AllTimes, trace) {
			found[s.Name]++
		}
		if len(found) != 1 || found["writer 1"]+found["writer 2"] != size {
			t.Errorf("round %d: rows by their names are %v, want %d of writer 1 or 2", round, found, size)
		}
	}
}
