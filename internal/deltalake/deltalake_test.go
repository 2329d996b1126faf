package deltalake

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/google/go-cmp/cmp"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tracemig/tracemig/internal/race"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/variant"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	rig.Main(m)
}

func newLake(t *testing.T) *Lake {
	t.Helper()
	l := open(t, filepath.Join(t.TempDir(), "lake", "agent"))
	if err := l.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func open(t *testing.T, path string) *Lake {
	t.Helper()
	l, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// readTable reads all rows of the table's newest version by arrow-go's own record reader, as maps of
// JSON values. VARIANT columns come as json.RawMessage.
func readTable(t *testing.T, tbl *table) []map[string]any {
	t.Helper()
	s, err := tbl.log.load()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		r, err := file.OpenParquetFile(s.files[name].path, false)
		if err != nil {
			t.Fatal(err)
		}
		ar, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: 1000}, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		records, err := ar.GetRecordReader(t.Context(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for records.Next() {
			b, err := records.RecordBatch().MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			d := json.NewDecoder(strings.NewReader(string(b)))
			d.UseNumber()
			var batch []map[string]any
			if err := d.Decode(&batch); err != nil {
				t.Fatal(err)
			}
			for _, row := range batch {
				rows = append(rows, variants(t, row).(map[string]any))
			}
		}
		if err := records.Err(); err != nil {
			t.Fatal(err)
		}
		records.Release()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// variants puts decoded texts in the place of the two blobs of VARIANT.
func variants(t *testing.T, v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = variants(t, v[i])
		}
	case map[string]any:
		if v["value"] != nil && v["metadata"] != nil && len(v) == 2 {
			blobs := make([][]byte, 2)
			for i, name := range []string{"value", "metadata"} {
				b, err := base64.StdEncoding.DecodeString(v[name].(string))
				if err != nil {
					t.Fatal(err)
				}
				blobs[i] = b
			}
			text, err := variant.AppendJSON(nil, blobs[0], blobs[1])
			if err != nil {
				t.Fatal(err)
			}
			return json.RawMessage(text)
		}
		for k := range v {
			v[k] = variants(t, v[k])
		}
	}
	return v
}

// expectedSpan is the row as readTable should return it: the JSON line that uctables makes of it, with null for the
// columns that the line lacks, and with times as arrow-go prints them.
func expectedSpan(t *testing.T, s *uctables.Span) map[string]any {
	row := expectedRow(t, uctables.Spans, uctables.AppendSpan(nil, s))
	row["time"] = stamp(s.TimeMicros)
	if s.Date != uctables.NoDate {
		row["date"] = dayTime(int64(s.Date)).Format(time.DateOnly)
	}
	return row
}

func expectedAnnotation(t *testing.T, a *uctables.Annotation) map[string]any {
	row := expectedRow(t, uctables.Annotations, uctables.AppendAnnotation(nil, a))
	row["created_at"], row["updated_at"] = stamp(a.CreatedAtMicros), stamp(a.UpdatedAtMicros)
	if a.DeletedAtMicros != nil {
		row["deleted_at"] = stamp(*a.DeletedAtMicros)
	}
	row[uctables.ChangeType] = uctables.Insert
	return row
}

func stamp(micros int64) string {
	text := time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.999999Z")
	return text
}

func mustType(t *testing.T, text string) uctables.Type {
	t.Helper()
	typ, err := uctables.ParseType(text)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func expectedRow(t *testing.T, tbl uctables.Table, line []byte) map[string]any {
	var row map[string]json.RawMessage
	if err := json.Unmarshal(line, &row); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]any)
	for _, c := range tbl.Columns {
		out[c.Name] = expectedValue(t, mustType(t, c.Type), row[c.Name])
	}
	return out
}

func expectedValue(t *testing.T, typ uctables.Type, text json.RawMessage) any {
	if text == nil {
		return nil
	}
	switch typ.Name {
	case "variant":
		var e variant.Encoder
		value, metadata, err := e.Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		b, err := variant.AppendJSON(nil, value, metadata)
		if err != nil {
			t.Fatal(err)
		}
		return json.RawMessage(b)
	case "struct":
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		out := make(map[string]any)
		for _, f := range typ.Fields {
			out[f.Name] = expectedValue(t, f.Type, fields[f.Name])
		}
		return out
	case "array":
		var elems []json.RawMessage
		if err := json.Unmarshal(text, &elems); err != nil {
			t.Fatal(err)
		}
		out := []any{}
		for _, e := range elems {
			out = append(out, expectedValue(t, typ.Elems[0], e))
		}
		return out
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRoundTrip writes rows and reads them back; a second write adds nothing, not even a commit.
func TestRoundTrip(t *testing.T) {
	l := newLake(t)
	ctx := t.Context()
	for i := range 3 {
		if i == 2 {
			l = open(t, l.path) // as another process would
		}
		spans, err := l.WriteSpans(ctx, sampleSpans())
		if err != nil {
			t.Fatal(err)
		}
		annotations, err := l.WriteAnnotations(ctx, sampleAnnotations())
		if err != nil {
			t.Fatal(err)
		}
		want := [2]int{3, 0}
		if i > 0 {
			want = [2]int{0, 3}
		}
		for _, w := range []target.Written{spans, annotations} {
			if got := [2]int{w.Inserted, w.Present}; got != want {
				t.Errorf("write %d: inserted and present %v, want %v", i, got, want)
			}
		}
	}
	for _, tbl := range []*table{l.spans(), l.annotations()} {
		if commits := commitCount(t, tbl); commits != 2 {
			t.Errorf("%s has %d commits, want 2", tbl.spec.Suffix, commits)
		}
	}
	var want []map[string]any
	for _, s := range sampleSpans() {
		want = append(want, expectedSpan(t, &s))
	}
	if d := cmp.Diff(want, readTable(t, l.spans())); d != "" {
		t.Errorf("spans (-want +got):\n%s", d)
	}
	want = nil
	for _, a := range sampleAnnotations() {
		want = append(want, expectedAnnotation(t, &a))
	}
	if d := cmp.Diff(want, readTable(t, l.annotations())); d != "" {
		t.Errorf("annotations (-want +got):\n%s", d)
	}
}

func commitCount(t *testing.T, tbl *table) int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(tbl.log.dir, logDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

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
			s.ParentSpanID = ptr("p")
		}
		s.Name = strings.Repeat("n", r.IntN(5))
		s.Kind = tracepb.Span_SpanKind(r.IntN(6)).String()
		if code := tracepb.Status_StatusCode(r.IntN(3)); code != 0 {
			s.StatusCode = ptr(code.String())
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
			s.ServiceName = ptr("service")
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

func TestConcurrentCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent")
	var wg sync.WaitGroup
	for range 8 {
		l := open(t, path)
		wg.Go(func() {
			if err := l.Create(t.Context()); err != nil {
				t.Error(err)
			}
			if err := l.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, tbl := range open(t, path).tables {
		if n := commitCount(t, tbl); n != 1 {
			t.Errorf("%s: %d commits, want 1", tbl.spec.Suffix, n)
		}
		if hidden, _ := filepath.Glob(filepath.Join(tbl.log.dir, logDir, ".*")); len(hidden) > 0 {
			t.Errorf("left: %v, want nothing", hidden)
		}
	}
}

// TestRefusals edits the log of a good table and looks at what Check says.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct{ old, new, want string }{
		"reader feature": {
			`"readerFeatures":["variantType"]`,
			`"readerFeatures":["variantType","deletionVectors"]`,
			"reader feature deletionVectors",
		},
		"writer feature": {`"writerFeatures":["appendOnly"`, `"writerFeatures":["rowTracking"`, "writer feature rowTracking"},
		"reader version": {`"minReaderVersion":3`, `"minReaderVersion":4`, "version 4"},
		"v2 checkpoints": {`"delta.checkpointPolicy":"classic"`, `"delta.checkpointPolicy":"v2"`, "v2 checkpoints"},
		"column mapping": {`"delta.checkpointPolicy":"classic"`, `"delta.columnMapping.mode":"name"`, "column names"},
		"partitions":     {`"partitionColumns":[]`, `"partitionColumns":["date"]`, "partitioned by date"},
		"beta":           {`"otel.schemaVersion":"v2"`, `"otel.schemaVersion":"v1"`, "beta form"},
		"newer":          {`"otel.schemaVersion":"v2"`, `"otel.schemaVersion":"v3"`, "schema version v3"},
		"no version":     {`"otel.schemaVersion":"v2"`, `"x":"v2"`, "no OTEL table"},
		"column name":    {`\"name\":\"span_id\"`, `\"name\":\"spanid\"`, "has no column span_id"},
		"column type": {
			`\"name\":\"flags\",\"type\":\"integer\"`,
			`\"name\":\"flags\",\"type\":\"long\"`,
			"has column flags of type bigint, not int",
		},
		"not null": {
			`\"name\":\"record_id\",\"type\":\"string\",\"nullable\":true`,
			`\"name\":\"record_id\",\"type\":\"string\",\"nullable\":false`,
			"record_id is NOT NULL",
		},
		"invariant": {
			`\"name\":\"record_id\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}`,
			`\"name\":\"record_id\",\"type\":\"string\",\"nullable\":true,\"metadata\":{\"delta.invariants\":\"x\"}`,
			"delta.invariants",
		},
		"column missing": {
			`,{\"name\":\"span_schema_url\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}}`,
			``,
			"has no column span_schema_url",
		},
		"added not null": {
			`{\"name\":\"span_schema_url\"`,
			`{\"name\":\"x\",\"type\":\"string\",\"nullable\":false,\"metadata\":{}},{\"name\":\"span_schema_url\"`,
			"x is NOT NULL",
		},
		"nested type": {
			`\"name\":\"time_unix_nano\",\"type\":\"long\"`,
			`\"name\":\"time_unix_nano\",\"type\":\"double\"`,
			"has column events.time_unix_nano of type double, not bigint",
		},
		"nested missing": {
			`{\"name\":\"message\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}},`,
			``,
			"has no field status.message",
		},
		"deletion vector": {"\n", "\n" + `{"add":{"path":"x","size":1,"deletionVector":{"storageType":"u"}}}` + "\n", "deletion vectors"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t)
			path := l.spans().log.file(0, ".json")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Replace(string(b), tt.old, tt.new, 1)
			if text == string(b) {
				t.Fatalf("%s is not in the log:\n%s", tt.old, b)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			l = open(t, l.path)
			for _, err := range []error{l.Check(t.Context()), l.Create(t.Context())} {
				if _, ok := errors.AsType[*target.TableError](err); !ok || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want a TableError with %q", err, tt.want)
				}
			}
			if _, err := l.WriteSpans(t.Context(), sampleSpans()); err == nil {
				t.Error("the table was written, want an error")
			}
		})
	}
}

// other is a column or field that tracemig does not know, in a schemaString inside of a log.
const other = `{\"name\":\"it's-new\",` +
	`\"type\":{\"type\":\"map\",\"keyType\":\"string\",\"valueType\":\"double\",\"valueContainsNull\":false},` +
	`\"nullable\":true,\"metadata\":{}},`

// changeLog edits the first commit of a table that nothing was written to.
func changeLog(t *testing.T, tbl *table, pairs ...string) {
	t.Helper()
	path := tbl.log.file(0, ".json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%s is not in the log:\n%s", pairs[i], b)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// otherLake has tables with columns and fields that tracemig does not know, in another order, and
// annotations without the optional column.
func otherLake(t *testing.T) *Lake {
	l := newLake(t)
	field := func(name, typ string) string {
		return `{\"name\":\"` + name + `\",\"type\":\"` + typ + `\",\"nullable\":true,\"metadata\":{}}`
	}
	first, second := field("record_id", "string"), field("time", "timestamp")
	message, code := field("message", "string"), field("code", "string")
	changeLog(t, l.spans(), first+","+second, second+","+other+first, message+","+code, code+","+other+message,
		field("time_unix_nano", "long")+","+field("name", "string"), other+field("name", "string")+","+field("time_unix_nano", "long"))
	changeLog(t, l.annotations(), ","+field(uctables.ChangeType, "string"), "",
		field("target_id", "string"), other+field("target_id", "string"))
	return open(t, l.path)
}

// TestOtherColumns writes to tables with more columns and fields, and with fewer, and reads them back.
func TestOtherColumns(t *testing.T) {
	l := otherLake(t)
	ctx := t.Context()
	if err := l.Check(ctx); err != nil {
		t.Fatal(err)
	}
	for _, inserted := range []int{3, 0} {
		spans, err := l.WriteSpans(ctx, sampleSpans())
		if err != nil || spans.Inserted != inserted {
			t.Fatalf("spans: %+v, error %v; want %d inserted", spans, err, inserted)
		}
		annotations, err := l.WriteAnnotations(ctx, sampleAnnotations())
		if err != nil || annotations.Inserted != inserted {
			t.Fatalf("annotations: %+v, error %v; want %d inserted", annotations, err, inserted)
		}
	}
	ids := []string{sampleSpans()[0].TraceID}
	if d := cmp.Diff(spanLines(t, sampleSpans()), spanLines(t, readSpans(t, l, ids, target.AllTimes))); d != "" {
		t.Errorf("spans (-want +got):\n%s", d)
	}
	if d := cmp.Diff(annotationLines(t, sampleAnnotations()), annotationLines(t, readAnnotations(t, l, ids, target.AllTimes))); d != "" {
		t.Errorf("annotations (-want +got):\n%s", d)
	}
	if row := readTable(t, l.annotations())[0]; len(row) != 14 {
		t.Errorf("the file has %d columns, want the 14 of its table: %v", len(row), row)
	}
}

func TestMissing(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "agent"))
	err := l.Check(t.Context())
	if _, ok := errors.AsType[*target.TableError](err); !ok || !strings.Contains(err.Error(), "--create") {
		t.Errorf("error %v, want a TableError that names --create", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(l.path)); err != nil || len(entries) > 0 {
		t.Errorf("Check left %v, error %v; want nothing", entries, err)
	}
	for _, path := range []string{"", ".", "..", "/", "lake/", "lake/..", "a\x00b"} {
		if _, err := Open(path, Options{}); err == nil {
			t.Errorf("path %q was taken, want an error", path)
		}
	}
}

// TestLogGaps removes commits. The table must not be read as if its log began or ended there.
func TestLogGaps(t *testing.T) {
	for lost := range 3 {
		l := newLake(t)
		for i := range 3 {
			if _, err := l.WriteSpans(t.Context(), randomSpans(1, i*10, 10)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(l.spans().log.file(int64(lost), ".json")); err != nil {
			t.Fatal(err)
		}
		err := open(t, l.path).Check(t.Context())
		want := fmt.Sprintf("without commit %d", lost)
		if _, ok := errors.AsType[*target.TableError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("commit %d lost: error %v, want a TableError with %q", lost, err, want)
		}
	}
}

// TestCommitIsPutIfAbsent checks the operation that all atomicity depends on.
func TestCommitIsPutIfAbsent(t *testing.T) {
	l := newLake(t)
	before, err := os.ReadFile(l.spans().log.file(0, ".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.spans().log.commit(0, []action{{Protocol: &protocol{}}}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want %v", err, fs.ErrExist)
	}
	after, err := os.ReadFile(l.spans().log.file(0, ".json"))
	if err != nil || string(before) != string(after) {
		t.Errorf("the commit is now\n%s\n(error %v), want\n%s", after, err, before)
	}
}

func TestStats(t *testing.T) {
	s := newStats()
	s.rows = 3
	for _, v := range []*string{ptr("b"), nil, ptr(strings.Repeat("é", 40))} {
		s.text("service_name", v)
	}
	s.text("none", nil)
	for _, v := range []int64{sampleTime, sampleTime - 1, -1} {
		s.time("time", v)
		s.date(uctables.Day(v))
	}
	s.date(uctables.NoDate)
	want := `{"maxValues":{"date":"2026-01-02",` +
		`"service_name":"` + strings.Repeat("é", 32) + "\U0010ffff" + `","time":"2026-01-02T03:04:05.679Z"},` +
		`"minValues":{"date":"1969-12-31","service_name":"b","time":"1969-12-31T23:59:59.999Z"},` +
		`"nullCount":{"date":0,"none":3,"service_name":1,"time":0},"numRecords":3}`
	if d := cmp.Diff(want, s.json()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	from, to, ok := timeRange(s.json(), "time")
	if !ok || from > -1 || to < sampleTime {
		t.Errorf("range %d to %d, %t; want one that includes -1 and %d", from, to, ok, sampleTime)
	}
	for _, text := range []string{"", "{}", `{"minValues":{"time":"x"},"maxValues":{"time":"x"}}`} {
		if _, _, ok := timeRange(text, "time"); ok {
			t.Errorf("%q has a range, want none", text)
		}
	}
}

// TestOtherForms reads a file of a form that tracemig does not write: with INT96 and other units of time, a list of
// two levels and columns that it does not know, and without one that it asks for.
func TestOtherForms(t *testing.T) {
	optional, required := parquet.Repetitions.Optional, parquet.Repetitions.Required
	unit := func(name string, u schema.TimeUnitType) schema.Node {
		timestamp := schema.NewTimestampLogicalType(true, u)
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, optional, timestamp, parquet.Types.Int64, -1, -1))
	}
	element := schema.MustGroup(schema.NewGroupNode("array", parquet.Repetitions.Repeated, schema.FieldList{
		schema.NewInt32Node("extra", required, -1), schema.NewInt64Node("n", optional, -1),
	}, -1))
	root := schema.MustGroup(schema.NewGroupNode("schema", required, schema.FieldList{
		unit("nanos", schema.TimeUnitNanos), unit("millis", schema.TimeUnitMillis), schema.NewInt96Node("int96", optional, -1),
		schema.MustGroup(schema.NewGroupNodeLogical("list", optional, schema.FieldList{element}, schema.ListLogicalType{}, -1)),
	}, -1))
	path := filepath.Join(t.TempDir(), "f.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := file.NewParquetWriter(f, root)
	rg := w.AppendRowGroup()
	column := func(write func(c file.ColumnChunkWriter) error) {
		c, err := rg.NextColumn()
		if err == nil {
			err = write(c)
		}
		if err == nil {
			err = c.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	int96 := make([]parquet.Int96, 3)
	for i, at := range []int64{target.AllTimes.Low, sampleTime, target.AllTimes.High} {
		days := uctables.Day(at)
		int96[i].SetNanoSeconds((at - int64(days)*microsPerDay) * 1000)
		binary.LittleEndian.PutUint32(int96[i][8:], uint32(julianDayOfEpoch+days))
	}
	def := []int16{1, 0, 1, 1}
	column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Int64ColumnChunkWriter).WriteBatch([]int64{sampleTime*1000 + 999, -1, -1000}, def, nil)
		return err
	})
	column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Int64ColumnChunkWriter).WriteBatch([]int64{sampleTime / 1000, -1, 0}, def, nil)
		return err
	})
	column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Int96ColumnChunkWriter).WriteBatch(int96, def, nil)
		return err
	})
	// The lists are [1, NULL], NULL, [] and [2].
	rep := []int16{0, 1, 0, 0, 0}
	column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Int32ColumnChunkWriter).WriteBatch([]int32{7, 8, 9}, []int16{2, 2, 0, 1, 2}, rep)
		return err
	})
	column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Int64ColumnChunkWriter).WriteBatch([]int64{1, 2}, []int16{3, 2, 0, 1, 3}, rep)
		return err
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var got [][]any
	if err := scan(t.Context(), path, []string{"int96", "millis", "nanos", "list.n", "missing"}, nil, func(r *rowReader) error {
		var row []any
		value := func(col int) {
			if v, ok := r.int(col); ok {
				row = append(row, v)
			} else {
				row = append(row, nil)
			}
		}
		value(0)
		value(1)
		value(2)
		value(4)
		r.list(3, 4, func() { value(3) })
		r.list(4, 5, func() { value(4) })
		got = append(got, row)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := [][]any{
		{target.AllTimes.Low, int64(sampleTime / 1000 * 1000), int64(sampleTime), nil, int64(1), nil},
		{nil, nil, nil, nil},
		{int64(sampleTime), int64(-1000), int64(-1), nil},
		{target.AllTimes.High, int64(0), int64(-1), nil, int64(2)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	err = scan(t.Context(), path, []string{"nanos"}, nil, func(r *rowReader) error { r.text(0); return nil })
	if err == nil || !strings.Contains(err.Error(), "column nanos") {
		t.Errorf("a number as a text: error %v, want one that names column nanos", err)
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
