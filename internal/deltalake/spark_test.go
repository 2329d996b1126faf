//go:build rig

package deltalake

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// fromSpark reads a table by Spark in the form of expectedSpan, sorted by key.
func fromSpark(t *testing.T, tbl *table, key string) []any {
	t.Helper()
	rows := rig.SharedWarehouse(t).SQL(t, fmt.Sprintf("SELECT to_json(struct(*), map('ignoreNullFields', 'false', "+
		"'timestampFormat', \"yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'\")) FROM delta.`%s` ORDER BY %s", tbl.log.dir, key))
	var out []any
	for _, row := range rows {
		out = append(out, canonical(t, json.RawMessage(row[0].(string))))
	}
	return out
}

// canonical decodes JSON texts inside v too, and writes numbers in one way.
func canonical(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case json.RawMessage:
		d := json.NewDecoder(strings.NewReader(string(v)))
		d.UseNumber()
		var inner any
		if err := d.Decode(&inner); err != nil {
			t.Fatalf("%v in %s", err, v)
		}
		return canonical(t, inner)
	case json.Number:
		r, ok := new(big.Rat).SetString(v.String())
		if !ok {
			t.Fatalf("number %s", v)
		}
		return "number " + r.RatString()
	case map[string]any:
		out := make(map[string]any)
		for k := range v {
			out[k] = canonical(t, v[k])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = canonical(t, v[i])
		}
		return out
	}
	return v
}

func micros(row map[string]any, columns ...string) map[string]any {
	for _, c := range columns {
		if s, ok := row[c].(string); ok {
			head, fraction, _ := strings.Cut(strings.TrimSuffix(s, "Z"), ".")
			row[c] = head + "." + (fraction + "000000")[:6] + "Z"
		}
	}
	return row
}

// TestSparkReads compares what Spark reads with the rows that were written.
func TestSparkReads(t *testing.T) {
	for _, clustering := range []bool{false, true} {
		l, err := Open(filepath.Join(t.TempDir(), "agent"), Options{Clustering: clustering})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		spans := append(sampleSpans(), randomSpans(3, 100, 200)...)
		// Its events take several pages, which end within the row.
		many := &spans[len(spans)-1]
		many.Events = nil
		for i := range 9 {
			many.Events = append(many.Events, uctables.Event{
				Name: "e", TimeUnixNano: int64(i), Attributes: fmt.Appendf(nil, `{"n":%d,"text":"%s"}`, i, strings.Repeat("x", 700_000)),
			})
		}
		if _, err := l.WriteSpans(t.Context(), spans); err != nil {
			t.Fatal(err)
		}
		if _, err := l.WriteAnnotations(t.Context(), sampleAnnotations()); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(spans, func(a, b uctables.Span) int { return strings.Compare(a.TraceID+a.SpanID, b.TraceID+b.SpanID) })
		var want []any
		for i := range spans {
			want = append(want, canonical(t, micros(expectedSpan(t, &spans[i]), "time")))
		}
		if d := cmp.Diff(want, fromSpark(t, l.spans(), "trace_id, span_id")); d != "" {
			t.Errorf("spans, clustering %t (-want +got):\n%s", clustering, d)
		}
		annotations := sampleAnnotations()
		slices.SortFunc(annotations, func(a, b uctables.Annotation) int { return strings.Compare(a.AnnotationID, b.AnnotationID) })
		want = nil
		for i := range annotations {
			want = append(want, canonical(t, micros(expectedAnnotation(t, &annotations[i]), "created_at", "updated_at", "deleted_at")))
		}
		if d := cmp.Diff(want, fromSpark(t, l.annotations(), "annotation_id")); d != "" {
			t.Errorf("annotations, clustering %t (-want +got):\n%s", clustering, d)
		}
		for _, tbl := range l.tables {
			var want, got []any
			for _, c := range tbl.spec.Columns {
				if about := c.About(tbl.spec); about != "" {
					want = append(want, c.Name+": "+about)
				}
			}
			for _, row := range rig.SharedWarehouse(t).SQL(t, "DESCRIBE TABLE delta.`"+tbl.log.dir+"`") {
				if about, ok := row[2].(string); ok && about != "" && !strings.HasPrefix(row[0].(string), "#") {
					got = append(got, fmt.Sprint(row[0], ": ", about))
				}
			}
			if d := cmp.Diff(want, got[:min(len(got), len(want))]); d != "" {
				t.Errorf("comments of %s, clustering %t (-want +got):\n%s", tbl.log.dir, clustering, d)
			}
			about := rig.SharedWarehouse(t).SQL(t, "DESCRIBE DETAIL delta.`"+tbl.log.dir+"`")[0][3]
			if about != tbl.spec.About() {
				t.Errorf("the comment of %s is %v, want %s", tbl.log.dir, about, tbl.spec.About())
			}
		}
		// Files are skipped by their statistics.
		var counts []string
		for _, where := range []string{
			"service_name = 'shop'", "time = timestamp_micros(-1)", "date = '1969-12-31'", fmt.Sprintf("time > timestamp_micros(%d)", sampleTime),
		} {
			counts = append(counts, "(SELECT count(*) FROM delta.`"+l.spans().log.dir+"` WHERE "+where+")")
		}
		for _, tbl := range l.tables {
			counts = append(counts, "(SELECT count(*) FROM delta.`"+tbl.log.dir+"`)")
		}
		n := []any{int64(1), int64(1), int64(1), int64(201)}
		rows := rig.SharedWarehouse(t).SQL(t, "SELECT "+strings.Join(counts, ", "))
		if !cmp.Equal(rows[0][:4], n) || len(rows[0]) != len(counts) {
			t.Errorf("%v rows of %q, want %v", rows, counts, n)
		}
	}
}

