package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// noDuplicates fails where the tables have a key more than once.
func (r *rehearsal) noDuplicates(ctx context.Context) error {
	spans, annotations, err := r.w.CountDuplicates(ctx, target.AllTimes)
	if err == nil && spans+annotations > 0 {
		err = wrongf("%s and %s are there more than once",
			english.Plural(int(spans), "span", ""), english.Plural(int(annotations), "annotation", ""))
	}
	return err
}

// readBack fails where the tables hold other rows of the traces than these.
func (r *rehearsal) readBack(ctx context.Context, traces ...*uctables.Trace) error {
	var ids []string
	spans, notes := map[string]*uctables.Span{}, map[string]*uctables.Annotation{}
	for _, t := range traces {
		ids = append(ids, t.TraceID)
		for i := range t.Spans {
			spans[t.TraceID+t.Spans[i].SpanID] = &t.Spans[i]
		}
		for i := range t.Annotations {
			notes[t.Annotations[i].AnnotationID] = &t.Annotations[i]
		}
	}
	var wrong error
	if err := r.w.ReadSpans(ctx, ids, target.AllTimes, func(got *uctables.Span) error {
		key := got.TraceID + got.SpanID
		if want := spans[key]; want == nil || !uctables.SameSpan(want, got) {
			wrong = wrongf("span %s of trace %s is there twice, or not as it was written", got.SpanID, got.TraceID)
		}
		delete(spans, key)
		return nil
	}); err != nil {
		return err
	}
	if err := r.w.ReadAnnotations(ctx, ids, target.AllTimes, func(got *uctables.Annotation) error {
		if want := notes[got.AnnotationID]; want == nil || !uctables.SameAnnotation(want, got) {
			wrong = wrongf("annotation %s of %s is not there as it was written", got.AnnotationID, got.TargetID)
		}
		delete(notes, got.AnnotationID)
		return nil
	}); err != nil {
		return err
	}
	if wrong == nil && len(spans)+len(notes) > 0 {
		wrong = wrongf("%s and %s of %s are not there",
			english.Plural(len(spans), "span", ""), english.Plural(len(notes), "annotation", ""), english.Plural(len(traces), "trace", ""))
	}
	return wrong
}

// write adds traces, by one commit to each table.
func (r *rehearsal) write(ctx context.Context, traces ...*uctables.Trace) error {
	var annotations []uctables.Annotation
	var spans []uctables.Span
	for _, t := range traces {
		annotations, spans = append(annotations, t.Annotations...), append(spans, t.Spans...)
	}
	if _, err := r.w.WriteAnnotations(ctx, annotations); err != nil {
		return err
	}
	_, err := r.w.WriteSpans(ctx, spans)
	return err
}

// values writes values of every kind, reads them back, writes them again, and has the warehouse compute their digest.
func (r *rehearsal) values(ctx context.Context, m map[string]any) (string, error) {
	t := hardTrace()
	if err := r.write(ctx, t); err != nil {
		return "", err
	}
	if err := r.readBack(ctx, t); err != nil {
		return "", err
	}
	again, err := r.w.WriteSpans(ctx, t.Spans)
	if err != nil {
		return "", err
	}
	if again.Inserted != 0 || again.Present != len(t.Spans) {
		return "", wrongf("written once more, %d of %d rows were added", again.Inserted, len(t.Spans))
	}
	var d uctables.Digester
	want, err := d.Spans(t.Spans, true)
	if err != nil {
		return "", err
	}
	if err := r.w.SumSpans(ctx, []string{t.TraceID}, target.AllTimes, true, func(s target.SpanSum) error {
		m["digests_equal"] = s.Digest == want
		return nil
	}); err != nil {
		return "", err
	}
	m["spans"], m["annotations"] = len(t.Spans), len(t.Annotations)
	return fmt.Sprintf("%d spans and %d annotations with every kind of value are there as they were written, and once",
		len(t.Spans), len(t.Annotations)), nil
}

// commitTime measures how long commits of one row take.
func (r *rehearsal) commitTime(ctx context.Context, m map[string]any) (string, error) {
	var took []time.Duration
	for i := range 5 {
		began := time.Now()
		if _, err := r.w.WriteSpans(ctx, plainTrace("commits", i, 1, 100).Spans); err != nil {
			return "", err
		}
		took = append(took, time.Since(began))
	}
	if tags, ok := r.w.(target.TagSender); ok {
		m["query_tags_refused"] = tags.TagsRefused()
	}
	slices.Sort(took)
	r.commit = took[len(took)/2]
	m["median_seconds"], m["least_seconds"] = r.commit.Seconds(), took[0].Seconds()
	return fmt.Sprintf("a commit of one row takes %.2f s (median of %d)", r.commit.Seconds(), len(took)), nil
}

