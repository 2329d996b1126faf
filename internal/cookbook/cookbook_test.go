package cookbook

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/uctables"
)

var update = flag.Bool("update", false, "write docs/cookbook.md and the golden files")

var support = uctables.Location{Catalog: "main", Schema: "agents", Prefix: "support"}

// Each recipe has a file, and each file is a recipe. Its first line says what it answers, and it fits on a screen.
func TestRecipes(t *testing.T) {
	files, err := filepath.Glob("recipes/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(Names) {
		t.Errorf("there are %d files for the %d recipes %v", len(files), len(Names), Names)
	}
	for _, name := range Names {
		if about := About(name); !strings.HasPrefix(text(name), "-- "+about+"\n") || !strings.HasSuffix(about, ".") || len(about) > 120 {
			t.Errorf("recipe %s begins with %q, want a short sentence as a comment", name, about)
		}
		for _, tables := range []Tables{InCatalog(support), InFolder("/lake/agent"), InFiles([]string{"/s"}, []string{"/a"}, "noon")} {
			query := tables.SQL(name, 30)
			if strings.Contains(query, "<no value>") || !strings.Contains(query, "INTERVAL '30' DAY") {
				t.Errorf("recipe %s does not look 30 days back:\n%s", name, query)
			}
			for line := range strings.Lines(query) {
				if len(line) > 141 {
					t.Errorf("recipe %s has a line of %d characters: %s", name, len(line), line)
				}
			}
		}
	}
}

// Names of any kind are quoted.
func TestQuoting(t *testing.T) {
	odd := uctables.Location{Catalog: "it's", Schema: "a`b", Prefix: "p"}
	for tables, want := range map[*Tables]string{
		new(InCatalog(odd)):                                    "FROM `it's`.`a``b`.`p_otel_annotations`",
		new(InFolder("/it's a `lake`/p")):                      "FROM delta.`/it's a ``lake``/p_otel_annotations`",
		new(InFiles(nil, []string{"/it's/a.parquet"}, "noon")): "  '/it''s/a.parquet'\n",
	} {
		if got := tables.SQL("ids", 1); !strings.Contains(got, want) {
			t.Errorf("want %s in\n%s", want, got)
		}
	}
	if got := InCatalog(odd).SQL("ids", 1); !strings.Contains(got, `concat('trace:/it\'s.a`) {
		t.Errorf("the catalog's quote is not escaped:\n%s", got)
	}
}

func TestGoldens(t *testing.T) {
	var duck strings.Builder
	for _, name := range Names {
		tables := InFiles([]string{"/lake/agent_otel_spans/part-0.parquet", "/lake/agent_otel_spans/part-1.parquet"},
			[]string{"/lake/agent_otel_annotations/part-0.parquet"}, "2026-01-31T12:00:00Z")
		fmt.Fprintf(&duck, "%s;\n\n", tables.SQL(name, 365))
	}
	compare(t, "testdata/duckdb.sql", duck.String())
	dashboard, err := Dashboard(support, 365)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "testdata/dashboard.lvdash.json", string(dashboard))
}

// TestDoc holds that docs/cookbook.md has the recipes as they are.
func TestDoc(t *testing.T) {
	const path = "../../docs/cookbook.md"
	const begin = "<!-- The rest is written by go test ./internal/cookbook -update -->\n"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(b), begin)
	if !ok {
		t.Fatalf("%s has no line %s", path, begin)
	}
	doc := head + begin
	for _, name := range Names {
		_, query, _ := strings.Cut(InCatalog(support).SQL(name, 365), "\n")
		doc += fmt.Sprintf("\n## %s\n\n%s\n\n```sql\n%s\n```\n", name, About(name), query)
	}
	compare(t, path, doc)
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s: run the test with -update and read what changed (-want +got):\n%s", path, d)
	}
}

// A dashboard shows fields that its queries have, of datasets that it has, on places that don't overlap.
func TestDashboard(t *testing.T) {
	text, err := Dashboard(support, 30)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Datasets []struct {
			Name       string
			QueryLines []string
		}
		Pages []struct {
			Layout []struct {
				Widget struct {
					Name    string
					Queries []struct {
						Query struct {
							DatasetName string
							Fields      []struct{ Name string }
						}
					}
					Spec struct{ Encodings any }
				}
				Position struct{ X, Y, Width, Height int }
			}
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, set := range d.Datasets {
		queries[set.Name] = strings.Join(set.QueryLines, "")
		if want := InCatalog(support).SQL(set.Name, 30); queries[set.Name] != want {
			t.Errorf("dataset %s is not the recipe: %s", set.Name, queries[set.Name])
		}
	}
	names, places := map[string]bool{}, map[[2]int]string{}
	for _, item := range d.Pages[0].Layout {
		w, p := item.Widget, item.Position
		if names[w.Name] || len(w.Name) > 60 {
			t.Errorf("the name of widget %q is there twice, or long", w.Name)
		}
		names[w.Name] = true
		for x := p.X; x < p.X+p.Width; x++ {
			for y := p.Y; y < p.Y+p.Height; y++ {
				if other := places[[2]int{x, y}]; other != "" || x >= 12 {
					t.Errorf("widget %s lies on %q, or beyond the page", w.Name, other)
				}
				places[[2]int{x, y}] = w.Name
			}
		}
		for _, q := range w.Queries {
			if queries[q.Query.DatasetName] == "" {
				t.Errorf("widget %s shows dataset %s, which is not there", w.Name, q.Query.DatasetName)
			}
			var has []string
			for _, f := range q.Query.Fields {
				has = append(has, f.Name)
			}
			for _, shown := range fieldNames(w.Spec.Encodings) {
				if !slices.Contains(has, shown) {
					t.Errorf("widget %s shows %s, and its query has %v", w.Name, shown, has)
				}
			}
		}
	}
}

// fieldNames are the values of all keys fieldName.
func fieldNames(v any) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if key == "fieldName" {
				all = append(all, value.(string))
			}
			all = append(all, fieldNames(value)...)
		}
	case []any:
		for _, e := range v {
			all = append(all, fieldNames(e)...)
		}
	}
	return all
}
