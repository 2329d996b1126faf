//go:build rig

package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
)

var update = flag.Bool("update", false, "write docs/faults.md from what TestFaultMatrix finds")

// TestFaultMatrix has each kind of request meet each fault. In every cell the tables hold, after at most one rerun, the
// rows of an undisturbed run. A run that fails before says so and leaves no trace half visible. docs/faults.md shows the
// result of each cell. This test writes it (go test -tags rig ./internal/e2e -run TestFaultMatrix -update) and otherwise
// compares it with what happened.
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
	t.Run("sections", func(t *testing.T) {
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
			return // The flag -run has excluded it.
		}
	}
	if d := cmp.Diff(string(doc), got); d != "" {
		t.Errorf("%s differs from what happened; -update writes it (-want +got):\n%s", path, d)
	}
}

// mlflowSection has an MLflow server as the source. One without the artifact endpoint is asked for spans in other ways.
func mlflowSection(sec *section, m *rig.MLflow, artifacts bool) {
	recorded := newRecordingProxy(sec.t, m.URI)
	in := newInjector(sec.t, recorded.URL)
	uri := in.URL
	if !artifacts {
		before := newInjector(sec.t, in.URL)
		notFound := func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
			w.WriteHeader(http.StatusNotFound)
		}
		before.inject(&injection{requestKind{match: onPath("get-trace-artifact")}, fault{every: true, serve: notFound}, 0})
		uri = before.URL
	}
	undisturbed := newFixture(sec.t, uri, sec.experiment).toLocal()
	if o := undisturbed.run(); o.code != 0 && (artifacts || o.code != 3) { // One trace has its spans only in its artifact.
		sec.t.Fatalf("the undisturbed run ended with exit code %d, want 0\n%s", o.code, tail(o.stderr))
	}
	fx := newFixture(sec.t, uri, sec.experiment).toLocal()
	fx.mustRun(0, "--end-time", "2015-01-01") // This run only creates the tables.
	sec.setUp(fx, in, undisturbed.tables)
	kinds := []requestKind{
		{"look up the experiment", onPath("/experiments/get")},
		{"list runs", onPath("/runs/search")},
		{"list a page of traces", onPath("/traces/search")},
		{"spans (get-trace-artifact)", onPath("get-trace-artifact")},
	}
	traces, flags := 2, []string(nil)
	if !artifacts {
		kinds = []requestKind{
			{"spans of one trace (traces/get)", onPath("/traces/get")},
			{"spans of several (traces/batchGet)", onPath("/traces/batchGet")},
		}
		traces, flags = 5, []string{"--concurrency", "1"} // The run asks for several traces at once only after the first answers.
	}
	for _, f := range faults {
		sec.runFault(kinds, f, traces, flags...)
	}
	sec.compareRows()
}

// workspaceSection has a workspace (testdata/rig/front.py) as the source.
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

// sourceEventsSection has the storage behind a workspace out of reach.
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
		o := sec.runEvent(name, func() { set(storage) }, func() { set("") })
		if o.code != 13 || o.summary.Failed != 0 || !strings.Contains(o.message(), "inside its network") {
			sec.t.Errorf("%s: exit code %d, %+v; want exit code 13, no failed trace and an error with %q",
				name, o.code, o.summary, "inside its network")
		}
	}
	sec.compareRows()
}

// targetWarehouse has the section write into tables of the warehouse, and applies faults to the requests to it.
func (sec *section) targetWarehouse(m *rig.MLflow) {
	recorded := newRecordingProxy(sec.t, m.URI)
	undisturbed := newFixture(sec.t, recorded.URL, sec.experiment).toLocal()
	undisturbed.mustRun(0)
	fx := newFixture(sec.t, recorded.URL, sec.experiment).toWarehouse()
	fx.mustRun(0, "--end-time", "2015-01-01")
	in := newInjector(sec.t, fx.front.URL)
	fx.setenv("DATABRICKS_HOST", in.URL)
	sec.setUp(fx, in, undisturbed.tables)
}

var (
	insertAnnotations = requestKind{"insert annotations", onBody("INSERT INTO", "_otel_annotations")}
	insertSpans       = requestKind{"insert spans", onBody("INSERT INTO", "_otel_spans")}
)

