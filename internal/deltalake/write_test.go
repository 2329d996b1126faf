package deltalake

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/google/go-cmp/cmp"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tracemig/tracemig/internal/race"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// randomSpans are n spans with pseudo-random content, which depends on seed and number only.
func randomSpans(seed uint64, from, n int) []uctables.Span {
	spans := make([]uctables.Span, n)
	for i := range spans {
		r := rand.New(rand.NewPCG(seed, uint64(from+i)))
		s := &spans[i]
		s.TraceID, s.SpanID = fmt.Sprintf("%032x", (from+i)/5), fmt.Sprintf("%016x", from+i)
		s.RecordID = "r-" + s.SpanID
		s.TimeMicros = sampleTime + int64(r.IntN(1_000_000_000))
		s.StartTimeUnixNano, s.Date = s.TimeMicros*1000, uctables.Day(s.TimeMicros)
		if i%5 > 0 {
			s.ParentSpanID = new("p")
		}
		s.Name = strings.Repeat("n", r.IntN(5))
		s.Kind = tracepb.Span_SpanKind(r.IntN(6)).String()
		if code := tracepb.Status_StatusCode(r.IntN(3)); code != 0 {
			s.StatusCode = new(code.String())
		}
		s.Attributes = fmt.Appendf(nil, `{"k%d":%d,"text":"%s"}`, r.IntN(4), r.Int64(), strings.Repeat("x", r.IntN(3000)))
		for j := range r.IntN(4) {
			e := uctables.Event{TimeUnixNano: int64(j), Name: "e"}
			if r.IntN(2) == 0 {
				e.Attributes = uctables.JSON(`{"j":1}`)
			}
			s.Events = append(s.Events, e)
		}
		for range r.IntN(3) {
			s.Links = append(s.Links, uctables.Link{TraceID: "t", SpanID: "s"})
		}
		if r.IntN(2) == 0 {
			s.ServiceName = new("service")
			s.ResourceAttributes = uctables.JSON(`{"service.name":"service"}`)
		}
	}
	return spans
}

