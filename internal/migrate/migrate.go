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
//   - The checkpoint is written last and says less than the target at any time, never more.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/official"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Source is what the pipeline reads from; *mlflowclient.Client is one.
type Source interface {
	ListTraces(ctx context.Context, experimentID string, w mlflowclient.Window, yield func(*mlflow.TraceInfo) error) error
	TraceInfo(ctx context.Context, traceID string) (*mlflow.TraceInfo, error)
	FetchSpans(ctx context.Context, infos []*mlflow.TraceInfo) []mlflowclient.Spans
	FetchGroup() int
	ListExperiments(ctx context.Context, yield func(experimentID string) error) error
	ListRuns(ctx context.Context, experimentID string, yield func(runID string) error) error
	ListRunTraces(ctx context.Context, experimentID, runID string, w mlflowclient.Window, yield func(traceID string) error) error
}

// Job says what to migrate, from where to where and how.
type Job struct {
	RunID        string
	Source       Source
	ExperimentID string
	SourceName   string // the source's identity in the checkpoint and in the target's provenance
	Target       target.Writer
	Checkpoint   *checkpoint.Store // says which shard of the source, too
	Window       mlflowclient.Window

	RunLinks    RunLinks // of which runs to ask for traces that were linked to them after they ended
	Resync      bool     // carry over what changed at the source since a trace was migrated
	UpdateSpans bool     // put spans that have other values at the source now in the place of their rows
	// Settle is for how long after a trace's end spans of it may come, where the source takes each one as it
	// comes: traces migrated within it are read again by later runs.
	Settle        time.Duration
	Attachments   Attachments
	ServiceName   string // resource attribute service.name of all spans; empty for none
	Fetchers      int    // groups of traces read at the same time
	BytesInFlight int64  // bound on payload bytes between reading and recording
	CountFirst    bool   // count the window's traces beside the run, for an ETA

	Progress *Progress
	OnTrace  func(TraceReport) // hears of every trace that was not simply migrated; calls don't overlap
}

// Defaults for Job's bounds.
const (
	DefaultFetchers      = 256 // the source's client bounds the requests under way, by what the source bears
	DefaultBytesInFlight = 64 << 20
	DefaultSettle        = time.Hour
)

const (
	// lookupChunk is how many listed traces are looked up in the checkpoint at once.
	lookupChunk = 200
	// unknownSize is assumed for traces whose size the source does not tell.
	unknownSize = 64 << 10
	// flushAfter is how long a half-full batch waits for more: each commit has a fixed cost.
	flushAfter = 5 * time.Second
	// failuresInARow is after how many failed reads in a row the source is asked for something simple:
	// if it fails at that too, the source is broken, not the traces, and the run ends.
	failuresInARow = 20
	// firstGroups are read before the source has answered once. Its answer shows what it serves, and so how
	// many traces a call should carry; a few, because any one may take long.
	firstGroups = 8
	// readAhead is how many listed traces wait to be read: a page, of some KB each.
	readAhead = 500
)

// errStopped is the cause of the end of reading when the user asked for it.
var errStopped = errors.New("interrupted")

type run struct {
	job     Job
	budget  *Budget
	started time.Time

	// attached bounds the bytes of attachments, beside budget: who holds bytes of budget waits for it.
	attached *Budget

	mu        sync.Mutex // guards summary, writtenAt and calls of OnTrace
	summary   Summary
	writtenAt target.Times // of all rows that the run has added

	shard  shard.Shard  // what is to be migrated of the source: the checkpoint's
	failed atomic.Int64 // reads in a row

	claimed sync.Map // target trace ID → source trace ID, of those in flight
}

// Run migrates what the job names and is new. When stop is closed it reads nothing more, finishes
// what is in flight and returns a summary with OutcomeInterrupted; when ctx ends it stops at once.
// The error, also told in the summary, is what kept the run from looking at every trace; a single
// trace that can't be migrated is no error, but counted and reported.
func Run(ctx context.Context, stop <-chan struct{}, job Job) (Summary, error) {
	share := job.BytesInFlight / AttachmentShare
	r := &run{job: job, budget: NewBudget(job.BytesInFlight), attached: NewBudget(share), started: time.Now(), writtenAt: target.NoTimes, shard: job.Checkpoint.Pair().Shard}
	if job.Attachments.reads() {
		r.budget = NewBudget(job.BytesInFlight - share)
	}
	r.summary = Summary{RunID: job.RunID, Source: job.SourceName, Target: job.Target.String(), Shard: r.shard, Started: r.started.UTC()}

	reading, stopReading := context.WithCancelCause(ctx)
	defer stopReading(nil)
	go func() {
		select {
		case <-stop:
			stopReading(errStopped)
		case <-reading.Done():
		}
	}()

	err := r.pipeline(ctx, reading)
	if err == nil && ctx.Err() == nil {
		err = r.countDuplicates(ctx)
	}
	if ctx.Err() != nil {
		err = nil // whatever broke off, broke off because the user said so
	}
	s := r.finish(err, stopped(reading) || ctx.Err() != nil)
	return s, err
}