const mb = 1 << 20

// traceOfMB is a trace with spans of so many MB together.
func traceOfMB(size int) *uctables.Trace { return plainTrace("sizes", size, size*16, 64<<10) }

// statementSize sends statements of growing sizes, and one with a value that is almost as large as a VARIANT can hold.
func (r *rehearsal) statementSize(ctx context.Context, m map[string]any) (string, error) {
	refused := 0
	for _, size := range []int{1, 4, 8, 15} {
		t := traceOfMB(size)
		began := time.Now()
		_, err := r.w.WriteSpans(ctx, t.Spans)
		large, isLarge := errors.AsType[*target.TooLargeError](err)
		switch {
		case isLarge:
			refused = cmp.Or(refused, size)
			m[fmt.Sprintf("refused_%d_mb", size)] = large.Err.Error()
			continue
		case err != nil:
			return "", fmt.Errorf("a statement of %d MB: %w", size, err)
		}
		m[fmt.Sprintf("seconds_%d_mb", size)] = time.Since(began).Seconds()
		r.largest = size
		if err := r.readBack(ctx, &uctables.Trace{TraceID: t.TraceID, Spans: t.Spans}); err != nil {
			return "", err
		}
	}
	m["largest_mb"] = r.largest
	text := fmt.Sprintf("statements of up to %d MB are taken", r.largest)
	if refused > 0 {
		text += fmt.Sprintf(", one of %d MB is refused as too large", refused)
	}
	if r.largest == 0 {
		return "", errors.New("no statement of 1 MB is taken")
	}
	one := plainTrace("value", 0, 1, 14*mb)
	_, err := r.w.WriteSpans(ctx, one.Spans)
	m["value_of_14_mb"] = err == nil
	_, isRow := errors.AsType[*target.RowError](err)
	_, isLarge := errors.AsType[*target.TooLargeError](err)
	switch {
	case err == nil:
		text += "; so is a value of 14 MB"
	case isRow || isLarge:
		text += "; a value of 14 MB is refused"
	default:
		return "", fmt.Errorf("a value of 14 MB: %w", err)
	}
	return text, nil
}

// results reads a result that is larger than a warehouse puts into an answer for clients that take links.
func (r *rehearsal) results(ctx context.Context, m map[string]any) (string, error) {
	if r.largest == 0 {
		return "", errors.New("no statement was taken whose rows would make a large result")
	}
	t := traceOfMB(min(r.largest, 4))
	began := time.Now()
	rows, bytes := 0, int64(0)
	if err := r.w.ReadSpans(ctx, []string{t.TraceID}, target.AllTimes, func(s *uctables.Span) error {
		rows++
		bytes += s.Size()
		return nil
	}); err != nil {
		return "", err
	}
	if rows != len(t.Spans) {
		return "", wrongf("%d rows were read, want %d", rows, len(t.Spans))
	}
	took := time.Since(began).Seconds()
	m["mb"], m["mb_per_second"] = float64(bytes)/mb, float64(bytes)/mb/took
	return fmt.Sprintf("a result of %.1f MB comes in answers, without links into a storage, at %.1f MB/s",
		float64(bytes)/mb, float64(bytes)/mb/took), nil
}

// twoWriters has two writers add the same rows at the same time.
func (r *rehearsal) twoWriters(ctx context.Context, m map[string]any) (string, error) {
	other, err := r.job.Open(ctx, r.waiting)
	if err != nil {
		return "", err
	}
	defer other.Close()
	const rounds = 3
	before := r.waited()
	for round := range rounds {
		t := plainTrace("writers", round, 50, 200)
		var inserted [2]int
		var errs [2]error
		var both sync.WaitGroup
		start := make(chan struct{})
		for i, w := range []Target{r.w, other} {
			both.Go(func() {
				<-start
				var got target.Written
				_, errs[i] = w.WriteAnnotations(ctx, t.Annotations)
				if errs[i] == nil {
					got, errs[i] = w.WriteSpans(ctx, t.Spans)
				}
				inserted[i] = got.Inserted
			})
		}
		close(start)
		both.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			return "", err
		}
		if n := inserted[0] + inserted[1]; n != len(t.Spans) {
			return "", wrongf("both say that they added %d rows, of %d", n, len(t.Spans))
		}
		if err := r.readBack(ctx, t); err != nil {
			return "", err
		}
	}
	if err := r.noDuplicates(ctx); err != nil {
		return "", err
	}
	m["rounds"], m["waits"] = rounds, r.waited()-before
	return fmt.Sprintf("two writers of the same rows, %d times: each row is there once; they had to wait for each other %s",
		rounds, english.Plural(int(r.waited()-before), "time", "")), nil
}

