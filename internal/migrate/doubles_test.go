package migrate

import (
	"context"
	"errors"
	"testing"

	"github.com/tracemig/tracemig/internal/uctables"
)

// shared is a target that others may write at the same time.
type shared struct {
	*memory
	doubles int64
	err     error
	asked   []uctables.Times
}

func (s *shared) CountDoubles(_ context.Context, times uctables.Times) (spans, annotations int64, err error) {
	s.asked = append(s.asked, times)
	return s.doubles, 1, s.err
}

// A run that has written counts what is there twice, at the times of what it wrote, and says it; one that has written
// nothing asks nothing.
func TestCountsDoubles(t *testing.T) {
	src, c := &experiment{}, newCheckpoint(t)
	src.add(0, "root", "child")
	target := &shared{memory: newMemory(), doubles: 2}
	target.want[targetID(0)] = 2
	j := job(src, target.memory, c)
	j.Target = target
	s, err := Run(t.Context(), nil, j)
	if err != nil || s.Outcome != OutcomePartial || s.Duplicates == nil || *s.Duplicates != 3 || len(target.asked) != 1 {
		t.Errorf("%+v, %v, asked %v", s, err, target.asked)
	}
	at := uctables.NoTimes
	for _, span := range target.spans {
		at.Include(span.TimeMicros)
	}
	for _, a := range target.annotations {
		at.Include(a.CreatedAtMicros)
	}
	if target.asked[0] != at {
		t.Errorf("asked for %v, want %v", target.asked[0], at)
	}
	j.Progress = &Progress{}
	if s, err := Run(t.Context(), nil, j); err != nil || s.Outcome != OutcomeDone || s.Duplicates != nil || len(target.asked) != 1 {
		t.Errorf("again: %+v, %v", s, err)
	}
	src.add(1, "root")
	target.want[targetID(1)] = 1
	j.Progress, target.err = &Progress{}, errors.New("no answer")
	if s, err := Run(t.Context(), nil, j); !errors.Is(err, target.err) || s.Outcome != OutcomeFailed || s.Migrated != 1 {
		t.Errorf("without an answer: %+v, %v", s, err)
	}
}
