package deltalake

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tracemig/tracemig/internal/race"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/variant"
)

var ctx = context.Background()

func init() {
	flag.Set("rapid.checks", "25") // each makes tables and commits, which are synced to disk
}

// stored is the text of a document after it was a VARIANT, so that texts of any origin can be compared.
func stored(t rapid.TB, v uctables.JSON) uctables.JSON {
	t.Helper()
	if v == nil {
		return nil
	}
	var e variant.Encoder
	value, metadata, err := e.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = variant.AppendJSON(nil, value, metadata); err != nil {
		t.Fatal(err)
	}
	return v
}

// spanLines are rows in the form in which a warehouse answers, sorted.
func spanLines(t rapid.TB, spans []uctables.Span) (lines []string) {
	t.Helper()
	for _, s := range spans {
		s.Attributes, s.ResourceAttributes = stored(t, s.Attributes), stored(t, s.ResourceAttributes)
		s.Events, s.Links = slices.Clone(s.Events), slices.Clone(s.Links)
		for i := range s.Events {
			s.Events[i].Attributes = stored(t, s.Events[i].Attributes)
		}
		for i := range s.Links {
			s.Links[i].Attributes = stored(t, s.Links[i].Attributes)
		}
		lines = append(lines, string(uctables.AppendSpan(nil, &s)))
	}
	slices.Sort(lines)
	return lines
}

func annotationLines(t rapid.TB, annotations []uctables.Annotation) (lines []string) {
	t.Helper()
	for _, a := range annotations {
		a.Value, a.Metadata = stored(t, a.Value), stored(t, a.Metadata)
		lines = append(lines, string(uctables.AppendAnnotation(nil, &a)))
	}
	slices.Sort(lines)
	return lines
}

func readSpans(t rapid.TB, l *Lake, ids []string, times target.Times) (spans []uctables.Span) {
	t.Helper()
	if err := l.ReadSpans(ctx, ids, times, func(s *uctables.Span) error { spans = append(spans, *s); return nil }); err != nil {
		t.Fatal(err)
	}
	return spans
}

func readAnnotations(t rapid.TB, l *Lake, ids []string, times target.Times) (annotations []uctables.Annotation) {
	t.Helper()
	if err := l.ReadAnnotations(ctx, ids, times, func(a *uctables.Annotation) error {
		annotations = append(annotations, *a)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return annotations
}

func checkSpans(t rapid.TB, l *Lake, ids []string, want []uctables.Span) {
	t.Helper()
	if d := gocmp.Diff(spanLines(t, want), spanLines(t, readSpans(t, l, ids, target.AllTimes))); d != "" {
		t.Errorf("spans (-want +got):\n%s", d)
	}
	byTrace := make(map[string][]uctables.Span)
	for _, s := range want {
		byTrace[s.TraceID] = append(byTrace[s.TraceID], s)
	}
	for _, deep := range []bool{false, true} {
		sums, wanted := make(map[string]target.SpanSum), make(map[string]target.SpanSum)
		var d uctables.Digester
		for id, rows := range byTrace {
			digest, err := d.Spans(rows, deep)
			if err != nil {
				t.Fatal(err)
			}
			spans, records := make(map[string]bool), make(map[string]bool)
			for _, s := range rows {
				spans[s.SpanID], records[s.RecordID] = true, true
			}
			wanted[id] = target.SpanSum{TraceID: id, Rows: len(rows), Spans: len(spans), RecordIDs: len(records), Digest: digest}
		}
		if err := l.SumSpans(ctx, ids, target.AllTimes, deep, func(s target.SpanSum) error { sums[s.TraceID] = s; return nil }); err != nil {
			t.Fatal(err)
		}
		if d := gocmp.Diff(wanted, sums); d != "" {
			t.Errorf("sums, deep %t (-want +got):\n%s", deep, d)
		}
	}
}

// documents are JSON values of every kind, and NULL.
var documents = rapid.Custom(func(t *rapid.T) uctables.JSON {
	return rapid.SampledFrom([]uctables.JSON{
		nil, uctables.JSON("null"), uctables.JSON(`""`), uctables.JSON("{}"), uctables.JSON("[]"),
		uctables.JSON(`{"a":{"b":[1,2.50,1e2,-0.0,true]},"é":"\u0000😀","":12345678901234567890123456789012345678}`),
		uctables.JSON(`"` + strings.Repeat("long", rapid.IntRange(0, 1<<14).Draw(t, "long")) + `"`),
	}).Draw(t, "document")
})

// anything draws any value that a column may hold.
var anything = rapid.MakeConfig{
	Types: map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[uctables.JSON]():           documents.AsAny(),
		reflect.TypeFor[uctables.AnnotationType](): annotationTypes.AsAny(),
		reflect.TypeFor[*int64]():                  rapid.Ptr(times, true).AsAny(),
	},
	Fields: map[reflect.Type]map[string]*rapid.Generator[any]{
		reflect.TypeFor[uctables.Span](): {
			"TimeMicros": times.AsAny(), "TraceID": traceIDs.AsAny(), "SpanID": rapid.StringMatching("[0-9a-f]{16}").AsAny(),
		},
		reflect.TypeFor[uctables.Annotation](): {
			"CreatedAtMicros": times.AsAny(), "UpdatedAtMicros": times.AsAny(),
			"TargetID": rapid.Custom(func(t *rapid.T) string {
				return traceIDs.Draw(t, "trace") + rapid.SampledFrom([]string{"", ":0000000000000001"}).Draw(t, "span")
			}).AsAny(),
		},
	},
}

var (
	annotationTypes = rapid.SampledFrom([]uctables.AnnotationType{uctables.Metadata, uctables.Tag, uctables.Feedback})

	times    = rapid.Int64Range(target.AllTimes.Low, target.AllTimes.High)
	asked    = []string{strings.Repeat("a", 32), strings.Repeat("b", 32)}
	traceIDs = rapid.SampledFrom(append([]string{strings.Repeat("c", 32)}, asked...))
)

// TestReadBack writes arbitrary rows into several files and reads those of some traces back.
func TestReadBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLake(t)
		var spans []uctables.Span
		var annotations []uctables.Annotation
		for range rapid.IntRange(1, 3).Draw(rt, "files") {
			s := rapid.SliceOf(rapid.MakeCustom[uctables.Span](anything)).Draw(rt, "spans")
			for i := range s {
				s[i].SpanID = fmt.Sprintf("%016x", len(spans)+i)
			}
			spans = append(spans, s...)
			if _, err := l.WriteSpans(ctx, s); err != nil {
				rt.Fatal(err)
			}
			a := rapid.SliceOf(rapid.MakeCustom[uctables.Annotation](anything)).Draw(rt, "annotations")
			for i := range a {
				a[i].AnnotationID = fmt.Sprint(len(annotations)+i, a[i].AnnotationID)
			}
			annotations = append(annotations, a...)
			if _, err := l.WriteAnnotations(ctx, a); err != nil {
				rt.Fatal(err)
			}
		}
		among := func(target string) bool { return slices.Contains(asked, target[:32]) }
		spans = slices.DeleteFunc(spans, func(s uctables.Span) bool { return !among(s.TraceID) })
		annotations = slices.DeleteFunc(annotations, func(a uctables.Annotation) bool { return !among(a.TargetID) })
		checkSpans(rt, l, asked, spans)
		if d := gocmp.Diff(annotationLines(rt, annotations), annotationLines(rt, readAnnotations(rt, l, asked, target.AllTimes))); d != "" {
			rt.Errorf("annotations (-want +got):\n%s", d)
		}
	})
}