// lostAnswer stops waiting for the answers to statements, and sends them again.
func (r *rehearsal) lostAnswer(ctx context.Context, m map[string]any) (string, error) {
	committed := 0
	parts := []float64{0.3, 0.6, 0.9, 1.1} // of the time that a commit takes
	for i, part := range parts {
		t := plainTrace("lost", i, 20, 200)
		short, cancel := context.WithTimeout(ctx, time.Duration(part*float64(max(r.commit, 10*time.Millisecond))))
		_, err := r.w.WriteSpans(short, t.Spans)
		cancel()
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return "", err
		}
		got, err := r.w.WriteSpans(ctx, t.Spans)
		if err != nil {
			return "", err
		}
		if got.Present == len(t.Spans) {
			committed++
		}
		if err := r.readBack(ctx, &uctables.Trace{TraceID: t.TraceID, Spans: t.Spans}); err != nil {
			return "", err
		}
	}
	if err := r.noDuplicates(ctx); err != nil {
		return "", err
	}
	m["statements"], m["committed_before_rerun"] = len(parts), committed
	return fmt.Sprintf("of %d statements whose answer was not waited for, %d had committed; sent again, each row is there once",
		len(parts), committed), nil
}

// newerVersions replaces an annotation and a span.
func (r *rehearsal) newerVersions(ctx context.Context, _ map[string]any) (string, error) {
	t := plainTrace("versions", 0, 2, 200)
	if err := r.write(ctx, t); err != nil {
		return "", err
	}
	tag := &t.Annotations[0]
	newer := uctables.Replacement{Annotation: *tag, ReplacesCreatedMicros: tag.CreatedAtMicros, ReplacesMicros: tag.UpdatedAtMicros}
	newer.Value, newer.UpdatedAtMicros = uctables.JSON(`"newer"`), tag.UpdatedAtMicros+1
	if _, err := r.w.ReplaceAnnotations(ctx, []uctables.Replacement{newer}); err != nil {
		return "", err
	}
	t.Annotations[0] = newer.Annotation
	t.Spans[0].Attributes = uctables.JSON(`{"newer":true}`)
	times := target.NoTimes
	times.Include(t.Spans[0].TimeMicros)
	if _, err := r.w.ReplaceSpans(ctx, t.Spans[:1], times); err != nil {
		return "", err
	}
	if err := r.readBack(ctx, t); err != nil {
		return "", err
	}
	return "a newer version of an annotation and other values of a span take the place of the old ones", r.noDuplicates(ctx)
}

// sampleBytes is from how many bytes of spans on the traces read so far are written.
const sampleBytes = 4 * mb

// sample writes traces of the source, if there is one, and reads them back.
func (r *rehearsal) sample(ctx context.Context, m map[string]any) (string, error) {
	if r.job.Sample == nil {
		return "", nil
	}
	var pending []*uctables.Trace
	var bytes int64
	traces, spans := 0, 0
	flush := func() error {
		err := r.write(ctx, pending...)
		if err == nil {
			err = r.readBack(ctx, pending...)
		}
		pending, bytes = nil, 0
		return err
	}
	err := r.job.Sample(ctx, func(t uctables.Trace) error {
		pending = append(pending, &t)
		traces, spans = traces+1, spans+len(t.Spans)
		for i := range t.Spans {
			bytes += t.Spans[i].Size()
		}
		if bytes < sampleBytes {
			return nil
		}
		return flush()
	})
	if err == nil && len(pending) > 0 {
		err = flush()
	}
	if err != nil {
		return "", err
	}
	m["traces"], m["spans"] = traces, spans
	if traces == 0 {
		return "", errors.New("the source shows no trace that has ended")
	}
	return fmt.Sprintf("%s of the source with %s are there as they were written",
		english.Plural(traces, "trace", ""), english.Plural(spans, "span", "")), nil
}
