package verify

import (
	"context"
	"fmt"
	"time"

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
	digest string            // of the source's listing
	rows   uctables.Trace

	kind   Kind // of one that needs no comparison, else ""
	detail string

	size        int64 // bytes of its spans' JSON
	spans       int
	spansDigest string
	spanTimes   target.Times
	noteTimes   target.Times
	notes       map[string]note // by annotation_id

	attachments []uctables.Attachment // that the target says it keeps
	left        int                   // attachments that stay at the source
	proven      int                   // of attachments
	filesKind   Kind                  // what is wrong with the files of attachments, "" for nothing
	filesDetail string
}

// note is an annotation that the target should have.
type note struct {
	updatedAt int64
	digest    string
}

// expect converts a trace as it was read, and sums it up.
func (v *verification) expect(ctx context.Context, info *mlflow.TraceInfo, s mlflowclient.Spans, links checkpoint.Links, known checkpoint.Record) *trace {
	t := &trace{info: info, links: links, asked: v.job.RunLinks, known: known, digest: digest.Of(info, links, v.job.RunLinks, known.Digest)}
	t.rows.TraceID = known.TargetTraceID
	switch {
	case info.State == mlflow.StateInProgress && source.StillArriving(info.RequestTime, v.report.Started):
		t.kind = Open
		return t
	case s.Missing == mlflowclient.MissingIncomplete && source.StillArriving(info.RequestTime, v.report.Started):
		t.kind, t.detail = Open, "its spans are still arriving"
		return t
	case s.Missing == mlflowclient.MissingDeleted:
		t.kind, t.detail = Extra, errGone.Error()
		return t
	case s.Err != nil:
		t.kind, t.detail = Unreadable, s.Err.Error()
		return t
	}
	if info.State == mlflow.StateInProgress && s.Missing == "" {
		s.Missing = mlflowclient.MissingIncomplete // Its root never came.
	}
	res, err := v.convert(ctx, t, convert.Input{
		Info: info, Spans: s.JSON, SpansMissing: s.Missing, Runs: links.Runs(), Digest: t.digest, TraceID: known.TargetTraceID,
	})
	if err != nil {
		t.kind, t.detail = Unreadable, err.Error()
		return t
	}
	if known.TargetTraceID == "" && source.StillOpen(info, res.Trace.Spans, v.report.Started) {
		t.kind, t.detail = Open, "some of its spans have not ended"
		return t
	}
	t.rows = res.Trace
	t.size += int64(len(s.JSON))
	if s.Missing != "" && len(t.rows.Spans) < known.Spans {
		// The source has lost them since it was migrated: the target can't be held against it.
		t.kind, t.detail = Changed, "its spans are gone at the source ("+s.Missing+")"
		return t
	}
	var d uctables.Digester
	t.spans = len(t.rows.Spans)
	if t.spansDigest, err = d.Spans(t.rows.Spans, v.job.Deep); err != nil {
		t.kind, t.detail = Unreadable, err.Error()
		return t
	}
	t.spanTimes, t.noteTimes = target.NoTimes, target.NoTimes
	for i := range t.rows.Spans {
		t.spanTimes.Include(t.rows.Spans[i].TimeMicros)
	}
	t.notes = make(map[string]note, len(t.rows.Annotations))
	for i := range t.rows.Annotations {
		a := &t.rows.Annotations[i]
		t.noteTimes.Include(a.CreatedAtMicros)
		n := note{updatedAt: a.UpdatedAtMicros}
		if v.job.Deep {
			if n.digest, err = d.Annotation(a); err != nil {
				t.kind, t.detail = Unreadable, err.Error()
				return t
			}
		}
		t.notes[a.AnnotationID] = n
	}
	return t
}