// TestSparkShowsMarks reads in the table's history which runs made its versions, the newest first.
func TestSparkShowsMarks(t *testing.T) {
	l, err := Open(filepath.Join(t.TempDir(), "agent"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := markedCommits(t, l)
	slices.Reverse(want)
	var got []string
	for _, row := range rig.SharedWarehouse(t).SQL(t, "DESCRIBE HISTORY delta.`"+l.spans().log.dir+"`") {
		for _, column := range row {
			if text, ok := column.(string); ok && strings.Contains(text, "run_id") {
				got = append(got, text)
			}
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// replace is the select list of all columns with another expression for one.
func replace(tbl uctables.Table, column, expression string) string {
	var list []string
	for _, c := range tbl.Columns {
		if c.Name == column {
			list = append(list, expression)
		} else {
			list = append(list, c.Name)
		}
	}
	return strings.Join(list, ", ")
}

// TestSparkWritesToo lets Spark add rows, rewrite the files and write a checkpoint, after which
// tracemig finds all keys and goes on.
func TestSparkWritesToo(t *testing.T) {
	for _, clustering := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "agent")
		l, err := Open(path, Options{Clustering: clustering})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		w := rig.SharedWarehouse(t)
		spans := randomSpans(5, 0, 60)
		if _, err := l.WriteSpans(t.Context(), spans[:20]); err != nil {
			t.Fatal(err)
		}
		if _, err := l.WriteAnnotations(t.Context(), sampleAnnotations()); err != nil {
			t.Fatal(err)
		}
		prefix := rig.TablePrefix(t)
		table, annotations := prefix+"_spans", prefix+"_annotations"
		w.SQL(t, "CREATE TABLE "+table+" USING delta LOCATION '"+l.spans().log.dir+"'")
		w.SQL(t, "CREATE TABLE "+annotations+" USING delta LOCATION '"+l.annotations().log.dir+"'")
		w.SQL(t, "INSERT INTO "+table+" SELECT "+replace(uctables.Spans, "span_id", "'f' || substring(span_id, 2)")+" FROM "+table)
		w.SQL(t, "INSERT INTO "+annotations+" SELECT "+
			replace(uctables.Annotations, "annotation_id", "annotation_id || '-spark'")+" FROM "+annotations)
		// The stand-in can't return the metrics that OPTIMIZE answers with. The number of files shows whether it worked.
		_, optimizeErr := w.TrySQL("OPTIMIZE " + table)
		if s, err := l.spans().log.load(); err != nil || len(s.files) != 1 {
			t.Fatalf("error %v, want one file; OPTIMIZE answered %v", err, optimizeErr)
		}
		for i := range 4 { // a checkpoint and a commit after it
			w.SQL(t, fmt.Sprintf("ALTER TABLE %s SET TBLPROPERTIES ('delta.checkpointInterval' = '2', 'note' = '%d')", table, i))
		}
		checkpoints, err := filepath.Glob(filepath.Join(l.spans().log.dir, logDir, "*.checkpoint.parquet"))
		if err != nil || len(checkpoints) == 0 {
			t.Fatalf("no checkpoint, error %v; want one", err)
		}
		// The commits before the checkpoint are removed, as the log cleanup of Spark does some day.
		var version int64
		if _, err := fmt.Sscanf(filepath.Base(checkpoints[len(checkpoints)-1]), "%d.", &version); err != nil {
			t.Fatal(err)
		}
		for v := range version {
			checksum := filepath.Join(l.spans().log.dir, logDir, fmt.Sprintf(".%020d.json.crc", v))
			for _, name := range []string{l.spans().log.file(v, ".json"), checksum} {
				if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
		}
		// A Lake that has read the table before, and one that has not.
		for _, lake := range []*Lake{l, open(t, path)} {
			if err := lake.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			known := append(randomSpans(5, 0, 20), randomSpans(5, 0, 20)...)
			for i := range known[20:] {
				known[20+i].SpanID = "f" + known[i].SpanID[1:]
			}
			if got, err := lake.WriteSpans(t.Context(), known); err != nil || got.Inserted != 0 || got.Present != 40 {
				t.Errorf("clustering %t: %+v, error %v, want 40 present", clustering, got, err)
			}
			spark := sampleAnnotations()
			for i := range spark {
				spark[i].AnnotationID += "-spark"
			}
			if got, err := lake.WriteAnnotations(t.Context(), append(sampleAnnotations(), spark...)); err != nil || got.Inserted != 0 {
				t.Errorf("clustering %t: annotations %+v, error %v, want none new", clustering, got, err)
			}
		}
		if got, err := l.WriteSpans(t.Context(), spans[40:]); err != nil || got.Inserted != 20 {
			t.Errorf("new rows: %+v, error %v; want 20 inserted", got, err)
		}
		rows := w.SQL(t, "SELECT count(*), count(DISTINCT trace_id, span_id) FROM "+table)
		if rows[0][0] != int64(60) || rows[0][1] != int64(60) {
			t.Errorf("Spark counts %v, want 60 and 60", rows[0])
		}
	}
}

// TestSparkReadsOtherColumns has Spark read files that lack columns and fields of their table.
func TestSparkReadsOtherColumns(t *testing.T) {
	l := otherLake(t)
	if _, err := l.WriteSpans(t.Context(), sampleSpans()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.WriteAnnotations(t.Context(), sampleAnnotations()); err != nil {
		t.Fatal(err)
	}
	w := rig.SharedWarehouse(t)
	got := w.SQL(t, "SELECT count(*), count(`it's-new`), count(status.`it's-new`), count(get(events, 0).`it's-new`), "+
		"count(get(events, 0).name), count(status.code), min(status.code), "+
		"sum(get(events, 0).time_unix_nano), count(time), count(instrumentation_scope), count(record_id) FROM delta.`"+l.spans().log.dir+"`")
	want := [][]any{{
		int64(3), int64(0), int64(0), int64(0), int64(2), int64(2), "STATUS_CODE_ERROR", int64(1), int64(3), int64(1), int64(3),
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("spans (-want +got):\n%s", d)
	}
	got = w.SQL(t, "SELECT count(*), count(`it's-new`), count(target_id) FROM delta.`"+l.annotations().log.dir+"`")
	if d := cmp.Diff([][]any{{int64(3), int64(0), int64(3)}}, got); d != "" {
		t.Errorf("annotations (-want +got):\n%s", d)
	}
}

// TestPythonReaders opens tables with delta-rs, polars and DuckDB. Only DuckDB decodes VARIANT; the
// others return its two blobs. delta-rs appends too. All accept the column _change_type, although Delta's change data
// feed has a column of that name.
func TestPythonReaders(t *testing.T) {
	l := newLake(t)
	if _, err := l.WriteSpans(t.Context(), sampleSpans()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.WriteSpans(t.Context(), randomSpans(1, 0, 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.WriteAnnotations(t.Context(), sampleAnnotations()); err != nil {
		t.Fatal(err)
	}
	const script = `
import sys, deltalake, polars, duckdb
path, notes = sys.argv[1:]
table = deltalake.DeltaTable(path)
print(table.to_pyarrow_table(columns=["trace_id", "attributes"]).num_rows if hasattr(table, "to_pyarrow_table") else None)
print(polars.scan_delta(path).select("span_id", "attributes").collect().height)
files = table.file_uris()
print(duckdb.sql("""SELECT CAST(variant_bytes_to_variant(attributes.metadata || attributes.value) AS JSON) ->> '$.big'
	FROM read_parquet($files) WHERE span_id = '0000000000000002' AND service_name = 'shop'""", params={"files": files}).fetchall()[0][0])
table = deltalake.DeltaTable(notes)
rows = table.to_pyarrow_table()
print(rows.num_rows, set(rows["_change_type"].to_pylist()))
deltalake.write_deltalake(notes, rows.slice(0, 1), mode="append")
table = deltalake.DeltaTable(notes)
print(table.version(), table.to_pyarrow_table(columns=["_change_type"])["_change_type"].to_pylist())
print(polars.scan_delta(notes).filter(polars.col("_change_type") == "insert").collect().height)
print(duckdb.sql("SELECT count(*) FROM read_parquet($files) WHERE _change_type = 'insert'",
	params={"files": table.file_uris()}).fetchall()[0][0])
`
	cmd := exec.Command(filepath.Join(rig.Dir(), "venv", "bin", "python"), "-c", script, l.spans().log.dir, l.annotations().log.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d := cmp.Diff("103\n103\n9007199254740993\n3 {'insert'}\n2 ['insert', 'insert', 'insert', 'insert']\n4\n4\n", string(out)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// tracemig finds the keys of the row that delta-rs has appended.
	if got, err := l.WriteAnnotations(t.Context(), sampleAnnotations()); err != nil || got.Present != 3 {
		t.Errorf("%+v, error %v; want 3 present", got, err)
	}
}

// TestSparkAfterReplace replaces spans in files that Spark wrote, with columns and types that tracemig does
// not know, and has Spark read all rows.
func TestSparkAfterReplace(t *testing.T) {
	l := newLake(t)
	w := rig.SharedWarehouse(t)
	spans := append(sampleSpans(), randomSpans(5, 0, 30)...)
	if _, err := l.WriteSpans(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	table := rig.TablePrefix(t) + "_spans"
	w.SQL(t, "CREATE TABLE "+table+" USING delta LOCATION '"+l.spans().log.dir+"'")
	w.SQL(t, "ALTER TABLE "+table+" ADD COLUMNS (more MAP<STRING, ARRAY<STRUCT<a: DECIMAL(30,5), b: BOOLEAN>>>, "+
		"old DATE, older TIMESTAMP, ratio FLOAT, doc VARIANT, bytes BINARY)")
	// Rows that Spark writes in several jobs, with a VARIANT of types that JSON lacks.
	for _, id := range []string{"e", "f"} {
		w.SQL(t, "INSERT INTO "+table+" SELECT "+replace(uctables.Spans, "span_id", "'"+id+"' || substring(span_id, 2)")+
			", map('k', array(named_struct('a', 1.5, 'b', true), NULL)), DATE'1492-10-12', TIMESTAMP'1582-10-01 00:00:00.000001', 0.5, "+
			"to_variant_object(named_struct('d', DATE'2020-01-01', 'f', 0.25F)), X'00ff' FROM "+
			table+" WHERE more IS NULL")
	}
	read := func() map[string]any {
		t.Helper()
		rows := make(map[string]any)
		for _, row := range w.SQL(t, "SELECT trace_id || span_id, to_json(struct(*), map('ignoreNullFields', 'false')), "+
			"concat_ws(' ', schema_of_variant(doc), hex(bytes), old, older, to_json(more)) FROM delta.`"+l.spans().log.dir+"`") {
			if _, twice := rows[row[0].(string)]; twice {
				t.Errorf("row %s is there twice, want once", row[0])
			}
			rows[row[0].(string)] = row[1].(string) + row[2].(string)
		}
		return rows
	}
	before := read()
	changed := slices.Clone(spans[5:9])
	for i := range changed {
		if i%2 == 0 {
			changed[i].SpanID = "e" + changed[i].SpanID[1:]
		}
		changed[i].Name, changed[i].Attributes = "changed", uctables.JSON(`{"changed":true}`)
	}
	for _, inserted := range []int{4, 0} {
		if got, err := l.ReplaceSpans(t.Context(), changed, target.AllTimes); err != nil || got.Inserted != inserted {
			t.Fatalf("%+v, error %v, want %d inserted", got, err, inserted)
		}
	}
	w.SQL(t, "REFRESH TABLE "+table)
	after := read()
	if len(after) != 3*len(spans) || len(before) != len(after) {
		t.Errorf("%d rows, %d before, want %d", len(after), len(before), 3*len(spans))
	}
	for i := range changed {
		key := changed[i].TraceID + changed[i].SpanID
		if text := fmt.Sprint(after[key]); !strings.Contains(text, `"attributes":{"changed":true}`) || !strings.Contains(text, `"more":null`) {
			t.Errorf("a replaced row is %s, want the new attributes, and NULL in column more", text)
		}
		delete(before, key)
		delete(after, key)
	}
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("the other rows (-before +after):\n%s", d)
	}
	// Spark counts by the statistics of the files, skips files by them, and can change the table.
	rows := w.SQL(t, "SELECT count(*), min(time), max(time), count_if(name = 'changed') FROM "+table)
	if rows[0][0] != int64(3*len(spans)) || rows[0][3] != int64(4) {
		t.Errorf("Spark counts %v, want %d rows and 4 changed ones", rows, 3*len(spans))
	}
	if rows := w.SQL(t, "SELECT count(*) FROM "+table+" WHERE time = timestamp_micros(-1)"); rows[0][0] != int64(3) {
		t.Errorf("Spark finds %v rows by their time, want 3", rows)
	}
	w.SQL(t, "DELETE FROM "+table+" WHERE span_id LIKE 'f%'")
	if rows := w.SQL(t, "SELECT count(*) FROM "+table); rows[0][0] != int64(2*len(spans)) {
		t.Errorf("Spark counts %v after its own change, want %d", rows, 2*len(spans))
	}
	if err := open(t, l.path).Check(t.Context()); err != nil {
		t.Error(err)
	}
	// Other readers follow the log.
	const script = `
import sys, deltalake, polars, duckdb
table = deltalake.DeltaTable(sys.argv[1])
print(polars.scan_delta(sys.argv[1]).select("span_id", "name").filter(polars.col("name") == "changed").collect().height)
print(duckdb.sql("SELECT count(*), count(DISTINCT span_id || trace_id) FROM read_parquet($files, union_by_name=true)",
	params={"files": table.file_uris()}).fetchall()[0])
`
	cmd := exec.Command(filepath.Join(rig.Dir(), "venv", "bin", "python"), "-c", script, l.spans().log.dir)
	out, err := cmd.CombinedOutput()
	if want := fmt.Sprintf("4\n(%d, %d)\n", 2*len(spans), 2*len(spans)); err != nil || string(out) != want {
		t.Errorf("error %v, want %q, got\n%s", err, want, out)
	}
}
