// Package migrate is the pipeline from a source experiment to a target's tables:
// list → fetch → convert → batch → write → record.
//
// What it upholds, whatever happens between any two of its steps:
//   - A trace's annotations are written before its spans, its spans in one commit (or with its roots
//     last), and only then is it recorded: readers, who begin at root spans, see it complete or not
//     at all.
//   - What a trace's rows say of it follows the source (package resync), also where an interrupted run
//     left rows of an earlier state.
//   - The target leaves rows alone that it has. So any step may be repeated, by this run, a later
//     one or another one at the same time.
//   - The checkpoint is written last. It may say less than the target, never more.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/attachments"
	"github.com/tracemig/tracemig/internal/budget"
	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/target"
)

// Job says what to migrate, from where to where and how.
type Job struct {
	RunID        string
	Source       source.Source
	ExperimentID string
	SourceName   string // the source's identity in the checkpoint and in the target's provenance
	Target       target.Writer
	Checkpoint   *checkpoint.Store // it also says which shard of the source is to be migrated
	Window       mlflowclient.Window

	Read        mlflowclient.Read // how the spans of traces that are new are read
	RunLinks    runlinks.Scope    // of which runs to ask for traces that were linked to them after they ended
	Resync      bool              // carry over what changed at the source since a trace was migrated
	UpdateSpans bool              // put spans that have other values at the source now in the place of their rows
	// Settle is for how long after a trace's end spans of it may come, where the source takes each one as it
	// comes: traces migrated within it are read again by later runs.
	Settle        time.Duration
	Attachments   attachments.Policy
	ServiceName   string // resource attribute service.name of all spans; empty for none
	Fetchers      int    // groups of traces read at the same time
	BytesInFlight int64  // bound on payload bytes between reading and recording
	Limit         int64  // how many traces that no earlier run has seen are taken, at most; 0 for no bound
	CountFirst    bool   // count the window's traces beside the run, for an ETA

	// Memory is what runs of one process may have in flight together, in place of BytesInFlight; nil for one run alone.
	Memory *budget.Memory

	Recorder *Recorder         // counts what the run does; nil for a new one
	OnTrace  func(TraceReport) // is called for every trace that was not simply migrated; calls don't overlap
}

// Defaults for Job's bounds.
const (
	DefaultFetchers      = 256 // the source's client bounds the requests under way, by what the source bears
	DefaultBytesInFlight = 64 << 20
	DefaultSettle        = time.Hour
)

// errStopped is the cause of the end of reading when the user asked for it.
var errStopped = errors.New("interrupted")

// errLimit ends the listing once Job.Limit is reached.
var errLimit = errors.New("as many new traces as there should be")

// run is one run of a Job.
type run struct {
	job      Job
	started  time.Time
	recorder *Recorder
	shard    shard.Shard // of the source's traces that are to be migrated: the checkpoint's

	bytes *budget.Budget // of payloads between reading and recording
	// attachmentBytes bounds the bytes of attachments. Who waits for it may hold some of bytes, never the other
	// way round.
	attachmentBytes *budget.Budget

	copier   *copier // nil where all spans are read
	failures failures
	claims   claims
	taken    int64 // traces that no earlier run has seen; only the listing counts
}

// Run migrates what the job names and is new. When stop ends it reads nothing more, finishes
// what is in flight and returns a summary with the outcome report.Ended; when ctx ends it stops at once.
// The error, also told in the summary, is what kept the run from looking at every trace; a single
// trace that can't be migrated is no error, but counted and reported.
func Run(ctx, stop context.Context, job Job) (Summary, error) {
	r := newRun(job)
	reading, stopReading := context.WithCancelCause(ctx)
	defer stopReading(nil)
	go func() {
		select {
		case <-stop.Done():
			stopReading(errStopped)
		case <-reading.Done():
		}
	}()

	err := r.migrate(ctx, reading)
	r.bytes.Leave()
	r.attachmentBytes.Leave()
	if err == nil && ctx.Err() == nil {
		err = r.countDuplicates(ctx)
	}
	if ctx.Err() != nil {
		err = nil // The user ended the run, and so caused the error.
	}
	switch {
	case ctx.Err() != nil:
		return r.recorder.end(err, ctx), err
	case stopped(reading):
		return r.recorder.end(err, stop), err
	}
	return r.recorder.end(err, nil), err
}

func newRun(job Job) *run {
	r := &run{job: job, started: time.Now(), recorder: job.Recorder, shard: job.Checkpoint.Pair().Shard}
	if r.recorder == nil {
		r.recorder = &Recorder{}
	}
	r.recorder.begin(&job, r.started)
	r.copier = copierOf(&job)
	memory := job.Memory
	if memory == nil {
		memory = budget.NewMemory(job.BytesInFlight, job.Attachments.Reads())
	}
	r.bytes, r.attachmentBytes = memory.Payload.Join(), memory.Attachments.Join()
	return r
}

