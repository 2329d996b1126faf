package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/resync"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// So much is looked at by one question to the target.
const (
	judgeTraces = 100
	judgeBytes  = 16 << 20 // of spans' JSON
)

// judge looks at the rows of traces whose sums differ, some at a time.
func (v *verification) judge(ctx context.Context, traces []*trace, all map[string]*sums) error {
	for len(traces) > 0 {
		n, size := fitting(traces, judgeTraces, judgeBytes)
		if err := v.judgeSome(ctx, traces[:n], size, all); err != nil {
			return err
		}
		traces = traces[n:]
	}
	return nil
}

func (v *verification) judgeSome(ctx context.Context, traces []*trace, size int64, all map[string]*sums) error {
	var asked, absent, duplicates []*trace
	for _, t := range traces {
		s := all[t.rows.TraceID]
		switch {
		case s.duplicate() != "":
			duplicates = append(duplicates, t)
		case s.spans.Rows == 0 && len(s.notes) == 0:
			absent = append(absent, t)
		default:
			asked = append(asked, t)
		}
	}
	if err := v.proveFiles(ctx, duplicates); err != nil {
		return err
	}
	for _, t := range duplicates {
		v.done(t, Duplicate, all[t.rows.TraceID].duplicate())
	}
	if err := v.judgeAbsent(ctx, absent); err != nil || len(asked) == 0 {
		return err
	}
	if err := v.budget.Acquire(ctx, size); err != nil {
		return err
	}
	defer v.budget.Add(-size)
	fresh, err := v.reread(ctx, asked)
	if err != nil {
		return err
	}
	rest := fresh[:0]
	for _, t := range fresh {
		if t.kind != "" {
			v.done(t, t.kind, t.detail)
		} else {
			rest = append(rest, t)
		}
	}
	evidence, err := v.gather(ctx, rest, all)
	if err == nil {
		err = v.proveFiles(ctx, rest)
	}
	if err != nil {
		return err
	}
	for _, e := range evidence {
		kind, detail := verdict(e)
		v.done(e.want, kind, detail)
	}
	return nil
}

// judgeAbsent tells of traces that the target has nothing of what they are.
func (v *verification) judgeAbsent(ctx context.Context, traces []*trace) error {
	moved := map[string]bool{}
	if v.job.Moved != nil && len(traces) > 0 {
		ids := make([]string, len(traces))
		for i, t := range traces {
			ids[i] = t.info.TraceID
		}
		var err error
		if moved, err = v.job.Moved(ctx, ids); err != nil {
			return err
		}
	}
	for _, t := range traces {
		kind, detail := v.absent(t, moved[t.info.TraceID])
		v.done(t, kind, detail)
	}
	return nil
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
				fresh[i] = &trace{info: t.info, rows: t.rows, kind: Extra, detail: errGone.Error()}
				return nil
			}
			if err != nil {
				return fmt.Errorf("look at trace %s again: %w", t.info.TraceID, err)
			}
			spans := v.job.Source.FetchSpans(ctx, []*mlflow.TraceInfo{info})
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			fresh[i] = v.expect(ctx, info, spans[0], t.links, t.known)
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			return nil
		})
	}
	return fresh, g.Wait()
}

// gather reads what the target has of the traces. Copies of a trace share an ID there.
func (v *verification) gather(ctx context.Context, traces []*trace, all map[string]*sums) ([]*evidence, error) {
	if len(traces) == 0 {
		return nil, nil
	}
	ids := make([]string, len(traces))
	var differing []string // in their spans
	for i, t := range traces {
		ids[i] = t.rows.TraceID
		if !all[ids[i]].sameSpans(t) {
			differing = append(differing, ids[i])
		}
	}
	notes := map[string][]*uctables.Annotation{}
	if err := v.job.Target.ReadAnnotations(ctx, ids, target.AllTimes, func(a *uctables.Annotation) error {
		id, _, _ := strings.Cut(a.TargetID, ":")
		notes[id] = append(notes[id], a)
		return nil
	}); err != nil {
		return nil, err
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
	found := make([]*evidence, len(traces))
	for i, t := range traces {
		found[i] = &evidence{
			want: t, have: all[ids[i]], notes: notes[ids[i]], spans: spans[ids[i]], spansDiffer: !all[ids[i]].sameSpans(t),
			deep: v.job.Deep, now: latestNow(), table: v.job.Target.String() + uctables.Spans.Suffix,
		}
	}
	return found, v.lookedAt(ctx, found)
}

// lookedAt adds to the evidence which of the runs that the target links to were asked for.
func (v *verification) lookedAt(ctx context.Context, found []*evidence) error {
	var runs []string
	for _, e := range found {
		runs = append(runs, resync.LinkedRuns(e.notes)...)
	}
	lookedAt, err := v.scratch.HasLookedAt(ctx, runs)
	for _, e := range found {
		e.lookedAt = lookedAt
	}
	return err
}

var errGone = errors.New("the source no longer has it")
