package convert

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
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
	out := struct {
		TraceID     string
		Annotations []uctables.Annotation
		Spans       []uctables.Span
		Notes       []Note
	}{TraceID: res.Trace.TraceID, Annotations: res.Trace.Annotations, Spans: res.Trace.Spans, Notes: res.Notes}
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

// A document is one source form of a trace.
type document struct{ form, file string }

// recorded lists the recorded traces by golden name, each with its forms. The first form is the
// one that the golden file is made of.
func recorded(t testing.TB) map[string][]document {
	traces := map[string][]document{}
	for _, pattern := range []string{"testdata/forms/*.json", "../../testdata/forms/*/*.traces.json", "../../testdata/forms/*/*.get.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal("no files", pattern, err)
		}
		for _, file := range files {
			name, form, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), ".")
			if dir := filepath.Dir(file); dir != "testdata/forms" {
				name = filepath.Base(dir) + "-" + name
			}
			traces[name] = append(traces[name], document{form, file})
		}
	}
	return traces
}

// traceIDAttr finds attribute mlflow.traceRequestId in all forms.
var traceIDAttr = regexp.MustCompile(`"(tr-[0-9a-f]{32})\\?"`)

// input reads a document and what the source lists of its trace.
func (d document) input(t testing.TB) Input {
	doc, err := os.ReadFile(d.file)
	if err != nil {
		t.Fatal(err)
	}
	infoFile := strings.TrimSuffix(d.file, d.form+".json") + "info.json"
	listed, err := os.ReadFile(infoFile)
	if err != nil {
		found := traceIDAttr.FindSubmatch(doc)
		if found == nil {
			t.Fatal(d.file, "names no trace ID")
		}
		return Input{Info: info(string(found[1])), Spans: doc}
	}
	var answer struct {
		Trace struct {
			TraceInfo json.RawMessage `json:"trace_info"`
			Spans     json.RawMessage `json:"spans"`
		} `json:"trace"`
	}
	decode := func(b []byte) {
		if err := json.Unmarshal(b, &answer); err != nil {
			t.Fatal(err)
		}
	}
	if d.form == "get" {
		decode(doc)
		doc = answer.Trace.Spans
	}
	decode(listed)
	ti, err := mlflow.DecodeTraceInfo(answer.Trace.TraceInfo)
	if err != nil {
		t.Fatal(err)
	}
	steady(ti)
	return Input{Info: ti, Spans: doc}
}

// steady takes out of a listing what differs between two recordings: what servers and clients stamp.
func steady(ti *mlflow.TraceInfo) {
	delete(ti.Tags, "mlflow.source.name")
	maps.DeleteFunc(ti.Metadata, func(k, _ string) bool {
		return strings.HasPrefix(k, "mlflow.source.") || strings.HasPrefix(k, "mlflow.trace.size") || k == "mlflow.user"
	})
	ids := map[string]string{}
	for i := range ti.Assessments {
		ids[ti.Assessments[i].ID] = fmt.Sprintf("a-%d", i)
	}
	for i := range ti.Assessments {
		a := &ti.Assessments[i]
		a.ID, a.CreateTime, a.LastUpdateTime = ids[a.ID], requestTime, requestTime.Add(time.Second)
		if a.Overrides != nil {
			a.Overrides = new(ids[*a.Overrides])
		}
		if f := a.Feedback; f != nil && f.Error != nil && f.Error.StackTrace != nil {
			f.Error.StackTrace = new("a stack trace")
		}
	}
}

// TestGoldens converts what real MLflow versions wrote. All forms of a trace give the same rows, so there
// is one golden file a trace.
func TestGoldens(t *testing.T) {
	for name, docs := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", "golden", name+".json")
			if *update {
				if err := os.WriteFile(golden, render(t, convert(t, docs[0].input(t))), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range docs {
				if diff := cmp.Diff(string(want), string(render(t, convert(t, d.input(t))))); diff != "" {
					t.Errorf("%s: rows differ (-want +got):\n%s", d.form, diff)
				}
			}
		})
	}
}