// compare reports what is found of a chunk's traces.
func (v *verification) compare(ctx context.Context, traces []*trace) error {
	var asked []*trace
	for _, t := range traces {
		if t.kind == "" {
			asked = append(asked, t)
			continue
		}
		v.done(t, t.kind, t.detail)
	}
	sums, err := v.sum(ctx, asked, true)
	if err != nil {
		return err
	}
	now := latestNow()
	// Rows may lie at other times than they should.
	var elsewhere []*trace
	for _, t := range asked {
		if !sums[t.rows.TraceID].matches(t, now) {
			elsewhere = append(elsewhere, t)
		}
	}
	again, err := v.sum(ctx, elsewhere, false)
	if err != nil {
		return err
	}
	for id, s := range again {
		sums[id] = s
	}
	var same, differing []*trace
	for _, t := range asked {
		v.report.Spans += int64(t.spans)
		v.report.Annotations += int64(len(t.notes))
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
	return v.judge(ctx, differing, sums)
}

func (v *verification) done(t *trace, kind Kind, detail string) {
	kind, detail = v.withAttachments(t, kind, detail)
	v.report.Compared++
	v.job.Progress.compared.Add(1)
	v.found(Finding{t.info.TraceID, t.rows.TraceID, kind, detail})
}

// sums is what the target has of one trace.
type sums struct {
	spans target.SpanSum
	notes []target.AnnotationSum
}

// sum asks the target for the traces, within their times or at all times.
func (v *verification) sum(ctx context.Context, traces []*trace, within bool) (map[string]*sums, error) {
	found := make(map[string]*sums, len(traces))
	for len(traces) > 0 {
		n, _ := fitting(traces, len(traces), sumBytes)
		if err := v.sumSome(ctx, traces[:n], within, found); err != nil {
			return nil, err
		}
		traces = traces[n:]
	}
	return found, nil
}

// fitting is how many of the first traces, at least one and at most so many, have spans of so many bytes of
// JSON, and how many bytes these have.
func fitting(traces []*trace, most int, bytes int64) (n int, size int64) {
	for n < min(most, len(traces)) && (n == 0 || size+traces[n].size <= bytes) {
		size += traces[n].size
		n++
	}
	return n, size
}

// sumBytes is how large the spans of traces are, at most, that are summed by one question: a target that
// computes digests here holds them.
const sumBytes = 32 << 20

func (v *verification) sumSome(ctx context.Context, traces []*trace, within bool, found map[string]*sums) error {
	ids := make([]string, len(traces))
	spanTimes, noteTimes := target.NoTimes, target.NoTimes
	for i, t := range traces {
		ids[i] = t.rows.TraceID
		found[ids[i]] = &sums{}
		spanTimes.Join(t.spanTimes)
		noteTimes.Join(t.noteTimes)
	}
	if !within {
		spanTimes, noteTimes = target.AllTimes, target.AllTimes
	}
	if spanTimes != target.NoTimes {
		if err := v.job.Target.SumSpans(ctx, ids, spanTimes, v.job.Deep, func(s target.SpanSum) error {
			found[s.TraceID].spans = s
			return nil
		}); err != nil {
			return err
		}
	}
	return v.job.Target.SumAnnotations(ctx, ids, noteTimes, v.job.Deep, func(s target.AnnotationSum) error {
		found[s.TraceID].notes = append(found[s.TraceID].notes, s)
		return nil
	})
}

// latestNow is a time in microseconds since the Unix epoch that is to come by any clock: those of the
// machines that write the tables may be ahead of this one's.
func latestNow() int64 { return time.Now().Add(5 * time.Minute).UnixMicro() }

// matches says whether the sums are those of the trace; that nothing else is there, and nothing from
// after now, in microseconds since the Unix epoch.
func (s *sums) matches(t *trace, now int64) bool {
	if !s.sameSpans(t) || s.duplicate() != "" {
		return false
	}
	live := 0
	for _, a := range s.notes {
		if a.Deleted {
			continue
		}
		want, ok := t.notes[a.AnnotationID]
		if !ok || a.Digest != want.digest || a.UpdatedAtMicros < want.updatedAt || a.UpdatedAtMicros > max(now, want.updatedAt) {
			return false
		}
		live++
	}
	return live == len(t.notes) && digest.Same(t.known.Digest, t.digest, t.asked)
}

// sameSpans says whether the sum of spans is that of the trace.
func (s *sums) sameSpans(t *trace) bool {
	return s.spans.Rows == t.spans && (t.spans == 0 || s.spans.Digest == t.spansDigest)
}

// duplicate says which rows are there more than once.
func (s *sums) duplicate() string {
	switch {
	case s.spans.Rows > s.spans.Spans:
		return fmt.Sprintf("%d rows for %d spans", s.spans.Rows, s.spans.Spans)
	case s.spans.RecordIDs < s.spans.Spans:
		return fmt.Sprintf("%d record_id for %d spans", s.spans.RecordIDs, s.spans.Spans)
	}
	for _, a := range s.notes {
		if a.Copies > 1 {
			return fmt.Sprintf("annotation %s (%s) is there %d times", a.AnnotationID, a.Type, a.Copies)
		}
	}
	return ""
}

// absent says why the target has nothing of a trace; moved is whether a checkpoint has it as moved.
func (v *verification) absent(t *trace, moved bool) (Kind, string) {
	switch at := t.info.RequestTime; {
	case moved:
		return Missing, "it was moved, and the target has nothing of it: tracemig repair moves it again"
	case v.job.Covered.IsZero() || at.Before(v.job.Covered):
		return Pending, "it is not moved yet"
	case v.latest.After(v.job.Reach) && at.Before(v.latest):
		return Pending, "it is not moved yet, while later ones are"
	}
	return Newer, "it was requested after the last run began that looked at all"
}
