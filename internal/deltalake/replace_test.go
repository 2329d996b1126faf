package deltalake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/seed"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// renamed are spans with another name, by which versions are told apart.
func renamed(spans []uctables.Span, name string) []uctables.Span {
	spans = slices.Clone(spans)
	for i := range spans {
		spans[i].Name = name
	}
	return spans
}

// TestReplaceKeepsOthers replaces some rows of two files, of several row groups each, and compares all
// rows of the table.
func TestReplaceKeepsOthers(t *testing.T) {
	l := newLake(t)
	spans := append(sampleSpans(), randomSpans(3, 0, 600)...)
	for i := 100; i < 400 && !testing.Short(); i++ {
		spans[i].Name = strings.Repeat("n", i*300) // 22 MB in all
	}
	for _, part := range [][]uctables.Span{spans[:300], spans[300:]} {
		if _, err := l.WriteSpans(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	var changed []uctables.Span
	for i := range spans {
		if i%7 == 2 || i > 590 {
			spans[i].Name, spans[i].Events, spans[i].Attributes = "changed", nil, uctables.JSON(`{"changed":true}`)
			changed = append(changed, spans[i])
		}
	}
	before := commitCount(t, l.spans())
	if got, err := l.ReplaceSpans(t.Context(), changed, target.AllTimes); err != nil || got.Inserted != len(changed) || got.Bytes == 0 {
		t.Fatalf("%+v, error %v; want %d inserted by some bytes", got, err, len(changed))
	}
	if n := commitCount(t, l.spans()); n != before+1 {
		t.Errorf("%d commits, want one", n-before)
	}
	want := make(map[string]map[string]any)
	for i := range spans {
		want[spans[i].TraceID+spans[i].SpanID] = expectedSpan(t, &spans[i])
	}
	rows := readTable(t, l.spans())
	if len(rows) != len(spans) {
		t.Errorf("%d rows, want %d", len(rows), len(spans))
	}
	for _, row := range rows {
		key := row["trace_id"].(string) + row["span_id"].(string)
		if !reflect.DeepEqual(want[key], row) {
			t.Fatalf("row %s (-want +got):\n%s", key, cmp.Diff(want[key], row))
		}
	}
	// A reader that sees the log for the first time, and one that has followed it, see the same files.
	for _, lake := range []*Lake{l, open(t, l.path)} {
		checkKeys(t, lake, len(spans))
		if got, err := lake.WriteSpans(t.Context(), spans); err != nil || got.Inserted != 0 {
			t.Errorf("%+v, error %v, want none new", got, err)
		}
	}
	checkStats(t, l.spans())
}

// checkStats compares the statistics of the table's files with what is in the files.
func checkStats(t *testing.T, tbl *table) {
	t.Helper()
	entries, err := filepath.Glob(filepath.Join(tbl.log.dir, logDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	live := make(map[string]string)
	for _, name := range entries { // sorted by version
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var a action
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatal(err)
			}
			if a.Add != nil {
				live[a.Add.Path] = a.Add.Stats
			}
			if a.Remove != nil {
				if _, ok := live[a.Remove.Path]; !ok {
					t.Errorf("%s removes %s, which is not there", name, a.Remove.Path)
				}
				delete(live, a.Remove.Path)
			}
		}
	}
	for path, got := range live {
		s := newStats()
		if err := scan(t.Context(), filepath.Join(tbl.log.dir, path), spanColumns, nil, func(r *rowReader) error {
			span, err := r.span()
			if err == nil {
				s.rows++
				s.time("time", span.TimeMicros)
				s.date(span.Date)
				s.text("service_name", span.ServiceName)
				s.text("trace_id", &span.TraceID)
				s.text("span_id", &span.SpanID)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s.json(), got); d != "" {
			t.Errorf("statistics of %s (-want +got):\n%s", path, d)
		}
	}
}

// TestCopyRows copies rows of a file with types that tracemig's tables don't have.
func TestCopyRows(t *testing.T) {
	structType := arrow.StructOf(
		arrow.Field{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		arrow.Field{Name: "l", Type: arrow.ListOf(arrow.ListOf(arrow.BinaryTypes.String)), Nullable: true},
	)
	sc := arrow.NewSchema([]arrow.Field{
		{Name: "n", Type: arrow.PrimitiveTypes.Int64},
		{Name: "f", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
		{Name: "d", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "ts", Type: arrow.FixedWidthTypes.Timestamp_ns, Nullable: true},
		{Name: "dec", Type: &arrow.Decimal128Type{Precision: 30, Scale: 5}, Nullable: true},
		{Name: "bin", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "fix", Type: &arrow.FixedSizeBinaryType{ByteWidth: 3}, Nullable: true},
		{Name: "s", Type: structType, Nullable: true},
		{Name: "m", Type: arrow.MapOf(arrow.BinaryTypes.String, structType), Nullable: true},
	}, nil)
	random := rand.New(rand.NewPCG(1, 2))
	builder := array.NewRecordBuilder(memory.DefaultAllocator, sc)
	const rows = 2000
	for i := range rows {
		for j := range sc.NumFields() {
			fill(random, builder.Field(j), j == 0, i)
		}
	}
	record := builder.NewRecordBatch()
	dir := t.TempDir()
	path := filepath.Join(dir, "from.parquet")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	props := parquet.NewWriterProperties(parquet.WithMaxRowGroupLength(700), parquet.WithDataPageSize(3000))
	w, err := pqarrow.NewFileWriter(sc, out, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err == nil {
		err = w.Write(record)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	all := jsonRows(t, path)
	if len(all) != rows {
		t.Fatalf("%d rows, want %d", len(all), rows)
	}
	for name, keeps := range map[string]func(i int) bool{
		"all": func(int) bool { return true }, "a few": func(i int) bool { return i%97 == 3 }, "most": func(i int) bool { return i%97 != 3 },
		"a row group": func(i int) bool { return i >= 700 && i < 1400 }, "the last": func(i int) bool { return i == rows-1 },
		"some": func(int) bool { return random.IntN(2) == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			keep := make([]bool, rows)
			var want []string
			for i := range keep {
				if keep[i] = keeps(i); keep[i] {
					want = append(want, all[i])
				}
			}
			in, err := openParquet(path)
			if err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(dir, "to.parquet")
			out, err := os.Create(to)
			if err != nil {
				t.Fatal(err)
			}
			if err := copyRows(t.Context(), in, keep, out); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(out.Close(), in.Close()); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, jsonRows(t, to)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			a, b := parquetSchema(t, path), parquetSchema(t, to)
			if d := cmp.Diff(a, b); d != "" {
				t.Errorf("schema (-want +got):\n%s", d)
			}
		})
	}
	in, err := openParquet(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := copyRows(t.Context(), in, make([]bool, rows-1), &strings.Builder{}); err == nil {
		t.Error("a file with more rows than keep was copied, want an error")
	}
}

// fill appends a value of any type, or NULL.
func fill(random *rand.Rand, b array.Builder, required bool, i int) {
	if !required && random.IntN(4) == 0 {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.Int64Builder:
		b.Append(int64(i))
	case *array.Float32Builder:
		b.Append(random.Float32())
	case *array.Float64Builder:
		b.Append(random.Float64())
	case *array.BooleanBuilder:
		b.Append(random.IntN(2) == 0)
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(random.Int64()))
	case *array.StringBuilder:
		b.Append(strings.Repeat("é", random.IntN(20)))
	case *array.BinaryBuilder:
		b.Append([]byte(fmt.Sprint(random.Int64())))
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte{byte(i), byte(i >> 8), 7})
	case *array.StructBuilder:
		b.Append(true)
		for j := range b.NumField() {
			fill(random, b.FieldBuilder(j), false, i)
		}
	case *array.ListBuilder:
		b.Append(true)
		for range random.IntN(4) {
			fill(random, b.ValueBuilder(), false, i)
		}
	case *array.MapBuilder:
		b.Append(true)
		for k := range random.IntN(3) {
			fill(random, b.KeyBuilder(), true, k)
			fill(random, b.ItemBuilder(), false, i)
		}
	default:
		if err := b.AppendValueFromString(fmt.Sprintf("%d.%05d", i, random.IntN(100_000))); err != nil {
			panic(err)
		}
	}
}

// jsonRows are the rows of a file as arrow-go's own reader shows them.
func jsonRows(t *testing.T, path string) (rows []string) {
	t.Helper()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := r.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	records := array.NewTableReader(table, 1000)
	defer records.Release()
	for records.Next() {
		b, err := records.RecordBatch().MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var batch []json.RawMessage
		if err := json.Unmarshal(b, &batch); err != nil {
			t.Fatal(err)
		}
		for _, row := range batch {
			rows = append(rows, string(row))
		}
	}
	return rows
}

// parquetSchema is a file's schema and the key-value metadata of its writer.
func parquetSchema(t *testing.T, path string) string {
	t.Helper()
	f, err := openParquet(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return fmt.Sprint(f.MetaData().Schema, f.MetaData().KeyValueMetadata().Keys(), f.MetaData().KeyValueMetadata().Values())
}

// TestConcurrentReplaceSpans has writers replace the same spans, and others add some, at the same time.
func TestConcurrentReplaceSpans(t *testing.T) {
	l := newLake(t)
	const batches, size, writers = 4, 20, 6
	if _, err := l.WriteSpans(t.Context(), renamed(randomSpans(1, 0, batches*size), "old")); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range writers {
		mine := l
		if w%2 == 0 {
			mine = open(t, l.path)
		}
		wg.Go(func() {
			for i := range batches {
				from := (i + w) % batches * size
				// The second half of each batch is not there at first. Whoever comes first adds it.
				rows := renamed(append(randomSpans(1, from, size), randomSpans(2, 1000+from, size)...), fmt.Sprint(w))
				write := func() (target.Written, error) {
					return mine.ReplaceSpans(t.Context(), rows, target.Times{Low: rows[0].TimeMicros, High: rows[0].TimeMicros})
				}
				if w == 0 {
					write = func() (target.Written, error) { return mine.WriteSpans(t.Context(), rows) }
				}
				if got, err := write(); err != nil || w > 0 && got.Inserted != len(rows) {
					t.Errorf("writer %d: %+v, error %v; want %d inserted by a replacement", w, got, err, len(rows))
				}
			}
		})
	}
	wg.Wait()
	checkKeys(t, l, 2*batches*size)
	checkBatches(t, l, batches, size)
	checkStats(t, l.spans())
	checkNoOrphans(t, l.spans())
}

// checkBatches says whether each batch of spans was replaced as a whole.
func checkBatches(t *testing.T, l *Lake, batches, size int) {
	t.Helper()
	names := make(map[string]string)
	if err := l.spans().scanAll(t.Context(), target.AllTimes, []string{"trace_id", "span_id", "name"}, func(r *rowReader) error {
		names[string(r.text(0))+string(r.text(1))] = string(r.text(2))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for b := range batches {
		of := make(map[string]bool)
		for _, s := range append(randomSpans(1, b*size, size), randomSpans(2, 1000+b*size, size)...) {
			of[names[s.TraceID+s.SpanID]] = true
		}
		if len(of) != 1 {
			t.Errorf("batch %d is of the versions %v, want one", b, of)
		}
	}
}

// checkNoOrphans says whether each data file was once named by a commit.
func checkNoOrphans(t *testing.T, tbl *table) {
	t.Helper()
	var log strings.Builder
	entries, err := filepath.Glob(filepath.Join(tbl.log.dir, logDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range entries {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(b)
	}
	files, err := filepath.Glob(filepath.Join(tbl.log.dir, "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.Contains(log.String(), filepath.Base(f)) {
			t.Errorf("%s was left behind, want only files that a commit named", f)
		}
	}
}

const (
	replaceBatches = 3
	replaceSize    = 30
)

// replaceChild replaces the same spans again and again, each batch as a whole.
func replaceChild(ctx context.Context, l *Lake) error {
	for round := range 4 {
		for b := range replaceBatches {
			rows := append(randomSpans(1, b*replaceSize, replaceSize), randomSpans(2, 1000+b*replaceSize, replaceSize)...)
			if _, err := l.ReplaceSpans(ctx, renamed(rows, fmt.Sprint(os.Getpid(), round)), target.NoTimes); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestKillReplace kills processes that replace spans at random moments, two at a time.
func TestKillReplace(t *testing.T) {
	random := seed.Rand(t)
	l := newLake(t)
	command := func() (run func() error, kill func()) {
		cmd := childCommand(t, l.path)
		cmd.Env = append(cmd.Env, childReplaces+"=1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd.Wait, func() { _ = cmd.Process.Kill() }
	}
	began := time.Now()
	wait, _ := command()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	lasts := int64(time.Since(began))
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	killed := 0
	for range rounds {
		var waits []func() error
		for range 2 {
			wait, kill := command()
			timer := time.AfterFunc(time.Duration(random.Int64N(lasts)), kill)
			defer timer.Stop()
			waits = append(waits, wait)
		}
		for _, wait := range waits {
			if wait() != nil {
				killed++
			}
		}
		checkKeys(t, l, 2*replaceBatches*replaceSize)
		checkBatches(t, l, replaceBatches, replaceSize)
	}
	t.Logf("%d of %d were killed", killed, 2*rounds)
}

// TestReplaceFailure looks at what a replacement that ends before its commit leaves behind.
func TestReplaceFailure(t *testing.T) {
	l := newLake(t)
	spans := randomSpans(1, 0, 10)
	if _, err := l.WriteSpans(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.ReplaceSpans(ctx, renamed(spans, "new"), target.NoTimes); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	bad := renamed(spans, "new")
	bad[7].Attributes = uctables.JSON(`{`)
	_, err := l.ReplaceSpans(t.Context(), bad, target.NoTimes)
	if _, ok := errors.AsType[*target.RowError](err); !ok || !strings.Contains(err.Error(), bad[7].SpanID) {
		t.Errorf("error %v, want a RowError that names span %s", err, bad[7].SpanID)
	}
	checkNoOrphans(t, l.spans())
	if n := commitCount(t, l.spans()); n != 2 {
		t.Errorf("%d commits, want the 2 from before", n)
	}

	// A crash between the files and the commit: there are files that nobody reads.
	r, err := l.newSpanReplacement(renamed(spans[:5], "crashed"), target.NoTimes)
	if err == nil {
		_, _, err = r.prepare(t.Context())
	}
	if err != nil || r.added == nil || len(r.rewrote) != 1 {
		t.Fatalf("%+v, error %v; want a file with the new rows and one in the place of the old file", r, err)
	}
	l = open(t, l.path)
	checkSpans(t, l, traces(spans), spans)
	again := renamed(spans[:5], "again")
	if got, err := l.ReplaceSpans(t.Context(), again, target.NoTimes); err != nil || got.Inserted != 5 {
		t.Errorf("%+v, error %v; want 5 inserted", got, err)
	}
	checkSpans(t, l, traces(spans), append(again, spans[5:]...))
}

func traces(spans []uctables.Span) (ids []string) {
	for i := range spans {
		ids = append(ids, spans[i].TraceID)
	}
	return ids
}

// TestReplaceAfterOthers has another writer commit after a replacement has written its files and before its commit.
func TestReplaceAfterOthers(t *testing.T) {
	old, new := randomSpans(1, 0, 10), renamed(randomSpans(1, 0, 10), "new")
	added := randomSpans(2, 100, 3)
	for name, other := range map[string]struct {
		write func(l *Lake) error
		kept  bool // the next try uses the file that was written
		want  []uctables.Span
	}{
		"adds others": {func(l *Lake) error {
			_, err := l.WriteSpans(t.Context(), added)
			return err
		}, true, slices.Concat(new[:5], old[5:], added)},
		"adds a copy": {func(l *Lake) error { // at another time, so that it does not find the row
			copied := old[0]
			copied.TimeMicros += 40 * 24 * 3600 * 1_000_000
			_, err := l.WriteSpans(t.Context(), []uctables.Span{copied})
			return err
		}, true, slices.Concat(new[:5], old[5:])},
		"replaces the same": {func(l *Lake) error {
			_, err := l.ReplaceSpans(t.Context(), renamed(old[3:8], "other"), target.NoTimes)
			return err
		}, false, slices.Concat(new[:5], renamed(old[5:8], "other"), old[8:])},
		"has done it": {func(l *Lake) error {
			_, err := l.ReplaceSpans(t.Context(), new[:5], target.NoTimes)
			return err
		}, false, slices.Concat(new[:5], old[5:])},
		"has done a part of it": {func(l *Lake) error {
			_, err := l.ReplaceSpans(t.Context(), new[:2], target.NoTimes)
			return err
		}, false, slices.Concat(new[:5], old[5:])},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t)
			if _, err := l.WriteSpans(t.Context(), old); err != nil {
				t.Fatal(err)
			}
			r, err := l.newSpanReplacement(new[:5], target.AllTimes)
			if err != nil {
				t.Fatal(err)
			}
			version, removed, err := r.prepare(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			written := r.added
			if err := other.write(open(t, l.path)); err != nil {
				t.Fatal(err)
			}
			if err := r.log.commit(version+1, r.actions(removed)); !errors.Is(err, fs.ErrExist) {
				t.Errorf("a commit after another one than was read: error %v, want %v", err, fs.ErrExist)
			}
			if _, err := r.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if other.kept && r.added != written {
				t.Error("the file was written twice, want once")
			}
			checkSpans(t, l, traces(append(added, old...)), other.want)
			checkStats(t, l.spans())
			checkNoOrphans(t, l.spans())
		})
	}
}

// TestReplaceRefusals replaces spans in tables whose properties forbid that rows are removed.
func TestReplaceRefusals(t *testing.T) {
	for property, want := range map[string]string{
		"delta.appendOnly": "takes no changes of rows", "delta.enableChangeDataFeed": "feed of its changes",
	} {
		l := newLake(t)
		spans := randomSpans(1, 0, 3)
		changeLog(t, l.spans(), `"otel.schemaVersion":"v2"`, `"`+property+`":"true","otel.schemaVersion":"v2"`)
		l = open(t, l.path)
		if _, err := l.WriteSpans(t.Context(), spans); err != nil {
			t.Fatal(err)
		}
		_, err := l.ReplaceSpans(t.Context(), renamed(spans, "new"), target.NoTimes)
		_, ok := errors.AsType[*target.TableError](err)
		if !ok || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), property) {
			t.Errorf("%s: error %v, want a TableError with %q and the property", property, err, want)
		}
		checkNoOrphans(t, l.spans())
	}
}

// BenchmarkReplaceHundredth replaces a hundredth of the rows of a file.
func BenchmarkReplaceHundredth(b *testing.B) {
	spans := randomSpans(1, 0, 16_000)
	l, err := Open(filepath.Join(b.TempDir(), "agent"), Options{})
	if err == nil {
		err = l.Create(b.Context())
	}
	if err == nil {
		_, err = l.WriteSpans(b.Context(), spans)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	// Each time other rows, since rows that were replaced before are in a small file of their own.
	for i := 0; b.Loop(); i++ {
		part := spans[i%100*160:][:160]
		if got, err := l.ReplaceSpans(b.Context(), renamed(part, fmt.Sprint(i)), target.NoTimes); err != nil || got.Inserted != 160 {
			b.Fatal(got, err)
		}
	}
}