// warehouseSection has a SQL warehouse as the target.
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
		injected := &injection{requestKind: lookup, fault: f}
		sec.injector.inject(&injection{requestKind: insertAnnotations, fault: lost}, injected)
		o := sec.fixture.run(flags...)
		if sec.injector.hits(injected) == 0 {
			sec.t.Errorf("%s, %s: the run met no fault, want it to", lookup.name, f.name)
		}
		sec.injector.inject()
		sec.record(lookup.name, f.name, sec.checkRun(c, o, func() outcome { return sec.fixture.run(flags...) }))
	}
	sec.compareRows()
}

// targetEventsSection has events at a warehouse and its tables.
func targetEventsSection(sec *section, m *rig.MLflow) {
	sec.targetWarehouse(m)
	stopped := fault{name: "", serve: func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		sec.fixture.front.Set(sec.t, map[string]any{"warehouse_state": "STOPPED"})
		pass(w)
	}}
	sec.runCell(requestKind{"the warehouse is stopped before an insert of spans", insertSpans.match}, stopped, 2)
	sec.runReportedFailures()
	sec.runConflict()
	sec.compareRows()
}

// runConflict has two runs insert the same spans. Both wait for each other before their insert, so that they conflict.
func (sec *section) runConflict() {
	sec.t.Helper()
	const conflict = "another run inserts the same spans at once: one gets a Delta conflict"
	conflicted := false
	for range 10 { // The first attempt is enough unless one of the inserts is held up.
		var arrived sync.WaitGroup
		var mu sync.Mutex
		arrived.Add(2)
		n := 0
		serve := func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
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
			conflicted = conflicted || bytes.Contains(answer.Body.Bytes(), []byte("DELTA_CONCURRENT"))
			mu.Unlock()
			copyAnswer(w, answer)
		}
		sec.injector.inject(&injection{requestKind: insertSpans, fault: fault{every: true, serve: serve}})
		c, flags := sec.nextCell(conflict, "", 2)
		other := sec.fixture.start(append(slices.Clone(flags[:len(flags)-1]), flags[len(flags)-1]+"-other")...)
		o := sec.fixture.run(flags...)
		if o := other.wait(); o.code != 0 {
			sec.t.Errorf("the other run ended with exit code %d, want 0: %s", o.code, tail(o.stderr))
		}
		sec.injector.inject()
		sec.record(conflict, "", sec.checkRun(c, o, func() outcome { return sec.fixture.run(flags...) }))
		if conflicted {
			break
		}
	}
	if !conflicted {
		sec.t.Error("no conflict occurred in ten attempts, want one")
	}
}

