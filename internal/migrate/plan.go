package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/shard"
	"github.com/tracemig/tracemig/internal/target"
)

// Plan is what a run would do, found without reading a span or writing a row.
type Plan struct {
	Source         string                 `json:"source"`
	Target         string                 `json:"target"`
	Shard          shard.Shard            `json:"shard,omitzero"`
	CreatesTables  bool                   `json:"creates_tables"`
	Listed         int64                  `json:"traces_listed"`
	ByState        map[mlflow.State]int64 `json:"traces_by_state"` // as the source reports them
	Present        int64                  `json:"traces_already_there"`
	Updated        int64                  `json:"traces_to_update"` // migrated before, changed since; of run links it does not know
	Deferred       int64                  `json:"traces_deferred"`
	ToMigrate      int64                  `json:"traces_to_migrate"`
	ToTakeOver     int64                  `json:"traces_to_take_over"`         // of ToMigrate: Databricks' own migration has moved them
	Unlistable     int64                  `json:"traces_unlistable,omitempty"` // the source has them and can't list them
	Earliest       *time.Time             `json:"earliest_request_time,omitempty"`
	Latest         *time.Time             `json:"latest_request_time,omitempty"`
	Annotations    int64                  `json:"annotations_estimate"` // without run links set after the trace
	Spans          int64                  `json:"spans_estimate"`
	Bytes          int64                  `json:"bytes_estimate"` // of span JSON at the source
	EstimatedSizes int64                  `json:"traces_of_unknown_size"`
}

// MakePlan lists the job's window and compares it with the checkpoint (job.Checkpoint, which it
// rebuilds from the target unless the tables are missing and create is set).
func MakePlan(ctx context.Context, job Job, create bool) (Plan, error) {
	p := Plan{Source: job.SourceName, Target: job.Target.String(), Shard: job.Checkpoint.Pair().Shard, ByState: map[mlflow.State]int64{}}
	var missing *target.TableError
	if err := job.Target.Check(ctx); errors.As(err, &missing) && missing.Missing && create {
		p.CreatesTables = true
	} else if err != nil {
		return p, err
	} else if err := Rebuild(ctx, job.Checkpoint, job.Target, job.SourceName, job.RunID); err != nil {
		return p, err
	} else if err := readOfficial(ctx, &job); err != nil {
		return p, err
	}
	job.RunLinks = LinksNone // they are not read: SameDigest then goes by the listing
	began := time.Now()
	var sized, spans, bytes int64
	var chunk []*mlflow.TraceInfo
	flush := func() error {
		c, err := classifierOf(ctx, &job, began, chunk)
		if err != nil {
			return err
		}
		for _, info := range chunk {
			switch c.classify(info) {
			case leave, reread, leaveOfficial, ignore: // the last are counted here and in no other shard's plan
				p.Present++
			case update:
				p.Updated++
			case wait:
				p.Deferred++
			case move:
				if c.official(info) {
					p.ToTakeOver++
				}
				p.ToMigrate++
				p.Annotations += int64(1 + len(info.Tags) + len(info.Assessments))
				if info.Metadata[mlflow.MetadataSourceRun] != "" {
					p.Annotations++
				}
				var stats struct {
					Bytes int64 `json:"total_size_bytes"`
					Spans int64 `json:"num_spans"`
				}
				if json.Unmarshal([]byte(info.Metadata[mlflow.MetadataSizeStats]), &stats) == nil && stats.Spans > 0 {
					sized, spans, bytes = sized+1, spans+stats.Spans, bytes+stats.Bytes
				}
			}
		}
		chunk = chunk[:0]
		return nil
	}
	w := job.Window
	w.Unlistable = func(u *mlflowclient.UnlistableError) error {
		if u.TraceID == "" || p.Shard.Has(u.TraceID, "") {
			p.Unlistable++
		}
		return nil
	}
	err := job.Source.ListTraces(ctx, job.ExperimentID, w, func(info *mlflow.TraceInfo) error {
		if !p.Shard.Has(info.TraceID, "") {
			return nil
		}
		p.Listed++
		p.ByState[info.State]++
		if t := info.RequestTime; p.Earliest == nil || t.Before(*p.Earliest) {
			p.Earliest = &t
		}
		if t := info.RequestTime; p.Latest == nil || t.After(*p.Latest) {
			p.Latest = &t
		}
		job.Progress.Listed.Add(1)
		if chunk = append(chunk, info); len(chunk) < lookupChunk {
			return nil
		}
		return flush()
	})
	if err != nil {
		return p, fmt.Errorf("list the traces of experiment %s: %w", job.ExperimentID, err)
	}
	if err := flush(); err != nil {
		return p, err
	}
	p.EstimatedSizes = p.ToMigrate - sized
	if sized == 0 && p.ToMigrate > 0 {
		if sized, spans, bytes, err = sample(ctx, job); err != nil {
			return p, err
		}
	}
	p.Spans, p.Bytes = spans, bytes
	if sized > 0 {
		// Traces that don't tell their size are taken to be like those that do.
		p.Spans = spans * p.ToMigrate / sized
		p.Bytes = bytes * p.ToMigrate / sized
	}
	return p, nil
}

// sampleSize is how many traces are read for an estimate when the source tells no sizes.
const sampleSize = 10

var errEnough = errors.New("enough")

func sample(ctx context.Context, job Job) (traces, spans, bytes int64, err error) {
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
		return 0, 0, 0, err
	}
	group := max(job.Source.FetchGroup(), 1)
	for len(infos) > 0 {
		n := min(group, len(infos))
		for i, s := range job.Source.FetchSpans(ctx, infos[:n]) {
			if s.Err != nil || s.Missing != "" {
				continue
			}
			res, err := convert.Convert(convert.Input{Info: infos[i], Spans: s.JSON}, convert.Options{Source: job.SourceName})
			if err != nil {
				continue // the run will report it; an estimate needs only the others
			}
			traces, bytes, spans = traces+1, bytes+int64(len(s.JSON)), spans+int64(len(res.Trace.Spans))
		}
		infos = infos[n:]
	}
	return traces, spans, bytes, nil
}
