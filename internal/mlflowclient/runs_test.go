package mlflowclient

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestListExperiments(t *testing.T) {
	pages := map[string]string{
		`{"view_type":"ALL","max_results":1000}`: `{"experiments":[{"experiment_id":"1","name":"a","tags":[]},` +
			`{"experiment_id":"2","lifecycle_stage":"deleted"}],"next_page_token":"x"}`,
		`{"view_type":"ALL","max_results":1000,"page_token":"x"}`: `{"next_page_token":"y"}`,
		`{"view_type":"ALL","max_results":1000,"page_token":"y"}`: `{"experiments":[{"experiment_id":"3"}]}`,
	}
	c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if page, ok := pages[string(b)]; ok && r.Method == http.MethodPost && r.URL.Path == "/api/2.0/mlflow/experiments/search" {
			io.WriteString(w, page)
		} else {
			http.Error(w, string(b), http.StatusBadRequest)
		}
	})
	var ids []string
	add := func(id string) error { ids = append(ids, id); return nil }
	if err := c.ListExperiments(t.Context(), add); err != nil || !slices.Equal(ids, []string{"1", "2", "3"}) {
		t.Errorf("%v, error %v, want 1, 2 and 3", ids, err)
	}
	stop := errors.New("stop")
	if err := c.ListExperiments(t.Context(), func(string) error { return stop }); err != stop {
		t.Errorf("error %v, want %v", err, stop)
	}
	pages[`{"view_type":"ALL","max_results":1000,"page_token":"y"}`] = `{"next_page_token":"x"}`
	if err := c.ListExperiments(t.Context(), add); err == nil || !strings.Contains(err.Error(), "repeats its page tokens") {
		t.Errorf("error %v of a server that repeats its pages for ever, want one that says so", err)
	}
}

func TestListRunsAndTheirTraces(t *testing.T) {
	c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body := string(b)
		switch {
		case r.URL.Path == "/api/2.0/mlflow/runs/search" && !strings.Contains(body, `"max_results":100,`):
			http.Error(w, `{"error_code":"INVALID_PARAMETER_VALUE","message":"Invalid value 1000 for parameter 'max_results'"}`,
				http.StatusBadRequest)
		case r.URL.Path == "/api/2.0/mlflow/runs/search" && !strings.Contains(body, "page_token"):
			io.WriteString(w, `{"runs":[{"info":{"run_id":"r1","status":"FINISHED"},"data":{}},{"info":{"run_id":"r2"}}],"next_page_token":"x"}`)
		case r.URL.Path == "/api/2.0/mlflow/runs/search":
			io.WriteString(w, `{"runs":[{"info":{"run_id":"r3"}}]}`)
		case strings.Contains(body, `"filter":"attributes.run_id = 'r2' AND attributes.timestamp_ms >= 3"`):
			io.WriteString(w, listing([]row{{5, "tr-a"}}, ""))
		default:
			http.Error(w, body, http.StatusBadRequest)
		}
	})
	var runs, traces []string
	if err := c.ListRuns(t.Context(), "7", func(id string) error { runs = append(runs, id); return nil }); err != nil {
		t.Fatal(err)
	}
	add := func(id string) error { traces = append(traces, id); return nil }
	if err := c.ListRunTraces(t.Context(), "7", "r2", Window{StartMs: new(int64(3))}, add); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(runs, []string{"r1", "r2", "r3"}) || !slices.Equal(traces, []string{"tr-a"}) {
		t.Errorf("runs %v, traces %v, want r1, r2, r3 and tr-a", runs, traces)
	}
	if err := c.ListRunTraces(t.Context(), "7", "x' OR '1", Window{}, nil); err == nil {
		t.Error("a run ID with a quote was put into a filter")
	}
}

func TestListExperimentsNamed(t *testing.T) {
	for name, tt := range map[string]struct{ prefix, filter string }{
		"a folder":          {"/Shared/agents/", `"filter":"name LIKE '/Shared/agents/%'",`},
		"no prefix":         {"", ""},
		"a quote":           {`it's`, `"filter":"name LIKE 'it%'",`},
		"a backslash first": {`\x`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			pages := map[string]string{
				`{"view_type":"ACTIVE_ONLY",` + tt.filter + `"order_by":["name ASC"],"max_results":1000}`: `{"experiments":[` +
					`{"experiment_id":"1","name":"/Shared/agents/a","tags":[{"key":"k","value":"v"}]},{"name":"without an ID"}],"next_page_token":"x"}`,
				`{"view_type":"ACTIVE_ONLY",` + tt.filter + `"order_by":["name ASC"],"max_results":1000,"page_token":"x"}`: `{"experiments":[` +
					`{"experiment_id":"2","name":"/Shared/agents/b"}]}`,
			}
			c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				if page, ok := pages[string(b)]; ok && r.Method == http.MethodPost && r.URL.Path == experimentsPath {
					io.WriteString(w, page)
				} else {
					http.Error(w, string(b), http.StatusBadRequest)
				}
			})
			var names []string
			add := func(e Experiment) error { names = append(names, e.ID+e.Name+e.Tags["k"]); return nil }
			want := []string{"1/Shared/agents/av", "2/Shared/agents/b"}
			if err := c.ListExperimentsNamed(t.Context(), tt.prefix, add); err != nil || !slices.Equal(names, want) {
				t.Errorf("%q, error %v, want %q", names, err, want)
			}
		})
	}
}
