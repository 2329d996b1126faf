//go:build rig

package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
)

var update = flag.Bool("update", false, "write docs/faults.md from what TestFaultMatrix finds")

// TestFaultMatrix has each kind of request meet each fault. In every cell the tables hold, after at
// most one rerun, what those of an undisturbed run hold, and what failed before said so and left no
// trace half visible. docs/faults.md shows what became of each cell; it is written from this test
// (go test -tags rig ./internal/e2e -run TestFaultMatrix -update) and compared with it.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	m := mlflowServer(t)
	const experiment = "/e2e/TestFaultMatrix"
	m.FillBulk(t, experiment, "feedback_values", 140)

	path := filepath.Join(rig.Root(), "docs", "faults.md")
	doc, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}

	var sections []*section
	t.Run("lanes", func(t *testing.T) {
		add := func(name string, run func(*section)) {
			sec := &section{name: name, doc: doc, experiment: experiment, results: map[[2]string]string{}}
			sections = append(sections, sec)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				sec.t = t
				run(sec)
			})
		}
		add("Source: an MLflow server", func(sec *section) { mlflowSection(sec, m, true) })
		add("Source: an MLflow server that serves no artifacts", func(sec *section) { mlflowSection(sec, m, false) })
		add("Source: a Databricks workspace", func(sec *section) { workspaceSection(sec, m) })
		add("Source: events", func(sec *section) { sourceEventsSection(sec, m) })
		add("Target: a SQL warehouse", func(sec *section) { warehouseSection(sec, m) })
		add("Target: events", func(sec *section) { targetEventsSection(sec, m) })
		add("Clocks, checkpoint and disk", func(sec *section) { machineSection(sec, m) })
	})
	if t.Failed() {
		return
	}
	got := faultsDoc(sections)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, sec := range sections {
		if len(sec.results) == 0 {
			return // -run has left it out
		}
	}
	if d := cmp.Diff(string(doc), got); d != "" {
		t.Errorf("%s says otherwise; -update writes it (-doc +found):\n%s", path, d)
	}
}

// A fault is what an injector does to a request.
type fault struct {
	name  string
	doc   string
	every bool // to every request, not one
	serve func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter))
}

const slowDelay = time.Second

var faults = []fault{
	{"refused", "the connection is reset before anything is passed on", false, func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		hangUp(w)
	}},
	{"cut", "half of the answer comes, then the connection ends", false, func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		answer := httptest.NewRecorder()
		pass(answer)
		for k, v := range answer.Header() {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Length", fmt.Sprint(answer.Body.Len()))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}},
	{"answer lost", "the request takes effect, the connection ends without an answer", false, func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		pass(httptest.NewRecorder())
		hangUp(w)
	}},
	{"slow", "a second passes before it is passed on", false, func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		time.Sleep(slowDelay) // a slow server, not a wait for something
		pass(w)
	}},
	{"429", "HTTP 429 without Retry-After", false, status(429, "")},
	{"429, 1 s", "HTTP 429 with Retry-After: 1", false, status(429, "1")},
	{"500", "HTTP 500", false, status(500, "")},
	{"503", "HTTP 503", false, status(503, "")},
	{"401", "HTTP 401 once", false, status(401, "")},
	{"401 for good", "HTTP 401 from then on", true, status(401, "")},
	{"twice", "passed on twice; the second answer is given", false, func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		pass(httptest.NewRecorder())
		pass(w)
	}},
}

