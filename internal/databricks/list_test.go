package databricks

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestListings(t *testing.T) {
	w := newTestWorkspace(t, map[string]http.HandlerFunc{
		"GET /api/2.1/unity-catalog/catalogs": func(w http.ResponseWriter, r *http.Request) {
			body := `{"catalogs":[{"name":"samples"}],"next_page_token":"2"}`
			if r.URL.Query().Get("page_token") == "2" {
				body = `{"catalogs":[{"name":"main"}]}`
			}
			answer(200, body)(w, r)
		},
		"GET /api/2.1/unity-catalog/schemas": func(w http.ResponseWriter, r *http.Request) {
			answer(200, `{"schemas":[{"name":"`+r.URL.Query().Get("catalog_name")+`s"}]}`)(w, r)
		},
		"GET /api/2.1/unity-catalog/table-summaries": func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			if q.Get("catalog_name") != "main" || q.Get("schema_name_pattern") != "a_b" || q.Get("table_name_pattern") != "%_otel_spans" {
				t.Errorf("asked for tables with %v", q)
			}
			answer(200, `{"tables":[{"full_name":"main.a_b.support_otel_spans"},{"full_name":"main.aXb.other_otel_spans"},
				{"full_name":"main.a_b.mlflow_experiment_trace_otel_spans"},{"full_name":"main.a_b.agent_otel_spans"}]}`)(w, r)
		},
		"GET /api/2.0/sql/warehouses": answer(200, `{"warehouses":[{"id":"12ab","name":"Small one","state":"STOPPED"}]}`),
	})
	check := func(what string, got []string, err error, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", what, err, diff)
		}
	}
	got, err := w.Catalogs(t.Context())
	check("catalogs", got, err, "main", "samples")
	got, err = w.Schemas(t.Context(), "agent")
	check("schemas", got, err, "agents")
	got, err = w.Prefixes(t.Context(), "main", "a_b")
	check("prefixes", got, err, "agent", "support")
	warehouses, err := w.Warehouses(t.Context())
	if diff := cmp.Diff([]ListedWarehouse{{"12ab", "Small one", "STOPPED"}}, warehouses); diff != "" || err != nil {
		t.Errorf("warehouses: error %v (-want +got):\n%s", err, diff)
	}
}

func TestProfiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cfg")
	getenv := func(string) string { return path }
	if got := Profiles(getenv); got != nil {
		t.Errorf("profiles without a file: %v, want none", got)
	}
	for text, want := range map[string][]Profile{
		"[prod]\nhost = https://prod.example\ntoken = secret\n[__settings__]\ndefault_profile = prod\n": {
			{"prod", "https://prod.example"},
		},
		"host = https://d.example\n[b]\nauth_type = pat\n": {
			{"DEFAULT", "https://d.example"}, {"b", ""},
		},
		"[broken\nhost": nil,
		"":              nil,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, Profiles(getenv)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
