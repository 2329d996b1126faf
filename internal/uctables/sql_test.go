package uctables

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// Every SQL text that tracemig can send is one of these files.
func TestSQL(t *testing.T) {
	l := Location{Catalog: "main", Schema: "my-agents", Prefix: "prod"}
	v := Volume{Catalog: "main", Schema: "my-agents", Name: "prod_staging"}
	const folder = "0123456789abcdef-0011223344556677"
	texts := map[string]string{
		"insert_spans":               l.InsertSpans(Spans),
		"insert_annotations":         l.InsertAnnotations(Annotations),
		"parse_spans":                l.ParseSpans(Spans),
		"parse_annotations":          l.ParseAnnotations(Annotations),
		"count_spans":                l.CountSpans(),
		"count_annotations":          l.CountAnnotations(),
		"select_migrated":            l.SelectMigrated(1000),
		"drop_table":                 l.Scratch("01ab").DropTable(Spans),
		"count_doubles":              l.CountDoubles(),
		"select_official":            l.SelectOfficial(1000),
		"replace_annotations":        l.ReplaceAnnotations(Annotations),
		"replace_spans":              l.ReplaceSpans(Spans),
		"replace_spans_staged":       v.Staged(l.ReplaceSpans(Spans), folder),
		"sum_spans":                  l.SumSpans(Spans, false),
		"sum_spans_deep":             l.SumSpans(Spans, true),
		"sum_annotations":            l.SumAnnotations(Annotations, false),
		"sum_annotations_deep":       l.SumAnnotations(Annotations, true),
		"read_spans":                 l.ReadSpans(Spans),
		"read_annotations":           l.ReadAnnotations(Annotations),
		"insert_spans_staged":        v.Staged(l.InsertSpans(Spans), folder),
		"insert_annotations_staged":  v.Staged(l.InsertAnnotations(Annotations), folder),
		"replace_annotations_staged": v.Staged(l.ReplaceAnnotations(Annotations), folder),
		"parse_spans_staged":         v.Staged(l.ParseSpans(Spans), folder),
		"parse_annotations_staged":   v.Staged(l.ParseAnnotations(Annotations), folder),
		"create_volume":              v.Create(),
		"show_beta_properties":       l.ShowBetaProperties(),
		"show_view_properties":       l.ShowViewProperties(l.Views()[0]),
		"drop_view":                  l.Views()[0].Drop,
		"count_official_skips":       l.CountOfficialSkips(),
		"create_view_metadata":       l.Views()[0].Create,
		"create_view_unified":        l.Views()[1].Create,
	}
	// A table with columns and fields that tracemig does not know, in another order, and one without an
	// optional column.
	wide, clauses := Spans.Actual(wideSpans())
	if len(clauses) > 0 {
		t.Fatal(clauses)
	}
	narrow, clauses := Annotations.Actual(Annotations.Columns[:14])
	if len(clauses) > 0 {
		t.Fatal(clauses)
	}
	texts["wide_insert_spans"] = l.InsertSpans(wide)
	texts["wide_parse_spans"] = l.ParseSpans(wide)
	texts["wide_replace_spans"] = l.ReplaceSpans(wide)
	texts["wide_read_spans"] = l.ReadSpans(wide)
	texts["wide_sum_spans_deep"] = l.SumSpans(wide, true)
	texts["narrow_insert_annotations"] = l.InsertAnnotations(narrow)
	texts["narrow_replace_annotations"] = l.ReplaceAnnotations(narrow)
	for _, table := range Tables {
		texts["describe"+table.Suffix] = l.DescribeTable(table)
		texts["detail"+table.Suffix] = l.DescribeDetail(table)
		texts["show_properties"+table.Suffix] = l.ShowProperties(table)
		texts["create"+table.Suffix] = l.CreateTable(table)
	}
	for name, got := range texts {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "sql", name+".sql")
			if *update {
				if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got+"\n"); diff != "" {
				t.Errorf("run the test with -update and read what changed (-want +got):\n%s", diff)
			}
		})
	}
	files, err := filepath.Glob(filepath.Join("testdata", "sql", "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(texts) {
		t.Errorf("%d golden files for %d texts: one is left over", len(files), len(texts))
	}
}

// wideSpans are the columns of spans as DESCRIBE prints them, and more.
func wideSpans() (columns []Column) {
	for _, c := range slices.Backward(Spans.Columns) {
		c.Type = mustType(c.Type).String()
		switch c.Name {
		case "status":
			c.Type = "struct<code:string,it's `a` $ \\ name:map<string,array<decimal(10,2)>>,message:string>"
		case "events":
			c.Type = "array<struct<time_unix_nano:bigint,name:string,attributes:variant,dropped_attributes_count:int,1:struct<a b:timestamp>>>"
		}
		columns = append(columns, c, Column{"age_" + c.Name, "interval day"})
	}
	return columns
}