// TestHugeRowGroups writes more than one row group, so that levels and arenas go on from one to the next, and a value
// that is larger than both.
func TestHugeRowGroups(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("megabytes")
	}
	l := newLake(t)
	spans := randomSpans(1, 0, 750)
	for i := range spans {
		spans[i].Name = strings.Repeat("n", i*64) // 18 MB in all
	}
	spans[375].Attributes = uctables.JSON(`"` + strings.Repeat("é", 5<<20) + `"`)
	if _, err := l.WriteSpans(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	got := readTable(t, l.spans())
	if len(got) != len(spans) {
		t.Fatalf("%d rows, want %d", len(got), len(spans))
	}
	for i := range spans {
		if want := expectedSpan(t, &spans[i]); !reflect.DeepEqual(want, got[i]) {
			t.Fatalf("row %d (-want +got):\n%s", i, cmp.Diff(want, got[i]))
		}
	}
	s, err := l.spans().log.load()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.files {
		r, err := file.OpenParquetFile(f.path, false)
		if err != nil {
			t.Fatal(err)
		}
		if r.NumRowGroups() < 2 {
			t.Errorf("%d row groups, want more", r.NumRowGroups())
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if w, err := l.WriteSpans(t.Context(), spans); err != nil || w.Present != len(spans) {
		t.Errorf("again: %+v, error %v; want %d present", w, err, len(spans))
	}
}

// TestLateValues reads back values that are encoded only when their pages are written, among others and NULLs.
func TestLateValues(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("megabytes")
	}
	l := newLake(t)
	spans := randomSpans(3, 0, 40)
	ids := map[string]bool{}
	for i := range spans {
		s := &spans[i]
		ids[s.TraceID] = true
		large := func(n int) uctables.JSON {
			return fmt.Appendf(nil, `{"part":%d,"text":"%s"}`, n, strings.Repeat(string(rune('a'+n)), lateBytes-20+10*n))
		}
		if i%3 == 0 {
			s.Attributes = large(i % 5)
		}
		for n := range i % 4 { // some below and some over lateBytes
			s.Events = append(s.Events, uctables.Event{Name: "e", Attributes: large(n)}, uctables.Event{Name: "none"})
		}
	}
	if _, err := l.WriteSpans(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	checkSpans(t, l, slices.Collect(maps.Keys(ids)), spans)
}

// TestPruning removes a file, and writes rows of other times and of the same time: the file is opened only for the
// latter.
func TestPruning(t *testing.T) {
	l := newLake(t)
	ctx := t.Context()
	spans := randomSpans(1, 0, 2)
	spans[0].TimeMicros, spans[1].TimeMicros = sampleTime, sampleTime+3_600_000_000
	if _, err := l.WriteSpans(ctx, spans[:1]); err != nil {
		t.Fatal(err)
	}
	s, err := l.spans().log.load()
	if err != nil || len(s.files) != 1 {
		t.Fatalf("%d files, error %v; want 1", len(s.files), err)
	}
	for _, f := range s.files {
		if err := os.Remove(f.path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.WriteSpans(ctx, spans[1:]); err != nil {
		t.Errorf("another time: error %v, want none", err)
	}
	near := spans[1]
	near.SpanID, near.TimeMicros = strings.Repeat("a", 16), sampleTime+500
	_, err = l.WriteSpans(ctx, []uctables.Span{near})
	if _, ok := errors.AsType[*target.TableError](err); !ok {
		t.Errorf("the same millisecond: error %v, want a TableError for the lost file", err)
	}
}

func TestRowErrors(t *testing.T) {
	l := newLake(t)
	good := randomSpans(1, 0, 1)[0]
	for name, edit := range map[string]func(*uctables.Span){
		"no JSON":       func(s *uctables.Span) { s.Attributes = uctables.JSON(`{`) },
		"duplicate key": func(s *uctables.Span) { s.Events = []uctables.Event{{Attributes: uctables.JSON(`{"a":1,"a":1}`)}} },
		"deep":          func(s *uctables.Span) { s.ResourceAttributes = uctables.JSON(strings.Repeat("[", 2000)) },
		"large": func(s *uctables.Span) {
			s.Links = []uctables.Link{{Attributes: uctables.JSON(`"` + strings.Repeat("x", 17<<20) + `"`)}}
		},
		"trace ID": func(s *uctables.Span) { s.TraceID = "tr-1" },
		"span ID":  func(s *uctables.Span) { s.SpanID = strings.ToUpper("00000000000000ab") },
	} {
		bad := good
		bad.SpanID = strings.Repeat("b", 16)
		edit(&bad)
		_, err := l.WriteSpans(t.Context(), []uctables.Span{good, bad})
		if _, ok := errors.AsType[*target.RowError](err); !ok || strings.Count(err.Error(), l.path) != 1 {
			t.Errorf("%s: error %v, want a RowError that names the table once", name, err)
		}
	}
	if n := commitCount(t, l.spans()); n != 1 {
		t.Errorf("%d commits, want none but the first", n)
	}
	files, err := filepath.Glob(filepath.Join(l.spans().log.dir, "*.parquet"))
	if err != nil || len(files) > 0 {
		t.Errorf("files left: %v, error %v; want none", files, err)
	}
	if _, err := l.WriteSpans(t.Context(), []uctables.Span{good}); err != nil {
		t.Errorf("a good row after errors: error %v, want none", err)
	}
}

// spanKeys are the keys in the table, each with its number of rows.
func spanKeys(t *testing.T, l *Lake) map[string]int {
	t.Helper()
	keys := make(map[string]int)
	if err := l.spans().scanAll(t.Context(), target.AllTimes, []string{"trace_id", "span_id"}, func(r *rowReader) error {
		keys[string(r.text(0))+string(r.text(1))]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return keys
}

func checkKeys(t *testing.T, l *Lake, want int) {
	t.Helper()
	keys := spanKeys(t, l)
	if len(keys) != want {
		t.Errorf("%d keys, want %d", len(keys), want)
	}
	for k, n := range keys {
		if n != 1 {
			t.Errorf("key %s is there %d times, want once", k, n)
		}
	}
}

// TestConcurrentWriters has writers write overlapping batches at the same time, some by the same Lake, some by others.
func TestConcurrentWriters(t *testing.T) {
	l := newLake(t)
	const writers, batches, size, step = 6, 8, 20, 10
	var inserted [writers]int
	var wg sync.WaitGroup
	for w := range writers {
		mine := l
		if w%2 == 0 {
			mine = open(t, l.path)
		}
		wg.Go(func() {
			for b := range batches {
				got, err := mine.WriteSpans(t.Context(), randomSpans(1, (b+w%3)*step, size))
				if err != nil {
					t.Error(err)
				}
				inserted[w] += got.Inserted
			}
		})
	}
	wg.Wait()
	want := (batches+1)*step + size
	checkKeys(t, l, want)
	total := 0
	for _, n := range inserted {
		total += n
	}
	if total != want {
		t.Errorf("writers say that they inserted %d rows, want %d", total, want)
	}
}

func BenchmarkWriteSpans(b *testing.B) {
	spans := randomSpans(1, 0, 16_000)
	var size int64
	for i := range spans {
		size += spans[i].Size()
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		l, err := Open(filepath.Join(b.TempDir(), "agent"), Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Create(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := l.WriteSpans(b.Context(), spans); err != nil {
			b.Fatal(err)
		}
	}
}
