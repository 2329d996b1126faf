package tablesql

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/uctables"
)

var update = flag.Bool("update", false, "write the golden files")

// Every SQL text that tracemig can send is one of these files.
func TestSQL(t *testing.T) {
	l := uctables.Location{Catalog: "main", Schema: "my-agents", Prefix: "prod"}
	v := uctables.Volume{Catalog: "main", Schema: "my-agents", Name: "prod_staging"}
	ledger := uctables.Location{Catalog: "ops", Schema: "my-runs", Prefix: "tracemig-ledger"}
	beta := uctables.Location{Catalog: "main", Schema: "my-beta", Prefix: uctables.BetaPrefix}
	const folder = "0123456789abcdef-0011223344556677"
	texts := map[string]string{
		"insert_spans":               InsertSpans(l, uctables.Spans),
		"insert_annotations":         InsertAnnotations(l, uctables.Annotations),
		"parse_spans":                Parse(uctables.Spans),
		"parse_annotations":          Parse(uctables.Annotations),
		"count_spans":                CountSpans(l),
		"count_annotations":          CountAnnotations(l),
		"select_migrated":            SelectMigrated(l, 1000),
		"drop_table":                 DropTable(l.Scratch("01ab"), uctables.Spans),
		"duplicate_annotations":      CountDuplicateAnnotations(l),
		"duplicate_spans":            CountDuplicateSpans(l),
		"select_official":            SelectOfficial(l, 1000),
		"replace_annotations":        ReplaceAnnotations(l, uctables.Annotations),
		"replace_spans":              ReplaceSpans(l, uctables.Spans),
		"replace_spans_staged":       Staged(v, ReplaceSpans(l, uctables.Spans), folder),
		"sum_spans":                  SumSpans(l, uctables.Spans, false),
		"sum_spans_deep":             SumSpans(l, uctables.Spans, true),
		"sum_annotations":            SumAnnotations(l, uctables.Annotations, false),
		"sum_annotations_deep":       SumAnnotations(l, uctables.Annotations, true),
		"read_spans":                 ReadSpans(l, uctables.Spans),
		"read_annotations":           ReadAnnotations(l, uctables.Annotations),
		"insert_spans_staged":        Staged(v, InsertSpans(l, uctables.Spans), folder),
		"insert_annotations_staged":  Staged(v, InsertAnnotations(l, uctables.Annotations), folder),
		"replace_annotations_staged": Staged(v, ReplaceAnnotations(l, uctables.Annotations), folder),
		"parse_spans_staged":         Staged(v, Parse(uctables.Spans), folder),
		"parse_annotations_staged":   Staged(v, Parse(uctables.Annotations), folder),
		"create_volume":              CreateVolume(v),
		"show_beta_properties":       ShowBetaProperties(l),
		"show_view_properties":       ShowViewProperties(l, Views(l)[0]),
		"drop_view":                  Views(l)[0].Drop,
		"count_official_skips":       CountOfficialSkips(l),
		"create_view_metadata":       Views(l)[0].Create,
		"create_view_unified":        Views(l)[1].Create,
		"create_ledger":              CreateLedger(ledger),
		"describe_ledger":            DescribeTable(ledger, uctables.Ledger),
		"insert_runs":                InsertRuns(ledger, uctables.Ledger),
		"count_runs":                 CountRuns(ledger),
		"remove_spans":               RemoveSpans(l, uctables.Spans),
		"remove_annotations":         RemoveAnnotations(l, uctables.Annotations),
		"remove_annotations_staged":  Staged(v, RemoveAnnotations(l, uctables.Annotations), folder),
		"select_marked":              SelectMarked(l, 1000, false),
		"select_marked_named":        SelectMarked(l, 1000, true),
		"read_versions":              ReadVersions(l, uctables.Annotations),
		"delete_spans":               DeleteSpans(l, []string{"0a", "0b"}, 1, 2),
		"delete_annotations": DeleteAnnotations(l, []uctables.Version{
			{AnnotationID: "a", TargetID: "0a", CreatedAtMicros: 5, UpdatedAtMicros: 6},
			{AnnotationID: "it's ${x}; \\ é 😀\n", TargetID: "0b", CreatedAtMicros: 3, UpdatedAtMicros: 4},
		}),
		"beta_hours":        BetaHours(beta),
		"beta_traces":       BetaTraces(beta, 1000),
		"beta_traces_named": BetaTracesNamed(beta),
		"beta_spans":        BetaSpans(beta),
		"survey_beta":       SurveyBeta(beta),
		"copy_spans":        CopySpans(l, uctables.Spans, beta),
		"count_copied":      CountCopied(l),
	}
	// A table with columns and fields that tracemig does not know, in another order, and one without an
	// optional column.
	wide, clauses := uctables.Spans.Actual(wideSpans())
	if len(clauses) > 0 {
		t.Fatal(clauses)
	}
	narrow, clauses := uctables.Annotations.Actual(uctables.Annotations.Columns[:14])
	if len(clauses) > 0 {
		t.Fatal(clauses)
	}
	texts["wide_insert_spans"] = InsertSpans(l, wide)
	texts["wide_copy_spans"] = CopySpans(l, wide, beta)
	texts["wide_parse_spans"] = Parse(wide)
	texts["wide_replace_spans"] = ReplaceSpans(l, wide)
	texts["wide_read_spans"] = ReadSpans(l, wide)
	texts["wide_sum_spans_deep"] = SumSpans(l, wide, true)
	texts["narrow_insert_annotations"] = InsertAnnotations(l, narrow)
	texts["narrow_replace_annotations"] = ReplaceAnnotations(l, narrow)
	for _, table := range uctables.Tables {
		texts["describe"+table.Suffix] = DescribeTable(l, table)
		texts["detail"+table.Suffix] = DescribeDetail(l, table)
		texts["show_properties"+table.Suffix] = ShowProperties(l, table)
		texts["create"+table.Suffix] = CreateTable(l, table)
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
func wideSpans() (columns []uctables.Column) {
	for _, c := range slices.Backward(uctables.Spans.Columns) {
		c.Type = uctables.MustType(c.Type).String()
		switch c.Name {
		case "status":
			c.Type = "struct<code:string,it's `a` $ \\ name:map<string,array<decimal(10,2)>>,message:string>"
		case "events":
			c.Type = "array<struct<time_unix_nano:bigint,name:string,attributes:variant,dropped_attributes_count:int,1:struct<a b:timestamp>>>"
		}
		columns = append(columns, c, uctables.Column{Name: "age_" + c.Name, Type: "interval day"})
	}
	return columns
}
