// Package targettest is the conformance suite of targets: the contract of target.Writer and target.Reader,
// sentence by sentence, as tests that every target has to pass. What only one target does is tested in its own
// package.
package targettest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Options says what Run tests.
type Options struct {
	// Open returns a writer to the tables, independent of the others as that of another process is. The tables
	// are missing before the first one makes them. Open has the writer closed when the test ends.
	Open func(t *testing.T) target.Writer
	// Drop drops the table of spans.
	Drop func(t *testing.T)
	// Rounds is how often writers race for the same rows. A target that answers fast can do with many.
	Rounds int
}

// suite is a run of the tests on one pair of tables, since making tables is slow in a warehouse. Each test
// uses trace IDs, annotation IDs and a source of its own, so that it passes alone and beside the others.
type suite struct {
	Options
	w      target.Writer
	others []target.Writer // to the same tables
}

// Run tests the contract of target.Writer and target.Reader.
func Run(t *testing.T, o Options) {
	s := &suite{Options: o, w: o.Open(t), others: []target.Writer{o.Open(t), o.Open(t)}}
	s.missing(t)
	if err := s.w.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Names", s.names},
		{"WriteSpans", s.writeSpans},
		{"WriteAnnotations", s.writeAnnotations},
		{"ReplaceAnnotations", s.replaceAnnotations},
		{"ReplaceSpans", func(t *testing.T) { ReplaceSpans(t, s.w) }},
		{"RefusedRows", s.refusedRows},
		{"Spans", s.readSpans},
		{"Annotations", s.readAnnotations},
		{"Versions", s.versions},
		{"Migrated", s.migrated},
		{"Official", s.official},
		{"YieldErrors", s.yieldErrors},
		{"Remove", s.remove},
		{"Cancelled", s.cancelled},
		{"ConcurrentWrites", s.concurrentWrites},
		{"ConcurrentReplacements", s.concurrentReplacements},
		{"ConcurrentSpanReplacements", s.concurrentSpanReplacements},
		{"Identity", s.identity}, // last: it drops the tables
	} {
		t.Run(test.name, test.run)
	}
}

const (
	base = 1_700_000_000_000_000 // microseconds: 2023-11-14T22:13:20Z
	day  = 24 * 60 * 60 * 1_000_000
)

// traceID is the ID of the n-th trace of a test.
func traceID(t testing.TB, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", t.Name(), n))
	return hex.EncodeToString(sum[:16])
}

// span is the n-th span of a trace, in which most columns have a value.
func span(trace string, n int, at int64) uctables.Span {
	return uctables.Span{
		RecordID: fmt.Sprintf("r-%d-%d", n, at), TimeMicros: at, Date: uctables.Day(at), ServiceName: new("shop"),
		TraceID: trace, SpanID: fmt.Sprintf("%016x", n), TraceState: new("a=b"), ParentSpanID: new("00000000000000ff"),
		Flags: 257, Name: "é \\ ${x} '\"\n", Kind: "SPAN_KIND_INTERNAL",
		StartTimeUnixNano: at * 1000, EndTimeUnixNano: new(at*1000 + 7),
		Attributes: uctables.JSON(`{"n":9007199254740993,"d":1.5e-7,"c":0.10,"s":"${env:HOME}\n","l":[1,{"z":null,"a":true}]}`),
		Events: []uctables.Event{
			{TimeUnixNano: 1, Name: "first", Attributes: uctables.JSON(`{"k":[1,2]}`)},
			{TimeUnixNano: 2, Name: "second", DroppedAttributesCount: 2},
		},
		Links: []uctables.Link{
			{TraceID: strings.Repeat("b", 32), SpanID: strings.Repeat("c", 16), Attributes: uctables.JSON(`{"l":1}`), Flags: 5},
		},
		StatusMessage: new("boom"), StatusCode: new("STATUS_CODE_ERROR"),
		ResourceAttributes: uctables.JSON(`{"service.name":"shop"}`), ScopeName: new("mlflow"),
	}
}

// named are spans with another name.
func named(name string, spans ...uctables.Span) []uctables.Span {
	spans = slices.Clone(spans)
	for i := range spans {
		spans[i].Name = name
	}
	return spans
}

// annotation is a tag of a trace.
func annotation(trace, id string) uctables.Annotation {
	return uctables.Annotation{
		AnnotationID: id + "-" + trace, TargetType: uctables.TargetTrace, TargetID: trace, Type: uctables.Tag, Name: id,
		Value: uctables.JSON(`"a"`), CreatedAtMicros: base, UpdatedAtMicros: base,
	}
}

// version is an annotation with another value and updated_at.
func version(a uctables.Annotation, value string, updatedAt int64) uctables.Annotation {
	a.Value, a.UpdatedAtMicros = uctables.JSON(value), updatedAt
	return a
}

