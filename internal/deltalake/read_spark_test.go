//go:build rig

package deltalake

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/file"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// insert is a statement that adds a row with the given values, all others NULL.
func insert(table string, values ...string) string {
	var names, list []string
	for i := 0; i < len(values); i += 2 {
		names, list = append(names, values[i]), append(list, values[i+1])
	}
	return "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") SELECT " + strings.Join(list, ", ")
}

// formOf is the schemas and encodings of a table's files.
func formOf(t *testing.T, tbl *table) string {
	t.Helper()
	_, files, err := tbl.files(-1, within(target.AllTimes))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range files {
		r, err := file.OpenParquetFile(f.path, false)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&text, r.MetaData().Schema)
		for i := range r.MetaData().Schema.NumColumns() {
			c, err := r.MetaData().RowGroup(0).ColumnChunk(i)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&text, c.PathInSchema(), c.Encodings(), c.Compression())
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

// TestReadsWhatSparkWrote compares what tracemig reads of rows that Spark wrote with what Spark answers to the
// statements that a warehouse is sent for the same: rows, sums and digests.
func TestReadsWhatSparkWrote(t *testing.T) {
	w := rig.SharedWarehouse(t)
	for _, form := range []struct {
		name  string
		conf  map[string]string
		shows string // a part of formOf by which the form is recognized
		times bool   // the files hold times in another way than those of the forms before
	}{
		{"as it is", nil, "int96", true}, // data pages v1, dictionaries
		{"micros, pages v2", map[string]string{
			"spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS", "parquet.writer.version": "PARQUET_2_0",
			"spark.sql.parquet.compression.codec": "zstd",
		}, "DELTA_BINARY_PACKED", true},
		{"lists in the old form, tiny pages", map[string]string{
			"spark.sql.parquet.writeLegacyFormat": "true", "parquet.page.size": "200", "spark.sql.parquet.compression.codec": "gzip",
		}, "group field_id=-1 array", false},
	} {
		t.Run(form.name, func(t *testing.T) {
			l, err := Open(filepath.Join(t.TempDir(), "agent"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Create(ctx); err != nil {
				t.Fatal(err)
			}
			for key, value := range form.conf {
				w.SQL(t, "SET "+key+"="+value)
				t.Cleanup(func() { w.SQL(t, "RESET "+key) })
			}
			location := uctables.Location{Catalog: "spark_catalog", Schema: "default", Prefix: rig.TablePrefix(t)}
			spans, annotations := location.Prefix+uctables.Spans.Suffix, location.Prefix+uctables.Annotations.Suffix
			w.SQL(t, "CREATE TABLE "+spans+" USING delta LOCATION '"+l.spans().log.dir+"'")
			w.SQL(t, "CREATE TABLE "+annotations+" USING delta LOCATION '"+l.annotations().log.dir+"'")

			// Rows that tracemig wrote, and copies of them by Spark.
			written := append(sampleSpans(), randomSpans(9, 0, 300)...)
			if _, err := l.WriteSpans(ctx, written); err != nil {
				t.Fatal(err)
			}
			if _, err := l.WriteAnnotations(ctx, sampleAnnotations()); err != nil {
				t.Fatal(err)
			}
			w.SQL(t, "INSERT INTO "+spans+" SELECT "+replace(uctables.Spans, "trace_id", "concat('ffff', substring(trace_id, 5))")+" FROM "+spans)
			w.SQL(t, "INSERT INTO "+annotations+" SELECT "+
				replace(uctables.Annotations, "annotation_id", "annotation_id || '-spark'")+" FROM "+annotations)
			// Rows that tracemig would not write.
			odd := strings.Repeat("d", 32)
			w.SQL(t, insert(spans, "trace_id", "'"+odd+"'", "span_id", "'1'", "record_id", "'r'",
				"time", "timestamp_micros(-62135596800000000)", "date", "DATE'0001-01-01'", "flags", "1", "name", "''",
				"kind", "'SPAN_KIND_CLIENT'", "start_time_unix_nano", "-9223372036854775808",
				"dropped_attributes_count", "0", "dropped_events_count", "0", "dropped_links_count", "0",
				"attributes", "to_variant_object(named_struct('b', CAST(1.5 AS FLOAT), 'a', DATE'2026-01-02', "+
					"'c', TIMESTAMP'2026-01-02 03:04:05.678', 'd', CAST('x' AS BINARY), 'e', 12.30))",
				"events", "array()", "links", "array()", "status", "named_struct('message', CAST(NULL AS STRING), 'code', 'STATUS_CODE_OK')",
				"resource", "named_struct('attributes', parse_json('{\"service.name\":1e300}'), 'dropped_attributes_count', 0)"))
			w.SQL(t, insert(spans, "trace_id", "'"+odd+"'", "span_id", "'2'", "record_id", "'r'",
				"time", "timestamp_micros(253402300799999999)", "date", "DATE'9999-12-31'", "flags", "1", "name", "'n'",
				"kind", "'SPAN_KIND_CLIENT'", "start_time_unix_nano", "1", "attributes", "parse_json('null')",
				"dropped_attributes_count", "0", "dropped_events_count", "0", "dropped_links_count", "0",
				"events", "array(named_struct('time_unix_nano', 1L, 'name', 'a', 'attributes', parse_json('{}'), 'dropped_attributes_count', 0), "+
					"named_struct('time_unix_nano', 2L, 'name', '', 'attributes', CAST(NULL AS VARIANT), 'dropped_attributes_count', 3))",
				"links", "array()", "status", "named_struct('message', 'm', 'code', CAST(NULL AS STRING))"))
			// A row with a NULL in a list, and NULL in all other columns, is read, but not in the form that Spark writes.
			bare := strings.Repeat("e", 32)
			w.SQL(t, insert(spans, "trace_id", "'"+bare+"'", "time", "timestamp_micros(1)", "events", "array(NULL, "+
				"named_struct('time_unix_nano', 5L, 'name', 'x', 'attributes', NULL, 'dropped_attributes_count', 0), NULL)"))

			if text := formOf(t, l.spans()); !strings.Contains(text, form.shows) {
				t.Errorf("no file has %s, want one:\n%s", form.shows, text)
			}
			ids := []string{odd, sampleSpans()[0].TraceID, "ffff" + sampleSpans()[0].TraceID[4:]}
			for i := range 12 {
				ids = append(ids, fmt.Sprintf("%032x", 5*i), "ffff"+fmt.Sprintf("%032x", 5*i)[4:])
			}
			windows := []target.Times{{Low: sampleTime, High: sampleTime + 500_000_000}, target.AllTimes}
			if !form.times {
				windows = windows[1:]
			}
			for _, times := range windows {
				ask := func(query string) [][]any {
					return w.SQL(t, strings.NewReplacer(
						":"+tablesql.ParamTraces, "'"+strings.Join(ids, `\n`)+"'",
						":"+tablesql.ParamLow, fmt.Sprint(times.Low), ":"+tablesql.ParamHigh, fmt.Sprint(times.High),
					).Replace(query))
				}
				spansBySpark := make(map[string]*uctables.Span)
				for _, row := range ask(tablesql.ReadSpans(location, uctables.Spans)) {
					s, err := uctables.ParseSpan([]byte(row[0].(string)))
					if err != nil {
						t.Fatal(err)
					}
					spansBySpark[s.TraceID+s.SpanID] = s
				}
				got := readSpans(t, l, ids, times)
				if len(got) != len(spansBySpark) || len(got) < 50 {
					t.Errorf("%d spans, by Spark %d, want the same and more", len(got), len(spansBySpark))
				}
				for i := range got {
					if s := spansBySpark[got[i].TraceID+got[i].SpanID]; s == nil || s.RecordID != got[i].RecordID || !uctables.SameSpan(&got[i], s) {
						t.Errorf("span (-Spark +got):\n%s", gocmp.Diff(s, &got[i]))
					}
				}
				annotationsBySpark := make(map[string]*uctables.Annotation)
				for _, row := range ask(tablesql.ReadAnnotations(location, uctables.Annotations)) {
					a, err := uctables.ParseAnnotation([]byte(row[0].(string)))
					if err != nil {
						t.Fatal(err)
					}
					annotationsBySpark[a.AnnotationID] = a
				}
				gotAnnotations := readAnnotations(t, l, ids, times)
				if len(gotAnnotations) != len(annotationsBySpark) || len(gotAnnotations) < 4 {
					t.Errorf("%d annotations, by Spark %d, want the same and more", len(gotAnnotations), len(annotationsBySpark))
				}
				for i := range gotAnnotations {
					a, b := gotAnnotations[i], annotationsBySpark[gotAnnotations[i].AnnotationID]
					version := func(a *uctables.Annotation) any {
						return []any{a.UpdatedAtMicros, a.UpdatedBy, a.DeletedAtMicros, a.DeletedBy, string(a.Metadata)}
					}
					if b == nil || !uctables.SameAnnotation(&a, b) || !gocmp.Equal(version(&a), version(b)) {
						t.Errorf("annotation (-Spark +got):\n%s", gocmp.Diff(b, &a))
					}
				}
				for _, deep := range []bool{false, true} {
					if times != target.AllTimes || !deep && form.conf != nil {
						continue // Sums follow from the rows, which are compared above, and each takes Spark a second.
					}
					want, got := make(map[string]string), make(map[string]string)
					sums := ask(tablesql.SumSpans(location, uctables.Spans, deep))
					for _, row := range append(sums, ask(tablesql.SumAnnotations(location, uctables.Annotations, deep))...) {
						if len(row) == 5 {
							want[row[0].(string)] = fmt.Sprint(row...)
						} else {
							want[row[1].(string)] = fmt.Sprint(row...)
						}
					}
					if err := l.SumSpans(ctx, ids, times, deep, func(s target.SpanSum) error {
						got[s.TraceID] = fmt.Sprint(s.TraceID, int64(s.Rows), int64(s.Spans), int64(s.RecordIDs), s.Digest)
						return nil
					}); err != nil {
						t.Fatal(err)
					}
					if err := l.SumAnnotations(ctx, ids, times, deep, func(s target.AnnotationSum) error {
						got[s.AnnotationID] = fmt.Sprint(
							s.TraceID, s.AnnotationID, string(s.Type), s.Name, s.UpdatedAtMicros, s.Deleted, int64(s.Copies), s.Digest)
						return nil
					}); err != nil {
						t.Fatal(err)
					}
					if d := gocmp.Diff(want, got); d != "" {
						t.Errorf("sums, deep %t (-want +got):\n%s", deep, d)
					}
				}
			}
			got := readSpans(t, l, []string{bare}, target.AllTimes)
			want := []uctables.Span{{
				TraceID: bare, TimeMicros: 1, Date: uctables.NoDate, Events: []uctables.Event{{}, {TimeUnixNano: 5, Name: "x"}, {}},
			}}
			if d := gocmp.Diff(want, got); d != "" {
				t.Errorf("bare (-want +got):\n%s", d)
			}
		})
	}
}
