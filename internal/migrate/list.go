package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/official"
	"github.com/tracemig/tracemig/internal/source"
)

const (
	// lookupChunk is how many listed traces are looked up in the checkpoint at once.
	lookupChunk = 200
	// readAhead is how many listed traces wait to be read: a page, of some KB each.
	readAhead = 500
)

// listed is a trace that is to be read.
type listed struct {
	*mlflow.TraceInfo
	known    checkpoint.Record // what earlier runs noted of it
	links    checkpoint.Links  // that were found
	official bool              // Databricks' own migration has written it
	reread   bool              // it did not change, but spans may have come

	accepted *checkpoint.Acceptance // that it can't be migrated; nil if nobody has accepted it
}

// list sends the traces that are to be read.
func (r *run) list(ctx context.Context, traces chan<- listed) error {
	var chunk []*mlflow.TraceInfo
	flush := func() error {
		todo, err := r.choose(ctx, chunk)
		chunk = chunk[:0]
		if err != nil && !errors.Is(err, errLimit) {
			return err
		}
		for _, t := range todo {
			if err := send(ctx, traces, t); err != nil {
				return err
			}
		}
		return err
	}
	add := func(info *mlflow.TraceInfo) error {
		if r.shard.Has(info.TraceID, "") { // Else another shard that looks at it counts it.
			r.recorder.addListed()
			r.recorder.atSource(info.RequestTime)
		}
		if chunk = append(chunk, info); len(chunk) < lookupChunk {
			return nil
		}
		return flush()
	}
	w := r.job.Window
	w.Unlistable = func(u *mlflowclient.UnlistableError) error { return r.unlistable(ctx, u) }
	err := r.job.Source.ListTraces(ctx, r.job.ExperimentID, w, func(info *mlflow.TraceInfo) error {
		if !r.shard.MayHave(info.TraceID) {
			return nil
		}
		return add(info)
	})
	if err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	r.recorder.change(func(s *Summary) { s.InWindow = s.Listed })
	// What earlier runs left open may lie outside today's window.
	if err := r.listPending(ctx, add); err != nil {
		return err
	}
	return flush()
}

// unlistable settles a trace that the source has and can't list. Without an ID it can't be remembered, and
// every shard tells of it, since nobody knows whose it is.
func (r *run) unlistable(ctx context.Context, u *mlflowclient.UnlistableError) error {
	if u.FromMs != 0 && (u.TraceID == "" || r.shard.Has(u.TraceID, "")) {
		r.recorder.atSource(time.UnixMilli(u.FromMs))
	}
	if u.TraceID == "" {
		r.recorder.addListed()
		r.recorder.trace(TraceReport{State: checkpoint.Failed, Reason: ReasonUnlistable, Detail: u.Error()})
		return nil
	}
	if !r.shard.Has(u.TraceID, "") {
		return nil
	}
	r.recorder.addListed()
	known, err := r.job.Checkpoint.Get(ctx, []string{u.TraceID})
	if err != nil {
		return err
	}
	accepted, err := r.job.Checkpoint.Acceptances(ctx, []string{u.TraceID})
	if err != nil {
		return err
	}
	rec, end := known[u.TraceID], ending{state: checkpoint.Failed, reason: ReasonUnlistable, detail: u.Error()}.under(accepted[u.TraceID])
	if rec.State == checkpoint.Migrated { // The target keeps it as it was then.
		return r.keep(ctx, rec, end)
	}
	if rec.TraceID = u.TraceID; u.FromMs != 0 {
		rec.RequestTimeMs = u.FromMs
	}
	return r.settle(ctx, rec, end)
}

// listPending yields the traces that earlier runs deferred or failed to move and that the listing
// has not shown.
func (r *run) listPending(ctx context.Context, yield func(*mlflow.TraceInfo) error) error {
	after := ""
	for {
		rs, err := r.job.Checkpoint.Pending(ctx, r.job.RunID, r.started.Add(-source.LateSpans), after, lookupChunk)
		if err != nil || len(rs) == 0 {
			return err
		}
		for _, rec := range rs {
			after = rec.TraceID
			if err := r.pending(ctx, rec, yield); err != nil {
				return err
			}
		}
	}
}

