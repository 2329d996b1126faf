package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/target"
)

// Plan is what a run would do, found without reading a span or writing a row.
type Plan struct {
	Source        string                 `json:"source"`
	Target        string                 `json:"target"`
	Shard         shard.Shard            `json:"shard,omitzero"`
	CreatesTables bool                   `json:"creates_tables"`                  // the tables are missing, and would be made
	Listed        int64                  `json:"traces_listed"`                   // in the window
	ByState       map[mlflow.State]int64 `json:"traces_by_state"`                 // as the source reports them
	Present       int64                  `json:"traces_already_there"`            // the target has them as they are
	Updated       int64                  `json:"traces_to_update"`                // changed since; it knows nothing of new run links
	Deferred      int64                  `json:"traces_deferred"`                 // have not ended
	ToMigrate     int64                  `json:"traces_to_migrate"`               // that are new, or could not be moved before
	ToTakeOver    int64                  `json:"traces_to_take_over"`             // of ToMigrate: Databricks' own migration has moved them
	Unlistable    int64                  `json:"traces_unlistable,omitempty"`     // the source has them and can't list them
	Earliest      *time.Time             `json:"earliest_request_time,omitempty"` // of the listed traces
	Latest        *time.Time             `json:"latest_request_time,omitempty"`   // of the listed traces
	Annotations   int64                  `json:"annotations_estimate"`            // without run links set after the trace
	Spans         int64                  `json:"spans_estimate"`                  // that would be written
	Bytes         int64                  `json:"bytes_estimate"`                  // of span JSON at the source
	// EstimatedSizes counts those of ToMigrate that don't tell their size, and are taken to be like the others.
	EstimatedSizes int64 `json:"traces_of_unknown_size"`
}

// MakePlan lists the job's window and compares it with the checkpoint (job.Checkpoint, which it
// rebuilds from the target unless the tables are missing and create is set).
func MakePlan(ctx context.Context, job Job, create bool) (Plan, error) {
	job.RunLinks = runlinks.None // they are not read: digests are then compared by the listing alone
	p := planner{job: &job, began: time.Now()}
	p.plan = Plan{Source: job.SourceName, Target: job.Target.String(), Shard: job.Checkpoint.Pair().Shard, ByState: map[mlflow.State]int64{}}
	err := p.prepare(ctx, create)
	if err == nil {
		err = p.list(ctx)
	}
	if err == nil {
		err = p.estimate(ctx)
	}
	return p.plan, err
}

// planner makes a plan.
type planner struct {
	job   *Job
	began time.Time
	plan  Plan
	sizes sizes // of the traces to migrate whose size the source tells
}

// sizes adds up what the spans of some traces hold.
type sizes struct {
	traces, spans int64
	bytes         int64 // of JSON
}

// prepare looks whether the tables are there, and fills the checkpoint from them.
func (p *planner) prepare(ctx context.Context, create bool) error {
	err := p.job.Target.Check(ctx)
	if missing, ok := errors.AsType[*target.TableError](err); ok && missing.Missing && create {
		p.plan.CreatesTables = true
		return nil
	} else if err != nil {
		return err
	}
	return learn(ctx, p.job)
}

