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
	m := source(t)
	const experiment = "/e2e/TestFaultMatrix"
	m.FillBulk(t, experiment, "feedback_values", 140)

	path := filepath.Join(rig.Root(), "docs", "faults.md")
	doc, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}

	var lanes []*lane
	t.Run("lanes", func(t *testing.T) {
		add := func(name string, run func(*lane)) {
			l := &lane{name: name, doc: doc, experiment: experiment, results: map[[2]string]string{}}
			lanes = append(lanes, l)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				l.t = t
				run(l)
			})
		}
		add("Source: an MLflow server", func(l *lane) { plainLane(l, m, true) })
		add("Source: an MLflow server that serves no artifacts", func(l *lane) { plainLane(l, m, false) })
		add("Source: a Databricks workspace", func(l *lane) { workspaceLane(l, m) })
		add("Source: events", func(l *lane) { workspaceEventsLane(l, m) })
		add("Target: a SQL warehouse", func(l *lane) { warehouseLane(l, m) })
		add("Target: events", func(l *lane) { warehouseEventsLane(l, m) })
		add("Clocks, checkpoint and disk", func(l *lane) { hereLane(l, m) })
	})
	if t.Failed() {
		return
	}
	got := faultsDoc(lanes)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, l := range lanes {
		if len(l.results) == 0 {
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

const laggard = time.Second

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
		time.Sleep(laggard) // a slow server, not a wait for something
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

// A kind is one of the requests of a run.
type kind struct {
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

	mu    sync.Mutex
	shots []*shot
}

type shot struct {
	kind
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
		if s := in.due(r, body); s != nil {
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

func (in *injector) due(r *http.Request, body []byte) *shot {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, s := range in.shots {
		if (s.every || s.hits == 0) && s.match(r, body) {
			s.hits++
			return s
		}
	}
	return nil
}

// load has the shots, and no others, be met in their order.
func (in *injector) load(shots ...*shot) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.shots = shots
}

// hits tells how often a shot was met.
func (in *injector) hits(s *shot) int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return s.hits
}

// A lane is a table of cells that write into the same tables, one after another, each traces of its own.
type lane struct {
	t          *testing.T
	name       string
	doc        []byte // docs/faults.md as it is
	brief      bool   // leaves some cells to make faults
	experiment string
	bed        *bed
	ends       *injector // where the shots hit
	want       tables    // of an undisturbed run
	traces     []seenTrace
	next       int // trace for the next cell

	kinds    []string
	columns  []string
	results  map[[2]string]string // kind and fault to outcome
	messages []string
	cells    []cell
}

type seenTrace struct {
	id           string
	ms           int64
	spans, notes int64
}

type cell struct {
	kind, fault string
	traces      []seenTrace
}

// open reads what an undisturbed run has written.
func (l *lane) open(b *bed, in *injector, want tables) {
	l.t.Helper()
	l.bed, l.ends, l.want = b, in, want
	l.next = 2 // the bulk, which comes later, is what every source serves
	for _, row := range rig.SharedWarehouse(l.t).SQL(l.t, fmt.Sprintf(`SELECT m.target_id, CAST(unix_micros(m.created_at) / 1000 AS BIGINT),
		(SELECT count(*) FROM %[1]s s WHERE s.trace_id = m.target_id), (SELECT count(*) FROM %[2]s a WHERE substring_index(a.target_id, ':', 1) = m.target_id)
		FROM %[2]s m WHERE m.annotation_type = 'METADATA' ORDER BY 2`, want.spans, want.annotations)) {
		l.traces = append(l.traces, seenTrace{row[0].(string), row[1].(int64), row[2].(int64), row[3].(int64)})
	}
}

// take gives a cell its traces, and the flags for a run over them.
func (l *lane) take(kind, fault string, n int) (cell, []string) {
	l.t.Helper()
	if l.next+n >= len(l.traces) {
		l.t.Fatalf("%d traces are not enough", len(l.traces))
	}
	c := cell{kind, fault, l.traces[l.next : l.next+n]}
	l.next += n
	end := time.UnixMilli(l.traces[l.next-1].ms + 1).UTC().Format(time.RFC3339Nano)
	return c, []string{"--start-time-ms", fmt.Sprint(c.traces[0].ms), "--end-time", end, "--checkpoint", filepath.Join(l.bed.baseDir, fmt.Sprintf("cell-%d.db", l.next))}
}

func (l *lane) note(kind, fault, outcome string) {
	if !slices.Contains(l.kinds, kind) {
		l.kinds = append(l.kinds, kind)
	}
	if !slices.Contains(l.columns, fault) {
		l.columns = append(l.columns, fault)
	}
	l.results[[2]string{kind, fault}] = outcome
}

// brief are the faults that every test run tries; make faults tries all, which takes minutes.
var brief = []string{"cut", "answer lost", "429, 1 s", "503", "401", "401 for good"}

// leave takes a cell from docs/faults.md, unless all are to be run.
func (l *lane) leave(kind, fault string) bool {
	if *update {
		return false
	}
	_, section, _ := strings.Cut(string(l.doc), "\n## "+l.name+"\n\n| | ")
	head, rows, _ := strings.Cut(section, " |\n")
	_, row, found := strings.Cut(rows, "\n| "+kind+" | ")
	row, _, _ = strings.Cut(row, " |\n")
	cells, column := strings.Split(row, " | "), slices.Index(strings.Split(head, " | "), fault)
	if !found || column < 0 || column >= len(cells) {
		l.t.Fatalf("docs/faults.md has no cell %s, %s", kind, fault)
	}
	l.note(kind, fault, cells[column])
	for line := range strings.Lines(string(l.doc)) {
		if strings.HasPrefix(line, "| "+kind+" | "+fault+" | ") {
			l.messages = append(l.messages, strings.TrimSuffix(line, "\n"))
		}
	}
	return true
}

const sameRun = "same run"

// judge says what became of a cell whose first run ended with o; run is the rerun.
func (l *lane) judge(c cell, o outcome, again func() outcome) string {
	l.t.Helper()
	l.cells = append(l.cells, c)
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
		l.t.Errorf("%s: exit code %d with message %q\n%s", where, o.code, message, tail(o.stderr))
	}
	l.whole(c, where)
	l.messages = append(l.messages, fmt.Sprintf("| %s | %s | %s |", c.kind, c.fault, scrub(l.bed, message)))
	if r := again(); r.code != 0 {
		l.t.Errorf("%s: the rerun ended with code %d: %s", where, r.code, tail(r.stderr))
	}
	return fmt.Sprintf("next run (exit %d)", o.code)
}

// whole fails if a reader sees a part of a trace of the cell: one whose root span is there.
func (l *lane) whole(c cell, where string) {
	l.t.Helper()
	var list []string
	for _, trace := range c.traces {
		list = append(list, "'"+trace.id+"'")
	}
	for _, row := range rig.SharedWarehouse(l.t).SQL(l.t, fmt.Sprintf(`SELECT s.id, s.n, coalesce(a.n, 0)
		FROM (SELECT trace_id AS id, count(*) AS n, bool_or(parent_span_id IS NULL) AS seen FROM %s WHERE trace_id IN (%[3]s) GROUP BY 1) s
		LEFT JOIN (SELECT substring_index(target_id, ':', 1) AS id, count(*) AS n FROM %[2]s WHERE substring_index(target_id, ':', 1) IN (%[3]s) GROUP BY 1) a ON a.id = s.id
		WHERE s.seen`, l.bed.rowsOf.spans, l.bed.rowsOf.annotations, strings.Join(list, ", "))) {
		for _, want := range c.traces {
			if want.id == row[0] && (row[1] != want.spans || row[2] != want.notes) {
				l.t.Errorf("%s: trace %s shows %v spans and %v annotations, want %d and %d", where, want.id, row[1], row[2], want.spans, want.notes)
			}
		}
	}
}

// close compares the rows of each cell with the undisturbed run's.
func (l *lane) close() {
	l.t.Helper()
	want, got := map[string][]int64{}, map[string][]int64{} // "s" or "a" and trace ID to the hashes of its rows
	rows := fmt.Sprintf(`SELECT concat('s', trace_id) AS id, xxhash64(%s) AS h FROM %%s UNION ALL
		SELECT concat('a', substring_index(target_id, ':', 1)), xxhash64(%s) FROM %%s`, spanText, anySource)
	for _, row := range rig.SharedWarehouse(l.t).SQL(l.t, fmt.Sprintf("SELECT true, * FROM ("+rows+") UNION ALL SELECT false, * FROM ("+rows+")",
		l.want.spans, l.want.annotations, l.bed.rowsOf.spans, l.bed.rowsOf.annotations)) {
		at := map[bool]map[string][]int64{true: want, false: got}[row[0].(bool)]
		at[row[1].(string)] = append(at[row[1].(string)], row[2].(int64))
	}
	for _, c := range l.cells {
		for _, trace := range c.traces {
			for _, table := range []string{"s", "a"} {
				slices.Sort(want[table+trace.id])
				slices.Sort(got[table+trace.id])
				if !slices.Equal(got[table+trace.id], want[table+trace.id]) || len(want[table+trace.id]) == 0 {
					l.t.Errorf("%s, %s: rows of trace %s (%s) are %d, want %d", c.kind, c.fault, trace.id, table, got[table+trace.id], want[table+trace.id])
				}
			}
		}
	}
}

// shoot runs the cell of a kind and a fault.
func (l *lane) shoot(k kind, f fault, traces int, flags ...string) {
	l.t.Helper()
	c, window := l.take(k.name, f.name, traces)
	flags = append(window, flags...)
	s := &shot{kind: k, fault: f}
	l.ends.load(s)
	o := l.bed.run(flags...)
	if l.ends.hits(s) == 0 {
		l.t.Errorf("%s, %s: the run met no fault: exit code %d\n%s", k.name, f.name, o.code, tail(o.stderr))
	}
	l.ends.load()
	l.note(k.name, f.name, l.judge(c, o, func() outcome { return l.bed.run(flags...) }))
}

// sweep runs the cells of a fault. A run that meets it in all kinds, once in each, and goes on, speaks for
// each of them; else each has a run of its own.
func (l *lane) sweep(kinds []kind, f fault, traces int, flags ...string) {
	l.t.Helper()
	if !*update && !slices.Contains(brief, f.name) {
		for _, k := range kinds {
			l.leave(k.name, f.name)
		}
		return
	}
	together := !f.every
	if together {
		c, window := l.take("all kinds", f.name, traces)
		flags := append(window, flags...)
		var shots []*shot
		for _, k := range kinds {
			shots = append(shots, &shot{kind: k, fault: f})
		}
		l.ends.load(shots...)
		o := l.bed.run(flags...)
		l.ends.load()
		for _, s := range shots {
			together = together && l.ends.hits(s) == 1
		}
		l.cells = append(l.cells, c)
		if together = together && o.code == 0; o.code != 0 {
			l.whole(c, "all kinds, "+f.name)
			l.bed.mustRun(0, flags...)
		}
	}
	for _, k := range kinds {
		if together {
			l.note(k.name, f.name, sameRun)
		} else if l.brief && k.name != insertAnnotations.name && k.name != insertSpans.name && l.leave(k.name, f.name) {
			continue
		} else {
			l.shoot(k, f, traces, flags...)
		}
	}
}

var addresses = regexp.MustCompile(`(https?://)?127\.0\.0\.1:\d+(->127\.0\.0\.1:\d+)?`)
var ids = regexp.MustCompile(`tr-[0-9a-f]{32}`)
var numbers = regexp.MustCompile(`experiment \d+`)

// scrub takes out of a message what differs from run to run.
func scrub(b *bed, message string) string {
	message = strings.ReplaceAll(message, b.baseDir, "…")
	if b.prefix != "" {
		message = strings.ReplaceAll(message, b.prefix, "agent")
	}
	message = addresses.ReplaceAllString(message, "HOST")
	message = ids.ReplaceAllString(message, "tr-…")
	message = numbers.ReplaceAllString(message, "experiment N")
	message = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllString(message, "…")
	message = regexp.MustCompile(`cell-\d+`).ReplaceAllString(message, "checkpoint")
	return strings.ReplaceAll(message, "|", `\|`)
}

// plainLane has an MLflow server for a source; one without the artifact endpoint is asked for spans in
// other ways.
func plainLane(l *lane, m *rig.MLflow, artifacts bool) {
	recorded := newRecording(l.t, m.URI)
	in := newInjector(l.t, recorded.URL)
	uri := in.URL
	if !artifacts {
		before := newInjector(l.t, in.URL)
		before.load(&shot{kind: kind{match: onPath("get-trace-artifact")}, fault: fault{every: true, serve: func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
			w.WriteHeader(http.StatusNotFound)
		}}})
		uri = before.URL
	}
	undisturbed := newBed(l.t, uri, l.experiment).toLocal()
	if o := undisturbed.run(); o.code != 0 && (artifacts || o.code != 3) { // one trace is nowhere but in its artifact
		l.t.Fatalf("exit code %d\n%s", o.code, tail(o.stderr))
	}
	b := newBed(l.t, uri, l.experiment).toLocal()
	b.mustRun(0, "--end-time", "2015-01-01") // makes the tables
	l.open(b, in, undisturbed.rowsOf)
	kinds := []kind{
		{"look up the experiment", onPath("/experiments/get")},
		{"list runs", onPath("/runs/search")},
		{"list a page of traces", onPath("/traces/search")},
		{"spans (get-trace-artifact)", onPath("get-trace-artifact")},
	}
	traces, flags := 2, []string(nil)
	if !artifacts {
		kinds = []kind{{"spans of one trace (traces/get)", onPath("/traces/get")}, {"spans of several (traces/batchGet)", onPath("/traces/batchGet")}}
		traces, flags = 5, []string{"--concurrency", "1"} // the first answers teach the run to ask for several
	}
	for _, f := range faults {
		l.sweep(kinds, f, traces, flags...)
	}
	l.close()
}

