package migrate

import (
	"context"
	"errors"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/target"
)

// record notes in the checkpoint what became of a written batch, and gives its bytes back.
func (r *run) record(ctx context.Context, units []*unit) error {
	recs := make([]checkpoint.Record, 0, len(units))
	due := make(map[string]int64, len(units))
	for _, u := range units {
		if u.settled {
			continue
		}
		u.conclude()
		u.record.State, u.record.Reason, u.record.Detail = u.report.State, u.report.Reason, u.report.Detail
		if u.resync && u.failed != nil {
			if err := r.job.Checkpoint.UpdateFailed(ctx, u.record); err != nil { // The target has the trace as it was.
				return err
			}
			continue
		}
		if u.failed == nil {
			due[u.record.TraceID] = u.due
		}
		recs = append(recs, u.record)
		r.recorder.unit(u)
	}
	// Before the records: a trace that counts as migrated for good is not read again.
	if err := r.job.Checkpoint.SetUnsettled(ctx, due); err != nil {
		return err
	}
	if err := r.job.Checkpoint.Put(ctx, recs...); err != nil {
		return err
	}
	for _, u := range units {
		r.claims.release(u.rows.TraceID)
		if u.settled {
			r.bytes.Add(-u.weight)
			continue
		}
		r.report(u.report)
		if u.resync || u.failed == nil && (u.record.State == checkpoint.Migrated || u.record.Spans > 0) {
			r.there(&u.record)
		}
		r.bytes.Add(-u.weight)
		r.attachmentBytes.Add(-u.attachments.held)
	}
	return nil
}

// conclude completes the report of a unit of which all is written that could be.
func (u *unit) conclude() {
	if u.failed != nil {
		end := ending{state: checkpoint.Failed, reason: ReasonRefused, detail: u.failed.Error()}
		if _, ok := errors.AsType[*target.TooLargeError](u.failed); ok {
			end.reason = ReasonRowTooLarge
		}
		u.report.end(end.under(u.accepted))
		return
	}
	u.report.AcceptanceEnded = u.accepted != nil
	if u.reread && len(u.changes)+len(u.rows.Spans)+len(u.changedSpans) == 0 {
		// Its notes and attachments were told when it was migrated.
		u.report.unchanged, u.report.Notes, u.report.Attachments = true, nil, 0
	}
}

// leave ends a read trace that is not written. What the target has of it from an earlier run stays.
func (r *run) leave(ctx context.Context, t listed, rec checkpoint.Record, end ending) error {
	if end = end.under(t.accepted); t.migrated() {
		return r.keep(ctx, t.known, end)
	}
	return r.settle(ctx, rec, end)
}

// keep ends a migrated trace that can't follow the source now. The checkpoint keeps the record of its earlier state, so that the
// next run finds the change again.
func (r *run) keep(ctx context.Context, known checkpoint.Record, end ending) error {
	end.ended = false // The acceptance is about a later change, which may come back.
	t := TraceReport{TraceID: known.TraceID, TargetTraceID: known.TargetTraceID}
	t.end(end)
	r.report(t)
	r.there(&known)
	if end.state != checkpoint.Failed && end.state != checkpoint.Accepted {
		return nil
	}
	known.Reason, known.Detail = end.reason, end.detail
	return r.job.Checkpoint.UpdateFailed(ctx, known)
}

// settle records the end of a trace that is not written.
func (r *run) settle(ctx context.Context, rec checkpoint.Record, end ending) error {
	rec.State, rec.Reason, rec.Detail, rec.RunID = end.state, end.reason, end.detail, r.job.RunID
	t := reportOf(&rec)
	t.end(end)
	r.report(t)
	if rec.State == checkpoint.Skipped && rec.Spans > 0 { // an earlier run has written what there is
		r.there(&rec)
	}
	return r.job.Checkpoint.Put(ctx, rec)
}

// there counts a trace that the target has.
func (r *run) there(rec *checkpoint.Record) {
	if r.shard.Has(rec.TraceID, rec.TargetTraceID) {
		r.recorder.atTarget(rec)
	}
}

// reportOf tells what a record says of its trace.
func reportOf(rec *checkpoint.Record) TraceReport {
	return TraceReport{TraceID: rec.TraceID, TargetTraceID: rec.TargetTraceID, State: rec.State, Reason: rec.Reason, Detail: rec.Detail}
}

// report counts what became of a trace and tells OnTrace. A trace that another shard reports is left to that one.
func (r *run) report(t TraceReport) {
	if r.shard.Has(t.TraceID, t.TargetTraceID) {
		r.recorder.trace(t)
	}
}