// TestHugeLists reads lists that go over the ends of batches, pages and row groups.
func TestHugeLists(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("megabytes")
	}
	l := newLake(t)
	spans := randomSpans(7, 0, 3000)
	for i := range spans {
		spans[i].Name = strings.Repeat("n", i*4) // 18 MB in all
		n := 0
		if i%500 == 0 || i == len(spans)-1 {
			n = 2*batchLevels + i%3 - 1
		}
		for j := range n {
			e := uctables.Event{TimeUnixNano: int64(j), Name: strings.Repeat("e", j%70)}
			if j%3 > 0 {
				e.Attributes = fmt.Appendf(nil, `{"j":%d}`, j)
			}
			spans[i].Events = append(spans[i].Events, e)
		}
	}
	if _, err := l.WriteSpans(ctx, spans); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i, s := range spans {
		if i/5%7 == 0 || i > 2900 {
			ids = append(ids, s.TraceID)
		}
	}
	checkSpans(t, l, ids, slices.DeleteFunc(spans, func(s uctables.Span) bool { return !slices.Contains(ids, s.TraceID) }))
}

// appendAnnotations adds rows without looking for their keys, as other writers do.
func appendAnnotations(t rapid.TB, l *Lake, rows []uctables.Annotation) {
	t.Helper()
	b := newBatch(len(rows))
	b.times = func(int64, int64) bool { return false }
	if _, err := l.insertAnnotations(ctx, b, func(i int) *uctables.Annotation { return &rows[i] }); err != nil {
		t.Fatal(err)
	}
}

