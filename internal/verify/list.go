package verify

import (
	"context"
	"math/rand/v2"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/official"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/uctables"
)

// compareAll lists the source, reads its traces and compares them, chunk by chunk.
func (v *verification) compareAll(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	progress := v.job.Progress
	progress.comparing.Store(true)
	if v.job.CountFirst {
		g.Go(func() error { v.count(ctx); return nil })
	}
	chunks := make(chan []*mlflow.TraceInfo)
	g.Go(func() error {
		defer close(chunks)
		return v.list(ctx, func(chunk []*mlflow.TraceInfo) error {
			select {
			case chunks <- chunk:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	})
	read := make(chan []*trace)
	g.Go(func() error {
		defer close(read)
		for {
			progress.starved.Begin()
			chunk, ok := <-chunks
			progress.starved.End()
			if !ok {
				return nil
			}
			ts, err := v.read(ctx, chunk)
			if err != nil {
				return err
			}
			progress.blocked.Begin()
			select {
			case read <- ts:
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
			progress.blocked.End()
			if err != nil {
				return err
			}
		}
	})
	g.Go(func() error {
		for ts := range read {
			if err := v.compare(ctx, ts); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// count counts the traces that will be compared, for who watches. It is a convenience: list reports the same errors.
func (v *verification) count(ctx context.Context) {
	var n int64
	w := v.job.Window
	w.Unlistable = func(*mlflowclient.UnlistableError) error { return nil }
	err := v.job.Source.ListTraces(ctx, v.job.ExperimentID, w, func(info *mlflow.TraceInfo) error {
		if v.job.Shard.Has(info.TraceID, "") {
			n++
		}
		return nil
	})
	if v.job.Sample > 0 {
		n = min(n, int64(v.job.Sample))
	}
	if err == nil {
		v.job.Progress.total.Store(n)
	}
}

// list yields the traces to compare in chunks.
func (v *verification) list(ctx context.Context, yield func([]*mlflow.TraceInfo) error) error {
	var chunk []*mlflow.TraceInfo
	n := 0
	w := v.job.Window
	w.Unlistable = func(u *mlflowclient.UnlistableError) error {
		if u.TraceID == "" || v.job.Shard.Has(u.TraceID, "") {
			v.report.Listed++
			v.unlistable = append(v.unlistable, u)
		}
		return nil
	}
	err := v.job.Source.ListTraces(ctx, v.job.ExperimentID, w, func(info *mlflow.TraceInfo) error {
		if !v.job.Shard.MayHave(info.TraceID) {
			return nil
		}
		if v.job.Shard.Has(info.TraceID, "") {
			v.report.Listed++
		}
		if n++; v.job.Sample > 0 {
			// A reservoir sample: each of the n traces so far is in it with the same probability.
			if len(chunk) < v.job.Sample {
				chunk = append(chunk, info)
			} else if at := rand.IntN(n); at < v.job.Sample {
				chunk[at] = info
			}
			return nil
		}
		if chunk = append(chunk, info); len(chunk) < chunkSize {
			return nil
		}
		full := chunk
		chunk = nil
		return yield(full)
	})
	for err == nil && len(chunk) > 0 {
		some := min(len(chunk), chunkSize)
		err = yield(chunk[:some])
		chunk = chunk[some:]
	}
	return err
}

// read reads a chunk's traces from the source.
func (v *verification) read(ctx context.Context, infos []*mlflow.TraceInfo) ([]*trace, error) {
	ids := make([]string, len(infos))
	for i, info := range infos {
		ids[i] = info.TraceID
	}
	links, err := v.scratch.Links(ctx, ids)
	if err != nil {
		return nil, err
	}
	known, err := v.scratch.Get(ctx, ids)
	if err != nil {
		return nil, err
	}
	if err := v.findOfficial(ctx, ids, known); err != nil {
		return nil, err
	}
	traces := make([]*trace, len(infos))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(v.job.Fetchers)
	size := max(v.job.Source.FetchGroup(mlflowclient.Exact), 1)
	for start := 0; start < len(infos); start += size {
		end := min(start+size, len(infos))
		g.Go(func() error {
			var weight int64
			for _, info := range infos[start:end] {
				weight += source.SizeOf(info)
			}
			if err := v.budget.Acquire(gctx, weight); err != nil {
				return err
			}
			defer func() { v.budget.Add(-weight) }()
			spans := v.job.Source.FetchSpans(gctx, mlflowclient.Exact, infos[start:end])
			if err := gctx.Err(); err != nil {
				return context.Cause(gctx)
			}
			v.job.Progress.read.Add(int64(len(spans)))
			for i, s := range spans {
				weight += int64(len(s.JSON))
				v.budget.Add(int64(len(s.JSON)))
				info := infos[start+i]
				t := v.expect(gctx, info, s, links[info.TraceID], known[info.TraceID])
				t.rows = uctables.Trace{TraceID: t.rows.TraceID} // If its digests differ, it is read again.
				traces[start+i] = t
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	traces = slices.DeleteFunc(traces, func(t *trace) bool { return !v.job.Shard.Has(t.info.TraceID, t.rows.TraceID) })
	// They are at the source, whatever else is found of them, and so not Extra.
	var seen []checkpoint.Record
	for id, rec := range known {
		if rec.TraceID = id; rec.RunID != "" {
			rec.State = checkpoint.Migrated
			seen = append(seen, rec)
		}
	}
	return traces, v.scratch.Put(ctx, seen...)
}

// findOfficial adds to known the IDs of traces that Databricks' own migration has moved and tracemig has not
// taken over.
func (v *verification) findOfficial(ctx context.Context, traceIDs []string, known map[string]checkpoint.Record) error {
	there := make([]string, len(traceIDs))
	for i, id := range traceIDs {
		there[i] = official.TraceID(id)
	}
	moved, err := v.scratch.Official(ctx, there)
	for i, id := range traceIDs {
		if _, ours := known[id]; !ours && moved[there[i]] {
			known[id] = checkpoint.Record{TargetTraceID: there[i]}
		}
	}
	return err
}
