package migrate

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/digest"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Where the source's spans lie in tables that the target reaches itself, the target copies those of new traces, and they don't
// pass through this process. A trace then is a unit like any other, whose annotations are made here and whose spans are written
// by copying them. Every other trace is read and converted: one that the copy would not make the same rows of, one that an
// earlier run has seen, and one that the target may have rows of.

const (
	// surveyed is how many traces are surveyed at once.
	surveyed = 2000
	// surveyAfter is how long a part of them waits for more.
	surveyAfter = time.Second
)

// copyLimits bound what one commit copies. Its statement takes time for the bytes that the warehouse reads and writes.
var copyLimits = target.Limits{Rows: 5000, Bytes: 1 << 30}

// copier is what a run copies spans with.
type copier struct {
	source source.Copyable
	target target.SpanCopier
}

// copierOf is the job's copier; nil where spans can't be copied.
func copierOf(job *Job) *copier {
	s, can := job.Source.(source.Copyable)
	t, takes := job.Target.(target.SpanCopier)
	if !can || !takes {
		return nil
	}
	return &copier{s, t}
}

// startCopying begins to copy in g, if spans can be copied, and gives the traces whose spans are to be read.
func (r *run) startCopying(
	ctx, reading context.Context, g *errgroup.Group, traces <-chan listed, units chan<- *unit,
) (rest <-chan listed) {
	if r.copier == nil {
		return traces
	}
	others := make(chan listed, surveyed)
	g.Go(func() error {
		defer close(others)
		return r.copyAll(ctx, reading, traces, others, units)
	})
	return others
}

