// Package runlinks reads which MLflow runs a trace was linked to after it ended. The listing of traces does not tell:
// each run is asked for its traces.
package runlinks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source"
)

// Scope says which MLflow runs are asked for the traces that were linked to them.
type Scope string

// The scopes.
const (
	OfSource Scope = "source" // the runs of the source experiment
	OfAll    Scope = "all"    // those of every experiment that the caller may see
	None     Scope = "none"
)

// MarshalText gives the value as the flag has it.
func (l Scope) MarshalText() ([]byte, error) { return []byte(l), nil }

// UnmarshalText takes one of the values, as the flag has it.
func (l *Scope) UnmarshalText(text []byte) error {
	switch v := Scope(text); v {
	case OfSource, OfAll, None:
		*l = v
		return nil
	}
	return fmt.Errorf("%q is none of source, all and none", text)
}

// Asked says whether any runs are asked for.
func (l Scope) Asked() bool { return l == OfSource || l == OfAll }

// Read notes in the checkpoint to which runs the traces of a window are linked. It asks each run for its traces, by one query, or
// a source.Linked for all links at once. It returns how many other experiments, or single runs of them, the server does not show.
func Read(ctx context.Context, c *checkpoint.Store, src source.Source, experimentID string, scope Scope,
	w mlflowclient.Window,
) (hidden int64, err error) {
	if !scope.Asked() {
		return 0, nil
	}
	if err := c.ResetLinks(ctx); err != nil {
		return 0, err
	}
	if linked, ok := src.(source.Linked); ok {
		return 0, readLinked(ctx, c, linked, experimentID, scope == OfAll, w)
	}
	r := reader{store: c, source: src, experimentID: experimentID, window: w}
	if err := r.experiment(ctx, experimentID); err != nil || scope != OfAll {
		return 0, err
	}
	others := map[string]bool{experimentID: true} // already begun, in case one is listed twice
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	err = src.ListExperiments(gctx, func(id string) error {
		if others[id] {
			return nil
		}
		others[id] = true
		g.Go(func() error { return r.experiment(gctx, id) })
		return nil
	})
	if werr := g.Wait(); werr != nil {
		err = werr
	}
	return r.hidden.Load(), err
}

// notedAtOnce is how many links are noted in the checkpoint together, about.
const notedAtOnce = 1000

// readLinked notes the links that a source knows of all runs at once.
func readLinked(ctx context.Context, c *checkpoint.Store, src source.Linked, experimentID string, all bool, w mlflowclient.Window) error {
	traces, n := map[string][]string{}, 0
	flush := func() error {
		for runID, ids := range traces {
			if err := c.AddLinks(ctx, runID, ids); err != nil {
				return fmt.Errorf("run %s: %w", runID, err)
			}
		}
		clear(traces)
		n = 0
		return nil
	}
	return src.ListLinks(ctx, experimentID, all, w, func(l source.RunLink) error {
		if l.TraceID == "" { // All traces of the run have come.
			if err := flush(); err != nil {
				return err
			}
			return c.LookedAt(ctx, l.RunID, l.Other)
		}
		if !c.Pair().Shard.MayHave(l.TraceID) {
			return nil
		}
		traces[l.RunID] = append(traces[l.RunID], l.TraceID)
		if n++; n < notedAtOnce {
			return nil
		}
		return flush()
	})
}

// readers is how many experiments, and runs of each, are asked for at the same time; the client paces the
// requests.
const readers = 8

// reader reads the links of runs.
type reader struct {
	store        *checkpoint.Store
	source       source.Source
	experimentID string // of the traces
	window       mlflowclient.Window
	hidden       atomic.Int64
}

// experiment reads the links of an experiment's runs.
func (r *reader) experiment(ctx context.Context, id string) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	other := id != r.experimentID
	err := r.source.ListRuns(gctx, id, func(runID string) error {
		g.Go(func() error { return r.skip(other, r.run(gctx, runID, other)) })
		return nil
	})
	if werr := g.Wait(); werr != nil {
		return werr
	}
	return r.skip(other, err)
}

// skip counts an experiment or run that the server does not show, and takes that for no error, if it is not of the
// source: the caller may see another experiment without its content, and it may have been deleted since it was listed.
func (r *reader) skip(other bool, err error) error {
	api, ok := errors.AsType[*mlflowclient.APIError](err)
	if !other || !ok {
		return err
	}
	switch api.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		r.hidden.Add(1)
		return nil
	}
	return err
}

// run reads the links of one run.
func (r *reader) run(ctx context.Context, runID string, other bool) error {
	var ids []string
	flush := func() error {
		err := r.store.AddLinks(ctx, runID, ids)
		ids = ids[:0]
		return err
	}
	err := r.source.ListRunTraces(ctx, r.experimentID, runID, r.window, func(traceID string) error {
		if !r.store.Pair().Shard.MayHave(traceID) {
			return nil
		}
		if ids = append(ids, traceID); len(ids) == 1000 {
			return flush()
		}
		return nil
	})
	if err == nil && len(ids) > 0 {
		err = flush()
	}
	if err == nil {
		err = r.store.LookedAt(ctx, runID, other)
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", runID, err)
	}
	return nil
}