func status(code int, retryAfter string) func(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) {
	return func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"error_code":"INJECTED","message":"injected fault"}`)
	}
}

// hangUp resets the connection.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// A requestKind is one of the requests of a run.
type requestKind struct {
	name  string
	match func(r *http.Request, body []byte) bool
}

func onPath(part string) func(*http.Request, []byte) bool {
	return func(r *http.Request, _ []byte) bool { return strings.Contains(r.URL.Path, part) }
}

func onBody(parts ...string) func(*http.Request, []byte) bool {
	return func(_ *http.Request, body []byte) bool {
		for _, part := range parts {
			if !bytes.Contains(body, []byte(part)) {
				return false
			}
		}
		return true
	}
}

// An injector passes requests on and lets those that match a shot meet its fault.
type injector struct {
	URL string

	mu         sync.Mutex
	injections []*injection
}

type injection struct {
	requestKind
	fault
	hits int
}

func newInjector(t *testing.T, to string) *injector {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	upstream := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Host = r.In.Host // signed addresses are to come this way too
	}}
	upstream.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	in := &injector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		pass := func(w http.ResponseWriter) {
			again := r.Clone(r.Context())
			again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			upstream.ServeHTTP(w, again)
		}
		if s := in.nextInjection(r, body); s != nil {
			s.serve(w, r, pass)
			return
		}
		pass(w)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	in.URL = server.URL
	return in
}

func (in *injector) nextInjection(r *http.Request, body []byte) *injection {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, s := range in.injections {
		if (s.every || s.hits == 0) && s.match(r, body) {
			s.hits++
			return s
		}
	}
	return nil
}

// inject has the shots, and no others, be met in their order.
func (in *injector) inject(shots ...*injection) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.injections = shots
}

// hits tells how often a shot was met.
func (in *injector) hits(s *injection) int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return s.hits
}

// A section is a table of cells that write into the same tables, one after another, each traces of its own.
type section struct {
	t           *testing.T
	name        string
	doc         []byte // docs/faults.md as it is
	insertsOnly bool   // leaves some cells to make faults
	experiment  string
	fixture     *fixture
	injector    *injector // where the shots hit
	want        tables    // of an undisturbed run
	traces      []cellTrace
	next        int // trace for the next cell

	kinds    []string
	columns  []string
	results  map[[2]string]string // kind and fault to outcome
	messages []string
	cells    []cell
}

type cellTrace struct {
	id                 string
	ms                 int64
	spans, annotations int64
}

type cell struct {
	kind, fault string
	traces      []cellTrace
}

// setUp reads what an undisturbed run has written.
func (sec *section) setUp(fx *fixture, in *injector, want tables) {
	sec.t.Helper()
	sec.fixture, sec.injector, sec.want = fx, in, want
	sec.next = 2 // the bulk, which comes later, is what every source serves
	for _, row := range rig.SharedWarehouse(sec.t).SQL(sec.t, fmt.Sprintf(`SELECT m.target_id, CAST(unix_micros(m.created_at) / 1000 AS BIGINT),
		(SELECT count(*) FROM %[1]s s WHERE s.trace_id = m.target_id), (SELECT count(*) FROM %[2]s a WHERE substring_index(a.target_id, ':', 1) = m.target_id)
		FROM %[2]s m WHERE m.annotation_type = 'METADATA' ORDER BY 2`, want.spans, want.annotations)) {
		sec.traces = append(sec.traces, cellTrace{row[0].(string), row[1].(int64), row[2].(int64), row[3].(int64)})
	}
}

// nextCell gives a cell its traces, and the flags for a run over them.
func (sec *section) nextCell(kind, fault string, n int) (cell, []string) {
	sec.t.Helper()
	if sec.next+n >= len(sec.traces) {
		sec.t.Fatalf("%d traces are not enough", len(sec.traces))
	}
	c := cell{kind, fault, sec.traces[sec.next : sec.next+n]}
	sec.next += n
	end := time.UnixMilli(sec.traces[sec.next-1].ms + 1).UTC().Format(time.RFC3339Nano)
	return c, []string{"--start-time-ms", fmt.Sprint(c.traces[0].ms), "--end-time", end, "--checkpoint", filepath.Join(sec.fixture.baseDir, fmt.Sprintf("cell-%d.db", sec.next))}
}

func (sec *section) record(kind, fault, outcome string) {
	if !slices.Contains(sec.kinds, kind) {
		sec.kinds = append(sec.kinds, kind)
	}
	if !slices.Contains(sec.columns, fault) {
		sec.columns = append(sec.columns, fault)
	}
	sec.results[[2]string{kind, fault}] = outcome
}

// quickFaults are the faults that every test run tries; make faults tries all, which takes minutes.
var quickFaults = []string{"cut", "answer lost", "429, 1 s", "503", "401", "401 for good"}

// copyCell takes a cell from docs/faults.md, unless all are to be run.
func (sec *section) copyCell(kind, fault string) bool {
	if *update {
		return false
	}
	_, section, _ := strings.Cut(string(sec.doc), "\n## "+sec.name+"\n\n| | ")
	head, rows, _ := strings.Cut(section, " |\n")
	_, row, found := strings.Cut(rows, "\n| "+kind+" | ")
	row, _, _ = strings.Cut(row, " |\n")
	cells, column := strings.Split(row, " | "), slices.Index(strings.Split(head, " | "), fault)
	if !found || column < 0 || column >= len(cells) {
		sec.t.Fatalf("docs/faults.md has no cell %s, %s", kind, fault)
	}
	sec.record(kind, fault, cells[column])
	for line := range strings.Lines(string(sec.doc)) {
		if strings.HasPrefix(line, "| "+kind+" | "+fault+" | ") {
			sec.messages = append(sec.messages, strings.TrimSuffix(line, "\n"))
		}
	}
	return true
}

const sameRun = "same run"

// checkRun says what became of a cell whose first run ended with o; run is the rerun.
func (sec *section) checkRun(c cell, o outcome, again func() outcome) string {
	sec.t.Helper()
	sec.cells = append(sec.cells, c)
	where := fmt.Sprintf("%s, %s", c.kind, c.fault)
	if o.code == 0 {
		return sameRun
	}
	message := o.summary.Error
	if o.code == 3 {
		for _, trace := range o.traces {
			if trace.State == "failed" {
				message = trace.Detail
			}
		}
	}
	if o.code != 1 && o.code != 3 || message == "" || strings.Contains(message, "\n") {
		sec.t.Errorf("%s: exit code %d with message %q\n%s", where, o.code, message, tail(o.stderr))
	}
	sec.checkNoPartialTraces(c, where)
	sec.messages = append(sec.messages, fmt.Sprintf("| %s | %s | %s |", c.kind, c.fault, normalizeMessage(sec.fixture, message)))
	if r := again(); r.code != 0 {
		sec.t.Errorf("%s: the rerun ended with code %d: %s", where, r.code, tail(r.stderr))
	}
	return fmt.Sprintf("next run (exit %d)", o.code)
}

// checkNoPartialTraces fails if a reader sees a part of a trace of the cell: one whose root span is there.
func (sec *section) checkNoPartialTraces(c cell, where string) {
	sec.t.Helper()
	var list []string
	for _, trace := range c.traces {
		list = append(list, "'"+trace.id+"'")
	}
	for _, row := range rig.SharedWarehouse(sec.t).SQL(sec.t, fmt.Sprintf(`SELECT s.id, s.n, coalesce(a.n, 0)
		FROM (SELECT trace_id AS id, count(*) AS n, bool_or(parent_span_id IS NULL) AS seen FROM %s WHERE trace_id IN (%[3]s) GROUP BY 1) s
		LEFT JOIN (SELECT substring_index(target_id, ':', 1) AS id, count(*) AS n FROM %[2]s WHERE substring_index(target_id, ':', 1) IN (%[3]s) GROUP BY 1) a ON a.id = s.id
		WHERE s.seen`, sec.fixture.tables.spans, sec.fixture.tables.annotations, strings.Join(list, ", "))) {
		for _, want := range c.traces {
			if want.id == row[0] && (row[1] != want.spans || row[2] != want.annotations) {
				sec.t.Errorf("%s: trace %s shows %v spans and %v annotations, want %d and %d", where, want.id, row[1], row[2], want.spans, want.annotations)
			}
		}
	}
}

// compareRows compares the rows of each cell with the undisturbed run's.
func (sec *section) compareRows() {
	sec.t.Helper()
	want, got := map[string][]int64{}, map[string][]int64{} // "s" or "a" and trace ID to the hashes of its rows
	rows := fmt.Sprintf(`SELECT concat('s', trace_id) AS id, xxhash64(%s) AS h FROM %%s UNION ALL
		SELECT concat('a', substring_index(target_id, ':', 1)), xxhash64(%s) FROM %%s`, spanText, anySource)
	for _, row := range rig.SharedWarehouse(sec.t).SQL(sec.t, fmt.Sprintf("SELECT true, * FROM ("+rows+") UNION ALL SELECT false, * FROM ("+rows+")",
		sec.want.spans, sec.want.annotations, sec.fixture.tables.spans, sec.fixture.tables.annotations)) {
		at := map[bool]map[string][]int64{true: want, false: got}[row[0].(bool)]
		at[row[1].(string)] = append(at[row[1].(string)], row[2].(int64))
	}
	for _, c := range sec.cells {
		for _, trace := range c.traces {
			for _, table := range []string{"s", "a"} {
				slices.Sort(want[table+trace.id])
				slices.Sort(got[table+trace.id])
				if !slices.Equal(got[table+trace.id], want[table+trace.id]) || len(want[table+trace.id]) == 0 {
					sec.t.Errorf("%s, %s: rows of trace %s (%s) are %d, want %d", c.kind, c.fault, trace.id, table, got[table+trace.id], want[table+trace.id])
				}
			}
		}
	}
}

// runCell runs the cell of a kind and a fault.
func (sec *section) runCell(k requestKind, f fault, traces int, flags ...string) {
	sec.t.Helper()
	c, window := sec.nextCell(k.name, f.name, traces)
	flags = append(window, flags...)
	s := &injection{requestKind: k, fault: f}
	sec.injector.inject(s)
	o := sec.fixture.run(flags...)
	if sec.injector.hits(s) == 0 {
		sec.t.Errorf("%s, %s: the run met no fault: exit code %d\n%s", k.name, f.name, o.code, tail(o.stderr))
	}
	sec.injector.inject()
	sec.record(k.name, f.name, sec.checkRun(c, o, func() outcome { return sec.fixture.run(flags...) }))
}

// runFault runs the cells of a fault. A run that meets it in all kinds, once in each, and goes on, speaks for
// each of them; else each has a run of its own.
func (sec *section) runFault(kinds []requestKind, f fault, traces int, flags ...string) {
	sec.t.Helper()
	if !*update && !slices.Contains(quickFaults, f.name) {
		for _, k := range kinds {
			sec.copyCell(k.name, f.name)
		}
		return
	}
	together := !f.every
	if together {
		c, window := sec.nextCell("all kinds", f.name, traces)
		flags := append(window, flags...)
		var shots []*injection
		for _, k := range kinds {
			shots = append(shots, &injection{requestKind: k, fault: f})
		}
		sec.injector.inject(shots...)
		o := sec.fixture.run(flags...)
		sec.injector.inject()
		for _, s := range shots {
			together = together && sec.injector.hits(s) == 1
		}
		sec.cells = append(sec.cells, c)
		if together = together && o.code == 0; o.code != 0 {
			sec.checkNoPartialTraces(c, "all kinds, "+f.name)
			sec.fixture.mustRun(0, flags...)
		}
	}
	for _, k := range kinds {
		if together {
			sec.record(k.name, f.name, sameRun)
		} else if sec.insertsOnly && k.name != insertAnnotations.name && k.name != insertSpans.name && sec.copyCell(k.name, f.name) {
			continue
		} else {
			sec.runCell(k, f, traces, flags...)
		}
	}
}

var addressPattern = regexp.MustCompile(`(https?://)?127\.0\.0\.1:\d+(->127\.0\.0\.1:\d+)?`)
var traceIDPattern = regexp.MustCompile(`tr-[0-9a-f]{32}`)
var experimentPattern = regexp.MustCompile(`experiment \d+`)

// normalizeMessage takes out of a message what differs from run to run.
func normalizeMessage(fx *fixture, message string) string {
	message = strings.ReplaceAll(message, fx.baseDir, "…")
	if fx.prefix != "" {
		message = strings.ReplaceAll(message, fx.prefix, "agent")
	}
	message = addressPattern.ReplaceAllString(message, "HOST")
	message = traceIDPattern.ReplaceAllString(message, "tr-…")
	message = experimentPattern.ReplaceAllString(message, "experiment N")
	message = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllString(message, "…")
	message = regexp.MustCompile(`cell-\d+`).ReplaceAllString(message, "checkpoint")
	return strings.ReplaceAll(message, "|", `\|`)
}

// mlflowSection has an MLflow server for a source; one without the artifact endpoint is asked for spans in
// other ways.
func mlflowSection(sec *section, m *rig.MLflow, artifacts bool) {
	recorded := newRecordingProxy(sec.t, m.URI)
	in := newInjector(sec.t, recorded.URL)
	uri := in.URL
	if !artifacts {
		before := newInjector(sec.t, in.URL)
		before.inject(&injection{requestKind: requestKind{match: onPath("get-trace-artifact")}, fault: fault{every: true, serve: func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
			w.WriteHeader(http.StatusNotFound)
		}}})
		uri = before.URL
	}
	undisturbed := newFixture(sec.t, uri, sec.experiment).toLocal()
	if o := undisturbed.run(); o.code != 0 && (artifacts || o.code != 3) { // one trace is nowhere but in its artifact
		sec.t.Fatalf("exit code %d\n%s", o.code, tail(o.stderr))
	}
	fx := newFixture(sec.t, uri, sec.experiment).toLocal()
	fx.mustRun(0, "--end-time", "2015-01-01") // makes the tables
	sec.setUp(fx, in, undisturbed.tables)
	kinds := []requestKind{
		{"look up the experiment", onPath("/experiments/get")},
		{"list runs", onPath("/runs/search")},
		{"list a page of traces", onPath("/traces/search")},
		{"spans (get-trace-artifact)", onPath("get-trace-artifact")},
	}
	traces, flags := 2, []string(nil)
	if !artifacts {
		kinds = []requestKind{{"spans of one trace (traces/get)", onPath("/traces/get")}, {"spans of several (traces/batchGet)", onPath("/traces/batchGet")}}
		traces, flags = 5, []string{"--concurrency", "1"} // the first answers teach the run to ask for several
	}
	for _, f := range faults {
		sec.runFault(kinds, f, traces, flags...)
	}
	sec.compareRows()
}

