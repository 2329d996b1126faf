//go:build rig

package warehouse

import (
	"errors"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

func TestCheck(t *testing.T) {
	s, w := open(t, false)
	ctx := t.Context()
	refused := func(wants ...string) {
		t.Helper()
		err := w.Check(ctx)
		if _, ok := errors.AsType[*target.TableError](err); !ok {
			t.Fatalf("error %v, want a TableError", err)
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		}
	}
	refused(w.opts.Location.Name(uctables.Spans), "does not exist", "--create")

	s.SQL(t, "CREATE TABLE default."+uctables.BetaSpansTable+" (trace_id STRING) USING DELTA TBLPROPERTIES ('otel.schemaVersion' = 'v1')")
	t.Cleanup(func() { s.SQL(t, "DROP TABLE default."+uctables.BetaSpansTable) })
	refused(uctables.BetaSpansTable, "beta form")

	if err := w.Create(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.Check(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.Create(ctx); err != nil {
		t.Errorf("create a second time: error %v, want none", err)
	}
	name := w.opts.Location.Name(uctables.Spans)
	comments := map[any]any{}
	for _, row := range s.SQL(t, "DESCRIBE TABLE EXTENDED "+name) {
		if comments[row[0]] == nil {
			comments[row[0]] = row[2]
		}
		if row[0] == "Comment" && row[1] != uctables.Spans.About() {
			t.Errorf("the comment of %s is %v, want %s", name, row[1], uctables.Spans.About())
		}
	}
	if _, ok := comments["Comment"]; !ok {
		t.Errorf("%s has no comment, want one", name)
	}
	for _, c := range uctables.Spans.Columns {
		if got := comments[c.Name]; got != c.About(uctables.Spans) {
			t.Errorf("the comment of column %s is %v, want %s", c.Name, got, c.About(uctables.Spans))
		}
	}
	s.SQL(t, "ALTER TABLE "+name+" SET TBLPROPERTIES ('otel.schemaVersion' = 'v1')")
	refused(name, "beta form")
	s.SQL(t, "ALTER TABLE "+name+" SET TBLPROPERTIES ('otel.schemaVersion' = 'v3')")
	refused(name, `"v3"`)
	s.SQL(t, "ALTER TABLE "+name+" UNSET TBLPROPERTIES ('otel.schemaVersion')")
	refused(name, "no table property")
	s.SQL(t, "ALTER TABLE "+name+" SET TBLPROPERTIES ('otel.schemaVersion' = 'v2')")
	for property, problem := range map[string]string{"rig.row_filter": "has a row filter", "rig.column_masks": "has column masks"} {
		s.SQL(t, "ALTER TABLE "+name+" SET TBLPROPERTIES ('"+property+"' = 'main.default.mine')")
		refused(name, problem, "written again by every run")
		s.SQL(t, "ALTER TABLE "+name+" UNSET TBLPROPERTIES ('"+property+"')")
	}
	if err := w.Check(ctx); err != nil {
		t.Errorf("without filter and masks: error %v, want none", err)
	}
	s.SQL(t, "DROP TABLE "+name)
	s.SQL(t, "CREATE TABLE "+name+" (record_id STRING, time STRING) USING DELTA TBLPROPERTIES ('otel.schemaVersion' = 'v2')")
	refused(name, "column time of type string, not timestamp")
	if err := w.Create(ctx); err == nil {
		t.Error("create beside a wrong table: no error, want one")
	}
}
