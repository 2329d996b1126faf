package uctables

import (
	"flag"
	"os"
	"path/filepath"
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
		"insert_spans":               l.InsertSpans(),
		"insert_annotations":         l.InsertAnnotations(),
		"parse_spans":                l.ParseSpans(),
		"parse_annotations":          l.ParseAnnotations(),
		"count_spans":                l.CountSpans(),
		"count_annotations":          l.CountAnnotations(),
		"select_migrated":            l.SelectMigrated(),
		"replace_annotations":        l.ReplaceAnnotations(),
		"sum_spans":                  l.SumSpans(false),
		"sum_spans_deep":             l.SumSpans(true),
		"sum_annotations":            l.SumAnnotations(false),
		"sum_annotations_deep":       l.SumAnnotations(true),
		"read_spans":                 l.ReadSpans(),
		"read_annotations":           l.ReadAnnotations(),
		"insert_spans_staged":        v.Staged(l.InsertSpans(), folder),
		"insert_annotations_staged":  v.Staged(l.InsertAnnotations(), folder),
		"replace_annotations_staged": v.Staged(l.ReplaceAnnotations(), folder),
		"parse_spans_staged":         v.Staged(l.ParseSpans(), folder),
		"parse_annotations_staged":   v.Staged(l.ParseAnnotations(), folder),
		"create_volume":              v.Create(),
		"show_beta_properties":       l.ShowBetaProperties(),
		"create_view_metadata":       l.Views()[0].Create,
		"create_view_unified":        l.Views()[1].Create,
	}
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