// workspaceLane has a Databricks-flavoured front for a source.
func workspaceLane(l *lane, m *rig.MLflow) {
	polls := 0
	start := func() (*bed, *injector) {
		b := newWorkspaceBed(l.t, rig.FrontOptions{MLflow: m.URI, V4Polls: &polls}, l.experiment).toLocal()
		in := newInjector(l.t, newRecording(l.t, b.front.URL).URL)
		b.setenv("DATABRICKS_HOST", in.URL)
		return b, in
	}
	undisturbed, _ := start()
	undisturbed.mustRun(0)
	b, in := start()
	b.mustRun(0, "--end-time", "2015-01-01")
	l.open(b, in, undisturbed.rowsOf)
	kinds := []kind{
		{"start a search", onPath("/traces/search-long-running")},
		{"poll it", onPath("/traces/search/operations/")},
		{"credentials for a download", onPath("/credentials-for-data-download")},
		{"signed download", onPath("/__storage/")},
	}
	for _, f := range faults {
		l.sweep(kinds, f, 2)
	}
	l.close()
}

// workspaceEventsLane has what stands between this machine and the storage behind a workspace.
func workspaceEventsLane(l *lane, m *rig.MLflow) {
	start := func() *bed { return newWorkspaceBed(l.t, rig.FrontOptions{MLflow: m.URI}, l.experiment).toLocal() }
	undisturbed := start()
	undisturbed.mustRun(0)
	b := start()
	b.mustRun(0, "--end-time", "2015-01-01")
	l.open(b, nil, undisturbed.rowsOf)
	for _, event := range [][2]string{
		{"a firewall of the storage refuses every download (403 AuthorizationFailure)", rig.StorageFirewall},
		{"nothing answers at the storage", rig.StorageUnreachable},
	} {
		name, storage := event[0], event[1]
		set := func(storage string) { b.front.Set(l.t, map[string]any{"storage": storage}) }
		if o := l.event(name, func() { set(storage) }, func() { set("") }); o.code != 1 || o.summary.Failed != 0 || !strings.Contains(o.summary.Error, "inside its network") {
			l.t.Errorf("%s: %+v", name, o.summary)
		}
	}
	l.close()
}