// workspaceSection has a Databricks-flavoured front for a source.
func workspaceSection(sec *section, m *rig.MLflow) {
	polls := 0
	start := func() (*fixture, *injector) {
		fx := newWorkspaceFixture(sec.t, rig.FrontOptions{MLflow: m.URI, V4Polls: &polls}, sec.experiment).toLocal()
		in := newInjector(sec.t, newRecordingProxy(sec.t, fx.front.URL).URL)
		fx.setenv("DATABRICKS_HOST", in.URL)
		return fx, in
	}
	undisturbed, _ := start()
	undisturbed.mustRun(0)
	fx, in := start()
	fx.mustRun(0, "--end-time", "2015-01-01")
	sec.setUp(fx, in, undisturbed.tables)
	kinds := []requestKind{
		{"start a search", onPath("/traces/search-long-running")},
		{"poll it", onPath("/traces/search/operations/")},
		{"credentials for a download", onPath("/credentials-for-data-download")},
		{"signed download", onPath("/__storage/")},
	}
	for _, f := range faults {
		sec.runFault(kinds, f, 2)
	}
	sec.compareRows()
}

// sourceEventsSection has what stands between this machine and the storage behind a workspace.
func sourceEventsSection(sec *section, m *rig.MLflow) {
	start := func() *fixture {
		return newWorkspaceFixture(sec.t, rig.FrontOptions{MLflow: m.URI}, sec.experiment).toLocal()
	}
	undisturbed := start()
	undisturbed.mustRun(0)
	fx := start()
	fx.mustRun(0, "--end-time", "2015-01-01")
	sec.setUp(fx, nil, undisturbed.tables)
	for _, event := range [][2]string{
		{"a firewall of the storage refuses every download (403 AuthorizationFailure)", rig.StorageFirewall},
		{"nothing answers at the storage", rig.StorageUnreachable},
	} {
		name, storage := event[0], event[1]
		set := func(storage string) { fx.front.Set(sec.t, map[string]any{"storage": storage}) }
		if o := sec.runEvent(name, func() { set(storage) }, func() { set("") }); o.code != 1 || o.summary.Failed != 0 || !strings.Contains(o.summary.Error, "inside its network") {
			sec.t.Errorf("%s: %+v", name, o.summary)
		}
	}
	sec.compareRows()
}

