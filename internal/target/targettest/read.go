package targettest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// documents are those whose values are easily lost: integers of 64 bits and more, decimals, doubles, texts of
// all kinds, empty values beside NULL, and keys in an order that VARIANT does not keep.
var documents = []string{
	`{"z":1,"a":{"n":null,"t":true},"é":[1,2.50,1e2,-0.0,1.0],"":"empty key"}`,
	`{"big":9007199254740993,"max":9223372036854775807,"min":-9223372036854775808,"huge":12345678901234567890}`,
	`[0.001,0.00099,1e7,9999999.0,12345678901234567890123456789012345678,1e-7,1.5e300,123.4560e-1,0.1]`,
	`"\b\f\n\r\t\u0000\u0001\u001f\u007f\u2028/\\\" <>&'😀${env:HOME}"`,
	`null`, `[]`, `{}`, `""`, `{"e":"","a":[],"o":{}}`,
}

// valueSpans are spans of a trace in which every column has every kind of value that it can.
func valueSpans(trace string) []uctables.Span {
	rows := []uctables.Span{
		{
			RecordID: "r-0", TimeMicros: base, Date: uctables.NoDate, TraceID: trace, SpanID: "00000000000000f0",
			Kind: "SPAN_KIND_UNSPECIFIED", Attributes: uctables.JSON(`null`), ParentSpanID: new(""), StatusMessage: new(""), ServiceName: new(""),
		},
		{
			RecordID: "r-0", TimeMicros: -1, Date: -1, TraceID: trace, SpanID: "00000000000000f1", Name: "wrong bytes \xff\xfe become U+FFFD",
			Kind: "SPAN_KIND_SERVER", StartTimeUnixNano: math.MinInt64, EndTimeUnixNano: new(int64(math.MaxInt64)),
			StatusCode: new("STATUS_CODE_OK"), Flags: math.MaxInt32, DroppedAttributesCount: 1, DroppedEventsCount: 2, DroppedLinksCount: 3,
			Events: []uctables.Event{{Name: "only"}}, ScopeName: new(""),
		},
	}
	for i, text := range documents {
		s := span(trace, i+1, base+int64(i))
		s.Attributes, s.ResourceAttributes = uctables.JSON(text), uctables.JSON(text)
		s.Events = []uctables.Event{
			{TimeUnixNano: 1 << 60, Name: "e\x01"}, {TimeUnixNano: -1, Attributes: uctables.JSON(text), DroppedAttributesCount: 1},
		}
		s.Links = []uctables.Link{
			{TraceID: "t", SpanID: "s"}, {TraceState: new(""), Attributes: uctables.JSON(text), DroppedAttributesCount: 4, Flags: 5},
		}
		rows = append(rows, s)
	}
	return rows
}

// readSpans tests ReadSpans and SumSpans: every value of every span of the traces that are asked for, at the
// times that are asked for.
func (s *suite) readSpans(t *testing.T) {
	trace, other := traceID(t, 0), traceID(t, 1)
	values, few := valueSpans(trace), []uctables.Span{span(other, 1, base), span(other, 2, base+10), span(other, 3, base+11)}
	mustWriteSpans(t, s.w, slices.Concat(values, few, []uctables.Span{span(traceID(t, 2), 1, base)})...)
	asked := []string{trace, other, traceID(t, 3)}
	all := spansOf(t, s.w, target.AllTimes, asked...)
	sameSpans(t, "all", all, slices.Concat(values, few)...)
	for _, r := range all {
		if !utf8.ValidString(r.Name) {
			t.Errorf("span %s has the name %q, want valid UTF-8", r.SpanID, r.Name)
		}
	}
	var d uctables.Digester
	for _, deep := range []bool{false, true} {
		want := make(map[string]target.SpanSum)
		for _, rows := range [][]uctables.Span{values, few} {
			digest, err := d.Spans(rows, deep)
			if err != nil {
				t.Fatal(err)
			}
			records := make(map[string]bool)
			for _, r := range rows {
				records[r.RecordID] = true
			}
			want[rows[0].TraceID] = target.SpanSum{
				TraceID: rows[0].TraceID, Rows: len(rows), Spans: len(rows), RecordIDs: len(records), Digest: digest,
			}
		}
		sameSums(t, fmt.Sprintf("deep %t", deep), want, spanSums(t, s.w, target.AllTimes, deep, asked...))
	}

	// Both ends of the times are included.
	times := target.Times{Low: base + 1, High: base + 10}
	inside := []uctables.Span{few[1]}
	for _, r := range values {
		if times.Contains(r.TimeMicros) {
			inside = append(inside, r)
		}
	}
	sameSpans(t, "at some times", spansOf(t, s.w, times, asked...), inside...)
	sums := spanSums(t, s.w, times, false, asked...)
	if sums[other].Rows != 1 || sums[trace].Rows != len(inside)-1 || len(sums) != 2 {
		t.Errorf("sums at some times: %+v, want 1 row of %s and %d of %s", sums, other, len(inside)-1, trace)
	}
	if got := spansOf(t, s.w, target.AllTimes); len(got) > 0 {
		t.Errorf("no traces: %d spans, want none", len(got))
	}
}

