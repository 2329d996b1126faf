package rig

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// FrontOptions says what is behind a front and how the front answers. With MLflow set and all else zero, it is a
// workspace that supports the V4 search and has no warehouse.
type FrontOptions struct {
	MLflow string `json:"-"` // URI of the MLflow server behind it

	// Plain has the front only pass requests on, but for its faults, as a plain MLflow server would answer them. It asks for
	// Token, or User and Password, where they are set.
	Plain    bool   `json:"plain,omitempty"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`

	Token string `json:"token"` // bearer token; "" for rig-token on a workspace, for none on Plain

	V4      string `json:"v4,omitempty"`       // V4Supported, V4EndpointNotFound or V4NotYet; "" for V4Supported
	V4Polls *int   `json:"v4_polls,omitempty"` // polls answered "not done" before the result, nil for 1
	// Forms are the forms of spans in traces.json, of v2, v30, v3 and v350. A trace's ID decides which one it has. With nil
	// spans are as MLflow has them.
	Forms []string `json:"forms,omitempty"`
	Lost  []string `json:"lost,omitempty"` // traces whose traces.json is not there (404)

	SignedSeconds int      `json:"signed_seconds,omitempty"` // how long a signed URL lives, 0 for 900
	Storage       string   `json:"storage,omitempty"`        // StorageFirewall or StorageUnreachable; "" for one that serves
	TokenSeconds  int      `json:"token_seconds,omitempty"`  // how long an OAuth token is let in, 0 for 3600
	TokenTold     int      `json:"token_told,omitempty"`     // how long the token's answer says that is, 0 for the same
	Targets       []Target `json:"targets,omitempty"`        // experiments bound to a UC location

	Warehouse      string `json:"warehouse,omitempty"`        // URL of the warehouse behind it, Warehouse.URL()
	WarehouseToken string `json:"warehouse_token,omitempty"`  // its token, "" for rig-token
	WarehouseID    string `json:"warehouse_id,omitempty"`     // ID on the front, "" for rig
	WarehouseState string `json:"warehouse_state,omitempty"`  // RUNNING or STOPPED at first, "" for RUNNING
	WarehousePolls *int   `json:"warehouse_polls,omitempty"`  // GETs answered STARTING after a start, nil for 2
	NoWarehouseUse bool   `json:"no_warehouse_use,omitempty"` // the user may see the warehouse, but not use it

	// What the user lacks in Unity Catalog, by full names of catalogs, schemas and tables. The stand-in
	// for the warehouse does not look at these, so statements work all the same.
	MissingGrants []string `json:"missing_grants,omitempty"`  // where effective-permissions lists nothing
	AllPrivileges []string `json:"all_privileges,omitempty"`  // where it lists ALL PRIVILEGES alone
	OwnGrantsOnly bool     `json:"own_grants_only,omitempty"` // it may ask only for its own grants, not its groups'

	// More requests a second are answered with 429 and Retry-After: 1; 0 for no quota.
	QuotaSearch   int `json:"quota_search,omitempty"`
	QuotaDownload int `json:"quota_download,omitempty"`
	QuotaOther    int `json:"quota_other,omitempty"`
}

// Values of FrontOptions.Storage.
const (
	StorageFirewall    = "firewall"    // 403 AuthorizationFailure to every download
	StorageUnreachable = "unreachable" // signed addresses at which nothing listens
)

// Values of FrontOptions.V4.
const (
	V4Supported        = "supported"
	V4EndpointNotFound = "endpoint_not_found" // 404 ENDPOINT_NOT_FOUND
	V4NotYet           = "not_yet"            // 400 INVALID_PARAMETER_VALUE "… locations not yet supported"
)

// Target is an experiment bound to a UC trace location.
type Target struct {
	ExperimentID string `json:"experiment_id"`
	Name         string `json:"name"` // /Shared/target
	Catalog      string `json:"catalog"`
	Schema       string `json:"schema"`
	Prefix       string `json:"prefix"`
	Typed        bool   `json:"typed"`        // the answer has trace_location
	Tagged       bool   `json:"tagged"`       // the answer has the mlflow.experiment.databricksTrace… tags
	WarehouseID  string `json:"warehouse_id"` // tag mlflow.monitoring.sqlWarehouseId, "" for none
}

// Front is a running Databricks-flavoured front (testdata/rig/front.py).
type Front struct {
	URL   string
	Token string // bearer token it lets in
	// ClientID and ClientSecret get an OAuth token (machine to machine).
	ClientID, ClientSecret string

	process *Process
	client  *http.Client
}