// targetWarehouse has the lane write into tables of a warehouse, and the shots hit what goes there.
func (sec *section) targetWarehouse(m *rig.MLflow) {
	recorded := newRecordingProxy(sec.t, m.URI)
	undisturbed := newFixture(sec.t, recorded.URL, sec.experiment).toLocal()
	undisturbed.mustRun(0)
	fx := newFixture(sec.t, recorded.URL, sec.experiment).toWarehouse(rig.FrontOptions{})
	fx.mustRun(0, "--end-time", "2015-01-01")
	in := newInjector(sec.t, fx.front.URL)
	fx.setenv("DATABRICKS_HOST", in.URL)
	sec.setUp(fx, in, undisturbed.tables)
}

var (
	insertAnnotations = requestKind{"insert annotations", onBody("INSERT INTO", "_otel_annotations")}
	insertSpans       = requestKind{"insert spans", onBody("INSERT INTO", "_otel_spans")}
)

func warehouseSection(sec *section, m *rig.MLflow) {
	sec.targetWarehouse(m)
	kinds := []requestKind{
		{"the warehouse's state", onPath("/api/2.0/sql/warehouses/")},
		{"open a session", onBody("OpenSession")},
		{"check a table's version", onBody("SHOW TBLPROPERTIES")},
		{"describe a table", onBody("DESCRIBE TABLE")},
		{"the tables' identity", onBody("DESCRIBE DETAIL")},
		{"what was migrated", onBody("m.source_trace_id")},
		insertAnnotations, insertSpans,
	}
	lookup := requestKind{"look up rows after a lost answer", onBody("AS found")}
	lost := faults[slices.IndexFunc(faults, func(f fault) bool { return f.name == "answer lost" })]
	sec.insertsOnly = true
	for _, f := range faults {
		sec.runFault(kinds, f, 2)
		if f.name != "cut" && sec.copyCell(lookup.name, f.name) {
			continue
		}
		c, flags := sec.nextCell(lookup.name, f.name, 2)
		s := &injection{requestKind: lookup, fault: f}
		sec.injector.inject(&injection{requestKind: insertAnnotations, fault: lost}, s)
		o := sec.fixture.run(flags...)
		if sec.injector.hits(s) == 0 {
			sec.t.Errorf("%s, %s: the run met no fault", lookup.name, f.name)
		}
		sec.injector.inject()
		sec.record(lookup.name, f.name, sec.checkRun(c, o, func() outcome { return sec.fixture.run(flags...) }))
	}
	sec.compareRows()
}