// pending looks at a trace again that an earlier run left open, and yields it if the source still has it.
func (r *run) pending(ctx context.Context, rec checkpoint.Record, yield func(*mlflow.TraceInfo) error) error {
	info, err := r.job.Source.TraceInfo(ctx, rec.TraceID)
	if source.Gone(err) {
		if r.shard.Has(rec.TraceID, "") {
			r.recorder.addListed() // by an earlier run
		}
		accepted, err := r.job.Checkpoint.Acceptances(ctx, []string{rec.TraceID})
		if err != nil {
			return err
		}
		return r.settle(ctx, rec, ending{state: checkpoint.Skipped, reason: ReasonDeleted}.under(accepted[rec.TraceID]))
	}
	if u, ok := errors.AsType[*mlflowclient.UnlistableError](err); ok {
		return r.unlistable(ctx, u)
	}
	if err != nil {
		return fmt.Errorf("look again at a trace that an earlier run left %s: %w", rec.State, err)
	}
	return yield(info)
}

// choose looks infos up in the checkpoint and returns those to be read. It marks what earlier runs
// left open as seen by this one, so that listPending leaves it out. The error is errLimit, beside what is to be read all the
// same, where the job's limit keeps it from taking them all.
func (r *run) choose(ctx context.Context, infos []*mlflow.TraceInfo) ([]listed, error) {
	c, err := classifierOf(ctx, &r.job, r.started, infos)
	if err != nil {
		return nil, err
	}
	var todo []listed
	var seen []checkpoint.Record
	var enough error
	for _, info := range infos {
		rec, known := c.known[info.TraceID]
		a := c.classify(info)
		if a == move && !known && !r.take(info) {
			enough = errLimit
			break
		}
		switch a {
		case ignore:
		case leave:
			r.recorder.change(func(s *Summary) { s.Present++ })
			r.recorder.atTarget(&rec)
		case wait:
			rec = checkpoint.Record{
				TraceID: info.TraceID, RequestTimeMs: info.RequestTime.UnixMilli(), State: checkpoint.Deferred,
				Reason: ReasonInProgress, RunID: r.job.RunID,
			}
			seen = append(seen, rec)
			r.report(TraceReport{TraceID: info.TraceID, State: rec.State, Reason: rec.Reason})
		case leaveOfficial:
			seen = append(seen, r.leaveOfficial(info, c.accepted[info.TraceID]))
		default:
			if known && a == move {
				rec.RunID = r.job.RunID
				seen = append(seen, rec)
			}
			todo = append(todo, listed{
				info, rec, c.links[info.TraceID], a == move && c.official(info), a == reread, c.accepted[info.TraceID],
			})
		}
	}
	if err := r.job.Checkpoint.Put(ctx, seen...); err != nil {
		return nil, err
	}
	return todo, enough
}

// take says whether another trace that no earlier run has seen may be moved. Traces that earlier runs could not move are not
// counted: they come first in each listing, and would use up the limit of every run.
func (r *run) take(info *mlflow.TraceInfo) bool {
	if r.job.Limit == 0 || r.taken < r.job.Limit {
		r.taken++
		return true
	}
	r.recorder.limit(info.RequestTime)
	return false
}

// leaveOfficial is the record of a trace that Databricks' own migration has written under an ID that no
// OTEL trace has: under tracemig's ID it would be there twice.
func (r *run) leaveOfficial(info *mlflow.TraceInfo, accepted *checkpoint.Acceptance) checkpoint.Record {
	there := official.TraceID(info.TraceID)
	rec := checkpoint.Record{
		TraceID: info.TraceID, TargetTraceID: there, RequestTimeMs: info.RequestTime.UnixMilli(), State: checkpoint.Skipped,
		Reason: ReasonOfficialID, Detail: "Databricks' own migration has moved it, as " + there, RunID: r.job.RunID,
	}
	if !r.shard.Has(info.TraceID, there) {
		rec.State, rec.Reason, rec.Detail = checkpoint.Elsewhere, "", ""
		return rec
	}
	t := reportOf(&rec)
	t.AcceptanceEnded = accepted != nil
	r.report(t)
	r.recorder.atTarget(&rec)
	return rec
}
