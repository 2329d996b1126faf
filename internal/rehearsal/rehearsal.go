// Package rehearsal tries out a SQL warehouse in tables of its own, and drops them afterwards. It answers questions that only a real
// warehouse can answer: whether values that are hard to store come back as they were written, how large statements may be, how
// long commits take, and what happens when two writers write at the same time, or when the answer to a statement is lost.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Target is a writer that can be tried out, such as *warehouse.Warehouse.
type Target interface {
	target.Writer
	target.DuplicateCounter
	// Drop drops the tables of the target.
	Drop(ctx context.Context) error
}

// Job says what to rehearse.
type Job struct {
	// Open opens a writer to the scratch tables, as another process would. The writer calls waiting before each wait for another
	// try.
	Open func(ctx context.Context, waiting func(error, time.Duration)) (Target, error)
	// Sample calls yield for traces of a source. It is nil if there is none.
	Sample func(ctx context.Context, yield func(uctables.Trace) error) error
	// Step is called for each step when it has ended.
	Step func(Step)
}

// Result is how a step ended.
type Result string

// The results of steps.
const (
	OK     Result = "ok"
	Wrong  Result = "wrong"  // the tables hold something else than they should
	Failed Result = "failed" // it could not be tried
	Left   Result = "left"   // left out, since the user has stopped the rehearsal
)

// Step is one thing that was tried.
type Step struct {
	Name     string         `json:"name"` // of the step
	Result   Result         `json:"result"`
	Text     string         `json:"text"`
	Seconds  float64        `json:"seconds"`
	Measured map[string]any `json:"measured,omitempty"` // by names in snake case that end in the unit
}

// wrongError says that the tables hold something else than they should.
type wrongError struct{ text string }

func (e *wrongError) Error() string { return e.text }

func wrongf(format string, args ...any) error { return &wrongError{fmt.Sprintf(format, args...)} }

// rehearsal is one run of all steps.
type rehearsal struct {
	job     Job
	w       Target
	mu      sync.Mutex
	waits   int           // of all writers, for another try
	commit  time.Duration // how long a commit of one row takes
	largest int           // size in MB of the largest statement that the warehouse has taken
	steps   []Step
}

// dropTime is for how long the tables may be dropped after the user has stopped the rehearsal.
const dropTime = 2 * time.Minute

// Run makes the tables, tries all steps, and drops the tables, also when ctx has ended. The error says why it could not begin, or
// not drop the tables. What the steps found is in them.
func Run(ctx context.Context, job Job) (steps []Step, err error) {
	r := &rehearsal{job: job}
	if r.w, err = job.Open(ctx, r.waiting); err != nil {
		return nil, err
	}
	defer r.w.Close()
	if err := r.w.Create(ctx); err != nil {
		if derr := r.drop(ctx); derr != nil {
			return nil, fmt.Errorf("make the scratch tables: %w; besides, %w", err, derr)
		}
		return nil, fmt.Errorf("make the scratch tables, which takes CREATE TABLE on the schema: %w", err)
	}
	for _, s := range []struct {
		name string
		try  func(context.Context, map[string]any) (string, error)
	}{
		{"values", r.values}, {"commit time", r.commitTime}, {"statement size", r.statementSize}, {"results", r.results},
		{"two writers", r.twoWriters}, {"lost answer", r.lostAnswer}, {"newer versions", r.newerVersions}, {"traces of the source", r.sample},
	} {
		r.step(ctx, s.name, s.try)
	}
	return r.steps, r.drop(ctx)
}

func (r *rehearsal) drop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime)
	defer cancel()
	if err := r.w.Drop(ctx); err != nil {
		return fmt.Errorf("the scratch tables of %s are still there: %w. Drop them by hand", r.w, err)
	}
	return nil
}

// step tries one step and notes how it ended.
func (r *rehearsal) step(ctx context.Context, name string, try func(context.Context, map[string]any) (string, error)) {
	s := Step{Name: name, Measured: map[string]any{}}
	began := time.Now()
	text, err := "", ctx.Err()
	if err == nil {
		text, err = try(ctx, s.Measured)
	}
	s.Seconds = time.Since(began).Seconds()
	wrong, isWrong := errors.AsType[*wrongError](err)
	switch {
	case err == nil && text == "":
		return // there was nothing to try
	case err == nil:
		s.Result, s.Text = OK, text
	case ctx.Err() != nil:
		s.Result, s.Text = Left, "stopped"
	case isWrong:
		s.Result, s.Text = Wrong, wrong.text
	default:
		s.Result, s.Text = Failed, err.Error()
	}
	r.steps = append(r.steps, s)
	r.job.Step(s)
}

func (r *rehearsal) waiting(error, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits++
}

func (r *rehearsal) waited() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waits
}