// targetEventsSection has what happens to a warehouse and its tables.
func targetEventsSection(sec *section, m *rig.MLflow) {
	sec.targetWarehouse(m)
	stopped := fault{name: "", serve: func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		sec.fixture.front.Set(sec.t, map[string]any{"warehouse_state": "STOPPED"})
		pass(w)
	}}
	sec.runCell(requestKind{"the warehouse is stopped before an insert of spans", insertSpans.match}, stopped, 2)
	sec.runReportedFailures()
	// Another run writes the same at the same time; both wait for each other before their insert.
	const conflict = "another run inserts the same spans at once: one gets a Delta conflict"
	met := false
	for range 10 { // until the inserts really meet, which they do at once unless one is held up
		var arrived sync.WaitGroup
		var mu sync.Mutex
		arrived.Add(2)
		n := 0
		sec.injector.inject(&injection{requestKind: insertSpans, fault: fault{every: true, serve: func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
			mu.Lock()
			n++
			first := n <= 2
			mu.Unlock()
			if first {
				arrived.Done()
				arrived.Wait()
			}
			answer := httptest.NewRecorder()
			pass(answer)
			mu.Lock()
			met = met || bytes.Contains(answer.Body.Bytes(), []byte("DELTA_CONCURRENT"))
			mu.Unlock()
			copyAnswer(w, answer)
		}}})
		c, flags := sec.nextCell(conflict, "", 2)
		other := sec.fixture.start(append(slices.Clone(flags[:len(flags)-1]), flags[len(flags)-1]+"-other")...)
		o := sec.fixture.run(flags...)
		if o := other.wait(); o.code != 0 {
			sec.t.Errorf("the other run ended with code %d: %s", o.code, tail(o.stderr))
		}
		sec.injector.inject()
		sec.record(conflict, "", sec.checkRun(c, o, func() outcome { return sec.fixture.run(flags...) }))
		if met {
			break
		}
	}
	if !met {
		sec.t.Error("no conflict came about")
	}
	sec.compareRows()
}