// toTarget has the lane write into tables of a warehouse, and the shots hit what goes there.
func (l *lane) toTarget(m *rig.MLflow) {
	recorded := newRecording(l.t, m.URI)
	undisturbed := newBed(l.t, recorded.URL, l.experiment).toLocal()
	undisturbed.mustRun(0)
	b := newBed(l.t, recorded.URL, l.experiment).toWarehouse(rig.FrontOptions{})
	b.mustRun(0, "--end-time", "2015-01-01")
	in := newInjector(l.t, b.front.URL)
	b.setenv("DATABRICKS_HOST", in.URL)
	l.open(b, in, undisturbed.rowsOf)
}

var (
	insertAnnotations = kind{"insert annotations", onBody("INSERT INTO", "_otel_annotations")}
	insertSpans       = kind{"insert spans", onBody("INSERT INTO", "_otel_spans")}
)

func warehouseLane(l *lane, m *rig.MLflow) {
	l.toTarget(m)
	kinds := []kind{
		{"the warehouse's state", onPath("/api/2.0/sql/warehouses/")},
		{"open a session", onBody("OpenSession")},
		{"check a table's version", onBody("SHOW TBLPROPERTIES")},
		{"describe a table", onBody("DESCRIBE TABLE")},
		{"the tables' identity", onBody("DESCRIBE DETAIL")},
		{"what was migrated", onBody("m.source_trace_id")},
		insertAnnotations, insertSpans,
	}
	lookup := kind{"look up rows after a lost answer", onBody("AS found")}
	lost := faults[slices.IndexFunc(faults, func(f fault) bool { return f.name == "answer lost" })]
	l.brief = true
	for _, f := range faults {
		l.sweep(kinds, f, 2)
		if f.name != "cut" && l.leave(lookup.name, f.name) {
			continue
		}
		c, flags := l.take(lookup.name, f.name, 2)
		s := &shot{kind: lookup, fault: f}
		l.ends.load(&shot{kind: insertAnnotations, fault: lost}, s)
		o := l.bed.run(flags...)
		if l.ends.hits(s) == 0 {
			l.t.Errorf("%s, %s: the run met no fault", lookup.name, f.name)
		}
		l.ends.load()
		l.note(lookup.name, f.name, l.judge(c, o, func() outcome { return l.bed.run(flags...) }))
	}
	l.close()
}

