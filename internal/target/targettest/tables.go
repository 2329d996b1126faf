package targettest

import (
	"context"
	"errors"
	"testing"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// missing tests Check before the tables are there: it says so, and does not make them.
func (s *suite) missing(t *testing.T) {
	for range 2 {
		err := s.w.Check(t.Context())
		if table, ok := errors.AsType[*target.TableError](err); !ok || !table.Missing {
			t.Fatalf("Check of missing tables: error %v, want a TableError that says that one is missing", err)
		}
	}
}

func (s *suite) names(t *testing.T) {
	if l := s.w.Limits(); l.Rows <= 0 || l.Bytes <= 0 {
		t.Errorf("limits %+v, want some rows and bytes", l)
	}
	if s.w.String() == "" {
		t.Error("the target has no name")
	}
}

// identity tests that Create makes the table that is missing and leaves the other one alone, and that the identity is
// another one then.
func (s *suite) identity(t *testing.T) {
	of := func(w target.Writer) string {
		t.Helper()
		id, err := w.Identity(t.Context())
		if err != nil || id == "" {
			t.Fatalf("identity %q, error %v; want some identity", id, err)
		}
		return id
	}
	row, other := span(traceID(t, 0), 1, base), annotation(traceID(t, 0), "other")
	mustWriteSpans(t, s.w, row)
	mustWriteAnnotations(t, s.w, other)
	before := of(s.w)
	if after := of(s.others[0]); after != before {
		t.Errorf("the same tables have the identities %q and %q, want one", before, after)
	}
	s.Drop(t)
	if err := s.w.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := of(s.w); after == before {
		t.Errorf("a table that was made anew has the identity %q of the dropped one, want another", after)
	}
	got, err := s.w.WriteSpans(t.Context(), []uctables.Span{row})
	wrote(t, "a row that the dropped table had", got, err, 1, 0)
	sameAnnotations(t, "the other table", annotationsOf(t, s.w, target.AllTimes, row.TraceID), other)
}

// cancelled tests that no method begins anything once its context has ended.
func (s *suite) cancelled(t *testing.T) {
	trace := traceID(t, 0)
	mustWriteSpans(t, s.w, span(trace, 1, base))
	mustWriteAnnotations(t, s.w, annotation(trace, "a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	traces := []string{trace}
	newer := uctables.Replacement{
		Annotation: version(annotation(trace, "a"), `"b"`, base+1), ReplacesMicros: base, ReplacesCreatedMicros: base,
	}
	for name, call := range map[string]func() error{
		"WriteSpans": func() error {
			_, err := s.w.WriteSpans(ctx, []uctables.Span{span(trace, 2, base)})
			return err
		},
		"WriteAnnotations": func() error {
			_, err := s.w.WriteAnnotations(ctx, []uctables.Annotation{annotation(trace, "b")})
			return err
		},
		"ReplaceSpans": func() error {
			_, err := s.w.ReplaceSpans(ctx, named("new", span(trace, 1, base)), target.NoTimes)
			return err
		},
		"ReplaceAnnotations": func() error {
			_, err := s.w.ReplaceAnnotations(ctx, []uctables.Replacement{newer})
			return err
		},
		"SumSpans": func() error {
			return s.w.SumSpans(ctx, traces, target.AllTimes, false, func(target.SpanSum) error { return nil })
		},
		"SumAnnotations": func() error {
			return s.w.SumAnnotations(ctx, traces, target.AllTimes, false, func(target.AnnotationSum) error { return nil })
		},
		"ReadSpans": func() error {
			return s.w.ReadSpans(ctx, traces, target.AllTimes, func(*uctables.Span) error { return nil })
		},
		"ReadAnnotations": func() error {
			return s.w.ReadAnnotations(ctx, traces, target.AllTimes, func(*uctables.Annotation) error { return nil })
		},
		"Migrated": func() error { return s.w.Migrated(ctx, "none", func(uctables.Provenance) error { return nil }) },
		"Official": func() error { return s.w.Official(ctx, "none", func(string) error { return nil }) },
		"Check":    func() error { return s.w.Check(ctx) },
		"Identity": func() error {
			_, err := s.w.Identity(ctx)
			return err
		},
		"Create": func() error { return s.w.Create(ctx) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want %v", name, err, context.Canceled)
		}
	}
	sameSpans(t, "after cancelled writes", spansOf(t, s.w, target.AllTimes, trace), span(trace, 1, base))
	sameAnnotations(t, "after cancelled writes", annotationsOf(t, s.w, target.AllTimes, trace), annotation(trace, "a"))
}
