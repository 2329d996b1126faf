package migrate

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/budget"
	"github.com/tracemig/tracemig/internal/busy"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source"
)

const (
	// firstGroups are read before the source has answered once. Its answer shows what it serves, and so how
	// many traces a call should carry; a few, because any one may take long.
	firstGroups = 8
	// failuresInARow is after how many failed reads in a row the source is asked for something simple:
	// if it fails at that too, the source is broken, not the traces, and the run ends.
	failuresInARow = 20
	// fastFetchers read groups at a time in the fast way, at most: more would collect groups long before their turn, and so
	// smaller ones than the source has come to take.
	fastFetchers = 8
	// maxGroupBytes ends a group of traces: its answers are in memory together.
	maxGroupBytes = 4 << 20
)

// fetchAll reads and converts traces, several groups at a time. A group is begun only while reading
// goes on; once begun it is finished under ctx.
func (r *run) fetchAll(ctx, reading context.Context, traces <-chan listed, units chan<- *unit) error {
	g, gctx := errgroup.WithContext(ctx)
	groups := &groups{
		traces: traces, budget: r.bytes, turn: make(chan struct{}, 1), answered: make(chan struct{}),
		size: func() int { return r.job.Source.FetchGroup(r.job.Read) }, starved: &r.recorder.starved,
	}
	fetchers := r.job.Fetchers
	if r.job.Read == mlflowclient.Fast {
		fetchers = min(fetchers, fastFetchers)
	}
	for range fetchers {
		g.Go(func() error {
			// A fetcher that ends before the first answer must not leave the others waiting for one.
			defer groups.answer()
			for {
				group := groups.next(reading)
				if len(group) == 0 || reading.Err() != nil {
					return nil // The stage that ended reading reports why.
				}
				if err := r.fetch(gctx, group, units, groups.answer); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// groups collects listed traces into groups that are read by one call.
type groups struct {
	traces <-chan listed
	budget *budget.Budget
	size   func() int // of a group, as far as the source's answers have shown

	starved  *busy.Clock   // runs while next waits for listed traces
	turn     chan struct{} // holds a value while a fetcher collects a whole group and waits for the budget, which others then don't
	begun    int
	once     sync.Once
	answered chan struct{} // closed after the first answer of the source
}

// next is the next group, whose estimated bytes it has taken from the budget. After firstGroups it waits for the first answer
// of the source. The group is empty when no traces are left or ctx ends.
func (g *groups) next(ctx context.Context) (group []listed) {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if g.begun++; g.begun > firstGroups {
		<-g.answered
	}
	var estimate int64
	for n := g.size(); len(group) < n && estimate < maxGroupBytes; {
		t, ok := g.listed()
		if !ok {
			break
		}
		group = append(group, t)
		estimate += source.SizeOf(t.TraceInfo)
	}
	if len(group) == 0 || g.budget.Acquire(ctx, estimate) != nil {
		return nil
	}
	return group
}

// listed is the next listed trace; ok says whether there is one.
func (g *groups) listed() (t listed, ok bool) {
	select {
	case t, ok = <-g.traces:
		return t, ok
	default:
	}
	g.starved.Begin()
	defer g.starved.End()
	t, ok = <-g.traces
	return t, ok
}

func (g *groups) answer() { g.once.Do(func() { close(g.answered) }) }

// fetch reads the spans of one group and sends the converted traces on.
func (r *run) fetch(ctx context.Context, group []listed, units chan<- *unit, answered func()) error {
	spans := r.read(ctx, group)
	answered()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	r.recorder.addRead(len(group))
	for i, t := range group {
		estimate := source.SizeOf(t.TraceInfo)
		weight := int64(len(spans[i].JSON))
		r.bytes.Add(weight - estimate)
		u, err := r.convert(ctx, t, &spans[i])
		if err != nil {
			return err
		}
		spans[i].JSON = nil
		if u == nil {
			r.bytes.Add(-weight)
			continue
		}
		u.weight = u.record.Bytes
		r.bytes.Add(u.weight - weight)
		if err := send(ctx, units, u); err != nil {
			return err
		}
	}
	return nil
}

// read reads the spans of one group. The fast way is for traces of which nothing was written before: rows that were read
// exactly are not to be compared with less.
func (r *run) read(ctx context.Context, group []listed) []mlflowclient.Spans {
	spans := make([]mlflowclient.Spans, len(group))
	ways := map[mlflowclient.Read][]int{}
	for i, t := range group {
		way := mlflowclient.Exact
		if t.known.State == "" {
			way = r.job.Read
		}
		ways[way] = append(ways[way], i)
	}
	for way, at := range ways {
		infos := make([]*mlflow.TraceInfo, len(at))
		for i, k := range at {
			infos[i] = group[k].TraceInfo
		}
		for i, s := range r.job.Source.FetchSpans(ctx, way, infos) {
			spans[at[i]] = s
		}
	}
	return spans
}

// failures counts failed reads in a row.
type failures struct{ inARow atomic.Int64 }

func (f *failures) reset() { f.inARow.Store(0) }

// another counts one more, and says whether it is time to ask the source for something simple.
func (f *failures) another() bool { return f.inARow.Add(1)%failuresInARow == 0 }

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
	if !r.failures.another() {
		return false
	}
	_, err = r.job.Source.TraceInfo(ctx, info.TraceID)
	_, unlistable := errors.AsType[*mlflowclient.UnlistableError](err) // The source works, and this trace is at fault.
	return err != nil && !unlistable && !source.Gone(err)
}
