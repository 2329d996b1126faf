package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/checkpoint"
)

// TestLinks lists a migration from one workspace into a location, to which experiments of the target's workspace are bound.
func TestLinks(t *testing.T) {
	const bound = `{"experiment_id":"%","name":"/Shared/%","tags":[` +
		`{"key":"mlflow.experiment.databricksTraceDestinationPath","value":"main.agents.prod"}]}`
	const other = `{"experiment_id":"5","name":"/x"}`
	of := func(id string) string { return strings.ReplaceAll(bound, "%", id) }
	var listed string
	ws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/experiments/search") && listed == "":
			http.Error(w, `{"error_code":"PERMISSION_DENIED","message":"no"}`, http.StatusForbidden)
		case strings.HasSuffix(r.URL.Path, "/experiments/search"):
			io.WriteString(w, `{"experiments":[`+listed+`]}`)
		case strings.HasSuffix(r.URL.Path, "/experiments/get"):
			io.WriteString(w, `{"experiment":`+of("77")+`}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer ws.Close()
	t.Setenv("DATABRICKS_HOST", ws.URL)
	t.Setenv("DATABRICKS_TOKEN", "s3cret-token")
	t.Setenv("DATABRICKS_CONFIG_FILE", "/dev/null")

	pair := checkpoint.Pair{Source: ws.URL + "#12", Target: "main.agents.prod"}
	store, err := checkpoint.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"), pair)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.SetSourceName(t.Context(), "/Shared/a,b"); err != nil {
		t.Fatal(err)
	}
	rec := checkpoint.Record{
		TraceID: "tr-0a", TargetTraceID: "0a", RequestTimeMs: 1767225600123, State: checkpoint.Migrated, RunID: "r", Spans: 1, Digest: "d",
	}
	if err := store.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	const head = "trace_id,new_id,target,request_time,experiment,old_url,new_url\n" +
		`tr-0a,trace:/main.agents.prod/0a,main.agents.prod,2026-01-01T00:00:00.123Z,"/Shared/a,b",`
	old := ws.URL + "/ml/experiments/12/traces?selectedEvaluationId=tr-0a,"
	atTarget := func(id string) string {
		return ws.URL + "/ml/experiments/" + id + "/traces?selectedEvaluationId=trace%3A%2Fmain.agents.prod%2F0a"
	}
	for name, c := range map[string]struct {
		source, target, listed string
		want, said             string
	}{
		"the target is an experiment": {"12", "77", "", head + old + atTarget("77"), ""},
		"an experiment is bound":      {"12", "main.agents.prod", other + "," + of("6"), head + old + atTarget("6"), ""},
		"none is":                     {"12", "main.agents.prod", other, head + old, "no experiment that this identity may see"},
		"two are": {
			"12", "main.agents.prod", of("6") + "," + of("7"), head + old, "2 experiments are bound to main.agents.prod",
		},
		"the workspace does not list them": {"12", "main.agents.prod", "", head + old, "find the experiment that is bound"},
		"of a checkpoint alone":            {"", "", "", head + strings.Replace(old, "/ml/", "/#/", 1), "no workspace is asked"},
	} {
		listed = c.listed
		var out, said bytes.Buffer
		a := &app{stdout: newResults(&out), getenv: func(string) string { return "" }, ctx: t.Context(), stop: t.Context()}
		o := &statusOptions{pairOptions: pairOptions{source: c.source, target: c.target}, idMap: true, links: true, output: "csv"}
		conn := o.connector(a, slog.New(slog.NewTextHandler(&said, nil)))
		if err := a.mapIDs(o, conn, store); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(c.want+"\n", out.String()); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
		if !strings.Contains(said.String(), c.said) || c.said == "" && said.Len() > 0 {
			t.Errorf("%s: it says %q, want %q", name, said.String(), c.said)
		}
		if strings.Contains(out.String()+said.String(), "s3cret") {
			t.Errorf("%s: the token is printed", name)
		}
	}
}