// stopped says whether reading ended because the user asked for it.
func stopped(reading context.Context) bool { return errors.Is(context.Cause(reading), errStopped) }

func (r *run) finish(err error, interrupted bool) Summary {
	p, s := r.job.Progress, &r.summary
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Updated = p.Updated.Load()
	s.Listed, s.Migrated, s.Present = p.Listed.Load(), p.Migrated.Load(), p.Present.Load()
	s.Deferred, s.Skipped, s.Failed = p.Deferred.Load(), p.Skipped.Load(), p.Failed.Load()
	s.SpansWritten, s.AnnotationsWritten, s.Bytes = p.Spans.Load(), p.Annotations.Load(), p.Bytes.Load()
	if err != nil || interrupted {
		s.NotReached = max(0, s.Listed-p.Done())
	}
	s.Seconds = time.Since(r.started).Seconds()
	if s.Seconds > 0 {
		s.TracesPerSecond = float64(s.Migrated) / s.Seconds
	}
	switch {
	case err != nil:
		s.Outcome, s.Error = OutcomeFailed, err.Error()
	case interrupted:
		s.Outcome = OutcomeInterrupted
	case s.Failed > 0, s.Duplicates != nil && *s.Duplicates > 0:
		s.Outcome = OutcomePartial
	default:
		s.Outcome = OutcomeDone
	}
	return *s
}

