// Package repair sets right what earlier runs left wrong: traces that the target lacks, or has otherwise than the
// source, and a checkpoint that does not tell what the target holds.
package repair

import (
	"context"
	"errors"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/verify"
)

// Needs says whether a run has to look again at a trace that verification found to be of kind k.
func Needs(k verify.Kind) bool { return k.Wrong() || k == verify.Changed }

// Reopen verifies as job says, and records in the checkpoint that the next run is to look at each trace that needs it.
// found is how many do. Verification ends early with stop.
func Reopen(ctx, stop context.Context, store *checkpoint.Store, job verify.Job) (found int, r verify.Report, err error) {
	var failed error
	tell := job.OnFinding
	job.OnFinding = func(f verify.Finding) {
		tell(f)
		if failed == nil && Needs(f.Kind) {
			found++
			failed = migrate.Reopen(ctx, store, f.TraceID)
		}
	}
	r, err = verify.Run(stop, job)
	return found, r, errors.Join(err, failed)
}

// Rebuild forgets what the checkpoint at path knows of the target and fills it anew from the target's tables, as a run
// of its own under the checkpoint's lock, for which it waits that long. It returns how many traces are in each state then. It
// ends early with stop.
func Rebuild(
	ctx, stop context.Context, path string, wait time.Duration, pair checkpoint.Pair, tables target.Writer, runID string,
) (map[checkpoint.State]int64, error) {
	if err := tables.Check(stop); err != nil { // before anything is forgotten
		return nil, err
	}
	h := checkpoint.ThisProcess(runID)
	lock, err := checkpoint.TakeLock(stop, path, wait, h)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	s, err := checkpoint.Open(ctx, path, pair)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	r := checkpoint.Run{ID: runID, Start: time.Now(), By: h.By()}
	if err := s.StartRun(ctx, r); err != nil {
		return nil, err
	}
	err = s.Forget(ctx)
	if err == nil {
		err = migrate.Rebuild(stop, s, tables, pair.Source)
	}
	r.End, r.Outcome = time.Now(), checkpoint.Rebuilt
	switch {
	case stop.Err() != nil:
		r.Outcome, _ = report.Ended(stop)
	case err != nil:
		r.Outcome = report.Failed
	}
	if err := errors.Join(err, s.FinishRun(ctx, r)); err != nil {
		return nil, err
	}
	counts, err := s.Counts(ctx)
	traces := map[checkpoint.State]int64{}
	for _, c := range counts {
		traces[c.State] += c.Traces
	}
	return traces, err
}
