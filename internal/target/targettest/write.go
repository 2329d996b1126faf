package targettest

import (
	"errors"
	"testing"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// writeSpans tests that a span whose key the table holds is left alone, whoever wrote it.
func (s *suite) writeSpans(t *testing.T) {
	trace, other := traceID(t, 0), traceID(t, 1)
	a, b, c := span(trace, 1, base), span(trace, 2, base+1), span(trace, 3, base+2)
	namesake := span(other, 1, base) // a span ID of another trace is another key
	again := named("again", a, b)    // a key, not a row, is what is there
	got, err := s.w.WriteSpans(t.Context(), []uctables.Span{a, b, namesake, again[0]})
	wrote(t, "a key twice", got, err, 3, 1)
	got, err = s.others[0].WriteSpans(t.Context(), append(again, c))
	wrote(t, "by another writer", got, err, 1, 2)
	sameSpans(t, "in the end", spansOf(t, s.w, target.AllTimes, trace, other), a, b, c, namesake)
	if got, err := s.w.WriteSpans(t.Context(), nil); err != nil || got != (target.Written{}) {
		t.Errorf("no rows: %+v, error %v; want nothing", got, err)
	}
}

// writeAnnotations tests that the key of an annotation is its ID and updated_at.
func (s *suite) writeAnnotations(t *testing.T) {
	trace := traceID(t, 0)
	a, b := annotation(trace, "a"), annotation(trace, "b")
	newer := version(a, `"newer"`, base+1)
	got, err := s.w.WriteAnnotations(t.Context(), []uctables.Annotation{a, newer, version(a, `"again"`, base)})
	wrote(t, "two versions, one twice", got, err, 2, 1)
	older := version(a, `"older"`, base-1)
	got, err = s.others[0].WriteAnnotations(t.Context(), []uctables.Annotation{version(newer, `"again"`, base+1), a, b, older})
	wrote(t, "by another writer", got, err, 2, 2)
	sameAnnotations(t, "in the end", annotationsOf(t, s.w, target.AllTimes, trace), newer, b)
	if got, err := s.w.WriteAnnotations(t.Context(), nil); err != nil || got != (target.Written{}) {
		t.Errorf("no rows: %+v, error %v; want nothing", got, err)
	}
}

// replaceAnnotations tests that a replacement is written where the version that it replaces is the newest.
// All rows of one call are looked for in one range of created_at, so each call has its own.
func (s *suite) replaceAnnotations(t *testing.T) {
	trace := traceID(t, 0)
	moving, twice := annotation(trace, "moving"), annotation(trace, "twice")
	gone, kept := annotation(trace, "gone"), annotation(trace, "kept")
	mustWriteAnnotations(t, s.w, moving, twice, gone, kept)
	replace := func(a uctables.Annotation, createdAt, replaces, replacesCreated int64) uctables.Replacement {
		a.CreatedAtMicros = createdAt
		return uctables.Replacement{Annotation: a, ReplacesMicros: replaces, ReplacesCreatedMicros: replacesCreated}
	}
	created := func(id string, createdAt, lookedFor int64) uctables.Replacement {
		return replace(version(annotation(trace, id), `"new"`, base+5), createdAt, uctables.NoVersion, lookedFor)
	}
	b := replace(version(moving, `"b"`, base+1), base-day, base, base)
	first := replace(version(twice, `"first"`, base+1), base, base, base)
	second := replace(version(twice, `"second"`, base+2), base, base+1, base) // even if it replaces the first
	end := replace(deleted(version(gone, `"a"`, base+3)), base, base, base)
	d := replace(version(moving, `"d"`, base+2), base+day, base+1, base-day)
	later, earliest := created("later", base+10*day, base+10*day), created("earliest", target.AllTimes.Low, base)
	lacking := replace(version(annotation(trace, "lacking"), `"new"`, base+5), base, base, base)
	for _, step := range []struct {
		name     string
		rows     []uctables.Replacement
		inserted int
	}{
		{"the newest versions, one twice", []uctables.Replacement{b, first, second, end}, 3},
		{"the same again", []uctables.Replacement{b, first, end}, 0},
		{"a version that is not the newest any more", []uctables.Replacement{
			replace(version(moving, `"c"`, base+9), base-2*day, base, base), // the newer one was created between the two times
			created("kept", base, base),                                     // it has versions
		}, 0},
		{"to a later created_at", []uctables.Replacement{d}, 1},
		{"none where there is one, by its created_at", []uctables.Replacement{created("moving", base+10*day, base+day)}, 0},
		{"none where there is none", []uctables.Replacement{later}, 1},
		{"none, at the first time there is", []uctables.Replacement{earliest}, 1},
		{"a version that the table lacks", []uctables.Replacement{lacking}, 1},
	} {
		got, err := s.w.ReplaceAnnotations(t.Context(), step.rows)
		wrote(t, step.name, got, err, step.inserted, len(step.rows)-step.inserted)
	}
	sameAnnotations(t, "in the end", annotationsOf(t, s.w, target.AllTimes, trace),
		d.Annotation, first.Annotation, end.Annotation, kept, later.Annotation, earliest.Annotation,
		lacking.Annotation)
	if got, err := s.w.ReplaceAnnotations(t.Context(), nil); err != nil || got != (target.Written{}) {
		t.Errorf("no rows: %+v, error %v; want nothing", got, err)
	}
}

// refusedRows tests that a row that VARIANT does not hold is told from other failures, and that nothing of its
// write is left.
func (s *suite) refusedRows(t *testing.T) {
	trace := traceID(t, 0)
	first := annotation(trace, "first")
	mustWriteAnnotations(t, s.w, first)
	prober, probes := s.w.(target.SpanProber)
	refused := func(step string, err error) {
		t.Helper()
		if _, ok := errors.AsType[*target.RowError](err); !ok {
			t.Errorf("%s: error %v, want a RowError", step, err)
		}
	}
	bad := span(trace, 2, base)
	bad.Events = []uctables.Event{{Attributes: uctables.JSON(`{"a":1,"a":2}`)}}
	_, err := s.w.WriteSpans(t.Context(), []uctables.Span{span(trace, 1, base), bad})
	refused("span", err)
	if probes {
		refused("probe of a span", prober.ProbeSpans(t.Context(), []uctables.Span{span(trace, 1, base), bad}))
		if err := prober.ProbeSpans(t.Context(), []uctables.Span{span(trace, 1, base)}); err != nil {
			t.Errorf("probe of a span that a write takes: error %v, want none", err)
		}
	}
	badAnnotation := version(annotation(trace, "bad"), `{"a":1,"a":2}`, base)
	_, err = s.w.WriteAnnotations(t.Context(), []uctables.Annotation{annotation(trace, "good"), badAnnotation})
	refused("annotation", err)
	_, err = s.w.ReplaceAnnotations(t.Context(), []uctables.Replacement{
		{Annotation: version(first, `"newer"`, base+1), ReplacesMicros: base, ReplacesCreatedMicros: base},
		{Annotation: badAnnotation, ReplacesMicros: uctables.NoVersion, ReplacesCreatedMicros: base},
	})
	refused("replacement", err)
	sameSpans(t, "after refused writes", spansOf(t, s.w, target.AllTimes, trace))
	sameAnnotations(t, "after refused writes", annotationsOf(t, s.w, target.AllTimes, trace), first)
	mustWriteSpans(t, s.w, span(trace, 1, base))
}