// pipeline runs all stages. Only listing and the start of new reads end with reading; everything
// that was begun goes on under ctx.
func (r *run) pipeline(ctx, reading context.Context) error {
	if folder := r.job.Attachments.Folder; folder != "" {
		if err := r.job.Attachments.Files.Prepare(ctx, folder); err != nil {
			return err
		}
	}
	if err := Rebuild(ctx, r.job.Checkpoint, r.job.Target, r.job.SourceName, r.job.RunID); err != nil {
		return err
	}
	if err := readOfficial(ctx, &r.job); err != nil {
		return err
	}
	hidden, err := ReadRunLinks(reading, r.job.Checkpoint, r.job.Source, r.job.ExperimentID, r.job.RunLinks, r.job.Window)
	r.summary.RunLinksHidden = hidden
	if stopped(reading) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read the experiment's run links: %w", err)
	}
	g, gctx := errgroup.WithContext(ctx)
	// A failed stage ends the reading too.
	reading, cancel := context.WithCancelCause(reading)
	defer cancel(nil)
	context.AfterFunc(gctx, func() { cancel(context.Cause(gctx)) })

	if r.job.CountFirst {
		g.Go(func() error { r.countWindow(reading); return nil })
	}
	// The next page is asked for while the last one's traces are read: a search may take seconds.
	traces := make(chan listed, readAhead)
	g.Go(func() error {
		defer close(traces)
		err := r.list(reading, traces)
		if stopped(reading) {
			return nil
		}
		return err
	})
	units := make(chan *unit)
	g.Go(func() error {
		defer close(units)
		return r.fetchAll(gctx, reading, traces, units)
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
	g.Go(func() error {
		for b := range annotated {
			if err := r.compareSpans(gctx, b); err != nil {
				return err
			}
			if err := r.writeSpans(gctx, b); err != nil {
				return err
			}
			if err := r.record(gctx, b); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

func send[T any](ctx context.Context, c chan<- T, v T) error {
	select {
	case c <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Rebuild fills a checkpoint that is new, was never filled to its end, or tells of tables that have
// been replaced since, from what the target has of the source, or of the checkpoint's shard of it. It
// does nothing with a complete one.
func Rebuild(ctx context.Context, c *checkpoint.Store, target target.Writer, source, runID string) error {
	tables, err := target.Identity(ctx)
	if err != nil {
		return err
	}
	if err := c.Bind(ctx, tables); err != nil {
		return err
	}
	complete, err := c.Complete(ctx)
	if err != nil || complete {
		return err
	}
	var rs []checkpoint.Record
	now, due := time.Now(), map[string]int64{}
	flush := func() error {
		if err := c.SetUnsettled(ctx, due); err != nil {
			return err
		}
		err := c.Put(ctx, rs...)
		rs = rs[:0]
		clear(due)
		return err
	}
	err = target.Migrated(ctx, source, func(p uctables.Provenance) error {
		rec := checkpoint.Record{
			TraceID: p.SourceTraceID, TargetTraceID: p.TraceID, RequestTimeMs: p.RequestMicros / 1000, State: checkpoint.Migrated,
			Digest: p.Digest, Spans: p.Spans, RunID: runID,
		}
		if p.SpansMissing != "" {
			rec.State, rec.Reason = checkpoint.Skipped, p.SpansMissing
		}
		if part := c.Pair().Shard; !part.MayHave(p.SourceTraceID) {
			return nil
		} else if !part.Has(p.SourceTraceID, p.TraceID) {
			rec.State, rec.Reason = checkpoint.Elsewhere, ""
		}
		if StillArriving(time.UnixMicro(p.RequestMicros), now) {
			due[p.SourceTraceID] = now.UnixMilli() // Nobody knows how soon after its end it was migrated.
		}
		if rs = append(rs, rec); len(rs) < 1000 {
			return nil
		}
		return flush()
	})
	if err != nil {
		return fmt.Errorf("rebuild the checkpoint from %s: %w", target, err)
	}
	if err := flush(); err != nil {
		return err
	}
	return c.SetComplete(ctx)
}

// readOfficial notes in the checkpoint what Databricks' own migration has moved.
func readOfficial(ctx context.Context, job *Job) error {
	err := job.Checkpoint.ReadOfficial(ctx, func(yield func(string) error) error {
		return job.Target.Official(ctx, job.ExperimentID, yield)
	})
	if err != nil {
		return fmt.Errorf("look in %s for what Databricks' own migration has moved: %w", job.Target, err)
	}
	return nil
}

// Reopen has the next run write traces again, as far as the target lacks rows of them.
func Reopen(ctx context.Context, c *checkpoint.Store, traceIDs ...string) error {
	known, err := c.Get(ctx, traceIDs)
	if err != nil {
		return err
	}
	var rs []checkpoint.Record
	for _, id := range traceIDs {
		rec := known[id]
		rec.TraceID, rec.State, rec.Reason, rec.RunID = id, checkpoint.Deferred, ReasonRepair, ""
		rs = append(rs, rec)
	}
	return c.Put(ctx, rs...)
}

// countWindow counts the window's traces for the ETA. It is a convenience: its errors are the
// listing's to report.
func (r *run) countWindow(ctx context.Context) {
	var n int64
	w := r.job.Window
	w.Unlistable = func(*mlflowclient.UnlistableError) error { n++; return nil }
	err := r.job.Source.ListTraces(ctx, r.job.ExperimentID, w, func(info *mlflow.TraceInfo) error {
		if r.shard.Has(info.TraceID, "") {
			n++
		}
		return nil
	})
	if err == nil {
		r.job.Progress.Total.Store(n)
	}
}

// listed is a trace that is to be read.
type listed struct {
	*mlflow.TraceInfo
	known    checkpoint.Record // what earlier runs noted of it
	links    checkpoint.Links  // that were found
	official bool              // Databricks' own migration has written it
	reread   bool              // it did not change, but spans may have come
}

// list sends the traces that are to be read.
func (r *run) list(ctx context.Context, traces chan<- listed) error {
	var chunk []*mlflow.TraceInfo
	flushChunk := func() error {
		todo, err := r.choose(ctx, chunk)
		chunk = chunk[:0]
		if err != nil {
			return err
		}
		for _, t := range todo {
			if err := send(ctx, traces, t); err != nil {
				return err
			}
		}
		return nil
	}
	w := r.job.Window
	w.Unlistable = func(u *mlflowclient.UnlistableError) error { return r.unlistable(ctx, u) }
	err := r.job.Source.ListTraces(ctx, r.job.ExperimentID, w, func(info *mlflow.TraceInfo) error {
		if !r.shard.MayHave(info.TraceID) {
			return nil
		}
		r.count(info)
		if chunk = append(chunk, info); len(chunk) < lookupChunk {
			return nil
		}
		return flushChunk()
	})
	if err != nil {
		return fmt.Errorf("list the traces of experiment %s: %w", r.job.ExperimentID, err)
	}
	if err := flushChunk(); err != nil {
		return err
	}
	r.job.Progress.InWindow.Store(r.job.Progress.Listed.Load())
	// What earlier runs left open may lie outside today's window.
	if err := r.listPending(ctx, func(info *mlflow.TraceInfo) error {
		if chunk = append(chunk, info); len(chunk) < lookupChunk {
			return nil
		}
		return flushChunk()
	}); err != nil {
		return err
	}
	return flushChunk()
}

// unlistable settles what the source has and can't list. Without an ID it can't be remembered, and every
// shard tells of it, since nobody knows whose it is.
func (r *run) unlistable(ctx context.Context, u *mlflowclient.UnlistableError) error {
	if u.TraceID == "" {
		r.job.Progress.Listed.Add(1)
		r.reportOwn(TraceReport{State: checkpoint.Failed, Reason: ReasonUnlistable, Detail: u.Error()})
		return nil
	}
	if !r.shard.Has(u.TraceID, "") {
		return nil
	}
	r.job.Progress.Listed.Add(1)
	known, err := r.job.Checkpoint.Get(ctx, []string{u.TraceID})
	if err != nil {
		return err
	}
	rec := known[u.TraceID]
	if rec.State == checkpoint.Migrated { // as it was then
		r.report(TraceReport{TraceID: u.TraceID, TargetTraceID: rec.TargetTraceID, State: checkpoint.Failed, Reason: ReasonUnlistable, Detail: u.Error()})
		return nil
	}
	if rec.TraceID = u.TraceID; u.FromMs != 0 {
		rec.RequestTimeMs = u.FromMs
	}
	return r.settle(ctx, rec, checkpoint.Failed, ReasonUnlistable, u.Error())
}

// count counts a listed trace, in one of the shards that look at it.
func (r *run) count(info *mlflow.TraceInfo) {
	if r.shard.Has(info.TraceID, "") {
		r.job.Progress.Listed.Add(1)
	}
}

// listPending yields the traces that earlier runs deferred or failed to move and that the listing
// has not shown.
func (r *run) listPending(ctx context.Context, yield func(*mlflow.TraceInfo) error) error {
	after := ""
	for {
		rs, err := r.job.Checkpoint.Pending(ctx, r.job.RunID, r.started.Add(-lateSpans), after, lookupChunk)
		if err != nil || len(rs) == 0 {
			return err
		}
		for _, rec := range rs {
			after = rec.TraceID
			info, err := r.job.Source.TraceInfo(ctx, rec.TraceID)
			if Gone(err) {
				if err := r.settle(ctx, rec, checkpoint.Skipped, ReasonDeleted, ""); err != nil {
					return err
				}
				continue
			}
			if u, ok := errors.AsType[*mlflowclient.UnlistableError](err); ok {
				if err := r.unlistable(ctx, u); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return fmt.Errorf("look at trace %s again, which an earlier run left %s: %w", rec.TraceID, rec.State, err)
			}
			r.count(info)
			if err := yield(info); err != nil {
				return err
			}
		}
	}
}

// Gone says whether err is the source saying that it does not have what was asked for.
func Gone(err error) bool {
	var api *mlflowclient.APIError
	return errors.As(err, &api) && (api.Code == "RESOURCE_DOES_NOT_EXIST" || api.Code == "NOT_FOUND")
}

// choose looks infos up in the checkpoint and returns those to be read. It marks what earlier runs
// left open as seen by this one, so that listPending leaves it out.
func (r *run) choose(ctx context.Context, infos []*mlflow.TraceInfo) ([]listed, error) {
	c, err := classifierOf(ctx, &r.job, r.started, infos)
	if err != nil {
		return nil, err
	}
	var todo []listed
	var seen []checkpoint.Record
	for _, info := range infos {
		rec, known := c.known[info.TraceID]
		a := c.classify(info)
		switch a {
		case ignore:
		case leave:
			r.job.Progress.Present.Add(1)
		case wait:
			rec = checkpoint.Record{
				TraceID: info.TraceID, RequestTimeMs: info.RequestTime.UnixMilli(), State: checkpoint.Deferred,
				Reason: ReasonInProgress, RunID: r.job.RunID,
			}
			seen = append(seen, rec)
			r.report(TraceReport{TraceID: info.TraceID, State: rec.State, Reason: rec.Reason})
		case leaveOfficial:
			seen = append(seen, r.leaveOfficial(info))
		default:
			if known && a == move {
				rec.RunID = r.job.RunID
				seen = append(seen, rec)
			}
			todo = append(todo, listed{info, rec, c.links[info.TraceID], a == move && c.official(info), a == reread})
		}
	}
	return todo, r.job.Checkpoint.Put(ctx, seen...)
}

// leaveOfficial is the record of a trace that Databricks' own migration has written under an ID that no
// OTEL trace has: under tracemig's it would be there twice.
func (r *run) leaveOfficial(info *mlflow.TraceInfo) checkpoint.Record {
	there := official.TraceID(info.TraceID)
	rec := checkpoint.Record{
		TraceID: info.TraceID, TargetTraceID: there, RequestTimeMs: info.RequestTime.UnixMilli(), State: checkpoint.Skipped,
		Reason: ReasonOfficialID, Detail: "Databricks' own migration has moved it, as " + there, RunID: r.job.RunID,
	}
	if !r.shard.Has(info.TraceID, there) {
		rec.State, rec.Reason, rec.Detail = checkpoint.Elsewhere, "", ""
		return rec
	}
	r.report(TraceReport{TraceID: rec.TraceID, TargetTraceID: there, State: rec.State, Reason: rec.Reason, Detail: rec.Detail})
	return rec
}

// settle records the end of a trace that is not written.
func (r *run) settle(ctx context.Context, rec checkpoint.Record, st checkpoint.State, reason, detail string) error {
	rec.State, rec.Reason, rec.Detail, rec.RunID = st, reason, detail, r.job.RunID
	r.report(TraceReport{TraceID: rec.TraceID, TargetTraceID: rec.TargetTraceID, State: st, Reason: reason, Detail: detail})
	return r.job.Checkpoint.Put(ctx, rec)
}

// report counts what became of a trace and tells OnTrace unless it was simply migrated. What another
// shard tells too is left to that one.
func (r *run) report(t TraceReport) {
	if r.shard.Has(t.TraceID, t.TargetTraceID) {
		r.reportOwn(t)
	}
}

// reportOwn is report of what is this shard's to tell.
func (r *run) reportOwn(t TraceReport) {
	p := r.job.Progress
	switch t.State {
	case checkpoint.Migrated:
		switch {
		case t.unchanged:
			p.Present.Add(1)
		case t.updated:
			p.Updated.Add(1)
		default:
			p.Migrated.Add(1)
		}
	case checkpoint.Deferred:
		p.Deferred.Add(1)
	case checkpoint.Skipped:
		p.Skipped.Add(1)
	case checkpoint.Failed:
		p.Failed.Add(1)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.count(t.State, t.Reason)
	for _, n := range t.Notes {
		if r.summary.Notes == nil {
			r.summary.Notes = map[string]int64{}
		}
		r.summary.Notes[string(n.Code)]++
	}
	if r.job.OnTrace != nil && (t.State != checkpoint.Migrated || len(t.Notes) > 0 || t.Reason != "" || t.Attachments > 0) {
		r.job.OnTrace(t)
	}
}

// fetchAll reads and converts traces, several groups at a time. A group is begun only while reading
// goes on; once begun it is finished under ctx.
func (r *run) fetchAll(ctx, reading context.Context, traces <-chan listed, units chan<- *unit) error {
	g, gctx := errgroup.WithContext(ctx)
	var turn sync.Mutex // One collects its group at a time, or each would have a part of one.
	begun, answered := 0, make(chan struct{})
	answer := sync.OnceFunc(func() { close(answered) })
	next := func() (group []listed) {
		turn.Lock()
		defer turn.Unlock()
		if begun++; begun > firstGroups {
			<-answered
		}
		for n := r.job.Source.FetchGroup(); len(group) < n; {
			t, ok := <-traces
			if !ok {
				break
			}
			group = append(group, t)
		}
		return group
	}
	for range r.job.Fetchers {
		g.Go(func() error {
			defer answer() // Who ends without one keeps nobody waiting.
			for {
				group := next()
				var estimate int64
				for _, t := range group {
					estimate += SizeOf(t.TraceInfo)
				}
				if len(group) == 0 || r.budget.Acquire(reading, estimate) != nil || reading.Err() != nil {
					return nil // why reading ended is for the one who ended it to say
				}
				if err := r.fetch(gctx, group, units, answer); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// SizeOf estimates the bytes of a trace's spans.
func SizeOf(info *mlflow.TraceInfo) int64 {
	if n, err := strconv.ParseInt(info.Metadata[mlflow.MetadataSizeBytes], 10, 64); err == nil && n > 0 {
		return n
	}
	return unknownSize
}

// fetch reads the spans of one group and sends the converted traces on.
func (r *run) fetch(ctx context.Context, group []listed, units chan<- *unit, answered func()) error {
	infos := make([]*mlflow.TraceInfo, len(group))
	for i, t := range group {
		infos[i] = t.TraceInfo
	}
	spans := r.job.Source.FetchSpans(ctx, infos)
	answered()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	r.job.Progress.Read.Add(int64(len(group)))
	for i, t := range group {
		estimate := SizeOf(t.TraceInfo)
		r.budget.Add(int64(len(spans[i].JSON)) - estimate)
		weight := int64(len(spans[i].JSON))
		u, err := r.convert(ctx, t, &spans[i])
		if err != nil {
			return err
		}
		spans[i].JSON = nil
		if u == nil {
			r.budget.Add(-weight)
			continue
		}
		u.weight = u.record.Bytes
		r.budget.Add(u.weight - weight)
		if err := send(ctx, units, u); err != nil {
			return err
		}
	}
	return nil
}

// convert makes a unit of one read trace, or settles it and returns nil.
func (r *run) convert(ctx context.Context, t listed, spans *mlflowclient.Spans) (*unit, error) {
	info, known := t.TraceInfo, t.known
	rec := checkpoint.Record{TraceID: info.TraceID, RequestTimeMs: info.RequestTime.UnixMilli(), Digest: Digest(info, t.links, r.job.RunLinks, known.Digest)}
	migrated := known.State == checkpoint.Migrated
	settle := func(st checkpoint.State, reason, detail string) error {
		if migrated {
			// The target has the trace; that it changed is found again by the next run.
			r.report(TraceReport{TraceID: info.TraceID, TargetTraceID: known.TargetTraceID, State: st, Reason: reason, Detail: detail})
			return nil
		}
		return r.settle(ctx, rec, st, reason, detail)
	}
	if spans.Err != nil {
		if r.broken(ctx, info, spans.Err) {
			return nil, fmt.Errorf("read the spans of trace %s: %w", info.TraceID, spans.Err)
		}
		return nil, settle(checkpoint.Failed, ReasonFetch, spans.Err.Error())
	}
	r.failed.Store(0)
	if spans.Missing == "" && info.State == mlflow.StateInProgress {
		spans.Missing = mlflowclient.MissingIncomplete // Its root never came.
	}
	switch {
	case spans.Missing == mlflowclient.MissingDeleted:
		return nil, settle(checkpoint.Skipped, ReasonDeleted, "")
	case spans.Missing == mlflowclient.MissingIncomplete && StillArriving(info.RequestTime, r.started):
		// They may still be on their way; a part of them must not be shown as the trace.
		return nil, settle(checkpoint.Deferred, spans.Missing, "")
	case spans.Missing != "" && known.State == checkpoint.Skipped && known.Reason == spans.Missing && known.Digest == rec.Digest:
		// An earlier run has written what there is, and no more spans have turned up since.
		return nil, r.settle(ctx, known, checkpoint.Skipped, known.Reason, "")
	}
	in := convert.Input{
		Info: info, Spans: spans.JSON, SpansMissing: spans.Missing, Runs: t.links.Runs(), Digest: rec.Digest, TraceID: known.TargetTraceID,
	}
	opt := convert.Options{Source: r.job.SourceName, ServiceName: r.job.ServiceName}
	res, err := convert.Convert(in, opt)
	if err != nil {
		reason := "unreadable"
		var ce *convert.Error
		if errors.As(err, &ce) {
			reason = string(ce.Reason)
		}
		return nil, settle(checkpoint.Failed, reason, err.Error())
	}
	if !migrated && StillOpen(info, res.Trace.Spans, r.started) {
		return nil, settle(checkpoint.Deferred, ReasonSpansOpen, "")
	}
	rec.TargetTraceID = res.Trace.TraceID
	if !r.shard.Has(info.TraceID, rec.TargetTraceID) {
		rec.State, rec.RunID = checkpoint.Elsewhere, r.job.RunID
		return nil, r.job.Checkpoint.Put(ctx, rec)
	}
	if other, err := r.claim(ctx, info.TraceID, rec.TargetTraceID); err != nil {
		return nil, err
	} else if other != "" {
		return nil, settle(checkpoint.Failed, ReasonSameTraceID,
			fmt.Sprintf("its spans carry the OTEL trace ID %s, as those of trace %s do, and the target knows traces by it; of such copies one can be migrated", res.Trace.TraceID, other))
	}
	k, err := r.keep(ctx, t, rec.TargetTraceID, res.Attachments)
	var unread *attachmentError
	switch {
	case errors.As(err, &unread):
		r.claimed.Delete(rec.TargetTraceID)
		return nil, settle(checkpoint.Failed, unread.reason(), unread.Error())
	case err != nil:
		return nil, err
	case len(k.list) > 0:
		in.Attachments = k.list
		if res, err = convert.Convert(in, opt); err != nil {
			return nil, err // which it has converted before
		}
		k.list = nil // The rows have the bytes now.
	}
	rec.RunID = r.job.RunID
	rec.Spans, rec.Annotations = len(res.Trace.Spans), len(res.Trace.Annotations)
	u := &unit{rows: res.Trace, resync: migrated, repair: known.Reason == ReasonRepair, kept: k}
	u.there = u.resync || u.repair || t.official
	u.report = TraceReport{TraceID: info.TraceID, TargetTraceID: res.Trace.TraceID, State: checkpoint.Migrated, Notes: res.Notes, Attachments: k.left, updated: migrated}
	u.large = size(&res.Trace) > largeForClients
	u.compare = u.repair && r.job.UpdateSpans || migrated && lateSpansPossible(info)
	u.reread = t.reread
	if due := ended(info).Add(r.job.Settle); lateSpansPossible(info) && due.After(time.Now()) {
		u.due = due.UnixMilli()
	}
	if migrated {
		if len(res.Trace.Spans) <= known.Spans && !u.compare {
			u.rows.Spans = nil // They are there.
		}
		rec.Spans = max(rec.Spans, known.Spans)
	} else if spans.Missing != "" {
		u.report.State, u.report.Reason = checkpoint.Skipped, spans.Missing
	}
	rec.Bytes = size(&u.rows)
	u.record = rec
	return u, nil
}

// largeForClients is how large a trace may be, in bytes, that MLflow's clients can open in a UC location:
// they get it through an API whose inline results end there.
const largeForClients = 25_000_000

// size estimates the bytes of a trace's rows.
func size(t *uctables.Trace) (n int64) {
	for i := range t.Spans {
		n += t.Spans[i].Size()
	}
	for i := range t.Annotations {
		n += t.Annotations[i].Size()
	}
	return n
}

// claim reserves a target trace ID for a source trace. It returns the other trace that has it, if any:
// source traces with IDs of their own making can share the OTEL trace ID of their spans, as copies of
// a trace do, and their rows would mix.
func (r *run) claim(ctx context.Context, traceID, targetTraceID string) (other string, err error) {
	if first, taken := r.claimed.LoadOrStore(targetTraceID, traceID); taken && first != traceID {
		return first.(string), nil
	}
	return r.job.Checkpoint.Other(ctx, targetTraceID, traceID)
}

// lateSpans is how long after its request a trace's spans may still arrive at the source: MLflow
// writes a trace's listing and its spans in separate requests, which clients may send late.
const lateSpans = 24 * time.Hour

// StillArriving says whether spans of a trace requested then may be on their way yet. A time far in the
// future is what a wrong clock wrote: else it would be waited for.
func StillArriving(requested, now time.Time) bool { return now.Sub(requested).Abs() < lateSpans }

// broken says whether a failed read tells that no other read can succeed.
func (r *run) broken(ctx context.Context, info *mlflow.TraceInfo, err error) bool {
	if mlflowclient.RefusesToken(err) {
		return true
	}
	if _, ok := errors.AsType[*mlflowclient.NoWayError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*mlflowclient.StorageError](err); ok {
		return true
	}
	if r.failed.Add(1)%failuresInARow != 0 {
		return false
	}
	_, err = r.job.Source.TraceInfo(ctx, info.TraceID)
	_, unlistable := errors.AsType[*mlflowclient.UnlistableError](err) // the source is well, and says so of this trace
	return err != nil && !unlistable && !Gone(err)
}

// batch collects units into batches for one commit each. A half-full batch is written when nothing
// more comes for a while, or when readers wait for the bytes it holds.
func (r *run) batch(ctx context.Context, units <-chan *unit, batches chan<- []*unit) error {
	limits := func() target.Limits { // the target may learn to take less
		l := r.job.Target.Limits()
		// Two batches are being written and one collected at a time; reading needs room too.
		share := int64(4)
		if l.PreferLarge {
			share = 2 // one is written while the next is collected
		}
		l.Bytes = min(l.Bytes, r.job.BytesInFlight/share)
		return l
	}
	var b []*unit
	var spans, annotations int
	var bytes int64
	flush := func() error {
		if len(b) == 0 {
			return nil
		}
		err := send(ctx, batches, b)
		b, spans, annotations, bytes = nil, 0, 0, 0
		return err
	}
	timer := time.NewTimer(flushAfter) // since the batch's first unit
	defer timer.Stop()
	for {
		select {
		case u, ok := <-units:
			if !ok {
				return flush()
			}
			s, a := len(u.rows.Spans), len(u.rows.Annotations)
			if l := limits(); spans+s > l.Rows || annotations+a > l.Rows || bytes+u.weight > l.Bytes {
				if err := flush(); err != nil {
					return err
				}
			}
			if len(b) == 0 {
				timer.Reset(flushAfter)
			}
			b, spans, annotations, bytes = append(b, u), spans+s, annotations+a, bytes+u.weight
			if u.kept.held > 0 && r.attached.waited() {
				// Who waits has said so, maybe before this unit came.
				if err := flush(); err != nil {
					return err
				}
			}
		case <-timer.C:
			if err := flush(); err != nil {
				return err
			}
		case <-r.budget.starved:
			if err := flush(); err != nil {
				return err
			}
		case <-r.attached.starved:
			if err := flush(); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// wrote counts a commit of rows at some times; written and present are the counters of its table.
func (r *run) wrote(w target.Written, at target.Times, written *atomic.Int64, present *int64) {
	written.Add(int64(w.Inserted))
	r.job.Progress.Bytes.Add(w.Bytes)
	r.mu.Lock()
	defer r.mu.Unlock()
	*present += int64(w.Present)
	if w.Inserted > 0 {
		r.writtenAt.Join(at)
	}
	r.summary.Statements++
}

// countWritten counts what is remarkable of a written trace.
func (r *run) countWritten(u *unit) {
	if u.failed != nil || u.report.unchanged {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if u.takenOver {
		r.summary.TakenOver++
	}
	if u.large {
		r.summary.LargeForClients++
	}
	r.summary.countAttachments(&u.kept)
}

// record notes in the checkpoint what became of a written batch, and gives its bytes back.
func (r *run) record(ctx context.Context, units []*unit) error {
	recs := make([]checkpoint.Record, 0, len(units))
	due := make(map[string]int64, len(units))
	for _, u := range units {
		if u.failed != nil {
			u.report.State, u.report.Reason, u.report.Detail = checkpoint.Failed, ReasonRefused, u.failed.Error()
			var large *target.TooLargeError
			if errors.As(u.failed, &large) {
				u.report.Reason = ReasonRowTooLarge
			}
		}
		if u.resync && u.failed != nil {
			continue // The target has the trace as it was.
		}
		u.report.unchanged = u.reread && u.failed == nil && len(u.changes)+len(u.rows.Spans)+len(u.changedSpans) == 0
		if u.report.unchanged { // They were told when it was migrated.
			u.report.Notes, u.report.Attachments = nil, 0
		}
		u.record.State, u.record.Reason, u.record.Detail = u.report.State, u.report.Reason, u.report.Detail
		if u.failed == nil {
			due[u.record.TraceID] = u.due
		}
		recs = append(recs, u.record)
		r.countWritten(u)
	}
	// Before the records: a trace that counts as migrated for good is not read again.
	if err := r.job.Checkpoint.SetUnsettled(ctx, due); err != nil {
		return err
	}
	if err := r.job.Checkpoint.Put(ctx, recs...); err != nil {
		return err
	}
	for _, u := range units {
		r.claimed.Delete(u.rows.TraceID)
		r.report(u.report)
		r.budget.Add(-u.weight)
		r.attached.Add(-u.kept.held)
	}
	return nil
}