// deleted is an annotation that was deleted when it was last updated.
func deleted(a uctables.Annotation) uctables.Annotation {
	a.DeletedAtMicros, a.DeletedBy = new(a.UpdatedAtMicros), new("ann")
	return a
}

// wrote checks what a write says of itself.
func wrote(t *testing.T, step string, got target.Written, err error, inserted, present int) {
	t.Helper()
	if err != nil || got.Inserted != inserted || got.Present != present {
		t.Errorf("%s: %+v, error %v; want %d inserted, %d present, no error", step, got, err, inserted, present)
	}
	if got.Inserted > 0 && got.Bytes <= 0 {
		t.Errorf("%s: %d rows were inserted by %d bytes, want some bytes", step, got.Inserted, got.Bytes)
	}
}

// mustWriteSpans writes spans none of which is there.
func mustWriteSpans(t *testing.T, w target.Writer, rows ...uctables.Span) {
	t.Helper()
	got, err := w.WriteSpans(t.Context(), rows)
	if wrote(t, "write spans", got, err, len(rows), 0); t.Failed() {
		t.FailNow()
	}
}

// mustWriteAnnotations writes annotations none of which is there.
func mustWriteAnnotations(t *testing.T, w target.Writer, rows ...uctables.Annotation) {
	t.Helper()
	got, err := w.WriteAnnotations(t.Context(), rows)
	if wrote(t, "write annotations", got, err, len(rows), 0); t.Failed() {
		t.FailNow()
	}
}

// spansOf reads the spans of traces, sorted by their traces, IDs and times.
func spansOf(t *testing.T, w target.Reader, times target.Times, traces ...string) (found []uctables.Span) {
	t.Helper()
	if err := w.ReadSpans(t.Context(), traces, times, func(s *uctables.Span) error {
		found = append(found, *s)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	sortSpans(found)
	return found
}

func sortSpans(rows []uctables.Span) {
	slices.SortFunc(rows, func(a, b uctables.Span) int {
		return cmp.Or(cmp.Compare(a.TraceID, b.TraceID), cmp.Compare(a.SpanID, b.SpanID), cmp.Compare(a.TimeMicros, b.TimeMicros))
	})
}

// sameSpans checks that got are the wanted rows, in any order of want.
func sameSpans(t *testing.T, step string, got []uctables.Span, want ...uctables.Span) {
	t.Helper()
	want = slices.Clone(want)
	sortSpans(want)
	if !slices.EqualFunc(want, got, func(a, b uctables.Span) bool {
		return a.RecordID == b.RecordID && uctables.SameSpan(&a, &b)
	}) {
		t.Errorf("%s: spans (-want +got):\n%s", step, gocmp.Diff(lines(want, uctables.AppendSpan), lines(got, uctables.AppendSpan)))
	}
}

// annotationsOf reads the newest annotations of traces, sorted by their IDs.
func annotationsOf(t *testing.T, w target.Reader, times target.Times, traces ...string) (found []uctables.Annotation) {
	t.Helper()
	if err := w.ReadAnnotations(t.Context(), traces, times, func(a *uctables.Annotation) error {
		found = append(found, *a)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	sortAnnotations(found)
	return found
}

func sortAnnotations(rows []uctables.Annotation) {
	slices.SortFunc(rows, func(a, b uctables.Annotation) int { return cmp.Compare(a.AnnotationID, b.AnnotationID) })
}

// sameAnnotations checks that got are the wanted rows, with their versions, in any order of want.
func sameAnnotations(t *testing.T, step string, got []uctables.Annotation, want ...uctables.Annotation) {
	t.Helper()
	want = slices.Clone(want)
	sortAnnotations(want)
	if !slices.EqualFunc(want, got, func(a, b uctables.Annotation) bool {
		versionOf := func(a *uctables.Annotation) []any {
			return []any{a.Type, a.UpdatedAtMicros, a.UpdatedBy, a.DeletedAtMicros, a.DeletedBy}
		}
		same := gocmp.Equal(versionOf(&a), versionOf(&b))
		a.Type, b.Type = uctables.Tag, uctables.Tag // of METADATA rows SameAnnotation leaves the metadata out
		return same && uctables.SameAnnotation(&a, &b)
	}) {
		t.Errorf("%s: annotations (-want +got):\n%s", step,
			gocmp.Diff(lines(want, uctables.AppendAnnotation), lines(got, uctables.AppendAnnotation)))
	}
}

// lines are rows as texts.
func lines[R any](rows []R, appendRow func([]byte, *R) []byte) (texts []string) {
	for i := range rows {
		texts = append(texts, string(appendRow(nil, &rows[i])))
	}
	return texts
}
