package rig

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// MLflow is a running open-source MLflow server.
type MLflow struct {
	URI       string
	DB        string // path of its SQLite file; empty for one on another database
	StoreURI  string // URI of its database, as tracemig reads it: of a user who may only read, if the database has users
	Artifacts string // the folder that is its --artifacts-destination
	Workspace string // that experiments are filled in; empty for the default one

	store   string // StoreURI of a user who may write
	process *Process
}

// StartMLflow starts a server of the test's own, with options of mlflow server.
func StartMLflow(t testing.TB, options ...string) *MLflow {
	t.Helper()
	m, err := startMLflow(t.TempDir(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	return m
}

// StartMLflowOn is StartMLflow with a database of the engine: sqlite, or one of Engines. It skips the test where the engine can't
// be had.
func StartMLflowOn(t testing.TB, engine string, options ...string) *MLflow {
	t.Helper()
	if engine == "sqlite" {
		return StartMLflow(t, options...)
	}
	d := StartDatabase(t, engine)
	m := StartMLflow(t, append(options, "--backend-store-uri", d.Owner)...)
	m.DB, m.StoreURI, m.store = "", d.Reader, d.Owner
	return m
}

// InWorkspace is the server for experiments of a workspace.
func (m *MLflow) InWorkspace(name string) *MLflow {
	other := *m
	other.Workspace = name
	return &other
}

func startMLflow(dir string, options ...string) (*MLflow, error) {
	cmd, err := command("venv", "mlflow_server.py", append([]string{dir}, options...)...)
	if err != nil {
		return nil, err
	}
	p, err := start("mlflow", dir, cmd)
	if err != nil {
		return nil, err
	}
	db := filepath.Join(dir, "mlflow.db")
	return &MLflow{
		URI: p.URL, DB: db, StoreURI: "sqlite:///" + db, Artifacts: filepath.Join(dir, "artifacts"),
		store: "sqlite:///" + db + "?timeout=60", process: p,
	}, nil
}

// Stop ends the server.
func (m *MLflow) Stop() { m.process.Stop() }

var sharedServer = sync.OnceValues(func() (*MLflow, error) {
	dir, err := os.MkdirTemp("", "tracemig-mlflow-")
	if err != nil {
		return nil, err
	}
	m, err := startMLflow(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	m.process.stopAtEnd("mlflow", dir)
	return m, nil
})

// SharedServer is a server that is started once for all tests of the binary. Each test fills experiments of its own. The
// package's TestMain has to call Main.
func SharedServer(t testing.TB) *MLflow {
	t.Helper()
	m, err := sharedServer()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// SharedExperiment is the experiment of SharedMLflow's corpus.
const SharedExperiment = "/Shared/corpus"

var sharedCorpus = sync.OnceValues(func() (Corpus, error) {
	m, err := sharedServer()
	if err != nil {
		return Corpus{}, err
	}
	path := filepath.Join(filepath.Dir(m.DB), "expected.jsonl")
	c, err := m.corpus("fill", SharedExperiment, "--dump", path)
	if err != nil {
		return Corpus{}, err
	}
	c.Expected, err = readExpected(path)
	return c, err
})

// SharedMLflow is SharedServer with the corpus in SharedExperiment. The first call writes it, which takes most of a
// minute. Tests must not change that experiment.
func SharedMLflow(t testing.TB) (*MLflow, Corpus) {
	t.Helper()
	c, err := sharedCorpus()
	if err != nil {
		t.Fatal(err)
	}
	return SharedServer(t), c
}

// Corpus is what testdata/rig/corpus.py says of an experiment after it wrote to it. Trace IDs are
// MLflow's ("tr-…"). After Add and EndInProgress, Cases, Deleted, InProgress and NoSpans have only
// what that call wrote.
type Corpus struct {
	Experiment   string              `json:"-"`
	ExperimentID string              `json:"experiment_id"`
	Listed       int                 `json:"listed"` // traces that the server lists
	States       map[string]int      `json:"states"` // how many of them are in each state
	Cases        map[string][]string `json:"cases"`  // case to trace IDs; the tag corpus.case names the case
	Deleted      []string            `json:"deleted"`
	InProgress   []string            `json:"in_progress"`
	NoSpans      []string            `json:"no_spans"` // traces that have ended, and whose spans the server does not have
	Errors       map[string]string   `json:"errors"`   // cases that the SDK refused
	Expected     []ExpectedTrace     `json:"-"`        // what MLflow's own client reads of each listed trace; not after Add and AddBulk
}

// ExpectedTrace is a trace as MLflow's own client reads it back: an independent view of the source.
// In JSON values, NaN and the infinities are the strings NaN, Infinity and -Infinity.
type ExpectedTrace struct {
	Case                string            `json:"case"`
	TraceID             string            `json:"trace_id"`
	State               string            `json:"state"`
	RequestTimeMS       int64             `json:"request_time_ms"`
	ExecutionDurationMS *int64            `json:"execution_duration_ms"`
	ClientRequestID     *string           `json:"client_request_id"`
	RequestPreview      *string           `json:"request_preview"`
	ResponsePreview     *string           `json:"response_preview"`
	Tags                map[string]string `json:"tags"`
	Metadata            map[string]string `json:"trace_metadata"`
	Runs                []string          `json:"runs"` // IDs of the runs it is linked to, sorted
	Assessments         []jsontext.Value  `json:"assessments"`
	Spans               []ExpectedSpan    `json:"spans"`
	Error               *string           `json:"error"` // why the client could not read the spans
}

// ExpectedSpan is a span of an ExpectedTrace.
type ExpectedSpan struct {
	TraceID       string                    `json:"trace_id"` // 32 hex digits
	SpanID        string                    `json:"span_id"`  // 16 hex digits
	ParentSpanID  *string                   `json:"parent_span_id"`
	Name          string                    `json:"name"`
	Type          string                    `json:"type"`
	Start         int64                     `json:"start_time_unix_nano"`
	End           *int64                    `json:"end_time_unix_nano"`
	StatusCode    string                    `json:"status_code"` // OK, ERROR or UNSET
	StatusMessage string                    `json:"status_message"`
	Attributes    map[string]jsontext.Value `json:"attributes"` // decoded: an attribute text that is no JSON is a string
	Events        []ExpectedEvent           `json:"events"`
	Links         []ExpectedLink            `json:"links"`
}

// ExpectedEvent is an event of an ExpectedSpan.
type ExpectedEvent struct {
	Name       string                    `json:"name"`
	Time       int64                     `json:"time_unix_nano"`
	Attributes map[string]jsontext.Value `json:"attributes"`
}

// ExpectedLink is a link of an ExpectedSpan; its trace ID is MLflow's ("tr-…").
type ExpectedLink struct {
	TraceID    string                    `json:"trace_id"`
	SpanID     string                    `json:"span_id"`
	Attributes map[string]jsontext.Value `json:"attributes"`
}

// FillCases writes the named cases of the corpus into a new experiment with MLflow's own SDK, and reads them back into
// Expected.
func (m *MLflow) FillCases(t testing.TB, experiment, cases string) Corpus {
	t.Helper()
	return m.dumped(t, "fill", experiment, "--only", cases)
}

// FillBulk is FillCases and AddBulk in one.
func (m *MLflow) FillBulk(t testing.TB, experiment, cases string, count int) Corpus {
	t.Helper()
	return m.dumped(t, "fill", experiment, "--only", cases, "--bulk", strconv.Itoa(count), "--store", m.store)
}

// Add writes count small traces that start now, each with one feedback.
func (m *MLflow) Add(t testing.TB, experiment string, count int) Corpus {
	t.Helper()
	c, err := m.corpus("add", experiment, "--count", strconv.Itoa(count))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Change changes tags, assessments and run links of four traces: step 1 adds, 2 changes, 3 removes and
// 4 adds again. Cases names the traces as "changed".
func (m *MLflow) Change(t testing.TB, experiment string, step int) Corpus {
	t.Helper()
	return m.dumped(t, "change", experiment, "--count", strconv.Itoa(step))
}

// Resend sends a late span, and one with other values, to the traces of case otlp_gen_ai, which have ended.
func (m *MLflow) Resend(t testing.TB, experiment string, step int) Corpus {
	t.Helper()
	return m.dumped(t, "resend", experiment, "--count", strconv.Itoa(step))
}

// AddBulk writes count traces of so many spans each, a millisecond apart, straight into the server's database: thousands a
// second. With two spans they are small; with more, each span but the root has about 700 bytes of messages.
func (m *MLflow) AddBulk(t testing.TB, experiment string, count, spans int) Corpus {
	t.Helper()
	c, err := m.corpus("add", experiment, "--bulk", strconv.Itoa(count), "--spans", strconv.Itoa(spans), "--store", m.store)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// EndInProgress ends the traces of the cases in_progress and in_progress_info_only.
func (m *MLflow) EndInProgress(t testing.TB, experiment string) Corpus {
	t.Helper()
	return m.dumped(t, "end-in-progress", experiment)
}

// SetFeedback writes the value of a trace's feedback straight into the server's store, as a scorer does that has the store
// open. When it is NaN, the server can't list the trace any more.
func (m *MLflow) SetFeedback(t testing.TB, traceID, value string) {
	t.Helper()
	m.Execute(t, "UPDATE assessments SET value = :value WHERE trace_id = :id", "value="+value, "id="+traceID)
}

// Execute changes rows of the server's store by SQL, of which it has to change some. Each parameter is a text, NAME=VALUE,
// which stands in the place of :NAME.
func (m *MLflow) Execute(t testing.TB, statement string, params ...string) {
	t.Helper()
	out, err := Command(t, "venv", "execute.py", append([]string{m.store, statement}, params...)...).CombinedOutput()
	if n := strings.TrimSpace(string(out)); err != nil || n == "0" {
		t.Fatalf("%s: %v, rows changed: %s", statement, err, out)
	}
}

// Dump reads an experiment with MLflow's own client.
func (m *MLflow) Dump(t testing.TB, experiment string) []ExpectedTrace {
	t.Helper()
	return m.dumped(t, "dump", experiment).Expected
}

// dumped runs a verb of corpus.py, and reads the experiment as it is afterwards into Expected.
func (m *MLflow) dumped(t testing.TB, verb, experiment string, args ...string) Corpus {
	t.Helper()
	path := filepath.Join(t.TempDir(), "expected.jsonl")
	c, err := m.corpus(verb, experiment, append(args, "--dump", path)...)
	if err == nil {
		c.Expected, err = readExpected(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (m *MLflow) corpus(verb, experiment string, args ...string) (Corpus, error) {
	c := Corpus{Experiment: experiment}
	if m.Workspace != "" {
		args = append(args, "--workspace", m.Workspace)
	}
	cmd, err := command("venv", "corpus.py", append([]string{verb, "--uri", m.URI, "--experiment", experiment}, args...)...)
	if err != nil {
		return c, err
	}
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return c, fmt.Errorf("corpus.py %s: %w\n%s", verb, err, exit.Stderr)
		}
		return c, err
	}
	if err := json.Unmarshal(out, &c); err != nil {
		return c, fmt.Errorf("corpus.py %s printed no summary: %w", verb, err)
	}
	return c, nil
}

func readExpected(path string) ([]ExpectedTrace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var traces []ExpectedTrace
	d := json.NewDecoder(bufio.NewReaderSize(f, 1<<20))
	for d.More() {
		var trace ExpectedTrace
		if err := d.Decode(&trace); err != nil {
			return nil, fmt.Errorf("%s, trace %d: %w", path, len(traces), err)
		}
		traces = append(traces, trace)
	}
	return traces, nil
}
