package rig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Warehouse is a running stand-in for a SQL warehouse (testdata/rig/warehouse.py): Spark and Delta
// behind the Databricks Thrift protocol. Its one catalog is spark_catalog, with the schema default.
// testdata/rig/README.md says what it does and how databricks-sql-go takes its faults.
type Warehouse struct {
	Host     string // 127.0.0.1, plain HTTP
	Port     int
	HTTPPath string // /sql/1.0/warehouses/<id>
	Token    string // the bearer token it lets in
	Dir      string // directory of the tables; those of the schema default are in Dir/tables/<name>

	process *Process
	client  *http.Client
}

// WarehouseOptions says how a warehouse is started. The zero value is usable.
type WarehouseOptions struct {
	Dir     string // directory of the tables, "" for a temporary one; the warehouse has the tables that are in it
	Memory  string // heap of the JVM, "" for 2g
	FewRows bool   // the tests send many statements of few rows: interpreting their plans costs less than compiling them
}

// StartWarehouse starts a warehouse of the test's own. It costs 10 to 15 seconds: prefer
// SharedWarehouse.
func StartWarehouse(t testing.TB, opts WarehouseOptions) *Warehouse {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	w, err := startWarehouse(opts, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Stop()
		if t.Failed() {
			t.Logf("end of the warehouse's log:\n%s", tail(w.process.LogFile))
		}
	})
	return w
}

func startWarehouse(opts WarehouseOptions, logDir string) (*Warehouse, error) {
	args := []string{"--dir", opts.Dir, "--jars", filepath.Join(Dir(), "jars")}
	w := newWarehouse(opts.Dir)
	args = append(args, "--token", w.Token)
	if opts.Memory != "" {
		args = append(args, "--memory", opts.Memory)
	}
	if opts.FewRows {
		args = append(args, "--few-rows")
	}
	cmd, err := command("venv", "warehouse.py", args...)
	if err != nil {
		return nil, err
	}
	if w.process, err = start("warehouse", logDir, cmd); err != nil {
		return nil, err
	}
	if err := w.locate(); err != nil {
		w.Stop()
		return nil, err
	}
	return w, nil
}

func newWarehouse(dir string) *Warehouse {
	return &Warehouse{HTTPPath: "/sql/1.0/warehouses/rig", Token: token, Dir: dir, client: &http.Client{
		// No connection outlives its request: tests look for leaked goroutines.
		Transport: &http.Transport{DisableKeepAlives: true},
	}}
}

// locate reads the address from the process' URL.
func (w *Warehouse) locate() error {
	u, err := url.Parse(w.process.URL)
	if err == nil {
		w.Host = u.Hostname()
		w.Port, err = strconv.Atoi(u.Port())
	}
	if err != nil {
		return fmt.Errorf("the warehouse's address %s: %w", w.process.URL, err)
	}
	return nil
}

// sharedEnv is the variable that names a warehouse which several test binaries share. Its value is the warehouse's address, a space
// and its directory (testdata/rig/with_warehouse.py).
const sharedEnv = "TRACEMIG_RIG_WAREHOUSE"

// tokenFor is the bearer token for the warehouse at an address. For a shared warehouse it holds this process' ID, by which the
// warehouse keeps settings, faults and statistics apart.
func tokenFor(at string) string {
	if shared, _, ok := strings.Cut(os.Getenv(sharedEnv), " "); ok && shared == at {
		return token + "." + strconv.Itoa(os.Getpid())
	}
	return token
}

// token is what a warehouse lets in unless it is started with another one.
const token = "rig-token"

