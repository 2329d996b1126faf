package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/digest"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/uctables"
)

// A unit is one trace on its way into the target.
type unit struct {
	rows   uctables.Trace
	weight int64 // bytes reserved in the budget
	report TraceReport
	record checkpoint.Record
	failed error // why it can't be written; its spans are then not written

	resync bool // the target has the trace, in an earlier state
	repair bool // verification found it wanting
	there  bool // the target has rows of it, as far as is known
	large  bool // for clients that read it back
	fast   bool // its spans were read in the fast way

	compare      bool // its spans may have other values than the rows
	changedSpans []uctables.Span
	reread       bool  // only because spans may have come since it was migrated
	due          int64 // when it is to be read again, in milliseconds since the Unix epoch; 0 for never

	copy    *uctables.SpanCopy // how its spans are copied; nil where rows has them
	copied  listed             // the trace, where its spans are copied
	settled bool               // it was found, after it was converted, that it is not to be written

	accepted    *checkpoint.Acceptance // that it can't be written; nil if nobody has accepted it
	takenOver   bool                   // from Databricks' own migration
	attachments attachmentsOf
	changes     []uctables.Replacement
}

// fail keeps the first reason why u can't be written.
func (u *unit) fail(err error) {
	if u.failed == nil {
		u.failed = err
	}
}

// ending is what becomes of a trace that is not written.
type ending struct {
	state    checkpoint.State
	reason   checkpoint.Reason
	detail   string
	accepted *checkpoint.Acceptance // that holds for it
	ended    bool                   // an acceptance, which is no longer needed
}

// under is the same ending of a trace with acceptance a; nil for none. The acceptance holds only for the reason that it was given
// for: nobody has judged another one.
func (e ending) under(a *checkpoint.Acceptance) ending {
	switch {
	case a == nil:
	case e.state == checkpoint.Skipped:
		e.ended = true
	case e.state == checkpoint.Failed && e.reason == a.For:
		e.state, e.accepted = checkpoint.Accepted, a
	case e.state == checkpoint.Failed:
		e.detail += fmt.Sprintf("; it is accepted for %s, which this is not", a.For)
	}
	return e
}

// migrated says whether the target has the trace as a whole, in the state of an earlier run.
func (t *listed) migrated() bool { return t.known.State == checkpoint.Migrated }

// convert makes a unit of one read trace, or settles it and returns nil. The error is one that ends the run.
func (r *run) convert(ctx context.Context, t listed, spans *mlflowclient.Spans) (*unit, error) {
	info, known := t.TraceInfo, t.known
	rec := checkpoint.Record{
		TraceID: info.TraceID, RequestTimeMs: info.RequestTime.UnixMilli(),
		Digest: digest.Of(info, t.links, r.job.RunLinks, known.Digest),
	}
	missing := source.MissingSpans(info, spans)
	if settled, err := r.withoutSpans(ctx, t, rec, spans, missing); settled || err != nil {
		return nil, err
	}
	in := convert.Input{
		Info: info, Spans: spans.JSON, SpansMissing: missing, Runs: t.links.Runs(), Digest: rec.Digest, TraceID: known.TargetTraceID,
		Reuse: true,
	}
	opt := convert.Options{Source: r.job.SourceName, ServiceName: r.job.ServiceName}
	res, err := convert.Convert(in, opt)
	if spans.Fast && (err != nil || res.StoredTellsMore) {
		*spans = r.job.Source.FetchSpans(ctx, mlflowclient.Exact, []*mlflow.TraceInfo{info})[0]
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return r.convert(ctx, t, spans)
	}
	if err != nil {
		return nil, r.leave(ctx, t, rec, ending{state: checkpoint.Failed, reason: unconvertible(err), detail: err.Error()})
	}
	rec.TargetTraceID = res.Trace.TraceID
	if settled, err := r.notNow(ctx, t, rec, res.Trace.Spans); settled || err != nil {
		return nil, err
	}
	a, err := r.attach(ctx, t, rec.TargetTraceID, res.Attachments)
	if unread, ok := errors.AsType[*attachmentError](err); ok {
		r.claims.release(rec.TargetTraceID)
		return nil, r.leave(ctx, t, rec, ending{state: checkpoint.Failed, reason: unread.reason(), detail: unread.Error()})
	} else if err != nil {
		return nil, err
	}
	if len(a.list) > 0 {
		in.Attachments = a.list
		if res, err = convert.Convert(in, opt); err != nil {
			return nil, err // It was converted once already, so this is a fault of the program.
		}
		a.list = nil // The rows have the bytes now.
	}
	u := r.unitOf(t, rec, &res, missing, a)
	u.fast = spans.Fast
	return u, nil
}

