//go:build rig

package rig

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/ml"
)

// ask sends one request on a connection of its own; an error is the connection's.
func ask(t *testing.T, method, url, token, body string, headers ...string) (int, string, http.Header, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), resp.Header, err
}

func TestFrontGuardsSpansBySignedURLs(t *testing.T) {
	m := SharedServer(t)
	corpus := m.FillCases(t, "/Shared/front", "state_error,otlp_gen_ai,in_run,no_spans,deep_nesting_1500")
	f := StartFront(t, FrontOptions{MLflow: m.URI, Forms: []string{"v2"}})
	id := corpus.Cases["state_error"][0]
	get := f.URL + "/api/2.0/mlflow/traces/" + id + "/credentials-for-data-download"

	if status, _, header, _ := ask(t, "GET", get, "", ""); status != 401 || header.Get("WWW-Authenticate") == "" {
		t.Errorf("without a token: %d and WWW-Authenticate %q, want 401 and some", status, header.Get("WWW-Authenticate"))
	}
	if status, _, _, _ := ask(t, "GET", get, "wrong", ""); status != 403 {
		t.Errorf("with a wrong token: %d, want 403", status)
	}
	signed := func(id string) string {
		status, body, _, err := ask(t, "GET", f.URL+"/api/2.0/mlflow/traces/"+id+"/credentials-for-data-download", f.Token, "")
		var answer struct {
			Info struct {
				URI string `json:"signed_uri"`
			} `json:"credential_info"`
		}
		if err != nil || status != 200 || json.Unmarshal([]byte(body), &answer) != nil {
			t.Fatalf("credentials: %d, error %v, %s, want 200 and JSON", status, err, body)
		}
		return answer.Info.URI
	}
	uri := signed(id)
	status, body, _, _ := ask(t, "GET", uri, "", "", "x-rig-signed", "1")
	if status != 200 || !strings.Contains(body, `"status_code": "ERROR"`) || !strings.Contains(body, `"context"`) {
		t.Errorf("signed URL: %d %.300s, want 200 with status_code ERROR and a context", status, body)
	}
	if status, _, _, _ := ask(t, "GET", uri, f.Token, "", "x-rig-signed", "1"); status != 400 {
		t.Errorf("signed URL with the token: %d, want 400", status)
	}
	if status, _, _, _ := ask(t, "GET", uri, "", ""); status != 403 {
		t.Errorf("signed URL without its header: %d, want 403", status)
	}
	status, body, _, _ = ask(t, "GET", signed(corpus.Cases["no_spans"][0]), "", "", "x-rig-signed", "1")
	if status != 404 || !strings.Contains(body, "NoSuchKey") {
		t.Errorf("lost spans: %d %s, want 404 NoSuchKey", status, body)
	}
	if status, _, _, _ := ask(t, "GET", signed(corpus.Cases["deep_nesting_1500"][0]), "", "", "x-rig-signed", "1"); status != 200 {
		t.Errorf("deep nesting: %d, want 200", status)
	}
	f.ExpireSigned(t)
	if status, _, _, _ := ask(t, "GET", uri, "", "", "x-rig-signed", "1"); status != 403 {
		t.Errorf("expired URL: %d, want 403", status)
	}
	if stats := f.Stats(t); stats.SignedWithToken != 1 || stats.Downloads != 6 || len(stats.Writes) > 0 {
		t.Errorf("stats %+v, want 1 download with a token, 6 downloads and no writes", stats)
	}

	search := `{"locations":[{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"` + corpus.ExperimentID + `"}}],` +
		`"max_results":100}`
	_, body, _, _ = ask(t, "POST", f.URL+"/api/3.0/mlflow/traces/search", f.Token, search)
	n := strings.Count(body, `"trace_id"`)
	if strings.Contains(body, "TRACKING_STORE") || !strings.Contains(body, `dbfs:/databricks`) || n < corpus.Listed {
		t.Errorf("search found %d traces, want %d, all in dbfs:/databricks: %.300s", n, corpus.Listed, body)
	}
	_, body, _, _ = ask(t, "POST", f.URL+"/api/4.0/mlflow/traces/search-long-running", f.Token, search)
	var operation struct {
		Name     string
		Done     bool
		Response struct {
			Infos []json.RawMessage `json:"trace_infos"`
		}
	}
	for i := 0; i < 3 && !operation.Done; i++ {
		if err := json.Unmarshal([]byte(body), &operation); err != nil {
			t.Fatal(err)
		}
		_, body, _, _ = ask(t, "GET", f.URL+"/api/4.0/mlflow/traces/search/operations/"+operation.Name, f.Token, "")
	}
	if len(operation.Response.Infos) != corpus.Listed {
		t.Errorf("V4 search found %d traces, want %d", len(operation.Response.Infos), corpus.Listed)
	}
	status, body, _, _ = ask(t, "GET", f.URL+"/api/3.0/mlflow/traces/batchGet?trace_ids="+id, f.Token, "")
	if status != 404 || !strings.Contains(body, "ENDPOINT_NOT_FOUND") {
		t.Errorf("batchGet: %d %s, want 404 ENDPOINT_NOT_FOUND", status, body)
	}
}

