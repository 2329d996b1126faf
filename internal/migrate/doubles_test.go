package migrate

import (
	"context"
	"errors"
	"testing"

	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/source/memsource"
	"github.com/tracemig/tracemig/internal/target"
)

// shared is a target that others may write at the same time.
type shared struct {
	*memory
	doubles int64
	err     error
	asked   []target.Times
}

func (s *shared) CountDuplicates(_ context.Context, times target.Times) (spans, annotations int64, err error) {
	s.asked = append(s.asked, times)
	return s.doubles, 1, s.err
}

// A run that has written counts what is there twice, at the times of what it wrote, and says it; one that has written
// nothing asks nothing.
func TestCountsDoubles(t *testing.T) {
	src, c := &memsource.Experiment{}, newCheckpoint(t)
	src.Add(0, "root", "child")
	tables := &shared{memory: newMemory(), doubles: 2}
	tables.want[targetID(0)] = 2
	j := job(src, tables.memory, c)
	j.Target = tables
	s, err := Run(t.Context(), t.Context(), j)
	if err != nil || s.Outcome != report.Partial || s.Duplicates == nil || *s.Duplicates != 3 || len(tables.asked) != 1 {
		t.Errorf("%+v, %v, asked %v", s, err, tables.asked)
	}
	at := target.NoTimes
	for _, span := range tables.Spans() {
		at.Include(span.TimeMicros)
	}
	for _, a := range tables.Annotations() {
		at.Include(a.CreatedAtMicros)
	}
	if tables.asked[0] != at {
		t.Errorf("asked for %v, want %v", tables.asked[0], at)
	}
	j.Recorder = &Recorder{}
	if s, err := Run(t.Context(), t.Context(), j); err != nil || s.Outcome != report.Done || s.Duplicates != nil || len(tables.asked) != 1 {
		t.Errorf("again: %+v, %v", s, err)
	}
	src.Add(1, "root")
	tables.want[targetID(1)] = 1
	j.Recorder, tables.err = &Recorder{}, errors.New("no answer")
	if s, err := Run(t.Context(), t.Context(), j); !errors.Is(err, tables.err) || s.Outcome != report.Failed || s.Migrated != 1 {
		t.Errorf("without an answer: %+v, %v", s, err)
	}
}