// TestNewestVersion compares what is read of annotations that have versions with what a plain search finds.
func TestNewestVersion(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLake(t)
		var all []uctables.Annotation
		few := rapid.Int64Range(-1, 2)
		for range rapid.IntRange(1, 3).Draw(rt, "files") {
			var rows []uctables.Annotation
			for range rapid.IntRange(1, 5).Draw(rt, "rows") {
				rows = append(rows, uctables.Annotation{
					AnnotationID: rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "id"), TargetID: asked[0], Type: uctables.Tag,
					Name: fmt.Sprint(len(all) + len(rows)), CreatedAtMicros: sampleTime,
					UpdatedAtMicros: few.Draw(rt, "updated"), DeletedAtMicros: rapid.Ptr(few, true).Draw(rt, "deleted"),
				})
			}
			appendAnnotations(rt, l, rows)
			all = append(all, rows...)
		}
		rank := func(a *uctables.Annotation) []int64 {
			if a.DeletedAtMicros == nil {
				return []int64{a.UpdatedAtMicros, 0}
			}
			return []int64{a.UpdatedAtMicros, 1, *a.DeletedAtMicros}
		}
		best, copies := make(map[string]*uctables.Annotation), make(map[string]int)
		for i := range all {
			a := &all[i]
			if b := best[a.AnnotationID]; b == nil || slices.Compare(rank(a), rank(b)) > 0 {
				best[a.AnnotationID] = a
			}
		}
		for i := range all {
			if all[i].UpdatedAtMicros == best[all[i].AnnotationID].UpdatedAtMicros {
				copies[all[i].AnnotationID]++
			}
		}
		got := readAnnotations(rt, l, asked, target.AllTimes)
		if len(got) != len(best) {
			rt.Errorf("%d annotations, want %d", len(got), len(best))
		}
		for i := range got {
			if want := best[got[i].AnnotationID]; slices.Compare(rank(&got[i]), rank(want)) != 0 {
				rt.Errorf("%s: %+v, want %+v", want.AnnotationID, got[i], *want)
			}
		}
		var d uctables.Digester
		for _, deep := range []bool{false, true} {
			n := 0
			if err := l.SumAnnotations(ctx, asked, target.AllTimes, deep, func(s target.AnnotationSum) error {
				n++
				want := best[s.AnnotationID]
				name, digest := s.Name, "" // Of equal rows any may be read.
				if deep {
					read := all[slices.IndexFunc(all, func(a uctables.Annotation) bool { return a.Name == name })]
					var err error
					if digest, err = d.Annotation(&read); err != nil {
						return err
					}
				}
				if diff := gocmp.Diff(target.AnnotationSum{
					TraceID: asked[0], AnnotationID: want.AnnotationID, Type: uctables.Tag, Name: name, UpdatedAtMicros: want.UpdatedAtMicros,
					Deleted: want.DeletedAtMicros != nil, Copies: copies[want.AnnotationID], Digest: digest,
				}, s); diff != "" {
					rt.Errorf("deep %t (-want +got):\n%s", deep, diff)
				}
				return nil
			}); err != nil {
				rt.Fatal(err)
			}
			if n != len(best) {
				rt.Errorf("%d sums, want %d", n, len(best))
			}
		}
	})
}

// TestReadPrunes removes the files of other times, and reads: they are not opened. Rows of other times in the same
// file are left out.
func TestReadPrunes(t *testing.T) {
	l := newLake(t)
	spans := randomSpans(1, 0, 4)
	for i := range spans {
		spans[i].TimeMicros = sampleTime + []int64{0, 3_600_000_000, 3_600_000_001, 3_600_000_002}[i]
	}
	for _, rows := range [][]uctables.Span{spans[:1], spans[1:]} {
		if _, err := l.WriteSpans(ctx, rows); err != nil {
			t.Fatal(err)
		}
	}
	a := metadataRow("s", spans[0].TraceID, 4)
	later := a
	later.AnnotationID, later.CreatedAtMicros = "later", a.CreatedAtMicros+3_600_000_000
	for _, row := range []uctables.Annotation{a, later} {
		if _, err := l.WriteAnnotations(ctx, []uctables.Annotation{row}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tbl := range []*table{l.spans(), l.annotations()} {
		_, files, err := tbl.files(-1, at([]int64{sampleTime}))
		if err != nil || len(files) != 1 {
			t.Fatalf("%d files, error %v; want 1", len(files), err)
		}
		if err := os.Remove(files[0].path); err != nil {
			t.Fatal(err)
		}
	}
	ids := []string{spans[0].TraceID}
	times := target.Times{Low: spans[1].TimeMicros, High: spans[2].TimeMicros}
	if d := gocmp.Diff(spanLines(t, spans[1:3]), spanLines(t, readSpans(t, l, ids, times))); d != "" {
		t.Errorf("spans (-want +got):\n%s", d)
	}
	if d := gocmp.Diff(annotationLines(t, []uctables.Annotation{later}), annotationLines(t, readAnnotations(t, l, ids, times))); d != "" {
		t.Errorf("annotations (-want +got):\n%s", d)
	}
	err := l.ReadSpans(ctx, ids, target.AllTimes, func(*uctables.Span) error { return nil })
	if _, ok := errors.AsType[*target.TableError](err); !ok || !strings.Contains(err.Error(), "lacks its data file") {
		t.Errorf("error %v, want a TableError for the lost file", err)
	}
}