func TestFrontServesTheSDK(t *testing.T) {
	m := SharedServer(t)
	corpus := m.FillCases(t, "/Shared/sdk", "in_run")
	f := StartFront(t, FrontOptions{MLflow: m.URI, WarehouseState: "STOPPED", Targets: []Target{
		{ExperimentID: "900", Name: "/Shared/target", Catalog: "spark_catalog", Schema: "default", Prefix: "p", Typed: true},
	}})
	for name, config := range map[string]*databricks.Config{
		"token": {Host: f.URL, Token: f.Token, AuthType: "pat"},
		"OAuth": {Host: f.URL, ClientID: f.ClientID, ClientSecret: f.ClientSecret, AuthType: "oauth-m2m"},
	} {
		w, err := databricks.NewWorkspaceClient(config)
		if err != nil {
			t.Fatal(err)
		}
		me, err := w.CurrentUser.Me(t.Context(), iam.MeRequest{})
		if err != nil || me.UserName != "ann@example.com" {
			t.Fatalf("%s: %v, error %v, want ann@example.com", name, me, err)
		}
		target, err := w.Experiments.GetByName(t.Context(), ml.GetByNameRequest{ExperimentName: "/Shared/target"})
		if err != nil || target.Experiment.TraceLocation == nil || target.Experiment.TraceLocation.UcTraceLocation.EffectiveTablePrefix != "p" {
			t.Errorf("%s: target %+v, error %v, want one with the prefix p", name, target, err)
		}
		source, err := w.Experiments.GetExperiment(t.Context(), ml.GetExperimentRequest{ExperimentId: corpus.ExperimentID})
		if err != nil || source.Experiment.Name != "/Shared/sdk" {
			t.Errorf("%s: source %+v, error %v, want /Shared/sdk", name, source, err)
		}
	}
	var states []string
	ask(t, "POST", f.URL+"/api/2.0/sql/warehouses/rig/start", f.Token, "{}")
	for range 4 {
		_, body, _, _ := ask(t, "GET", f.URL+"/api/2.0/sql/warehouses/rig", f.Token, "")
		var answer struct{ State string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		states = append(states, answer.State)
	}
	if want := []string{"STARTING", "STARTING", "RUNNING", "RUNNING"}; !slices.Equal(states, want) {
		t.Errorf("states after the start: %v, want %v", states, want)
	}
}

func TestFrontFaults(t *testing.T) {
	m := SharedServer(t)
	f := StartFront(t, FrontOptions{MLflow: m.URI, Plain: true})
	url := f.URL + "/api/2.0/mlflow/experiments/get?experiment_id=0"
	if status, body, _, err := ask(t, "GET", url, "", ""); status != 200 || !strings.Contains(body, "Default") {
		t.Fatalf("passed on: %d %s, error %v, want 200 and the experiment Default", status, body, err)
	}
	f.Fault(t, FrontFault{Match: "^GET .*experiments/get", Nth: 2, Times: 2, Kind: "status429", RetryAfter: 3})
	want := []int{200, 429, 429, 200}
	for i := range want {
		status, _, header, _ := ask(t, "GET", url, "", "")
		if status != want[i] || (status == 429 && header.Get("Retry-After") != "3") {
			t.Errorf("request %d: %d, Retry-After %q, want %d, with 3 for 429", i, status, header.Get("Retry-After"), want[i])
		}
	}
	f.Fault(t, FrontFault{Kind: FrontReset})
	if _, _, _, err := ask(t, "GET", url, "", ""); err == nil {
		t.Error("the connection was not reset")
	}
	f.Fault(t, FrontFault{Kind: FrontTruncate})
	if _, _, _, err := ask(t, "GET", url, "", ""); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("truncated: error %v, want %v", err, io.ErrUnexpectedEOF)
	}
	f.Fault(t, FrontFault{Kind: FrontCutAfterEffect})
	experiments := f.URL + "/api/2.0/mlflow/experiments/"
	if _, _, _, err := ask(t, "POST", experiments+"create", "", `{"name":"made"}`, "Content-Type", "application/json"); err == nil {
		t.Error("the answer was not cut")
	}
	if status, _, _, _ := ask(t, "GET", experiments+"get-by-name?experiment_name=made", "", ""); status != 200 {
		t.Errorf("the request whose answer was cut had no effect: %d, want 200", status)
	}
	if stats := f.Stats(t); stats.Faults != 5 || len(stats.Writes) != 1 || stats.Statuses["429"] != 2 {
		t.Errorf("stats %+v, want 5 faults, 1 write and 2 answers 429", stats)
	}
}