// runReportedFailures has failures of warehouses that users reported in public (docs/warehouse.md). Most come inside an
// answer with HTTP 200.
func (sec *section) runReportedFailures() {
	sec.t.Helper()
	into := "INSERT INTO.*" + sec.fixture.prefix + "_otel_spans"
	for _, r := range []struct {
		name  string
		fault rig.Fault
	}{
		{"HTTP 200: Session handle … has not been initialized or had already closed", rig.Fault{Kind: rig.SessionError,
			Message: "requirement failed: Session handle: SessionHandle [0f8f] has not been initialized or had already closed."}},
		{"HTTP 200: Session … is closed", rig.Fault{Kind: rig.SessionError,
			Message: "BAD_REQUEST: Invalid SessionHandle: Session [0f8f] is closed."}},
		{"HTTP 200: Couldn't create directory /local_disk0/…, twice", rig.Fault{Kind: rig.StatusError, Times: 2,
			Message: "Couldn't create directory /local_disk0/tmp/0f8f/_resources"}},
		{"HTTP 200: max capacity reached, three times", rig.Fault{Kind: rig.StatusError, Times: 3,
			Message: "Query rejected: cannot handle query since max capacity reached"}},
		{"HTTP 400: exceeds maximum allowed content length", rig.Fault{Kind: rig.HTTPError, Status: 400,
			Message: "Server received a request which exceeds maximum allowed content length. " +
				"RequestSize(bytes): 33967957, Limit(bytes): 33554432"}},
		{"HTTP 403: JWT has expired", rig.Fault{Kind: rig.HTTPError, Status: 403,
			Message: `{"error_code":403,"message":"JWT has expired"}`}},
		{"SQLSTATE 08006 after the commit", rig.Fault{Kind: rig.SQLErrorAfterEffect, State: "08006",
			Message: "[SOME_CONNECTION] x. SQLSTATE: 08006"}},
		{"SQLSTATE 53200", rig.Fault{Kind: rig.SQLError, State: "53200",
			Message: "[UNABLE_TO_ACQUIRE_MEMORY] x. SQLSTATE: 53200"}},
		{"SQLSTATE 57P01", rig.Fault{Kind: rig.SQLError, State: "57P01",
			Message: "[SHUTTING_DOWN] x. SQLSTATE: 57P01"}},
		{"SQLSTATE 57KD0: out of time", rig.Fault{Kind: rig.SQLError, State: "57KD0",
			Message: "[QUERY_EXECUTION_TIMEOUT_EXCEEDED] x. SQLSTATE: 57KD0"}},
		{"SQLSTATE 58000 after the commit", rig.Fault{Kind: rig.SQLErrorAfterEffect, State: "58000",
			Message: "[SOME_IO] x. SQLSTATE: 58000"}},
	} {
		if sec.copyEvent(r.name) {
			continue
		}
		sec.runEvent(r.name, func() {
			r.fault.Match = into
			sec.fixture.warehouse.Fault(sec.t, r.fault)
		}, nil)
	}
	alter := func(change string) {
		sec.fixture.warehouse.SQL(sec.t, "ALTER TABLE "+sec.fixture.tables.spans+" "+change)
	}
	sec.runEvent("a row filter on the table",
		func() { alter("SET TBLPROPERTIES ('rig.row_filter' = 'main.default.mine')") },
		func() { alter("UNSET TBLPROPERTIES ('rig.row_filter')") })
	sec.runEvent("results of more than 100 bytes as links, to clients that take them",
		func() { sec.fixture.warehouse.Set(sec.t, rig.WarehouseSettings{LinkBytes: 100}) }, nil)
	sec.fixture.warehouse.Set(sec.t, rig.WarehouseSettings{})
}

// machineSection has wrong clocks, and damage on the machine that runs tracemig.
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

	sec.runFullDisk()
	sec.runDamagedCheckpoints()
	sec.compareRows()
}

// runFullDisk has the checkpoint meet a limit on the size of files.
func (sec *section) runFullDisk() {
	sec.t.Helper()
	fx := sec.fixture
	const full = "the disk is full at the checkpoint (a limit on the size of files)"
	c, flags := sec.nextCell(full, "", 40)
	p := &process{t: sec.t, cmd: fx.command(flags...)}
	p.cmd.Args = append([]string{"sh", "-c", `ulimit -f "$0" && exec "$@"`, "160"}, p.cmd.Args...) // 80 KiB
	p.cmd.Path = "/bin/sh"
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		sec.t.Fatal(err)
	}
	if o := p.wait(); o.code == 0 {
		sec.t.Errorf("%s: the run ended with code 0, want an error", full)
	} else {
		sec.record(full, "", sec.checkRun(c, o, func() outcome { return fx.run(flags...) }))
	}
}

// runDamagedCheckpoints has a run find a checkpoint whose file was damaged.
func (sec *section) runDamagedCheckpoints() {
	sec.t.Helper()
	fx := sec.fixture
	for _, damage := range []struct {
		what string
		do   func(data []byte) []byte
	}{
		{"the checkpoint's first page is overwritten", func(data []byte) []byte {
			return append(bytes.Repeat([]byte("x"), 512), data[512:]...)
		}},
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
			if !strings.Contains(o.message(), "Move the file away") {
				sec.t.Errorf("%s: the error is %q, want it to contain %q", damage.what, o.message(), "Move the file away")
			}
			for _, end := range []string{"", "-wal", "-shm"} {
				_ = os.Rename(path+end, path+end+".away")
			}
			return fx.run(flags...)
		}))
	}
}

// faultsDoc returns the text of docs/faults.md.
func faultsDoc(sections []*section) string {
	var b strings.Builder
	b.WriteString(`# What faults do to a run

Written by TestFaultMatrix (internal/e2e/matrix_test.go; make faults), which every test run compares
with this file, leaving out columns and cells that take long: a proxy before the source and one before the target do ` +
		`to one request of each kind what the column
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
