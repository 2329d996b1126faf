package memtarget

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/target/targettest"
	"github.com/tracemig/tracemig/internal/uctables"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	tables := New()
	targettest.Run(t, targettest.Options{
		Open:   func(*testing.T) target.Writer { return tables },
		Drop:   func(*testing.T) { tables.DropSpans() },
		Rounds: 10,
	})
}

func TestHooks(t *testing.T) {
	tables := New()
	if err := tables.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	row := uctables.Annotation{AnnotationID: "a", Value: uctables.JSON(`1`)}
	refused, lost := errors.New("refused"), errors.New("lost")
	tables.Before = func([]uctables.Span, []uctables.Annotation) error { return refused }
	_, err := tables.WriteAnnotations(t.Context(), []uctables.Annotation{row})
	if n := len(tables.Annotations()); !errors.Is(err, refused) || n != 0 {
		t.Errorf("error %v and %d rows, want %v and none", err, n, refused)
	}
	tables.Before, tables.After = nil, func() error { return lost }
	_, err = tables.WriteAnnotations(t.Context(), []uctables.Annotation{row})
	if n := len(tables.Annotations()); !errors.Is(err, lost) || n != 1 {
		t.Errorf("error %v and %d rows, want %v and 1", err, n, lost)
	}
}