func spanSums(t *testing.T, w target.Reader, times target.Times, deep bool, traces ...string) map[string]target.SpanSum {
	t.Helper()
	found := make(map[string]target.SpanSum)
	if err := w.SumSpans(t.Context(), traces, times, deep, func(s target.SpanSum) error {
		if _, twice := found[s.TraceID]; twice {
			t.Errorf("trace %s has two sums, want one", s.TraceID)
		}
		found[s.TraceID] = s
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

func sameSums[S any](t *testing.T, step string, want, got map[string]S) {
	t.Helper()
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("sums, %s (-want +got):\n%s", step, d)
	}
}

// readAnnotations tests that ReadAnnotations gives every value of the annotations of traces and of their spans.
func (s *suite) readAnnotations(t *testing.T) {
	trace, other := traceID(t, 0), traceID(t, 1)
	full := annotation(trace, "full")
	full.TargetType, full.TargetID, full.Type = uctables.TargetSpan, trace+":0000000000000001", uctables.Feedback
	full.Comment, full.Metadata = new("c\x1f\n"), uctables.JSON(`{"k":"v"}`)
	full.CreatedBy, full.UpdatedBy, full.CreatedAtMicros = new("ann"), new("bob"), base+10
	empty := annotation(other, "empty")
	empty.Value, empty.Name, empty.Comment, empty.CreatedBy, empty.UpdatedAtMicros = nil, "", new(""), new(""), 0
	early := annotation(trace, "early")
	early.CreatedAtMicros, early.UpdatedAtMicros = target.AllTimes.Low, -1
	rows := []uctables.Annotation{full, deleted(annotation(trace, "deleted")), empty, early}
	for i, text := range documents {
		a := annotation(trace, fmt.Sprint("document ", i))
		a.Type, a.Value, a.Metadata = uctables.Metadata, uctables.JSON(text), uctables.JSON(text)
		rows = append(rows, a)
	}
	mustWriteAnnotations(t, s.w, append(rows, annotation(traceID(t, 2), "not asked for"))...)
	asked := []string{trace, other, traceID(t, 3)}
	sameAnnotations(t, "all", annotationsOf(t, s.w, target.AllTimes, asked...), rows...)
	var d uctables.Digester
	for _, deep := range []bool{false, true} {
		want := make(map[string]target.AnnotationSum)
		for i := range rows {
			a := &rows[i]
			sum := target.AnnotationSum{
				TraceID: a.TargetID[:32], AnnotationID: a.AnnotationID, Type: a.Type, Name: a.Name,
				UpdatedAtMicros: a.UpdatedAtMicros, Deleted: a.DeletedAtMicros != nil, Copies: 1,
			}
			if deep {
				var err error
				if sum.Digest, err = d.Annotation(a); err != nil {
					t.Fatal(err)
				}
			}
			want[a.AnnotationID] = sum
		}
		sameSums(t, fmt.Sprintf("deep %t", deep), want, annotationSums(t, s.w, target.AllTimes, deep, asked...))
	}

	// Both ends of the times are included.
	times := target.Times{Low: base + 1, High: base + 10}
	sameAnnotations(t, "at some times", annotationsOf(t, s.w, times, asked...), full)
	if got := annotationsOf(t, s.w, target.AllTimes); len(got) > 0 {
		t.Errorf("no traces: %d annotations, want none", len(got))
	}
}

// versions tests which version of an annotation is the newest: the one with the highest updated_at, of equal
// ones a deleted one. Copies counts the rows with that updated_at.
func (s *suite) versions(t *testing.T) {
	trace := traceID(t, 0)
	a, gone, back, same := annotation(trace, "a"), annotation(trace, "gone"), annotation(trace, "back"), annotation(trace, "same")
	newer := version(a, `"newer"`, base+1)
	ended := deleted(version(gone, `"a"`, base+1))
	restored := version(back, `"restored"`, base+2)
	mustWriteAnnotations(t, s.w, newer, a, gone, ended, deleted(version(back, `"a"`, base+1)), restored, back, same)
	// A copy with the same updated_at is possible where the first was created at another time than was looked at.
	copied := deleted(same)
	copied.CreatedAtMicros += 40 * day
	mustWriteAnnotations(t, s.w, copied)

	want := []uctables.Annotation{newer, ended, restored, copied}
	sameAnnotations(t, "newest", annotationsOf(t, s.w, target.AllTimes, trace), want...)
	sums := make(map[string]target.AnnotationSum)
	for _, a := range want {
		sums[a.AnnotationID] = target.AnnotationSum{
			TraceID: trace, AnnotationID: a.AnnotationID, Type: a.Type, Name: a.Name, UpdatedAtMicros: a.UpdatedAtMicros,
			Deleted: a.DeletedAtMicros != nil, Copies: map[bool]int{false: 1, true: 2}[a.AnnotationID == same.AnnotationID],
		}
	}
	sameSums(t, "newest", sums, annotationSums(t, s.w, target.AllTimes, false, trace))
}

func annotationSums(
	t *testing.T, w target.Reader, times target.Times, deep bool, traces ...string,
) map[string]target.AnnotationSum {
	t.Helper()
	found := make(map[string]target.AnnotationSum)
	if err := w.SumAnnotations(t.Context(), traces, times, deep, func(s target.AnnotationSum) error {
		if _, twice := found[s.AnnotationID]; twice {
			t.Errorf("annotation %s has two sums, want one", s.AnnotationID)
		}
		found[s.AnnotationID] = s
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// yieldErrors tests that an error of yield ends a call and is the call's.
func (s *suite) yieldErrors(t *testing.T) {
	first, second := traceID(t, 0), traceID(t, 1)
	source := "yield " + first
	mustWriteSpans(t, s.w, span(first, 1, base), span(second, 1, base))
	mustWriteAnnotations(t, s.w, provenance(first, source, 1), provenance(second, source, 1),
		official("o-"+first, source, ""), official("o-"+second, source, ""))
	traces := []string{first, second}
	stop := errors.New("stop")
	for name, call := range map[string]func(yield func() error) error{
		"ReadSpans": func(yield func() error) error {
			return s.w.ReadSpans(t.Context(), traces, target.AllTimes, func(*uctables.Span) error { return yield() })
		},
		"ReadAnnotations": func(yield func() error) error {
			return s.w.ReadAnnotations(t.Context(), traces, target.AllTimes, func(*uctables.Annotation) error { return yield() })
		},
		"SumSpans": func(yield func() error) error {
			return s.w.SumSpans(t.Context(), traces, target.AllTimes, false, func(target.SpanSum) error { return yield() })
		},
		"SumAnnotations": func(yield func() error) error {
			return s.w.SumAnnotations(t.Context(), traces, target.AllTimes, false, func(target.AnnotationSum) error { return yield() })
		},
		"Migrated": func(yield func() error) error {
			return s.w.Migrated(t.Context(), source, func(uctables.Provenance) error { return yield() })
		},
		"Official": func(yield func() error) error {
			return s.w.Official(t.Context(), source, func(string) error { return yield() })
		},
	} {
		calls := 0
		if err := call(func() error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
			t.Errorf("%s: error %v after %d calls of yield, want the error of the first", name, err, calls)
		}
	}
}
