//go:build rig

package warehouse

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// otherTables makes tables with columns and fields that tracemig does not know, in another order, and
// annotations without the optional column.
func otherTables(t *testing.T, s *rig.Warehouse, w *Warehouse) {
	t.Helper()
	property := " USING DELTA TBLPROPERTIES ('otel.schemaVersion' = 'v2')"
	var columns []string
	for _, c := range slices.Backward(uctables.Spans.Columns) {
		switch c.Name {
		case "status":
			c.Type = "STRUCT<code: STRING, `it's$x\\``name`: MAP<STRING, ARRAY<DECIMAL(10,2)>>, message: STRING>"
		case "events":
			c.Type = "ARRAY<STRUCT<more: STRUCT<x: TIMESTAMP>, name: STRING, time_unix_nano: BIGINT, attributes: VARIANT, " +
				"dropped_attributes_count: INT, `a-b`: ARRAY<INT>>>"
		case "instrumentation_scope":
			c.Type = "STRUCT<version: STRING, name: STRING, attributes: VARIANT, dropped_attributes_count: INT, more: BOOLEAN>"
		}
		columns = append(columns, c.Name+" "+c.Type)
	}
	s.SQL(t, "CREATE TABLE "+w.opts.Location.Name(uctables.Spans)+" (ingested TIMESTAMP, "+strings.Join(columns, ", ")+
		", `b``c` STRUCT<a: INT>)"+property)
	columns = nil
	for _, c := range uctables.Annotations.Columns[:14] {
		columns = append(columns, c.Name+" "+c.Type)
	}
	s.SQL(t, "CREATE TABLE "+w.opts.Location.Name(uctables.Annotations)+" (age INT, copies STRING, trace_id INT, "+
		strings.Join(columns, ", ")+")"+property)
}

// TestOtherColumns writes to tables with more columns and fields, and with fewer, and reads them back.
func TestOtherColumns(t *testing.T) {
	s, w := open(t, false)
	otherTables(t, s, w)
	ctx := t.Context()
	all, notes := spans(0, 3), annotations(0, 3, "src")
	all[0].Events = []uctables.Event{{TimeUnixNano: 7, Name: "e", Attributes: uctables.JSON(`{"a":1}`)}, {}}
	all[0].StatusMessage = new("m")
	all[1].ScopeName, all[1].Date = nil, uctables.NoDate
	for _, inserted := range []int{3, 0} { // the first commit asks for the columns by itself
		if got, err := w.WriteSpans(ctx, all); err != nil || got.Inserted != inserted {
			t.Fatalf("%+v, error %v; want %d inserted", got, err, inserted)
		}
		if got, err := w.WriteAnnotations(ctx, notes); err != nil || got.Inserted != inserted {
			t.Fatalf("%+v, error %v; want %d inserted", got, err, inserted)
		}
	}
	if err := w.Check(ctx); err != nil {
		t.Fatal(err)
	}
	newer := notes[0]
	newer.UpdatedAtMicros++
	replacement := uctables.Replacement{
		Annotation: newer, ReplacesMicros: notes[0].UpdatedAtMicros, ReplacesCreatedMicros: notes[0].CreatedAtMicros,
	}
	if got, err := w.ReplaceAnnotations(ctx, []uctables.Replacement{replacement}); err != nil || got.Inserted != 1 {
		t.Errorf("%+v, error %v; want 1 inserted", got, err)
	}
	if err := w.ProbeSpans(ctx, all); err != nil {
		t.Error(err)
	}
	// Values that another writer has put into the further fields do not count.
	s.SQL(t, "UPDATE "+w.opts.Location.Name(uctables.Spans)+" SET ingested = now(), "+
		"instrumentation_scope = named_struct('version', NULL, 'name', instrumentation_scope.name, 'attributes', NULL, "+
		"'dropped_attributes_count', 0, 'more', true) WHERE instrumentation_scope IS NOT NULL")
	var d uctables.Digester
	want, err := d.Spans(all, true)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{all[0].TraceID}
	if err := w.SumSpans(ctx, ids, target.AllTimes, true, func(s target.SpanSum) error {
		if s.Digest != want || s.Rows != 3 {
			t.Errorf("%+v, want digest %s", s, want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	found := 0
	if err := w.ReadSpans(ctx, ids, target.AllTimes, func(s *uctables.Span) error {
		for i := range all {
			if all[i].SpanID == s.SpanID && uctables.SameSpan(&all[i], s) {
				found++
			}
		}
		return nil
	}); err != nil || found != 3 {
		t.Errorf("%d spans read back, error %v; want 3", found, err)
	}
	digests := map[string]bool{}
	if err := w.SumAnnotations(ctx, ids, target.AllTimes, true, func(s target.AnnotationSum) error {
		digests[s.Digest] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i := range notes {
		if digest, err := d.Annotation(&notes[i]); err != nil || !digests[digest] {
			t.Errorf("annotation %s: no digest in the table is %s, error %v", notes[i].AnnotationID, digest, err)
		}
	}
	if _, err := w.CreateViews(ctx); err != nil {
		t.Fatal(err)
	}
	view := w.opts.Location.Name(uctables.Table{Suffix: tablesql.UnifiedView})
	rows := s.SQL(t, "SELECT tags['tag'], size(spans), size(assessments) FROM "+view)
	if got, want := fmt.Sprint(rows), "[[v 3 1]]"; got != want {
		t.Errorf("the view shows %s, want %s", got, want)
	}

	name := w.opts.Location.Name(uctables.Spans)
	s.SQL(t, "DROP TABLE "+name)
	var fields []string
	for i := range 40 {
		fields = append(fields, fmt.Sprintf("f%d: INT", i))
	}
	create := tablesql.CreateTable(w.opts.Location, uctables.Spans)
	s.SQL(t, strings.Replace(create, "message: STRING", strings.Join(fields, ", ")+", message: STRING", 1))
	err = w.Check(ctx)
	for _, want := range []string{"status of which nothing is known: its type is cut short", "maxToStringFields"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a struct that DESCRIBE cuts short: error %v, want one with %q", err, want)
		}
	}
}
