package verify

import (
	"context"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/digest"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// trace is a trace of the source: what the target should have of it.
type trace struct {
	info   *mlflow.TraceInfo
	links  checkpoint.Links  // to runs that were asked for
	asked  runlinks.Scope    // which were
	known  checkpoint.Record // what the target notes of it; zero for nothing
	there  bool              // the target has rows of it
	digest string            // of what the source lists of it, and of its links
	rows   uctables.Trace

	accepted *checkpoint.AcceptedTrace // that runs can't migrate it; nil if nobody has accepted that

	kind   Kind // of one that needs no comparison, else ""
	detail string

	size            int64 // bytes of its spans' JSON
	spans           int
	spansDigest     string
	spanTimes       target.Times
	annotationTimes target.Times
	annotations     map[string]wanted // by annotation_id

	attachments []uctables.Attachment // that the target says it keeps
	left        int                   // attachments that stay at the source
	proven      int                   // of attachments
	filesKind   Kind                  // what is wrong with the files of attachments, "" for nothing
	filesDetail string
}

// wanted is an annotation that the target should have.
type wanted struct {
	updatedAt int64
	digest    string
}

// settle says what is found of a trace that needs no comparison.
func (t *trace) settle(kind Kind, detail string) *trace {
	t.kind, t.detail = kind, detail
	return t
}

// expect converts a trace as it was read, and sums it up.
func (v *verification) expect(ctx context.Context, info *mlflow.TraceInfo, s mlflowclient.Spans, links checkpoint.Links,
	known checkpoint.Record,
) *trace {
	t := &trace{info: info, links: links, asked: v.job.RunLinks, known: known, digest: digest.Of(info, links, v.job.RunLinks, known.Digest)}
	t.there = known.TargetTraceID != ""
	t.rows.TraceID = known.TargetTraceID
	missing := source.MissingSpans(info, &s)
	arriving := source.StillArriving(info.RequestTime, v.report.Started)
	switch {
	case info.State == mlflow.StateInProgress && arriving:
		return t.settle(Open, "")
	case missing == mlflowclient.MissingIncomplete && arriving:
		return t.settle(Open, "its spans are still arriving")
	case missing == mlflowclient.MissingDeleted:
		return t.settle(Extra, errGone.Error())
	case missing == mlflowclient.MissingElsewhere:
		return t.settle(Unreadable, source.Elsewhere(info, &s).Error())
	case s.Err != nil:
		return t.settle(Unreadable, s.Err.Error())
	}
	res, err := v.convert(ctx, t, convert.Input{
		Info: info, Spans: s.JSON, SpansMissing: missing, Runs: links.Runs(), Digest: t.digest, TraceID: known.TargetTraceID,
	})
	if err != nil {
		return t.settle(Unreadable, err.Error())
	}
	if known.TargetTraceID == "" && source.StillOpen(info, res.Trace.Spans, v.report.Started) {
		return t.settle(Open, "some of its spans have not ended")
	}
	t.rows = res.Trace
	t.size += int64(len(s.JSON))
	if missing != "" && len(t.rows.Spans) < known.Spans {
		// The source has lost them since the trace was migrated, so the target's rows can't be compared with them.
		return t.settle(Changed, "its spans are gone at the source ("+missing+")")
	}
	if err := t.sumUp(v.job.Deep); err != nil {
		return t.settle(Unreadable, err.Error())
	}
	return t
}

// sumUp computes what the target's sums of the trace should be. With deep the digests cover all values.
func (t *trace) sumUp(deep bool) (err error) {
	var d uctables.Digester
	t.spans = len(t.rows.Spans)
	if t.spansDigest, err = d.Spans(t.rows.Spans, deep); err != nil {
		return err
	}
	t.spanTimes, t.annotationTimes = target.NoTimes, target.NoTimes
	for i := range t.rows.Spans {
		t.spanTimes.Include(t.rows.Spans[i].TimeMicros)
	}
	t.annotations = make(map[string]wanted, len(t.rows.Annotations))
	for i := range t.rows.Annotations {
		a := &t.rows.Annotations[i]
		t.annotationTimes.Include(a.CreatedAtMicros)
		w := wanted{updatedAt: a.UpdatedAtMicros}
		if deep {
			if w.digest, err = d.Annotation(a); err != nil {
				return err
			}
		}
		t.annotations[a.AnnotationID] = w
	}
	return nil
}