var sharedWarehouse = sync.OnceValues(func() (*Warehouse, error) {
	if at, dir, ok := strings.Cut(os.Getenv(sharedEnv), " "); ok {
		w := newWarehouse(dir)
		w.Token = tokenFor(at)
		w.process = &Process{URL: at, LogFile: filepath.Join(dir, "warehouse.log")}
		AtEnd(func(failed bool) {
			if failed {
				fmt.Fprintf(os.Stderr, "end of the shared warehouse's log:\n%s\n", tail(w.process.LogFile))
			}
		})
		return w, w.locate()
	}
	dir, err := os.MkdirTemp("", "tracemig-warehouse-")
	if err != nil {
		return nil, err
	}
	w, err := startWarehouse(WarehouseOptions{Dir: dir, FewRows: true}, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	w.process.stopAtEnd("the warehouse", dir)
	return w, nil
})

// SharedWarehouse is the one warehouse of the test binary. The first call starts it and Main stops it. Under make test
// it is one that all packages share. Each test uses its own TablePrefix for tables, and in the Match of its faults.
// Stats, Reset, Set and ForgetSessions concern all tests of the binary at once.
func SharedWarehouse(t testing.TB) *Warehouse {
	t.Helper()
	w, err := sharedWarehouse()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Stop kills the warehouse. Its tables stay in Dir.
func (w *Warehouse) Stop() { w.process.Stop() }

// URL is http://host:port.
func (w *Warehouse) URL() string { return w.process.URL }

// SQL runs a statement and returns its rows. It does not use the Thrift protocol, so faults don't apply to the statement and
// Stats does not count it. Integers come as int64, floating point as float64 (NaN and the infinities as strings), decimals,
// dates and times as strings, binary as hex, VARIANT as its JSON text, arrays as []any and structs as map[string]any.
func (w *Warehouse) SQL(t testing.TB, query string) [][]any {
	t.Helper()
	rows, err := w.TrySQL(query)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	return rows
}

// TrySQL is SQL for a statement that may fail.
func (w *Warehouse) TrySQL(query string) ([][]any, error) {
	var answer struct{ Rows [][]any }
	if err := w.call(http.MethodPost, "/_sql", map[string]any{"sql": query}, &answer); err != nil {
		return nil, err
	}
	for _, row := range answer.Rows {
		for i := range row {
			row[i] = typed(row[i])
		}
	}
	return answer.Rows, nil
}

// typed replaces the numbers in a decoded JSON value by int64 and float64. Those without point and exponent are integers.
func typed(v any) any {
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			if n, err := v.Int64(); err == nil {
				return n
			}
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = typed(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = typed(v[k])
		}
	}
	return v
}

// WarehouseStats counts what came by the Thrift protocol since the start or the last Reset.
type WarehouseStats struct {
	Statements int // executed ones, failed ones included, but not those that a fault refused
	Writes     int // successful INSERT, MERGE, UPDATE and DELETE statements
	Faults     int // faults that fired
	Links      int // links into the storage that were handed out in place of results, or of parts of them
	Log        []WarehouseStatement
}

// WarehouseStatement is one executed statement.
type WarehouseStatement struct {
	Kind      string            // first keyword: INSERT, MERGE, SELECT, CREATE, ...
	Table     string            // the table it is about as the statement names it, "" if unknown
	Rows      int64             // affected rows of a write, returned rows of others
	Statement string            // its text, without parameters; of one over 4096 characters the beginning and the end
	Tags      map[string]string // its query tags
	Error     string            // first line of its error, "" if it succeeded
}

// Stats returns the counts, and the texts of the last 1000 statements.
func (w *Warehouse) Stats(t testing.TB) WarehouseStats {
	t.Helper()
	var stats WarehouseStats
	w.must(t, http.MethodGet, "/_stats", nil, &stats)
	return stats
}

// Reset clears statistics and faults. It leaves the tables as they are.
func (w *Warehouse) Reset(t testing.TB) {
	t.Helper()
	w.must(t, http.MethodPost, "/_reset", struct{}{}, nil)
}

// Kinds of a Fault. How databricks-sql-go v1.14.0 takes each is in testdata/rig/README.md.
const (
	Refuse429      = "refuse429"        // HTTP 429 with Retry-After, not executed
	Refuse503      = "refuse503"        // HTTP 503 with Retry-After, not executed
	Error500       = "error500"         // HTTP 500, not executed
	ResetBefore    = "reset_before"     // the connection is reset, not executed
	CutAfterEffect = "cut_after_effect" // executed, then the connection is closed without an answer
	TooLarge       = "too_large"        // HTTP 413, not executed
	Hang           = "hang"             // no answer until the client gives up, not executed

	HTTPError           = "http_error"             // HTTP Status with Message, not executed
	StatusError         = "status_error"           // Message inside of HTTP 200, no operation
	SessionError        = "session_error"          // the same, for every later statement of the session as well
	SQLError            = "sql_error"              // a failed operation with Message and State, not executed
	SQLErrorAfterEffect = "sql_error_after_effect" // the same, once it has taken effect
)

// Fault is a failure of statements to come.
type Fault struct {
	Match      string `json:"match"`                 // regular expression (Python's) on the statement text, case-insensitive; "" for all
	Nth        int    `json:"nth,omitempty"`         // the first matching statement that fails, 0 for 1
	Kind       string `json:"kind"`                  // one of the kinds above
	Times      int    `json:"times,omitempty"`       // how many matching statements fail, one after another, 0 for 1
	RetryAfter int    `json:"retry_after,omitempty"` // seconds in Retry-After of a refusal
	Status     int    `json:"status,omitempty"`
	Message    string `json:"message,omitempty"`
	State      string `json:"state,omitempty"` // SQLSTATE
}

// Fault has the statements that match it fail. Each attempt of the driver counts as a statement.
func (w *Warehouse) Fault(t testing.TB, f Fault) {
	t.Helper()
	w.must(t, http.MethodPost, "/_fault", f, nil)
}

// WarehouseSettings may change while the warehouse runs. The zero value is how it was started.
type WarehouseSettings struct {
	MaxParamBytes int     `json:"max_param_bytes"` // a larger parameter is refused with 413, 0 for 64 MiB
	DirectSeconds float64 `json:"direct_seconds"`  // a statement that takes longer is answered as running, and has to be polled; 0 for 5
	// Requests of more than MaxRequestBytes, 0 for no limit, are refused as TooLargeAs says: "413", "400", "exhausted" (with
	// 500), or "cut" (the connection breaks while the request is sent).
	MaxRequestBytes int    `json:"max_request_bytes"`
	TooLargeAs      string `json:"too_large_as"`
	LinkBytes       int    `json:"link_bytes"`    // larger results are handed out as links to clients that take links, 0 for 1 MB
	NoQueryTags     bool   `json:"no_query_tags"` // statements with query tags are refused, as by a workspace that does not know them
}

// Set changes the settings.
func (w *Warehouse) Set(t testing.TB, s WarehouseSettings) {
	t.Helper()
	w.must(t, http.MethodPost, "/_settings", s, nil)
}

// ForgetSessions has the warehouse forget all sessions, as a restart does.
func (w *Warehouse) ForgetSessions(t testing.TB) {
	t.Helper()
	w.must(t, http.MethodPost, "/_forget_sessions", struct{}{}, nil)
}

func (w *Warehouse) must(t testing.TB, method, path string, in, out any) {
	t.Helper()
	if err := w.call(method, path, in, out); err != nil {
		t.Fatal(err)
	}
}

// call calls the control API with a JSON body and decodes the answer.
func (w *Warehouse) call(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, w.URL()+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+w.Token)
	resp, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("warehouse control: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("warehouse control: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var e struct{ Error string }
		_ = json.Unmarshal(data, &e)
		return fmt.Errorf("warehouse: %s", e.Error)
	}
	if out == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return dec.Decode(out)
}