// stopped says whether reading ended because the user asked for it.
func stopped(reading context.Context) bool { return errors.Is(context.Cause(reading), errStopped) }

// migrate prepares and runs the stages. Only listing and the start of new reads end with reading; everything
// that was begun goes on under ctx.
func (r *run) migrate(ctx, reading context.Context) error {
	if folder := r.job.Attachments.Folder; folder != "" {
		if err := r.job.Attachments.Files.Prepare(ctx, folder); err != nil {
			return err
		}
	}
	if err := learn(ctx, &r.job); err != nil {
		return err
	}
	hidden, err := runlinks.Read(reading, r.job.Checkpoint, r.job.Source, r.job.ExperimentID, r.job.RunLinks, r.job.Window)
	r.recorder.change(func(s *Summary) { s.RunLinksHidden = hidden })
	if stopped(reading) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read the experiment's run links: %w", err)
	}
	return r.stages(ctx, reading)
}

// stages runs all stages at the same time, each behind a channel.
func (r *run) stages(ctx, reading context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	// A failed stage ends the reading too.
	reading, cancel := context.WithCancelCause(reading)
	defer cancel(nil)
	context.AfterFunc(gctx, func() { cancel(context.Cause(gctx)) })

	r.recorder.enter(report.Counting)
	if r.job.CountFirst {
		g.Go(func() error { r.countWindow(reading); return nil })
	}
	// The next page is asked for while the last one's traces are read: a search may take seconds.
	traces := make(chan listed, readAhead)
	g.Go(func() error {
		defer close(traces)
		err := r.list(reading, traces)
		if stopped(reading) || errors.Is(err, errLimit) {
			return nil
		}
		return err
	})
	units := make(chan *unit)
	rest := r.startCopying(gctx, reading, g, traces, units)
	g.Go(func() error {
		defer close(units) // Copying has ended by then, since its end closes rest.
		return r.fetchAll(gctx, reading, rest, units)
	})
	batches := make(chan []*unit)
	g.Go(func() error {
		defer close(batches)
		return r.batch(gctx, units, batches)
	})
	annotated := make(chan []*unit)
	g.Go(func() error {
		defer close(annotated)
		for b := range batches {
			if err := r.writeAnnotations(gctx, b); err != nil {
				return err
			}
			if err := send(gctx, annotated, b); err != nil {
				return err
			}
		}
		return nil
	})
	for range r.spanWriters() {
		g.Go(func() error {
			for b := range annotated {
				if err := r.writeSpans(gctx, b); err != nil {
					return err
				}
				if err := r.record(gctx, b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// spanWriters is how many batches of spans are written at the same time. A target of SQL statements sends one after the other,
// and makes the next one ready while a warehouse works at the one before.
func (r *run) spanWriters() int {
	if _, ok := r.job.Target.(target.StatementSender); ok {
		return 2
	}
	return 1
}

// countDuplicates looks, at the times of what the run has written, for keys that the target holds more than once.
func (r *run) countDuplicates(ctx context.Context) error {
	r.recorder.enter(report.Checking)
	counter, ok := r.job.Target.(target.DuplicateCounter)
	times := r.recorder.written()
	if !ok || times == target.NoTimes {
		return nil
	}
	spans, annotations, err := counter.CountDuplicates(ctx, times)
	if err != nil {
		return fmt.Errorf("look for rows that are there twice, after all was written: %w", err)
	}
	n := spans + annotations
	r.recorder.change(func(s *Summary) { s.Duplicates = &n })
	return nil
}

func send[T any](ctx context.Context, c chan<- T, v T) error {
	select {
	case c <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// countWindow counts the window's traces, and those of them that the target has, for the ETA. It is a convenience: list
// reports the same errors.
func (r *run) countWindow(ctx context.Context) {
	var total, known int64
	var chunk []*mlflow.TraceInfo
	count := func() error {
		c, err := classifierOf(ctx, &r.job, r.started, chunk)
		if err != nil {
			return err
		}
		for _, info := range chunk {
			// What this run has moved meanwhile was not there.
			if c.classify(info) == leave && c.known[info.TraceID].RunID != r.job.RunID {
				known++
			}
		}
		chunk = chunk[:0]
		return nil
	}
	w := r.job.Window
	w.Unlistable = func(*mlflowclient.UnlistableError) error { total++; return nil }
	err := r.job.Source.ListTraces(ctx, r.job.ExperimentID, w, func(info *mlflow.TraceInfo) error {
		if !r.shard.Has(info.TraceID, "") {
			return nil
		}
		total++
		if chunk = append(chunk, info); len(chunk) < lookupChunk {
			return nil
		}
		return count()
	})
	if err == nil {
		err = count()
	}
	if err == nil {
		r.recorder.setTotal(total, known)
	}
}