// runEvent runs a cell in which something happens before the run; after, which may be nil, ends it before the rerun.
func (sec *section) runEvent(name string, before, after func(), flags ...string) outcome {
	sec.t.Helper()
	c, window := sec.nextCell(name, "", 2)
	flags = append(window, flags...)
	before()
	o := sec.fixture.run(flags...)
	sec.record(name, "", sec.checkRun(c, o, func() outcome {
		if after != nil {
			after()
		}
		return sec.fixture.run(flags...)
	}))
	return o
}

// runReportedFailures has what public reports tell of warehouses (docs/warehouse.md), mostly told inside of HTTP 200.
func (sec *section) runReportedFailures() {
	sec.t.Helper()
	into := "INSERT INTO.*" + sec.fixture.prefix + "_otel_spans"
	for _, r := range []struct {
		name  string
		fault rig.Fault
	}{
		{"HTTP 200: Session handle … has not been initialized or had already closed", rig.Fault{Kind: rig.SessionError,
			Message: "requirement failed: Session handle: SessionHandle [0f8f] has not been initialized or had already closed."}},
		{"HTTP 200: Session … is closed", rig.Fault{Kind: rig.SessionError, Message: "BAD_REQUEST: Invalid SessionHandle: Session [0f8f] is closed."}},
		{"HTTP 200: Couldn't create directory /local_disk0/…, twice", rig.Fault{Kind: rig.StatusError, Message: "Couldn't create directory /local_disk0/tmp/0f8f/_resources", Times: 2}},
		{"HTTP 200: max capacity reached, three times", rig.Fault{Kind: rig.StatusError, Message: "Query rejected: cannot handle query since max capacity reached", Times: 3}},
		{"HTTP 400: exceeds maximum allowed content length", rig.Fault{Kind: rig.HTTPError, Status: 400,
			Message: "Server received a request which exceeds maximum allowed content length. RequestSize(bytes): 33967957, Limit(bytes): 33554432"}},
		{"HTTP 403: JWT has expired", rig.Fault{Kind: rig.HTTPError, Status: 403, Message: `{"error_code":403,"message":"JWT has expired"}`}},
		{"SQLSTATE 08006 after the commit", rig.Fault{Kind: rig.SQLErrorAfterEffect, Message: "[SOME_CONNECTION] x. SQLSTATE: 08006", State: "08006"}},
		{"SQLSTATE 53200", rig.Fault{Kind: rig.SQLError, Message: "[UNABLE_TO_ACQUIRE_MEMORY] x. SQLSTATE: 53200", State: "53200"}},
		{"SQLSTATE 57P01", rig.Fault{Kind: rig.SQLError, Message: "[SHUTTING_DOWN] x. SQLSTATE: 57P01", State: "57P01"}},
		{"SQLSTATE 57KD0: out of time", rig.Fault{Kind: rig.SQLError, Message: "[QUERY_EXECUTION_TIMEOUT_EXCEEDED] x. SQLSTATE: 57KD0", State: "57KD0"}},
		{"SQLSTATE 58000 after the commit", rig.Fault{Kind: rig.SQLErrorAfterEffect, Message: "[SOME_IO] x. SQLSTATE: 58000", State: "58000"}},
	} {
		if sec.copyEvent(r.name) {
			continue
		}
		sec.runEvent(r.name, func() {
			r.fault.Match = into
			sec.fixture.warehouse.Fault(sec.t, r.fault)
		}, nil)
	}
	spans := sec.fixture.tables.spans
	sec.runEvent("a row filter on the table", func() {
		sec.fixture.warehouse.SQL(sec.t, "ALTER TABLE "+spans+" SET TBLPROPERTIES ('rig.row_filter' = 'main.default.mine')")
	},
		func() {
			sec.fixture.warehouse.SQL(sec.t, "ALTER TABLE "+spans+" UNSET TBLPROPERTIES ('rig.row_filter')")
		})
	sec.runEvent("results of more than 100 bytes as links, to clients that take them", func() { sec.fixture.warehouse.Set(sec.t, rig.WarehouseSettings{LinkBytes: 100}) }, nil)
	sec.fixture.warehouse.Set(sec.t, rig.WarehouseSettings{})
}

