package remove

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/checkpoint"
)

// WithCheckpoint is Run with the checkpoint at path, where there is one. Unless it is a dry run, it holds the checkpoint's lock, for
// which it waits that long, and leaves a record of the removal, under the ID id, beside those of runs.
func WithCheckpoint(ctx, stop context.Context, path string, wait time.Duration, id string, job Job) (Summary, error) {
	open := func() (*checkpoint.Store, error) { return checkpoint.OpenReadOnly(stop, path) }
	me := checkpoint.ThisProcess(id)
	if !job.DryRun {
		lock, err := checkpoint.TakeLock(stop, path, wait, me)
		if err != nil {
			return Summary{}, err
		}
		defer lock.Release()
		open = func() (*checkpoint.Store, error) { return checkpoint.Open(ctx, path, job.Pair) }
	}
	if _, err := os.Stat(path); err == nil {
		if job.Store, err = open(); err != nil {
			return Summary{}, err
		}
		defer job.Store.Close()
		if err := job.Store.BelongsTo(job.Pair); err != nil {
			return Summary{}, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Summary{}, err
	}
	if err := job.knowsRun(stop, path); err != nil {
		return Summary{}, err
	}
	began := time.Now()
	sum, err := Run(ctx, stop, job)
	if err == nil && !job.DryRun && job.Store != nil {
		err = record(ctx, &job, checkpoint.Run{ID: id, Start: began, By: me.By()})
	}
	return sum, err
}

// knowsRun returns an error where a run is selected that the checkpoint does not know.
func (j *Job) knowsRun(ctx context.Context, path string) error {
	id := j.Select.RunID
	if id == "" {
		return nil
	}
	const next = "Choose the traces by --traces or by their request times; tracemig status lists the runs that a checkpoint knows"
	if j.Store == nil {
		return advice.With(fmt.Errorf("there is no checkpoint at %s, which would tell what run %s has moved", path, id), next)
	}
	if known, err := j.Store.HasRun(ctx, id); known || err != nil {
		return err
	}
	return advice.With(fmt.Errorf("checkpoint %s knows no run %s", path, id), next)
}

// record notes a removal that came to its end.
func record(ctx context.Context, job *Job, r checkpoint.Run) error {
	r.WindowStartMs, r.WindowEndMs = job.Select.StartMs, job.Select.EndMs
	if err := job.Store.StartRun(ctx, r); err != nil {
		return err
	}
	r.End, r.Outcome = time.Now(), checkpoint.Removed
	return job.Store.FinishRun(ctx, r)
}