// warehouseEventsLane has what happens to a warehouse and its tables.
func warehouseEventsLane(l *lane, m *rig.MLflow) {
	l.toTarget(m)
	stopped := fault{name: "", serve: func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		l.bed.front.Set(l.t, map[string]any{"warehouse_state": "STOPPED"})
		pass(w)
	}}
	l.shoot(kind{"the warehouse is stopped before an insert of spans", insertSpans.match}, stopped, 2)
	l.reported()
	// Another run writes the same at the same time; both wait for each other before their insert.
	const conflict = "another run inserts the same spans at once: one gets a Delta conflict"
	met := false
	for range 10 { // until the inserts really meet, which they do at once unless one is held up
		var arrived sync.WaitGroup
		var mu sync.Mutex
		arrived.Add(2)
		n := 0
		l.ends.load(&shot{kind: insertSpans, fault: fault{every: true, serve: func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
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
		c, flags := l.take(conflict, "", 2)
		other := l.bed.start(append(slices.Clone(flags[:len(flags)-1]), flags[len(flags)-1]+"-other")...)
		o := l.bed.run(flags...)
		if o := other.wait(); o.code != 0 {
			l.t.Errorf("the other run ended with code %d: %s", o.code, tail(o.stderr))
		}
		l.ends.load()
		l.note(conflict, "", l.judge(c, o, func() outcome { return l.bed.run(flags...) }))
		if met {
			break
		}
	}
	if !met {
		l.t.Error("no conflict came about")
	}
	l.close()
}

// event runs a cell in which something happens before the run; after, which may be nil, ends it before the rerun.
func (l *lane) event(name string, before, after func(), flags ...string) outcome {
	l.t.Helper()
	c, window := l.take(name, "", 2)
	flags = append(window, flags...)
	before()
	o := l.bed.run(flags...)
	l.note(name, "", l.judge(c, o, func() outcome {
		if after != nil {
			after()
		}
		return l.bed.run(flags...)
	}))
	return o
}

// reported has what public reports tell of warehouses (docs/warehouse.md), mostly told inside of HTTP 200.
func (l *lane) reported() {
	l.t.Helper()
	into := "INSERT INTO.*" + l.bed.prefix + "_otel_spans"
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
		if l.leaves(r.name) {
			continue
		}
		l.event(r.name, func() {
			r.fault.Match = into
			l.bed.wh.Fault(l.t, r.fault)
		}, nil)
	}
	spans := l.bed.rowsOf.spans
	l.event("a row filter on the table", func() {
		l.bed.wh.SQL(l.t, "ALTER TABLE "+spans+" SET TBLPROPERTIES ('rig.row_filter' = 'main.default.mine')")
	},
		func() { l.bed.wh.SQL(l.t, "ALTER TABLE "+spans+" UNSET TBLPROPERTIES ('rig.row_filter')") })
	l.event("results of more than 100 bytes as links, to clients that take them", func() { l.bed.wh.Set(l.t, rig.WarehouseSettings{LinkBytes: 100}) }, nil)
	l.bed.wh.Set(l.t, rig.WarehouseSettings{})
}

// leaves takes the cell of an event from docs/faults.md, but for every third, unless all are to be run.
func (l *lane) leaves(kind string) bool {
	if len(l.kinds)%3 == 0 {
		return false
	}
	return l.leave(kind, "")
}

// hereLane has what happens on the machine that runs tracemig, and what a wrong clock does.
func hereLane(l *lane, m *rig.MLflow) {
	in := newInjector(l.t, newRecording(l.t, m.URI).URL)
	undisturbed := newBed(l.t, in.URL, l.experiment).toLocal()
	undisturbed.mustRun(0)
	b := newBed(l.t, in.URL, l.experiment).toLocal()
	b.mustRun(0, "--end-time", "2015-01-01")
	l.open(b, in, undisturbed.rowsOf)

	date := func(year int) fault {
		return fault{name: "", serve: status(503, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat))}
	}
	search, artifact := onPath("/traces/search"), onPath("get-trace-artifact")
	l.shoot(kind{"the source's clock is behind: 503, Retry-After in 1990", search}, date(1990), 2)
	l.shoot(kind{"the source's clock is ahead: 503, Retry-After in 2100", search}, date(2100), 2)
	always := fault{every: true, serve: status(500, "")}
	l.shoot(kind{"500 for good to the spans of a trace", artifact}, always, 1)

	const full = "the disk is full at the checkpoint (a limit on the size of files)"
	c, flags := l.take(full, "", 40)
	s := &started{t: l.t, cmd: b.command(flags...)}
	s.cmd.Args = append([]string{"sh", "-c", `ulimit -f "$0" && exec "$@"`, "160"}, s.cmd.Args...) // 80 KiB
	s.cmd.Path = "/bin/sh"
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.errOut
	if err := s.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	if o := s.wait(); o.code == 0 {
		l.t.Error("the checkpoint had room enough")
	} else {
		l.note(full, "", l.judge(c, o, func() outcome { return b.run(flags...) }))
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
		c, flags := l.take(damage.what, "", 2)
		b.mustRun(0, flags...)
		path := flags[len(flags)-1]
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, damage.do(data), 0o600)
		}
		if err != nil {
			l.t.Fatal(err)
		}
		o := b.run(flags...)
		l.note(damage.what, "", l.judge(c, o, func() outcome {
			if !strings.Contains(o.summary.Error, "Move the file away") {
				l.t.Errorf("%s: no way out is named: %s", damage.what, o.summary.Error)
			}
			for _, end := range []string{"", "-wal", "-shm"} {
				_ = os.Rename(path+end, path+end+".away")
			}
			return b.run(flags...)
		}))
	}
	l.close()
}

// faultsDoc is docs/faults.md.
func faultsDoc(lanes []*lane) string {
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
	for _, l := range lanes {
		fmt.Fprintf(&b, "\n## %s\n\n", l.name)
		head, rule := "|", "|---|"
		for _, c := range l.columns {
			head += " | " + c
			rule += "---|"
		}
		fmt.Fprintf(&b, "%s |\n%s\n", head, rule)
		for _, k := range l.kinds {
			b.WriteString("| " + k)
			for _, c := range l.columns {
				b.WriteString(" | " + l.results[[2]string{k, c}])
			}
			b.WriteString(" |\n")
		}
	}
	b.WriteString("\n## What the failed runs said\n\n| request | fault | message |\n|---|---|---|\n")
	for _, l := range lanes {
		for _, m := range l.messages {
			b.WriteString(m + "\n")
		}
	}
	return b.String()
}
