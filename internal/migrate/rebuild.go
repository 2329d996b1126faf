package migrate

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// learn brings the job's checkpoint up to what the target has: of tracemig, and of Databricks' own migration. It asks for both
// at the same time.
func learn(ctx context.Context, job *Job) error {
	if err := bind(ctx, job.Checkpoint, job.Target); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return fill(ctx, job.Checkpoint, job.Target, job.SourceName) })
	g.Go(func() error {
		err := job.Checkpoint.ReadOfficial(ctx, func(yield func(string) error) error {
			return job.Target.Official(ctx, job.ExperimentID, yield)
		})
		if err != nil {
			return fmt.Errorf("look in %s for what Databricks' own migration has moved: %w", job.Target, err)
		}
		return nil
	})
	return g.Wait()
}

// Rebuild fills a checkpoint that is new, was never filled to its end, or tells of tables that have
// been replaced since, from what the target has of the source, or of the checkpoint's shard of it. It
// does nothing with a complete one.
func Rebuild(ctx context.Context, c *checkpoint.Store, t target.Writer, sourceName string) error {
	if err := bind(ctx, c, t); err != nil {
		return err
	}
	return fill(ctx, c, t, sourceName)
}

// bind has the checkpoint forget what it knows of other tables than the target has now.
func bind(ctx context.Context, c *checkpoint.Store, t target.Writer) error {
	tables, err := t.Identity(ctx)
	if err != nil {
		return err
	}
	return c.Bind(ctx, tables)
}

// fill is Rebuild for a checkpoint of the target's tables.
func fill(ctx context.Context, c *checkpoint.Store, t target.Writer, sourceName string) error {
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
		err := c.Restore(ctx, rs)
		rs = rs[:0]
		clear(due)
		return err
	}
	err = t.Migrated(ctx, sourceName, func(p uctables.Provenance) error {
		rec, ok := recordOf(p, c)
		if !ok {
			return nil
		}
		if source.StillArriving(time.UnixMicro(p.RequestMicros), now) {
			due[p.SourceTraceID] = now.UnixMilli() // Nobody knows how soon after its end it was migrated.
		}
		if rs = append(rs, rec); len(rs) < 1000 {
			return nil
		}
		return flush()
	})
	if err != nil {
		return fmt.Errorf("rebuild the checkpoint from %s: %w", t, err)
	}
	if err := flush(); err != nil {
		return err
	}
	return c.SetComplete(ctx)
}

// recordOf is what a checkpoint notes of a trace that the target has; ok is false for a trace of another shard.
func recordOf(p uctables.Provenance, c *checkpoint.Store) (rec checkpoint.Record, ok bool) {
	part := c.Pair().Shard
	if !part.MayHave(p.SourceTraceID) {
		return rec, false
	}
	rec = checkpoint.Record{
		TraceID: p.SourceTraceID, TargetTraceID: p.TraceID, RequestTimeMs: p.RequestMicros / 1000, State: checkpoint.Migrated,
		Digest: p.Digest, Spans: p.Spans,
	}
	switch {
	case !part.Has(p.SourceTraceID, p.TraceID):
		rec.State = checkpoint.Elsewhere
	case p.SpansMissing != "":
		rec.State, rec.Reason = checkpoint.Skipped, checkpoint.Reason(p.SpansMissing)
	}
	return rec, true
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
