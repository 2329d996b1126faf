//go:build rig

package warehouse

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// TestStatements looks at how Spark has a row, and at the marks of the statements that wrote it. The driver sends nothing else, such
// as telemetry: it would ask for the feature flags of each session first.
func TestStatements(t *testing.T) {
	s := rig.SharedWarehouse(t)
	w := openWith(t, s, rig.TablePrefix(t), true, "", nil, func(r *http.Request) *http.Response {
		if !strings.HasPrefix(r.URL.Path, "/sql/1.0/warehouses/") && r.URL.Path != "/api/2.0/sql/warehouses/rig" {
			t.Errorf("a request to %s%s, want none but those of the SQL protocol and for the warehouse's state", r.URL.Host, r.URL.Path)
		}
		return nil
	})
	mark := target.Mark{Version: "v1.2.3", RunID: "run-7 */"}
	w.SetMark(mark)
	for _, rows := range [][]uctables.Span{spans(0, 20), spans(1, 2)} {
		if _, err := w.WriteSpans(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	// A workspace without query tags refuses the next statement that has any.
	s.Set(t, rig.WarehouseSettings{NoQueryTags: true})
	t.Cleanup(func() { s.Set(t, rig.WarehouseSettings{}) })
	if got, err := w.WriteSpans(t.Context(), spans(2, 3)); err != nil || got.Inserted != 3 {
		t.Errorf("without query tags: %+v, error %v; want 3 rows inserted", got, err)
	}
	var marks []string
	for _, e := range s.Stats(t).Log {
		if _, comment, found := strings.Cut(e.Statement, "/* tracemig "); found && strings.Contains(e.Statement, w.opts.Location.Prefix) {
			marks = append(marks, fmt.Sprint(comment, " ", e.Tags))
		}
	}
	const tags = "map[tracemig_run_id:run-7 */ tracemig_version:v1.2.3]"
	if want := []string{
		"v1.2.3 run run-7_, write 1 */ " + tags, "v1.2.3 run run-7_, write 2 */ " + tags, "v1.2.3 run run-7_, write 3 */ map[]",
	}; !slices.Equal(marks, want) {
		t.Errorf("the statements are marked %q, want %q", marks, want)
	}

	values := s.SQL(t, `SELECT variant_get(attributes, '$.n', 'BIGINT'), variant_get(attributes, '$.d', 'DOUBLE'),
		schema_of_variant(attributes), variant_get(attributes, '$.s', 'STRING'), name, CAST(date AS STRING), status.code,
		resource IS NULL, to_json(instrumentation_scope), size(events)
		FROM `+w.opts.Location.Name(uctables.Spans)+` WHERE record_id = 'r-0-3'`)
	want := []any{int64(9007199254740993), 1.5e-7,
		"OBJECT<big: DECIMAL(20,0), d: DOUBLE, `mlflow.spanInputs`: OBJECT<q: BIGINT>, n: BIGINT, s: STRING>",
		"${env:HOME} \x00", "span 3 ${x} \n\"'\\", "2023-11-14", "STATUS_CODE_OK", true,
		`{"name":"mlflow","dropped_attributes_count":0}`, int64(0)}
	if diff := cmp.Diff(want, values[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestChangeType looks at the column that has the same value in every row.
func TestChangeType(t *testing.T) {
	s, w := open(t, true)
	notes := annotations(0, 0, "src")
	if _, err := w.WriteAnnotations(t.Context(), notes); err != nil {
		t.Fatal(err)
	}
	deleted := uctables.Replacement{
		Annotation: notes[0], ReplacesMicros: notes[0].UpdatedAtMicros, ReplacesCreatedMicros: notes[0].CreatedAtMicros,
	}
	deleted.UpdatedAtMicros++
	deleted.DeletedAtMicros = new(deleted.UpdatedAtMicros)
	if _, err := w.ReplaceAnnotations(t.Context(), []uctables.Replacement{deleted}); err != nil {
		t.Fatal(err)
	}
	rows := s.SQL(t, "SELECT _change_type, count(*) FROM "+w.opts.Location.Name(uctables.Annotations)+" GROUP BY 1")
	if got, want := fmt.Sprint(rows), "[[insert 4]]"; got != want {
		t.Errorf("change types and rows are %s, want %s", got, want)
	}
}

// TestCountDuplicates counts duplicates that somebody adds, within the times.
func TestCountDuplicates(t *testing.T) {
	s, w := open(t, true)
	if _, err := w.WriteSpans(t.Context(), spans(0, 50)); err != nil {
		t.Fatal(err)
	}
	duplicates := func(wantSpans, wantAnnotations int64, times target.Times) {
		t.Helper()
		spans, annotations, err := w.CountDuplicates(t.Context(), times)
		if spans != wantSpans || annotations != wantAnnotations || err != nil {
			t.Errorf("%d and %d duplicates, error %v; want %d and %d", spans, annotations, err, wantSpans, wantAnnotations)
		}
	}
	if _, err := w.WriteAnnotations(t.Context(), annotations(0, 50, "src")); err != nil {
		t.Fatal(err)
	}
	duplicates(0, 0, target.AllTimes)
	for name, where := range map[string]string{
		w.opts.Location.Name(uctables.Spans):       "span_id <= '0000000000000004'",
		w.opts.Location.Name(uctables.Annotations): "annotation_type = 'TAG'",
	} {
		s.SQL(t, "INSERT INTO "+name+" SELECT * FROM "+name+" WHERE "+where)
	}
	duplicates(4, 1, target.AllTimes)
	duplicates(2, 0, target.Times{Low: base + 2, High: base + 40})
}

func TestRefusedRows(t *testing.T) {
	s, w := open(t, true)
	deep := func(n int) uctables.JSON {
		return uctables.JSON(`{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`)
	}
	for name, j := range map[string]uctables.JSON{
		"truncated":     uctables.JSON(`{"secretword":`),
		"duplicate key": uctables.JSON(`{"a":"secretword","a":1}`),
		"too deep":      deep(1100),
		"long number":   uctables.JSON(`{"a":` + strings.Repeat("1", 2000) + `}`),
	} {
		t.Run(name, func(t *testing.T) {
			bad := spans(0, 3)
			bad[1].Attributes = j
			_, err := w.WriteSpans(t.Context(), bad)
			if !isRowError(err) {
				t.Fatalf("error %v, want a RowError", err)
			}
			if strings.Contains(err.Error(), "secretword") {
				t.Errorf("a value leaks: %v", err)
			}
			if err := w.ProbeSpans(t.Context(), bad); !isRowError(err) {
				t.Errorf("a probe: error %v, want a RowError", err)
			}
		})
	}
	if n := count(t, s, w, uctables.Spans); n != 0 {
		t.Errorf("%d rows of refused batches, want none", n)
	}
	// As deep as VARIANT goes, also inside of an event.
	good := spans(0, 1)
	good[0].Attributes = deep(1000)
	good[0].Events = []uctables.Event{{Name: "e", Attributes: deep(1000)}}
	if got, err := w.WriteSpans(t.Context(), good); err != nil || got.Inserted != 1 {
		t.Errorf("deep: %+v, error %v; want 1 inserted", got, err)
	}
}

// TestTableFeatures writes to tables with features that people use: deletion vectors, row tracking, and compaction at the
// same time, as by predictive optimization. Create has made them clustered.
func TestTableFeatures(t *testing.T) {
	s, w := open(t, true)
	ctx := t.Context()
	table, notes := w.opts.Location.Name(uctables.Spans), w.opts.Location.Name(uctables.Annotations)
	for _, name := range []string{table, notes} {
		s.SQL(t, "ALTER TABLE "+name+" SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true', 'delta.enableRowTracking' = 'true')")
	}
	optimize := func() { _, _ = s.TrySQL("OPTIMIZE " + table) } // the stand-in can't return its result
	var rows []uctables.Span
	for i := range 6 {
		rows = append(rows, spans(i, 5)...)
	}
	for _, part := range [][]uctables.Span{rows[:10], rows[10:]} { // two files
		if _, err := w.WriteSpans(ctx, part); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.WriteAnnotations(ctx, annotations(0, 5, "src")); err != nil {
		t.Fatal(err)
	}
	s.SQL(t, "DELETE FROM "+table+" WHERE span_id = '0000000000000003'")
	s.SQL(t, "DELETE FROM "+notes+" WHERE annotation_type = 'TAG'")
	folder := filepath.Join(s.Dir, "tables", w.opts.Location.Prefix+uctables.Spans.Suffix)
	if vectors, err := filepath.Glob(filepath.Join(folder, "deletion_vector_*")); err != nil || len(vectors) == 0 {
		t.Errorf("%d deletion vectors, error %v: without one this proves nothing", len(vectors), err)
	}
	var background sync.WaitGroup
	background.Go(optimize)
	got, err := w.WriteSpans(ctx, rows)
	background.Wait()
	if err != nil || got.Inserted != 6 || got.Present != 24 {
		t.Errorf("after a delete, during OPTIMIZE: %+v, error %v; want 6 inserted, 24 present", got, err)
	}
	optimize()
	if got, err := w.WriteSpans(ctx, rows); err != nil || got.Inserted != 0 {
		t.Errorf("after OPTIMIZE: %+v, error %v; want none inserted", got, err)
	}
	if got, err := w.WriteAnnotations(ctx, annotations(0, 5, "src")); err != nil || got.Inserted != 1 {
		t.Errorf("annotations after a delete: %+v, error %v; want 1 inserted", got, err)
	}
	// Open-source Spark 4.0 can't read a VARIANT from a file with a deletion vector (ColumnarBatchRow.copy), so this reads only
	// keys.
	n := s.SQL(t, "SELECT count(*), count(DISTINCT trace_id, span_id) FROM "+table)
	if diff := cmp.Diff([]any{int64(30), int64(30)}, n[0]); diff != "" {
		t.Errorf("rows and keys (-want +got):\n%s", diff)
	}
}
