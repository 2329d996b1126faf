package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
)

// RunLinks says of which MLflow runs the traces are asked for, to find what was linked to them after it ended.
type RunLinks string

// The values of RunLinks.
const (
	LinksOfSource RunLinks = "source" // the runs of the source experiment
	LinksOfAll    RunLinks = "all"    // those of every experiment that the caller may see
	LinksNone     RunLinks = "none"
)

// MarshalText gives the value as the flag has it.
func (l RunLinks) MarshalText() ([]byte, error) { return []byte(l), nil }

// UnmarshalText takes one of the values, as the flag has it.
func (l *RunLinks) UnmarshalText(text []byte) error {
	switch v := RunLinks(text); v {
	case LinksOfSource, LinksOfAll, LinksNone:
		*l = v
		return nil
	}
	return errors.New("it is none of source, all and none")
}

// asked says whether any runs are asked for.
func (l RunLinks) asked() bool { return l == LinksOfSource || l == LinksOfAll }

// ReadRunLinks notes in the checkpoint which traces of a window the runs link to: one query a run. It
// returns how many experiments, or single runs of them, besides the source's the server does not show.
func ReadRunLinks(ctx context.Context, c *checkpoint.Store, source Source, experimentID string, which RunLinks, w mlflowclient.Window) (hidden int64, err error) {
	if !which.asked() {
		return 0, nil
	}
	if err := c.ResetLinks(ctx); err != nil {
		return 0, err
	}
	r := linkReader{store: c, source: source, experimentID: experimentID, window: w}
	if err := r.experiment(ctx, experimentID); err != nil || which != LinksOfAll {
		return 0, err
	}
	others := map[string]bool{experimentID: true} // that were taken, in case one is listed twice
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(linkReaders)
	err = source.ListExperiments(gctx, func(id string) error {
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

// linkReaders is how many experiments, and runs of each, are asked for at the same time; the client paces the
// requests.
const linkReaders = 8

// linkReader reads the links of runs.
type linkReader struct {
	store        *checkpoint.Store
	source       Source
	experimentID string // of the traces
	window       mlflowclient.Window
	hidden       atomic.Int64
}

// experiment reads the links of an experiment's runs.
func (r *linkReader) experiment(ctx context.Context, id string) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(linkReaders)
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

// skip counts what the server does not show of another experiment: the caller may see an experiment, but not
// what is in it, and it may be deleted, or have gone since it was listed.
func (r *linkReader) skip(other bool, err error) error {
	var api *mlflowclient.APIError
	if !other || !errors.As(err, &api) {
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
func (r *linkReader) run(ctx context.Context, runID string, other bool) error {
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

// A digest says in what state a trace was: what the source lists of it, and, each behind a plus sign, the
// runs of the source experiment and those of others that it is linked to, where there are any. It has no
// plus sign at its end.

// Digest is that of a trace as it is now. noted is the one of its last state, "" for none: what was not asked
// for this time is taken from there, so that it is no change.
func Digest(info *mlflow.TraceInfo, links checkpoint.Links, asked RunLinks, noted string) string {
	_, source, others := cutDigest(noted)
	if asked.asked() {
		source = digestRuns(links.Source)
	}
	if asked == LinksOfAll {
		others = digestRuns(links.Others)
	}
	return strings.TrimRight(info.Digest()+"+"+source+"+"+others, "+")
}

// SameDigest says whether two digests are equal in what was asked for.
func SameDigest(noted, now string, asked RunLinks) bool {
	aListed, aSource, aOthers := cutDigest(noted)
	bListed, bSource, bOthers := cutDigest(now)
	return aListed == bListed && (!asked.asked() || aSource == bSource) && (asked != LinksOfAll || aOthers == bOthers)
}

func cutDigest(d string) (listed, source, others string) {
	listed, rest, _ := strings.Cut(d, "+")
	source, others, _ = strings.Cut(rest, "+")
	return listed, source, others
}

func digestRuns(runs []string) string {
	if len(runs) == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join(runs, "\n")))
	return hex.EncodeToString(sum[:8])
}