// StartFront starts a front of the test's own.
func StartFront(t testing.TB, opts FrontOptions) *Front {
	t.Helper()
	if opts.Token == "" && !opts.Plain {
		opts.Token = "rig-token"
	}
	if opts.WarehouseToken == "" && opts.Warehouse != "" {
		opts.WarehouseToken = tokenFor(opts.Warehouse)
	}
	options, err := json.Marshal(opts)
	if err != nil {
		t.Fatal(err)
	}
	p := Start(t, "front", Command(t, "venv", "front.py", "--mlflow", opts.MLflow, "--options", string(options)))
	return &Front{URL: p.URL, Token: opts.Token, ClientID: "rig-client", ClientSecret: "rig-secret", process: p, client: &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
	}}
}

// Kinds of a FrontFault. Further kinds are "status" and a number, such as status429, which answers with that status and does
// not pass the request on.
const (
	FrontReset          = "reset"            // the connection is reset, nothing passed on
	FrontCutAfterEffect = "cut_after_effect" // passed on, then reset without an answer
	FrontTruncate       = "truncate"         // passed on, half of the answer's body, then closed
)

// FrontFault is a failure of requests to come.
type FrontFault struct {
	Match      string `json:"match"`                 // regular expression (Python's) in "METHOD /path?query", "" for all
	Nth        int    `json:"nth,omitempty"`         // the first matching request that fails, 0 for 1
	Times      int    `json:"times,omitempty"`       // how many matching requests fail, one after another, 0 for 1
	Kind       string `json:"kind"`                  // one of the kinds above
	RetryAfter int    `json:"retry_after,omitempty"` // seconds in Retry-After of a status fault, 0 for no such header
}

// Fault has the requests that match it fail.
func (f *Front) Fault(t testing.TB, fault FrontFault) {
	t.Helper()
	f.control(t, http.MethodPost, "/_fault", fault, nil)
}

// FrontStats counts requests since the start.
type FrontStats struct {
	Requests        map[string]int `json:"requests"` // by method and path, IDs as {id}, downloads as "GET /__storage/…"
	Statuses        map[string]int `json:"statuses"` // answers by HTTP status
	Faults          int            `json:"faults"`   // faults that fired
	Throttled       int            `json:"throttled"`
	Authorizations  int            `json:"authorizations"`    // requests with an Authorization header
	Downloads       int            `json:"downloads"`         // requests to signed URLs
	SignedWithToken int            `json:"signed_with_token"` // those that carried an Authorization header
	MostInFlight    int            `json:"most_in_flight"`    // most requests at once
	Writes          []string       `json:"writes"`            // requests to MLflow that would change the source
	Grants          [][]string     `json:"grants"`            // grants that were made: full name, principal, privileges
}

// Stats returns the counts.
func (f *Front) Stats(t testing.TB) FrontStats {
	t.Helper()
	var stats FrontStats
	f.control(t, http.MethodGet, "/_stats", nil, &stats)
	return stats
}

// ExpireSigned has every signed URL given out so far answered with 403.
func (f *Front) ExpireSigned(t testing.TB) {
	t.Helper()
	f.control(t, http.MethodPost, "/_expire_signed", struct{}{}, nil)
}

// SetLost has the traces with these IDs, and no others, lose their traces.json.
func (f *Front) SetLost(t testing.TB, traceIDs ...string) {
	t.Helper()
	f.Set(t, map[string]any{"lost": append([]string{}, traceIDs...)})
}

// Set changes options while the front runs. Their names are those in JSON.
func (f *Front) Set(t testing.TB, options map[string]any) {
	t.Helper()
	f.control(t, http.MethodPost, "/_options", options, nil)
}

// A TagEdit sets a tag of a trace at a UC location, or deletes it.
type TagEdit struct {
	TraceID string // 32 hex digits
	Key     string
	Value   string
	Delete  bool
}

// ReadLocation reads all traces of a UC location (catalog.schema.prefix) with MLflow's own client,
// through this front. A trace comes as often as it has root spans. With edits the client makes these first, and reads only
// the traces that they are about.
func (f *Front) ReadLocation(t testing.TB, location string, edits ...TagEdit) []ExpectedTrace {
	t.Helper()
	path := filepath.Join(t.TempDir(), "location.jsonl")
	args := []string{"--location", location, "--dump", path}
	for _, e := range edits {
		if e.Delete {
			args = append(args, "--delete-tag", e.TraceID, e.Key)
		} else {
			args = append(args, "--set-tag", e.TraceID, e.Key, e.Value)
		}
	}
	cmd := Command(t, "venv", "location_client.py", args...)
	cmd.Env = append(cmd.Env, "DATABRICKS_HOST="+f.URL, "DATABRICKS_TOKEN="+f.Token, "MLFLOW_TRACING_SQL_WAREHOUSE_ID=rig")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("location_client.py: %v\n%s", err, out)
	}
	traces, err := readExpected(path)
	if err != nil {
		t.Fatal(err)
	}
	return traces
}

func (f *Front) control(t testing.TB, method, path string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, f.URL+path, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("front: %s %s answered %s", method, path, resp.Status)
	}
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			t.Fatal(err)
		}
	}
}
