package convert

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func ptr[T any](v T) *T { return &v }

var requestTime = time.Date(2026, 11, 17, 6, 37, 3, 444e6, time.UTC)

func info(id string) *mlflow.TraceInfo {
	return &mlflow.TraceInfo{TraceID: id, ExperimentID: "1", RequestTime: requestTime, State: mlflow.StateOK}
}

func convert(t testing.TB, in Input) Result {
	t.Helper()
	res, err := Convert(in, Options{Source: "test#1"})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// render writes rows as indented JSON, payloads as they are.
func render(t testing.TB, res Result) []byte {
	t.Helper()
	type span struct {
		uctables.Span
		Kind, StatusCode string
	}
	out := struct {
		TraceID     string
		Annotations []uctables.Annotation
		Spans       []span
		Notes       []Note
	}{TraceID: res.Trace.TraceID, Annotations: res.Trace.Annotations, Notes: res.Notes}
	for _, s := range res.Trace.Spans {
		out.Spans = append(out.Spans, span{s, s.Kind.String(), s.StatusCode.String()})
	}
	b, err := json.MarshalIndent(texts(out), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// texts turns payloads, which are byte slices, into raw JSON.
func texts(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var x any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&x); err != nil {
		panic(err)
	}
	return payloads(x)
}

func payloads(x any) any {
	switch x := x.(type) {
	case map[string]any:
		for k, v := range x {
			switch k {
			case "Attributes", "Value", "Metadata", "ResourceAttributes":
				if s, ok := v.(string); ok {
					var b []byte
					if err := json.Unmarshal([]byte(`"`+s+`"`), &b); err != nil {
						panic(err)
					}
					x[k] = json.RawMessage(b)
				}
			default:
				x[k] = payloads(v)
			}
		}
	case []any:
		for i := range x {
			x[i] = payloads(x[i])
		}
	}
	return x
}

// traceIDAttr finds attribute mlflow.traceRequestId in all forms.
var traceIDAttr = regexp.MustCompile(`"(tr-[0-9a-f]{32})\\?"`)

// forms are the recorded spans documents: <trace>.<form>.json.
func forms(t testing.TB) []string {
	files, err := filepath.Glob("testdata/forms/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no forms", err)
	}
	return files
}

// readForm gives the trace's name, its form and its MLflow ID.
func readForm(t testing.TB, file string) (name, form, id string, doc []byte) {
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSuffix(filepath.Base(file), ".json")
	name, form, _ = strings.Cut(base, ".")
	found := traceIDAttr.FindSubmatch(doc)
	if found == nil {
		t.Fatal(file, "names no trace ID")
	}
	return name, form, string(found[1]), doc
}

func TestGoldens(t *testing.T) {
	for _, file := range forms(t) {
		name, form, id, doc := readForm(t, file)
		t.Run(name+"/"+form, func(t *testing.T) {
			res := convert(t, Input{Info: info(id), Digest: "d", Spans: doc})
			got := render(t, res)
			// All forms of a trace give the same rows, so there is one golden file for them.
			golden := filepath.Join("testdata", "golden", name+".json")
			if *update && form == "v3" {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("rows differ (-want +got):\n%s", d)
			}
		})
	}
}