// list counts the window's traces by what a run would do with them.
func (p *planner) list(ctx context.Context) error {
	var chunk []*mlflow.TraceInfo
	flush := func() error {
		err := p.count(ctx, chunk)
		chunk = chunk[:0]
		return err
	}
	w := p.job.Window
	w.Unlistable = func(u *mlflowclient.UnlistableError) error {
		if u.TraceID == "" || p.plan.Shard.Has(u.TraceID, "") {
			p.plan.Unlistable++
		}
		return nil
	}
	err := p.job.Source.ListTraces(ctx, p.job.ExperimentID, w, func(info *mlflow.TraceInfo) error {
		if !p.plan.Shard.MayHave(info.TraceID) {
			return nil
		}
		if p.plan.Shard.Has(info.TraceID, "") {
			p.listed(info)
		}
		if chunk = append(chunk, info); len(chunk) < lookupChunk {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// listed counts a trace as the source lists it.
func (p *planner) listed(info *mlflow.TraceInfo) {
	p.plan.Listed++
	p.plan.ByState[info.State]++
	at := info.RequestTime
	if p.plan.Earliest == nil || at.Before(*p.plan.Earliest) {
		p.plan.Earliest = &at
	}
	if p.plan.Latest == nil || at.After(*p.plan.Latest) {
		p.plan.Latest = &at
	}
}

// count counts some traces by what a run would do with each.
func (p *planner) count(ctx context.Context, infos []*mlflow.TraceInfo) error {
	c, err := classifierOf(ctx, p.job, p.began, infos)
	if err != nil {
		return err
	}
	for _, info := range infos {
		if !c.own(info) {
			continue
		}
		switch c.classify(info) {
		case leave, reread, leaveOfficial:
			p.plan.Present++
		case update:
			p.plan.Updated++
		case wait:
			p.plan.Deferred++
		case move:
			if c.official(info) {
				p.plan.ToTakeOver++
			}
			p.move(info)
		}
	}
	return nil
}

// move counts a trace that is to be migrated, and the rows that will come of it.
func (p *planner) move(info *mlflow.TraceInfo) {
	p.plan.ToMigrate++
	p.plan.Annotations += int64(1 + len(info.Tags) + len(info.Assessments))
	if info.Metadata[mlflow.MetadataSourceRun] != "" {
		p.plan.Annotations++
	}
	var stats struct {
		Bytes int64 `json:"total_size_bytes"`
		Spans int64 `json:"num_spans"`
	}
	if json.Unmarshal([]byte(info.Metadata[mlflow.MetadataSizeStats]), &stats) == nil && stats.Spans > 0 {
		p.sizes.add(sizes{1, stats.Spans, stats.Bytes})
	}
}

func (s *sizes) add(o sizes) {
	s.traces, s.spans, s.bytes = s.traces+o.traces, s.spans+o.spans, s.bytes+o.bytes
}

// estimate says how much there is to migrate. Traces that don't tell their size are taken to be like those that
// do, and where none does, like a few that are read.
func (p *planner) estimate(ctx context.Context) (err error) {
	known := p.sizes
	p.plan.EstimatedSizes = p.plan.ToMigrate - known.traces
	if known.traces == 0 && p.plan.ToMigrate > 0 {
		if known, err = sample(ctx, p.job); err != nil {
			return err
		}
	}
	if known.traces > 0 {
		p.plan.Spans = known.spans * p.plan.ToMigrate / known.traces
		p.plan.Bytes = known.bytes * p.plan.ToMigrate / known.traces
	}
	return nil
}

// sampleSize is how many traces are read for an estimate when the source tells no sizes.
const sampleSize = 10

var errEnough = errors.New("enough")

// sample reads the first traces of the window and adds up their sizes.
func sample(ctx context.Context, job *Job) (found sizes, err error) {
	var infos []*mlflow.TraceInfo
	w := job.Window
	w.Unlistable = func(*mlflowclient.UnlistableError) error { return nil }
	err = job.Source.ListTraces(ctx, job.ExperimentID, w, func(info *mlflow.TraceInfo) error {
		if info.State != mlflow.StateInProgress && job.Checkpoint.Pair().Shard.Has(info.TraceID, "") {
			infos = append(infos, info)
		}
		if len(infos) == sampleSize {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return found, err
	}
	group := max(job.Source.FetchGroup(mlflowclient.Exact), 1)
	for len(infos) > 0 {
		n := min(group, len(infos))
		for i, s := range job.Source.FetchSpans(ctx, mlflowclient.Exact, infos[:n]) {
			if s.Err != nil || s.Missing != "" {
				continue
			}
			res, err := convert.Convert(convert.Input{Info: infos[i], Spans: s.JSON}, convert.Options{Source: job.SourceName})
			if err != nil {
				continue // the run will report it; an estimate needs only the others
			}
			found.add(sizes{1, int64(len(res.Trace.Spans)), int64(len(s.JSON))})
		}
		infos = infos[n:]
	}
	return found, nil
}