// copyAll sends those of the traces whose spans can be copied on as units, and the others to rest.
func (r *run) copyAll(ctx, reading context.Context, traces <-chan listed, rest chan<- listed, units chan<- *unit) error {
	var group []listed
	timer := time.NewTimer(surveyAfter)
	defer timer.Stop()
	flush := func() error {
		if len(group) == 0 || reading.Err() != nil {
			return nil // The stage that ended reading reports why.
		}
		defer func() { group = nil }()
		return r.copyGroup(ctx, reading, group, rest, units)
	}
	for {
		select {
		case t, ok := <-traces:
			if !ok {
				return flush()
			}
			if t.known.State != "" || t.official || t.State == mlflow.StateInProgress {
				if err := send(ctx, rest, t); err != nil {
					return err
				}
				continue
			}
			if len(group) == 0 {
				timer.Reset(surveyAfter)
			}
			if group = append(group, t); len(group) < surveyed {
				continue
			}
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := flush(); err != nil {
			return err
		}
	}
}

// copyGroup surveys some traces, and sends each one on.
func (r *run) copyGroup(ctx, reading context.Context, group []listed, rest chan<- listed, units chan<- *unit) error {
	infos := make([]*mlflow.TraceInfo, len(group))
	for i, t := range group {
		infos[i] = t.TraceInfo
	}
	copies, err := r.copier.source.Survey(ctx, infos)
	if err != nil {
		return fmt.Errorf("find out which spans can be copied: %w", err)
	}
	for i, t := range group {
		if copies[i] == nil {
			if err := send(ctx, rest, t); err != nil {
				return err
			}
			continue
		}
		r.recorder.addRead(1)
		u, err := r.copyUnit(ctx, t, copies[i])
		if err != nil {
			return err
		}
		if u == nil {
			continue
		}
		if r.bytes.Acquire(reading, u.weight) != nil {
			return nil
		}
		if err := send(ctx, units, u); err != nil {
			return err
		}
	}
	return nil
}

// copyUnit makes a unit of a trace whose spans are copied, or settles it and returns nil.
func (r *run) copyUnit(ctx context.Context, t listed, c *uctables.SpanCopy) (*unit, error) {
	c.AllService = r.job.ServiceName
	rec := checkpoint.Record{
		TraceID: t.TraceID, RequestTimeMs: t.RequestTime.UnixMilli(),
		Digest: digest.Of(t.TraceInfo, t.links, r.job.RunLinks, ""),
	}
	in := convert.Input{Info: t.TraceInfo, SpanCount: c.Spans, Runs: t.links.Runs(), Digest: rec.Digest}
	res, err := convert.Convert(in, convert.Options{Source: r.job.SourceName, ServiceName: r.job.ServiceName})
	if err != nil {
		return nil, r.leave(ctx, t, rec, ending{state: checkpoint.Failed, reason: unconvertible(err), detail: err.Error()})
	}
	rec.TargetTraceID = res.Trace.TraceID
	if settled, err := r.notNow(ctx, t, rec, nil); settled || err != nil {
		return nil, err
	}
	u := r.unitOf(t, rec, &res, "", attachmentsOf{})
	u.copy, u.copied, u.weight = c, t, u.record.Bytes
	u.record.Spans, u.record.Bytes = c.Spans, u.record.Bytes+c.Bytes
	u.large = u.record.Bytes > largeForClients
	return u, nil
}

// copySpans has the target copy the spans of the units that say so.
func (r *run) copySpans(ctx context.Context, units []*unit) error {
	var copied []*unit
	for _, u := range units {
		if u.copy != nil && u.failed == nil {
			copied = append(copied, u)
		}
	}
	if len(copied) == 0 {
		return nil
	}
	lacking := false
	c := commits[uctables.SpanCopy]{
		limits: copyLimits,
		rowsOf: func(u *unit) []uctables.SpanCopy { return []uctables.SpanCopy{*u.copy} },
		size:   func(c *uctables.SpanCopy) int64 { return c.Bytes },
		name:   func(c *uctables.SpanCopy) string { return "the spans of " + c.TraceID },
		write: func(ctx context.Context, copies []uctables.SpanCopy) error {
			w, err := r.copier.target.CopySpans(ctx, r.copier.source.Tables(), copies)
			r.recorder.wroteSpans(w, copyTimes(copies))
			lacking = lacking || w.Present > 0
			return err
		},
	}
	if err := c.writeAll(ctx, copied); err != nil {
		return err
	}
	var uncopied []*unit
	for _, u := range copied {
		if u.failed != nil { // The warehouse refuses to copy it, so that the rows are made here.
			uncopied = append(uncopied, u)
		}
	}
	if lacking {
		more, err := r.changed(ctx, copied)
		if err != nil {
			return err
		}
		uncopied = append(uncopied, more...)
	}
	for _, u := range uncopied {
		if err := r.readInstead(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// copyTimes is the range of the times of copied spans.
func copyTimes(copies []uctables.SpanCopy) target.Times {
	times := target.NoTimes
	for i := range copies {
		times.Join(target.Times{Low: copies[i].LowMicros, High: copies[i].HighMicros})
	}
	return times
}

// changed are those of the copied units of which the target lacks spans: they changed since they were surveyed, and so were not
// copied.
func (r *run) changed(ctx context.Context, copied []*unit) (changed []*unit, err error) {
	var ids []string
	times := target.NoTimes
	for _, u := range copied {
		ids = append(ids, u.copy.TraceID)
		times.Join(target.Times{Low: u.copy.LowMicros, High: u.copy.HighMicros})
	}
	have := map[string]int{}
	if err := r.job.Target.SumSpans(ctx, ids, times, false, func(s target.SpanSum) error {
		have[s.TraceID] = s.Spans
		return nil
	}); err != nil {
		return nil, err
	}
	for _, u := range copied {
		if u.failed == nil && have[u.copy.TraceID] < u.copy.Spans {
			changed = append(changed, u)
		}
	}
	return changed, nil
}

// readInstead reads, converts and writes a trace whose spans could not be copied, as any other one. Its annotations may be there.
func (r *run) readInstead(ctx context.Context, u *unit) error {
	info, err := r.job.Source.TraceInfo(ctx, u.copied.TraceID)
	if err == nil {
		u.copied.TraceInfo = info
	} else if !source.Gone(err) {
		return err
	}
	spans := r.read(ctx, []listed{u.copied})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	read, err := r.convert(ctx, u.copied, &spans[0])
	if err != nil {
		return err
	}
	if read == nil {
		u.settled = true
		return nil
	}
	read.there, read.weight = true, u.weight
	*u = *read
	if err := r.writeAnnotations(ctx, []*unit{u}); err != nil {
		return err
	}
	return r.writeSpans(ctx, []*unit{u})
}
