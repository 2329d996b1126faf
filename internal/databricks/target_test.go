package databricks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/config"
	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/uctables"
)

func configFor(host string) *config.Config {
	return &config.Config{Host: host, Token: "t", AuthType: "pat", RateLimitPerSecond: 1000, Loaders: []config.Loader{hostCheck{}}}
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// experiments answers experiments/get and experiments/get-by-name. The form is MLflow's proto Experiment, with the trace_location
// and the tags that a workspace adds.
func experiments(byID, byName map[string]string) map[string]http.HandlerFunc {
	find := func(in map[string]string, param string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			e, ok := in[r.URL.Query().Get(param)]
			switch {
			case !ok:
				answer(404, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No experiment"}`)(w, r)
			case e == "forbidden":
				answer(403, `{"error_code":"PERMISSION_DENIED","message":"ann may not read it"}`)(w, r)
			default:
				answer(200, `{"experiment":`+e+`}`)(w, r)
			}
		}
	}
	return map[string]http.HandlerFunc{
		"GET /api/2.0/mlflow/experiments/get":         find(byID, "experiment_id"),
		"GET /api/2.0/mlflow/experiments/get-by-name": find(byName, "experiment_name"),
	}
}

func tagged(id string, tags ...string) string {
	type tag struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	var list []tag
	for i := 0; i < len(tags); i += 2 {
		list = append(list, tag{tags[i], tags[i+1]})
	}
	b, err := json.Marshal(map[string]any{"experiment_id": id, "name": "/x", "tags": list})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestResolveTarget(t *testing.T) {
	loc := uctables.Location{Catalog: "main", Schema: "agents", Prefix: "prod"}
	host := workspace(t, experiments(map[string]string{
		"1": `{"experiment_id":"1",
			"trace_location":{"uc_trace_location":{"catalog":"main","schema":"agents","effective_table_prefix":"prod"}},
			"tags":[{"key":"mlflow.monitoring.sqlWarehouseId","value":"wh"}]}`,
		"2": `{"experiment_id":"2","trace_location":{"uc_trace_location":{"catalog":"main","schema":"agents","table_prefix":"prod"}}}`,
		"3": tagged("3", tagDestination, "main.agents.prod", tagSpansTable, "main.agents.prod_otel_spans", tagWarehouse, "wh"),
		"4": tagged("4"),
		"5": tagged("5", tagDestination, "main.agents", tagSpansTable, "main.agents.mlflow_experiment_trace_otel_spans"),
		"6": tagged("6", tagDestination, "main.agents"),
		"7": "forbidden",
		"9": `{"experiment_id":"9",
			"trace_location":{"uc_trace_location":{"catalog":"main","schema":"agents","effective_table_prefix":"p;DROP"}}}`,
	}, map[string]string{"/Shared/a.b.c": tagged("8", tagDestination, "main.agents.prod")}))
	for ref, c := range map[string]struct {
		want Target
		is   error
		text string
	}{
		"main.agents.prod":  {want: Target{Location: loc}},
		"1":                 {want: Target{loc, "1", "wh"}},
		"2":                 {want: Target{loc, "2", ""}},
		"3":                 {want: Target{loc, "3", "wh"}},
		"/Shared/a.b.c":     {want: Target{loc, "8", ""}},
		"4":                 {is: ErrNotBound, text: "Create a new experiment"},
		"5":                 {is: ErrBeta, text: "v1"},
		"6":                 {is: ErrBeta, text: "main.agents"},
		"7":                 {text: "CAN READ"},
		"9":                 {text: "ASCII letters"},
		"99":                {is: ErrNoExperiment, text: host},
		"/Shared/nope":      {is: ErrNoExperiment, text: "/Shared/nope"},
		"name":              {is: ErrNoExperiment},
		"main.agents.prod_": {text: "underscore"},
		"main.agents":       {text: "2 parts"},
	} {
		got, err := ResolveTarget(t.Context(), configFor(host), ref)
		if c.is == nil && c.text == "" {
			if err != nil {
				t.Errorf("%s: %v", ref, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", ref, diff)
			}
			continue
		}
		if err == nil || (c.is != nil && !errors.Is(err, c.is)) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: error %v, want %v with %q", ref, err, c.is, c.text)
		}
	}
}

func TestWarehouseID(t *testing.T) {
	env := map[string]string{"MLFLOW_TRACING_SQL_WAREHOUSE_ID": "mlflow", "DATABRICKS_WAREHOUSE_ID": "databricks"}
	getenv := func(k string) string { return env[k] }
	check := func(flag, tag, want string) {
		t.Helper()
		if got, err := WarehouseID(flag, getenv, tag); err != nil || got != want {
			t.Errorf("%s, error %v; want %s", got, err, want)
		}
	}
	check("flag", "tag", "flag")
	check("", "tag", "mlflow")
	delete(env, "MLFLOW_TRACING_SQL_WAREHOUSE_ID")
	check("", "tag", "databricks")
	delete(env, "DATABRICKS_WAREHOUSE_ID")
	check("", "tag", "tag")
	if _, err := WarehouseID("", getenv, ""); !errors.Is(err, ErrNoWarehouse) {
		t.Errorf("error %v, want %v", err, ErrNoWarehouse)
	}
}

func TestEnsureRunning(t *testing.T) {
	// The states that one request after the other gets. A start leads on from STOPPED.
	for name, c := range map[string]struct {
		states []string
		starts int
		want   []string
		err    string
	}{
		"running": {states: []string{"RUNNING"}},
		"stopped": {states: []string{"STOPPED", "STARTING", "STARTING", "RUNNING"}, starts: 1,
			want: []string{"STOPPED", "STARTING", "RUNNING"}},
		"stopping": {states: []string{"STOPPING", "STOPPED", "STARTING", "RUNNING"}, starts: 1,
			want: []string{"STOPPING", "STOPPED", "STARTING", "RUNNING"}},
		"deleted": {states: []string{"DELETED"}, want: []string{"DELETED"}, err: "--warehouse-id"},
		"missing": {err: "no SQL warehouse w1"},
	} {
		t.Run(name, func(t *testing.T) {
			gets, starts := 0, 0
			host := workspace(t, map[string]http.HandlerFunc{
				"GET /api/2.0/sql/warehouses/w1": func(w http.ResponseWriter, r *http.Request) {
					if gets >= len(c.states) {
						answer(404, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"gone"}`)(w, r)
						return
					}
					gets++
					answer(200, fmt.Sprintf(`{"id":"w1","state":%q}`, c.states[gets-1]))(w, r)
				},
				"POST /api/2.0/sql/warehouses/w1/start": func(w http.ResponseWriter, r *http.Request) {
					starts++
					answer(200, `{}`)(w, r)
				},
			})
			var states []string
			err := ensureRunning(t.Context(), configFor(host), "w1", func(s string) { states = append(states, s) }, time.Millisecond)
			if (c.err == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if diff := cmp.Diff(c.want, states); diff != "" || starts != c.starts {
				t.Errorf("%d starts, want %d; states (-want +got):\n%s", starts, c.starts, diff)
			}
		})
	}
	host := workspace(t, map[string]http.HandlerFunc{
		"GET /api/2.0/sql/warehouses/w1": answer(200, `{"id":"w1","state":"STARTING"}`),
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	err := ensureRunning(ctx, configFor(host), "w1", func(string) { cancel(why) }, time.Hour)
	if !errors.Is(err, why) {
		t.Errorf("error %v, want %v", err, why)
	}
}