// copyEvent takes the cell of an event from docs/faults.md, but for every third, unless all are to be run.
func (sec *section) copyEvent(kind string) bool {
	if len(sec.kinds)%3 == 0 {
		return false
	}
	return sec.copyCell(kind, "")
}

// machineSection has what happens on the machine that runs tracemig, and what a wrong clock does.
func machineSection(sec *section, m *rig.MLflow) {
	in := newInjector(sec.t, newRecordingProxy(sec.t, m.URI).URL)
	undisturbed := newFixture(sec.t, in.URL, sec.experiment).toLocal()
	undisturbed.mustRun(0)
	fx := newFixture(sec.t, in.URL, sec.experiment).toLocal()
	fx.mustRun(0, "--end-time", "2015-01-01")
	sec.setUp(fx, in, undisturbed.tables)

	date := func(year int) fault {
		return fault{name: "", serve: status(503, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat))}
	}
	search, artifact := onPath("/traces/search"), onPath("get-trace-artifact")
	sec.runCell(requestKind{"the source's clock is behind: 503, Retry-After in 1990", search}, date(1990), 2)
	sec.runCell(requestKind{"the source's clock is ahead: 503, Retry-After in 2100", search}, date(2100), 2)
	always := fault{every: true, serve: status(500, "")}
	sec.runCell(requestKind{"500 for good to the spans of a trace", artifact}, always, 1)

	const full = "the disk is full at the checkpoint (a limit on the size of files)"
	c, flags := sec.nextCell(full, "", 40)
	s := &process{t: sec.t, cmd: fx.command(flags...)}
	s.cmd.Args = append([]string{"sh", "-c", `ulimit -f "$0" && exec "$@"`, "160"}, s.cmd.Args...) // 80 KiB
	s.cmd.Path = "/bin/sh"
	s.cmd.Stdout, s.cmd.Stderr = &s.stdout, &s.stderr
	if err := s.cmd.Start(); err != nil {
		sec.t.Fatal(err)
	}
	if o := s.wait(); o.code == 0 {
		sec.t.Error("the checkpoint had room enough")
	} else {
		sec.record(full, "", sec.checkRun(c, o, func() outcome { return fx.run(flags...) }))
	}

	for _, damage := range []struct {
		what string
		do   func(data []byte) []byte
	}{
		{"the checkpoint's first page is overwritten", func(data []byte) []byte { return append(bytes.Repeat([]byte("x"), 512), data[512:]...) }},
		{"the checkpoint is cut in half", func(data []byte) []byte { return data[:len(data)/2] }},
		{"the checkpoint's other pages are overwritten", func(data []byte) []byte {
			return append(data[:4096:4096], bytes.Repeat([]byte{0xa5}, len(data)-4096)...)
		}},
		{"the checkpoint is emptied", func([]byte) []byte { return nil }},
	} {
		c, flags := sec.nextCell(damage.what, "", 2)
		fx.mustRun(0, flags...)
		path := flags[len(flags)-1]
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, damage.do(data), 0o600)
		}
		if err != nil {
			sec.t.Fatal(err)
		}
		o := fx.run(flags...)
		sec.record(damage.what, "", sec.checkRun(c, o, func() outcome {
			if !strings.Contains(o.summary.Error, "Move the file away") {
				sec.t.Errorf("%s: no way out is named: %s", damage.what, o.summary.Error)
			}
			for _, end := range []string{"", "-wal", "-shm"} {
				_ = os.Rename(path+end, path+end+".away")
			}
			return fx.run(flags...)
		}))
	}
	sec.compareRows()
}