// withoutSpans settles a trace whose spans could not be read, or that is not to be written without those that are missing.
func (r *run) withoutSpans(
	ctx context.Context, t listed, rec checkpoint.Record, spans *mlflowclient.Spans, missing string,
) (settled bool, err error) {
	info, known := t.TraceInfo, t.known
	if missing == mlflowclient.MissingElsewhere {
		// They are there, so the trace must not be shown without them.
		r.failures.reset()
		return true, r.leave(ctx, t, rec,
			ending{state: checkpoint.Failed, reason: checkpoint.Reason(missing), detail: source.Elsewhere(info, spans).Error()})
	}
	if spans.Err != nil {
		if r.broken(ctx, info, spans.Err) {
			return true, spans.Err
		}
		return true, r.leave(ctx, t, rec, ending{state: checkpoint.Failed, reason: ReasonFetch, detail: spans.Err.Error()})
	}
	r.failures.reset()
	switch {
	case missing == "":
		return false, nil
	case missing == mlflowclient.MissingDeleted:
		return true, r.leave(ctx, t, rec, ending{state: checkpoint.Skipped, reason: ReasonDeleted})
	case missing == mlflowclient.MissingIncomplete && source.StillArriving(info.RequestTime, r.started):
		// They may still be on their way; a part of them must not be shown as the trace.
		return true, r.leave(ctx, t, rec, ending{state: checkpoint.Deferred, reason: checkpoint.Reason(missing)})
	case known.State == checkpoint.Skipped && known.Reason == checkpoint.Reason(missing) && known.Digest == rec.Digest:
		// An earlier run has written what there is, and no more spans have turned up since.
		return true, r.settle(ctx, known, ending{state: checkpoint.Skipped, reason: known.Reason})
	}
	return false, nil
}

// notNow settles a converted trace that this run is not to write: one with open spans, one of another shard, and one
// whose ID at the target another trace has.
func (r *run) notNow(ctx context.Context, t listed, rec checkpoint.Record, spans []uctables.Span) (settled bool, err error) {
	if !t.migrated() && source.StillOpen(t.TraceInfo, spans, r.started) {
		rec.TargetTraceID = "" // It may be another one once the rest of its spans has come.
		return true, r.leave(ctx, t, rec, ending{state: checkpoint.Deferred, reason: ReasonSpansOpen})
	}
	if !r.shard.Has(rec.TraceID, rec.TargetTraceID) {
		rec.State, rec.RunID = checkpoint.Elsewhere, r.job.RunID
		return true, r.job.Checkpoint.Put(ctx, rec)
	}
	other, err := r.claim(ctx, rec.TraceID, rec.TargetTraceID)
	if err != nil || other == "" {
		return false, err
	}
	return true, r.leave(ctx, t, rec, ending{state: checkpoint.Failed, reason: ReasonSameTraceID,
		detail: fmt.Sprintf("its spans carry the OTEL trace ID %s, as those of trace %s do, and the target knows traces by it; "+
			"of such copies one can be migrated", rec.TargetTraceID, other)})
}

// unconvertible is the reason why a trace can't be converted.
func unconvertible(err error) checkpoint.Reason {
	if ce, ok := errors.AsType[*convert.Error](err); ok {
		return checkpoint.Reason(ce.Reason)
	}
	return "unreadable"
}

// unitOf is what is to be written of a converted trace.
func (r *run) unitOf(t listed, rec checkpoint.Record, res *convert.Result, missing string, a attachmentsOf) *unit {
	info, migrated := t.TraceInfo, t.migrated()
	rec.RunID = r.job.RunID
	rec.Spans, rec.Annotations = len(res.Trace.Spans), len(res.Trace.Annotations)
	u := &unit{rows: res.Trace, resync: migrated, repair: t.known.Reason == ReasonRepair, reread: t.reread, attachments: a,
		accepted: t.accepted}
	u.there = u.resync || u.repair || t.official
	u.large = size(&res.Trace) > largeForClients
	u.compare = u.repair && r.job.UpdateSpans || migrated && info.SpansInTrackingStore()
	if due := source.Ended(info).Add(r.job.Settle); info.SpansInTrackingStore() && due.After(time.Now()) {
		u.due = due.UnixMilli()
	}
	u.report = TraceReport{
		TraceID: info.TraceID, TargetTraceID: res.Trace.TraceID, State: checkpoint.Migrated,
		Notes: res.Notes, Attachments: a.left, updated: migrated,
	}
	if migrated {
		rec.RunID = t.known.RunID
		if len(res.Trace.Spans) <= t.known.Spans && !u.compare {
			u.rows.Spans = nil // They are there.
		}
		rec.Spans = max(rec.Spans, t.known.Spans)
	} else if missing != "" {
		u.report.State, u.report.Reason = checkpoint.Skipped, checkpoint.Reason(missing)
	}
	rec.Bytes = size(&u.rows)
	u.record = rec
	return u
}

// largeForClients is how large a trace may be, in bytes, that MLflow's clients can open in a UC location:
// they get it through an API whose inline results end there.
const largeForClients = 25_000_000

// size estimates the bytes of a trace's rows.
func size(t *uctables.Trace) (n int64) {
	for i := range t.Spans {
		n += t.Spans[i].Size()
	}
	for i := range t.Annotations {
		n += t.Annotations[i].Size()
	}
	return n
}

// claims says which source trace each target trace ID in flight belongs to.
type claims struct{ byTarget sync.Map }

func (c *claims) release(targetTraceID string) { c.byTarget.Delete(targetTraceID) }

// claim reserves a target trace ID for a source trace. It returns the other trace that has it, if any:
// source traces with IDs of their own making can share the OTEL trace ID of their spans, as copies of
// a trace do, and their rows would mix.
func (r *run) claim(ctx context.Context, traceID, targetTraceID string) (other string, err error) {
	if first, taken := r.claims.byTarget.LoadOrStore(targetTraceID, traceID); taken && first != traceID {
		return first.(string), nil
	}
	return r.job.Checkpoint.Other(ctx, targetTraceID, traceID)
}
