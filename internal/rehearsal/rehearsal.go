// Package rehearsal tries on a SQL warehouse, in tables of its own, what no machine without one can settle: whether hard
// values survive, how large statements may be, how long commits take, what becomes of two writers at once and of a
// statement whose answer never came. It drops the tables that it made.
package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Target is the writer that is tried; *warehouse.Warehouse is one.
type Target interface {
	target.Writer
	CountDuplicates(ctx context.Context, times target.Times) (spans, annotations int64, err error)
	// Drop drops the tables of the target.
	Drop(ctx context.Context) error
}

// Job says what to rehearse.
type Job struct {
	// Open opens a writer to the scratch tables, as a process of its own would. waiting hears of each wait before another try.
	Open func(ctx context.Context, waiting func(error, time.Duration)) (Target, error)
	// Sample, which may be nil, calls yield for traces of a source.
	Sample func(ctx context.Context, yield func(uctables.Trace) error) error
	// Step hears of each step as it ends.
	Step func(Step)
}

// Result is how a step ended.
type Result string

// The results of steps.
const (
	OK     Result = "ok"
	Wrong  Result = "wrong"  // the tables hold something else than they should
	Failed Result = "failed" // the warehouse did not let it be tried
	Left   Result = "left"   // not tried, since another failed or the user has stopped it
)

// Step is one thing that was tried.
type Step struct {
	Name     string         `json:"name"`
	Result   Result         `json:"result"`
	Text     string         `json:"text"`
	Seconds  float64        `json:"seconds"`
	Measured map[string]any `json:"measured,omitempty"` // by snake_case names with their units
}

// wrongError says that the tables hold something else than they should.
type wrongError struct{ text string }

func (e *wrongError) Error() string { return e.text }

func wrongf(format string, args ...any) error { return &wrongError{fmt.Sprintf(format, args...)} }

// rehearsal is one run of all steps.
type rehearsal struct {
	job     Job
	w       Target
	mu      sync.Mutex
	waits   int           // of any writer, before another try
	commit  time.Duration // of a small statement
	largest int           // statement that was taken, in MB
	steps   []Step
}

// dropTime is how long the tables may take to be dropped after the user has stopped the rest.
const dropTime = 2 * time.Minute

// Run makes the tables, tries all steps, and drops the tables, also when ctx has ended. The error is what kept it from
// beginning, or from dropping them; what a step found stands in it.
func Run(ctx context.Context, job Job) (steps []Step, err error) {
	r := &rehearsal{job: job}
	if r.w, err = job.Open(ctx, r.waiting); err != nil {
		return nil, err
	}
	defer r.w.Close()
	if err := r.w.Create(ctx); err != nil {
		if derr := r.drop(ctx); derr != nil {
			return nil, fmt.Errorf("make the scratch tables: %w; besides, %w", err, derr)
		}
		return nil, fmt.Errorf("make the scratch tables, which takes CREATE TABLE on the schema: %w", err)
	}
	for _, s := range []struct {
		name string
		try  func(context.Context, map[string]any) (string, error)
	}{
		{"values", r.values}, {"commit time", r.commits}, {"statement size", r.sizes}, {"results", r.results},
		{"two writers", r.writers}, {"lost answer", r.lostAnswer}, {"newer versions", r.versions}, {"traces of the source", r.sample},
	} {
		r.step(ctx, s.name, s.try)
	}
	return r.steps, r.drop(ctx)
}

func (r *rehearsal) drop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime)
	defer cancel()
	if err := r.w.Drop(ctx); err != nil {
		return fmt.Errorf("the scratch tables of %s are still there: %w. Drop them by hand", r.w, err)
	}
	return nil
}

func (r *rehearsal) step(ctx context.Context, name string, try func(context.Context, map[string]any) (string, error)) {
	s := Step{Name: name, Measured: map[string]any{}}
	began := time.Now()
	var wrong *wrongError
	text, err := "", error(nil)
	if err = ctx.Err(); err == nil {
		text, err = try(ctx, s.Measured)
	}
	s.Seconds = time.Since(began).Seconds()
	switch {
	case err == nil && text == "":
		return // There was nothing to try.
	case err == nil:
		s.Result, s.Text = OK, text
	case ctx.Err() != nil:
		s.Result, s.Text = Left, "stopped"
	case errors.As(err, &wrong):
		s.Result, s.Text = Wrong, wrong.text
	default:
		s.Result, s.Text = Failed, err.Error()
	}
	r.steps = append(r.steps, s)
	r.job.Step(s)
}

func (r *rehearsal) waiting(error, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits++
}

func (r *rehearsal) waited() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waits
}

// doubles fails where a key is there more than once.
func (r *rehearsal) doubles(ctx context.Context) error {
	spans, annotations, err := r.w.CountDuplicates(ctx, target.AllTimes)
	if err == nil && spans+annotations > 0 {
		err = wrongf("%d spans and %d annotations are there more than once", spans, annotations)
	}
	return err
}

// readBack compares what the tables have of traces with their rows.
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
		wrong = wrongf("%d spans and %d annotations of %d traces are not there", len(spans), len(notes), len(traces))
	}
	return wrong
}

// write adds traces in one commit a table.
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

// values writes every kind of value, reads it back, and has the warehouse compute the digest.
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
	return fmt.Sprintf("%d spans and %d annotations with every kind of value are there as they were written, and once", len(t.Spans), len(t.Annotations)), nil
}

