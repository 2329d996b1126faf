package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/tracemig/tracemig/internal/digest"
	"github.com/tracemig/tracemig/internal/target"
)

// sums is what the target has of one trace.
type sums struct {
	spans       target.SpanSum
	annotations []target.AnnotationSum
}

// sumBytes is how large the spans of traces are, at most, that are summed by one question: a target that
// computes digests in this process holds them.
const sumBytes = 32 << 20

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

func (v *verification) sumSome(ctx context.Context, traces []*trace, within bool, found map[string]*sums) error {
	ids := make([]string, len(traces))
	spanTimes, annotationTimes := target.NoTimes, target.NoTimes
	for i, t := range traces {
		ids[i] = t.rows.TraceID
		found[ids[i]] = &sums{}
		spanTimes.Join(t.spanTimes)
		annotationTimes.Join(t.annotationTimes)
	}
	if !within {
		spanTimes, annotationTimes = target.AllTimes, target.AllTimes
	}
	if spanTimes != target.NoTimes {
		if err := v.job.Target.SumSpans(ctx, ids, spanTimes, v.job.Deep, func(s target.SpanSum) error {
			found[s.TraceID].spans = s
			return nil
		}); err != nil {
			return err
		}
	}
	return v.job.Target.SumAnnotations(ctx, ids, annotationTimes, v.job.Deep, func(s target.AnnotationSum) error {
		found[s.TraceID].annotations = append(found[s.TraceID].annotations, s)
		return nil
	})
}

// latestNow is the latest time, in microseconds since the Unix epoch, that a row written by now can bear: the clocks
// of the machines that write the tables may be ahead of this one's.
func latestNow() int64 { return time.Now().Add(5 * time.Minute).UnixMicro() }

// matches says whether the sums are those of the trace; that nothing else is there, and nothing from
// after now, in microseconds since the Unix epoch.
func (s *sums) matches(t *trace, now int64) bool {
	if !s.sameSpans(t) || s.duplicate() != "" {
		return false
	}
	live := 0
	for _, a := range s.annotations {
		if a.Deleted {
			continue
		}
		want, ok := t.annotations[a.AnnotationID]
		if !ok || a.Digest != want.digest || a.UpdatedAtMicros < want.updatedAt || a.UpdatedAtMicros > max(now, want.updatedAt) {
			return false
		}
		live++
	}
	return live == len(t.annotations) && digest.Same(t.known.Digest, t.digest, t.asked)
}

// sameSpans says whether the sum of spans is that of the trace.
func (s *sums) sameSpans(t *trace) bool {
	return s.spans.Rows == t.spans && (t.spans == 0 || s.spans.Digest == t.spansDigest)
}

// nothing says whether the target has no rows of the trace.
func (s *sums) nothing() bool { return s.spans.Rows == 0 && len(s.annotations) == 0 }

// duplicate says which rows are there more than once, "" if none are.
func (s *sums) duplicate() string {
	switch {
	case s.spans.Rows > s.spans.Spans:
		return fmt.Sprintf("%d rows for %s", s.spans.Rows, english.Plural(s.spans.Spans, "span", ""))
	case s.spans.RecordIDs < s.spans.Spans:
		return fmt.Sprintf("%d record_id for %s", s.spans.RecordIDs, english.Plural(s.spans.Spans, "span", ""))
	}
	for _, a := range s.annotations {
		if a.Copies > 1 {
			return fmt.Sprintf("annotation %s (%s) is there %d times", a.AnnotationID, a.Type, a.Copies)
		}
	}
	return ""
}
