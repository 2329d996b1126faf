package migrate

import (
	"context"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/digest"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/official"
	"github.com/tracemig/tracemig/internal/source"
)

// action is what a run does with a listed trace.
type action int

const (
	leave         action = iota // the target has it
	ignore                      // it is another shard's
	wait                        // it has not ended
	leaveOfficial               // Databricks' own migration wrote it, under an ID that no OTEL trace has
	update                      // it was migrated, and changed at the source since
	reread                      // it was migrated so soon after its end that spans may have come since
	move
)

// classifier decides what a run does with listed traces, by what earlier runs and Databricks' own migration did with
// them. Both a run and a dry run ask it.
type classifier struct {
	job     *Job
	started time.Time
	known   map[string]checkpoint.Record
	links   map[string]checkpoint.Links // by trace
	moved   map[string]bool             // target trace IDs of Databricks' own migration
	due     map[string]int64            // when to read it again, see checkpoint.Unsettled

	accepted map[string]*checkpoint.Acceptance // by trace
}

// classifierOf looks traces up in the checkpoint.
func classifierOf(ctx context.Context, job *Job, started time.Time, infos []*mlflow.TraceInfo) (c *classifier, err error) {
	ids, there := make([]string, len(infos)), make([]string, len(infos))
	for i, info := range infos {
		ids[i], there[i] = info.TraceID, official.TraceID(info.TraceID)
	}
	c = &classifier{job: job, started: started}
	if c.known, err = job.Checkpoint.Get(ctx, ids); err != nil {
		return nil, err
	}
	if job.RunLinks.Asked() {
		if c.links, err = job.Checkpoint.Links(ctx, ids); err != nil {
			return nil, err
		}
	}
	if c.moved, err = job.Checkpoint.Official(ctx, there); err != nil {
		return nil, err
	}
	if c.due, err = job.Checkpoint.Unsettled(ctx, ids); err != nil {
		return nil, err
	}
	c.accepted, err = job.Checkpoint.Acceptances(ctx, ids)
	return c, err
}

// classify says what to do with one of the traces.
func (c *classifier) classify(info *mlflow.TraceInfo) action {
	rec, known := c.known[info.TraceID]
	unended := info.State == mlflow.StateInProgress
	due, unsettled := c.due[info.TraceID]
	switch {
	case known && rec.State == checkpoint.Elsewhere:
		return ignore
	case known && rec.State == checkpoint.Migrated:
		switch {
		case !c.job.Resync || unended:
			return leave
		case !digest.Same(rec.Digest, digest.Of(info, c.links[info.TraceID], c.job.RunLinks, rec.Digest), c.job.RunLinks):
			return update
		case unsettled && due <= c.started.UnixMilli() && info.SpansInTrackingStore():
			return reread
		}
		return leave
	case unended && source.StillArriving(info.RequestTime, c.started):
		return wait
	case c.official(info) && official.TraceID(info.TraceID) != mlflow.TargetTraceID(info.TraceID):
		return leaveOfficial
	}
	return move
}

// own says whether this shard counts the trace. Until a trace is read its ID at the target may be unknown; then its ID
// at the source decides.
func (c *classifier) own(info *mlflow.TraceInfo) bool {
	return c.job.Checkpoint.Pair().Shard.Has(info.TraceID, c.known[info.TraceID].TargetTraceID)
}

// official says whether Databricks' own migration has written the trace.
func (c *classifier) official(info *mlflow.TraceInfo) bool {
	return c.moved[official.TraceID(info.TraceID)]
}