// commits measures how long small statements take.
func (r *rehearsal) commits(ctx context.Context, m map[string]any) (string, error) {
	var took []time.Duration
	for i := range 5 {
		began := time.Now()
		if _, err := r.w.WriteSpans(ctx, plainTrace("commits", i, 1, 100).Spans); err != nil {
			return "", err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	r.commit = took[len(took)/2]
	m["median_seconds"], m["least_seconds"] = r.commit.Seconds(), took[0].Seconds()
	return fmt.Sprintf("a commit of one row takes %.2f s (median of %d)", r.commit.Seconds(), len(took)), nil
}

const mb = 1 << 20

// sized is a trace with spans of so many MB.
func sized(size int) *uctables.Trace { return plainTrace("sizes", size, size*16, 64<<10) }

// sizes sends statements of growing sizes, and one with a value about as large as a VARIANT takes.
func (r *rehearsal) sizes(ctx context.Context, m map[string]any) (string, error) {
	refused := 0
	for _, size := range []int{1, 4, 8, 15} {
		t := sized(size)
		began := time.Now()
		_, err := r.w.WriteSpans(ctx, t.Spans)
		var large *target.TooLargeError
		switch {
		case errors.As(err, &large):
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
	var row *target.RowError
	var large *target.TooLargeError
	switch {
	case err == nil:
		text += "; so is a value of 14 MB"
	case errors.As(err, &row) || errors.As(err, &large):
		text += "; a value of 14 MB is refused"
	default:
		return "", fmt.Errorf("a value of 14 MB: %w", err)
	}
	return text, nil
}

// results reads what is larger than a warehouse hands out in an answer to clients that take links.
func (r *rehearsal) results(ctx context.Context, m map[string]any) (string, error) {
	if r.largest == 0 {
		return "", errors.New("no statement was taken whose rows would make a large result")
	}
	t := sized(min(r.largest, 4))
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
	return fmt.Sprintf("a result of %.1f MB comes in answers, without links into a storage, at %.1f MB/s", float64(bytes)/mb, float64(bytes)/mb/took), nil
}

// writers has two writers add the same rows at once.
func (r *rehearsal) writers(ctx context.Context, m map[string]any) (string, error) {
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
	if err := r.doubles(ctx); err != nil {
		return "", err
	}
	m["rounds"], m["waits"] = rounds, r.waited()-before
	return fmt.Sprintf("two writers of the same rows, %d times: each row is there once; they had to wait for each other %d times", rounds, r.waited()-before), nil
}

// lostAnswer gives up statements while they run, and sends them again.
func (r *rehearsal) lostAnswer(ctx context.Context, m map[string]any) (string, error) {
	committed := 0
	parts := []float64{0.3, 0.6, 0.9, 1.1}
	for i, part := range parts {
		t := plainTrace("lost", i, 20, 200)
		gone, cancel := context.WithTimeout(ctx, time.Duration(part*float64(max(r.commit, 10*time.Millisecond))))
		_, err := r.w.WriteSpans(gone, t.Spans)
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
	if err := r.doubles(ctx); err != nil {
		return "", err
	}
	m["statements"], m["committed_before_rerun"] = len(parts), committed
	return fmt.Sprintf("of %d statements whose answer was not waited for, %d had committed; sent again, each row is there once", len(parts), committed), nil
}

// versions replaces an annotation and a span.
func (r *rehearsal) versions(ctx context.Context, _ map[string]any) (string, error) {
	t := plainTrace("versions", 0, 2, 200)
	if err := r.write(ctx, t); err != nil {
		return "", err
	}
	tag := &t.Annotations[0]
	replaced := uctables.Replacement{Annotation: *tag, ReplacesCreatedMicros: tag.CreatedAtMicros, ReplacesMicros: tag.UpdatedAtMicros}
	replaced.Value, replaced.UpdatedAtMicros = uctables.JSON(`"newer"`), tag.UpdatedAtMicros+1
	if _, err := r.w.ReplaceAnnotations(ctx, []uctables.Replacement{replaced}); err != nil {
		return "", err
	}
	t.Annotations[0] = replaced.Annotation
	t.Spans[0].Attributes = uctables.JSON(`{"newer":true}`)
	times := target.NoTimes
	times.Include(t.Spans[0].TimeMicros)
	if _, err := r.w.ReplaceSpans(ctx, t.Spans[:1], times); err != nil {
		return "", err
	}
	if err := r.readBack(ctx, t); err != nil {
		return "", err
	}
	return "a newer version of an annotation and other values of a span take the place of the old ones", r.doubles(ctx)
}

// sampleBytes is how large the spans are that are written together.
const sampleBytes = 4 * mb

// sample writes some traces of the source, if there is one.
func (r *rehearsal) sample(ctx context.Context, m map[string]any) (string, error) {
	if r.job.Sample == nil {
		return "", nil
	}
	var some []*uctables.Trace
	var bytes int64
	traces, spans := 0, 0
	flush := func() error {
		err := r.write(ctx, some...)
		if err == nil {
			err = r.readBack(ctx, some...)
		}
		some, bytes = nil, 0
		return err
	}
	err := r.job.Sample(ctx, func(t uctables.Trace) error {
		some = append(some, &t)
		traces, spans = traces+1, spans+len(t.Spans)
		for i := range t.Spans {
			bytes += t.Spans[i].Size()
		}
		if bytes < sampleBytes {
			return nil
		}
		return flush()
	})
	if err == nil && len(some) > 0 {
		err = flush()
	}
	if err != nil {
		return "", err
	}
	m["traces"], m["spans"] = traces, spans
	if traces == 0 {
		return "", errors.New("the source shows no trace that has ended")
	}
	return fmt.Sprintf("%d traces of the source with %d spans are there as they were written", traces, spans), nil
}
