package verify

import (
	"context"
	"errors"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/resync"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

var errGone = errors.New("the source no longer has it")

// compare reports what is found of a chunk's traces.
func (v *verification) compare(ctx context.Context, traces []*trace) error {
	if err := v.markAccepted(ctx, traces); err != nil {
		return err
	}
	var asked []*trace
	for _, t := range traces {
		if t.kind == "" {
			asked = append(asked, t)
			continue
		}
		v.done(t, t.kind, t.detail)
	}
	sums, err := v.sumAll(ctx, asked)
	if err != nil {
		return err
	}
	now := latestNow()
	var same, differing []*trace
	for _, t := range asked {
		v.report.Spans += int64(t.spans)
		v.report.Annotations += int64(len(t.annotations))
		v.job.Progress.spans.Add(int64(t.spans))
		v.job.Progress.annotations.Add(int64(len(t.annotations)))
		t.there = !sums[t.rows.TraceID].nothing()
		if sums[t.rows.TraceID].matches(t, now) {
			same = append(same, t)
		} else {
			differing = append(differing, t)
		}
	}
	if err := v.proveFiles(ctx, same); err != nil {
		return err
	}
	for _, t := range same {
		v.done(t, Match, "")
	}
	for len(differing) > 0 {
		n, size := fitting(differing, judgedTraces, judgedBytes)
		if err := v.judgeSome(ctx, differing[:n], size, sums); err != nil {
			return err
		}
		differing = differing[n:]
	}
	return nil
}

// sumAll asks the target for the traces within their times, and for those that differ again at all times: rows may
// lie at other times than they should.
func (v *verification) sumAll(ctx context.Context, traces []*trace) (map[string]*sums, error) {
	found, err := v.sum(ctx, traces, true)
	if err != nil {
		return nil, err
	}
	now := latestNow()
	var elsewhere []*trace
	for _, t := range traces {
		if !found[t.rows.TraceID].matches(t, now) {
			elsewhere = append(elsewhere, t)
		}
	}
	again, err := v.sum(ctx, elsewhere, false)
	if err != nil {
		return nil, err
	}
	maps.Copy(found, again)
	return found, nil
}

// done counts and reports what is found of a compared trace.
func (v *verification) done(t *trace, kind Kind, detail string) {
	kind, detail = v.withAttachments(t, kind, detail)
	kind, detail = excuse(t.accepted, kind, detail)
	v.report.Compared++
	v.job.Progress.compared.Add(1)
	if kind.Wrong() {
		v.job.Progress.wrong.Add(1)
	}
	if kind != Extra {
		v.report.Seen.AtSource(t.info.RequestTime)
	}
	if t.there {
		v.atTarget(t.info.TraceID, t.rows.TraceID, t.info.RequestTime)
	}
	v.found(Finding{t.info.TraceID, t.rows.TraceID, kind, detail})
}

// The bounds of what is looked at by one question to the target.
const (
	judgedTraces = 100
	judgedBytes  = 16 << 20 // of spans' JSON
)

// judgeSome looks at traces whose sums differ, whose spans' JSON has size bytes. Those of which the target has rows are
// read again on both sides.
func (v *verification) judgeSome(ctx context.Context, traces []*trace, size int64, all map[string]*sums) error {
	var summed, unlike []*trace
	for _, t := range traces {
		if s := all[t.rows.TraceID]; s.nothing() || s.duplicate() != "" {
			summed = append(summed, t)
		} else {
			unlike = append(unlike, t)
		}
	}
	if err := v.judgeSums(ctx, summed, all); err != nil || len(unlike) == 0 {
		return err
	}
	if err := v.budget.Acquire(ctx, size); err != nil {
		return err
	}
	defer v.budget.Add(-size)
	fresh, err := v.reread(ctx, unlike)
	if err != nil {
		return err
	}
	found, err := v.gather(ctx, fresh, all)
	if err != nil {
		return err
	}
	for _, e := range found {
		kind, detail := judge(e)
		v.done(e.want, kind, detail)
	}
	return nil
}

// judgeSums tells of traces of which the sums say enough: that the target has nothing of them, or too much.
func (v *verification) judgeSums(ctx context.Context, traces []*trace, all map[string]*sums) error {
	moved, err := v.moved(ctx, traces, all)
	if err != nil {
		return err
	}
	if err := v.proveFiles(ctx, traces); err != nil {
		return err
	}
	for _, t := range traces {
		e := &evidence{
			want: t, have: all[t.rows.TraceID],
			moved: moved[t.info.TraceID], covered: v.job.Covered, reach: v.job.Reach, latest: v.latest,
		}
		kind, detail := judge(e)
		v.done(t, kind, detail)
	}
	return nil
}

// moved says which of the traces that the target has nothing of a checkpoint has as moved.
func (v *verification) moved(ctx context.Context, traces []*trace, all map[string]*sums) (map[string]bool, error) {
	var ids []string
	for _, t := range traces {
		if all[t.rows.TraceID].nothing() {
			ids = append(ids, t.info.TraceID)
		}
	}
	if v.job.Moved == nil || len(ids) == 0 {
		return nil, nil
	}
	return v.job.Moved(ctx, ids)
}

// reread reads traces anew, as they are now and whole.
func (v *verification) reread(ctx context.Context, traces []*trace) ([]*trace, error) {
	fresh := make([]*trace, len(traces))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(v.job.Fetchers)
	for i, t := range traces {
		g.Go(func() error {
			info, err := v.job.Source.TraceInfo(ctx, t.info.TraceID)
			if source.Gone(err) {
				fresh[i] = (&trace{info: t.info, rows: t.rows, there: t.there}).settle(Extra, errGone.Error())
				return nil
			}
			if err != nil {
				return err
			}
			spans := v.job.Source.FetchSpans(ctx, mlflowclient.Exact, []*mlflow.TraceInfo{info})
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			fresh[i] = v.expect(ctx, info, spans[0], t.links, t.known)
			fresh[i].accepted, fresh[i].there = t.accepted, t.there
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			return nil
		})
	}
	return fresh, g.Wait()
}

// gather reads what the target has of the traces that are to be compared. Copies of a trace share an ID there.
func (v *verification) gather(ctx context.Context, traces []*trace, all map[string]*sums) ([]*evidence, error) {
	found := make([]*evidence, len(traces))
	var compared []*trace
	var ids, differing []string // differing in their spans
	for i, t := range traces {
		have := all[t.rows.TraceID]
		found[i] = &evidence{want: t, have: have, deep: v.job.Deep, now: latestNow(), table: v.job.Target.String() + uctables.Spans.Suffix}
		if t.kind != "" {
			continue
		}
		compared, ids = append(compared, t), append(ids, t.rows.TraceID)
		if found[i].spansDiffer = !have.sameSpans(t); found[i].spansDiffer {
			differing = append(differing, t.rows.TraceID)
		}
	}
	annotations := map[string][]*uctables.Annotation{}
	if len(ids) > 0 {
		if err := v.job.Target.ReadAnnotations(ctx, ids, target.AllTimes, func(a *uctables.Annotation) error {
			annotations[a.TraceID()] = append(annotations[a.TraceID()], a)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	spans := map[string][]*uctables.Span{}
	if len(differing) > 0 {
		if err := v.job.Target.ReadSpans(ctx, differing, target.AllTimes, func(s *uctables.Span) error {
			spans[s.TraceID] = append(spans[s.TraceID], s)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	for _, e := range found {
		e.annotations, e.spans = annotations[e.want.rows.TraceID], spans[e.want.rows.TraceID]
	}
	if err := v.lookedAt(ctx, found); err != nil {
		return nil, err
	}
	return found, v.proveFiles(ctx, compared)
}

// lookedAt adds to the evidence which of the runs that the target links to were asked for.
func (v *verification) lookedAt(ctx context.Context, found []*evidence) error {
	var runs []string
	for _, e := range found {
		runs = append(runs, resync.LinkedRuns(e.annotations)...)
	}
	lookedAt, err := v.scratch.HasLookedAt(ctx, runs)
	for _, e := range found {
		e.lookedAt = lookedAt
	}
	return err
}