// faultsDoc is docs/faults.md.
func faultsDoc(sections []*section) string {
	var b strings.Builder
	b.WriteString(`# What faults do to a run

Written by TestFaultMatrix (internal/e2e/matrix_test.go; make faults), which every test run compares
with this file, leaving out columns and cells that take long: a proxy before the source and one before the target do to one request of each kind what the column
says. "same run" is a run that went on and ended with exit code 0. "next run (exit N)" is a run that
ended with that exit code and one sentence, shown below, with no trace half visible; the same command
again completed it. In every cell the tables then held exactly the rows of an undisturbed run, each
once.

| column | the fault |
|---|---|
`)
	for _, f := range faults {
		fmt.Fprintf(&b, "| %s | %s |\n", f.name, f.doc)
	}
	for _, sec := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n", sec.name)
		head, rule := "|", "|---|"
		for _, c := range sec.columns {
			head += " | " + c
			rule += "---|"
		}
		fmt.Fprintf(&b, "%s |\n%s\n", head, rule)
		for _, k := range sec.kinds {
			b.WriteString("| " + k)
			for _, c := range sec.columns {
				b.WriteString(" | " + sec.results[[2]string{k, c}])
			}
			b.WriteString(" |\n")
		}
	}
	b.WriteString("\n## What the failed runs said\n\n| request | fault | message |\n|---|---|---|\n")
	for _, sec := range sections {
		for _, m := range sec.messages {
			b.WriteString(m + "\n")
		}
	}
	return b.String()
}
