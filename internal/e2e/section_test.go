//go:build rig

package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/rig"
)

// A section is one table of docs/faults.md. Its cells run one after another and write into the same tables, each cell
// other traces.
type section struct {
	t           *testing.T
	name        string
	doc         []byte // docs/faults.md as it is on disk
	insertsOnly bool   // without -update, cells of other requests than inserts are copied
	experiment  string
	fixture     *fixture
	injector    *injector // applies the faults
	want        tables    // what an undisturbed run has written
	traces      []cellTrace
	next        int // index of the first trace of the next cell

	kinds    []string             // of requests, the rows
	columns  []string             // the faults
	results  map[[2]string]string // by kind and fault
	messages []string
	cells    []cell
}

// A cellTrace is a trace, its request time, and how many rows it has.
type cellTrace struct {
	id                 string
	ms                 int64
	spans, annotations int64
}

// A cell is the fault that one kind of request meets, and the traces that its runs migrate.
type cell struct {
	kind, fault string
	traces      []cellTrace
}

// setUp prepares the section for runs of the fixture, and reads from want which traces an undisturbed run has written.
func (sec *section) setUp(fx *fixture, in *injector, want tables) {
	sec.t.Helper()
	sec.fixture, sec.injector, sec.want = fx, in, want
	sec.next = 2 // Every source can serve the bulk traces, which come after the two of the corpus.
	for _, row := range rig.SharedWarehouse(sec.t).SQL(sec.t, fmt.Sprintf(`SELECT
		m.target_id, CAST(unix_micros(m.created_at) / 1000 AS BIGINT),
		(SELECT count(*) FROM %[1]s s WHERE s.trace_id = m.target_id),
		(SELECT count(*) FROM %[2]s a WHERE substring_index(a.target_id, ':', 1) = m.target_id)
		FROM %[2]s m WHERE m.annotation_type = 'METADATA' ORDER BY 2`, want.spans, want.annotations)) {
		sec.traces = append(sec.traces, cellTrace{row[0].(string), row[1].(int64), row[2].(int64), row[3].(int64)})
	}
}

// nextCell returns a cell with the next n traces, and the flags of a run over them. The last flag is the checkpoint's path.
func (sec *section) nextCell(kind, fault string, n int) (cell, []string) {
	sec.t.Helper()
	if sec.next+n >= len(sec.traces) {
		sec.t.Fatalf("%d traces are not enough, want at least %d", len(sec.traces), sec.next+n+1)
	}
	c := cell{kind, fault, sec.traces[sec.next : sec.next+n]}
	sec.next += n
	end := time.UnixMilli(sec.traces[sec.next-1].ms + 1).UTC().Format(time.RFC3339Nano)
	checkpoint := filepath.Join(sec.fixture.baseDir, fmt.Sprintf("cell-%d.db", sec.next))
	return c, []string{"--start-time-ms", fmt.Sprint(c.traces[0].ms), "--end-time", end, "--checkpoint", checkpoint}
}

// record sets the result of a cell.
func (sec *section) record(kind, fault, outcome string) {
	if !slices.Contains(sec.kinds, kind) {
		sec.kinds = append(sec.kinds, kind)
	}
	if !slices.Contains(sec.columns, fault) {
		sec.columns = append(sec.columns, fault)
	}
	sec.results[[2]string{kind, fault}] = outcome
}

// quickFaults are the faults that every test run tries. Only make faults tries all, which takes minutes.
var quickFaults = []string{"cut", "answer lost", "429, 1 s", "503", "401", "401 for good"}

// copyCell copies the result of a cell from docs/faults.md instead of running it, and returns whether it did. With -update
// it copies none.
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

// checkRun checks the outcome of the first run of a cell, calls again for the rerun if there must be one, and returns the
// result of the cell.
func (sec *section) checkRun(c cell, o outcome, again func() outcome) string {
	sec.t.Helper()
	sec.cells = append(sec.cells, c)
	where := fmt.Sprintf("%s, %s", c.kind, c.fault)
	if o.code == 0 {
		return sameRun
	}
	message := o.message()
	if o.code == 3 {
		for _, trace := range o.traces {
			if trace.State == "failed" {
				message = trace.Detail
			}
		}
	}
	if !slices.Contains([]int{1, 3, 12, 13}, o.code) || message == "" || strings.Contains(message, "\n") {
		sec.t.Errorf("%s: exit code %d with message %q, want 1, 3, 12 or 13 with a message of one line\n%s",
			where, o.code, message, tail(o.stderr))
	}
	sec.checkNoPartialTraces(c, where)
	message = normalizeMessage(sec.fixture, message)
	sec.messages = append(sec.messages, fmt.Sprintf("| %s | %s | %s |", c.kind, c.fault, message))
	if r := again(); r.code != 0 {
		sec.t.Errorf("%s: the rerun ended with exit code %d, want 0: %s", where, r.code, tail(r.stderr))
	}
	return fmt.Sprintf("next run (exit %d)", o.code)
}

// checkNoPartialTraces fails if a trace of the cell is visible to readers but incomplete. A trace is visible once its root
// span is there.
func (sec *section) checkNoPartialTraces(c cell, where string) {
	sec.t.Helper()
	var list []string
	for _, trace := range c.traces {
		list = append(list, "'"+trace.id+"'")
	}
	for _, row := range rig.SharedWarehouse(sec.t).SQL(sec.t, fmt.Sprintf(`SELECT s.id, s.n, coalesce(a.n, 0)
		FROM (SELECT trace_id AS id, count(*) AS n, bool_or(parent_span_id IS NULL) AS seen
			FROM %s WHERE trace_id IN (%[3]s) GROUP BY 1) s
		LEFT JOIN (SELECT substring_index(target_id, ':', 1) AS id, count(*) AS n
			FROM %[2]s WHERE substring_index(target_id, ':', 1) IN (%[3]s) GROUP BY 1) a ON a.id = s.id
		WHERE s.seen`, sec.fixture.tables.spans, sec.fixture.tables.annotations, strings.Join(list, ", "))) {
		for _, want := range c.traces {
			if want.id == row[0] && (row[1] != want.spans || row[2] != want.annotations) {
				sec.t.Errorf("%s: trace %s shows %v spans and %v annotations, want %d and %d",
					where, want.id, row[1], row[2], want.spans, want.annotations)
			}
		}
	}
}

// compareRows compares the rows of all cells with those of the undisturbed run.
func (sec *section) compareRows() {
	sec.t.Helper()
	want, got := map[string][]int64{}, map[string][]int64{} // hashes of rows by "s" (spans) or "a" (annotations) and trace ID
	rows := fmt.Sprintf(`SELECT concat('s', trace_id) AS id, xxhash64(%s) AS h FROM %%s UNION ALL
		SELECT concat('a', substring_index(target_id, ':', 1)), xxhash64(%s) FROM %%s`, spanText, anySource)
	query := fmt.Sprintf("SELECT true, * FROM ("+rows+") UNION ALL SELECT false, * FROM ("+rows+")",
		sec.want.spans, sec.want.annotations, sec.fixture.tables.spans, sec.fixture.tables.annotations)
	for _, row := range rig.SharedWarehouse(sec.t).SQL(sec.t, query) {
		at := map[bool]map[string][]int64{true: want, false: got}[row[0].(bool)]
		at[row[1].(string)] = append(at[row[1].(string)], row[2].(int64))
	}
	for _, c := range sec.cells {
		for _, trace := range c.traces {
			for _, table := range []string{"s", "a"} {
				want, got := want[table+trace.id], got[table+trace.id]
				slices.Sort(want)
				slices.Sort(got)
				if !slices.Equal(got, want) || len(want) == 0 {
					sec.t.Errorf("%s, %s: rows of trace %s (%s) are %d, want %d", c.kind, c.fault, trace.id, table, got, want)
				}
			}
		}
	}
}

// runCell runs the cell of one kind of request and one fault, over so many traces.
func (sec *section) runCell(k requestKind, f fault, traces int, flags ...string) {
	sec.t.Helper()
	c, window := sec.nextCell(k.name, f.name, traces)
	flags = append(window, flags...)
	injected := &injection{requestKind: k, fault: f}
	sec.injector.inject(injected)
	o := sec.fixture.run(flags...)
	if sec.injector.hits(injected) == 0 {
		sec.t.Errorf("%s, %s: the run met no fault, want it to: exit code %d\n%s", k.name, f.name, o.code, tail(o.stderr))
	}
	sec.injector.inject()
	sec.record(k.name, f.name, sec.checkRun(c, o, func() outcome { return sec.fixture.run(flags...) }))
}

// runFault runs the cells of one fault. First, one run meets the fault once in a request of each kind. If it still ends
// well, that is the result of all cells. Otherwise each cell gets a run of its own.
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
		var injections []*injection
		for _, k := range kinds {
			injections = append(injections, &injection{requestKind: k, fault: f})
		}
		sec.injector.inject(injections...)
		o := sec.fixture.run(flags...)
		sec.injector.inject()
		for _, i := range injections {
			together = together && sec.injector.hits(i) == 1
		}
		sec.cells = append(sec.cells, c)
		if together = together && o.code == 0; o.code != 0 {
			sec.checkNoPartialTraces(c, "all kinds, "+f.name)
			sec.fixture.mustRun(0, flags...)
		}
	}
	for _, k := range kinds {
		isInsert := k.name == insertAnnotations.name || k.name == insertSpans.name
		switch {
		case together:
			sec.record(k.name, f.name, sameRun)
		case sec.insertsOnly && !isInsert && sec.copyCell(k.name, f.name):
		default:
			sec.runCell(k, f, traces, flags...)
		}
	}
}

var (
	addressPattern    = regexp.MustCompile(`(https?://)?127\.0\.0\.1:\d+(->127\.0\.0\.1:\d+)?`)
	traceIDPattern    = regexp.MustCompile(`tr-[0-9a-f]{32}`)
	experimentPattern = regexp.MustCompile(`experiment \d+`)
	uuidPattern       = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	checkpointPattern = regexp.MustCompile(`cell-\d+`)
)

// normalizeMessage replaces the parts of a message that differ from run to run.
func normalizeMessage(fx *fixture, message string) string {
	message = strings.ReplaceAll(message, fx.baseDir, "…")
	if fx.prefix != "" {
		message = strings.ReplaceAll(message, fx.prefix, "agent")
	}
	message = addressPattern.ReplaceAllString(message, "HOST")
	message = traceIDPattern.ReplaceAllString(message, "tr-…")
	message = experimentPattern.ReplaceAllString(message, "experiment N")
	message = uuidPattern.ReplaceAllString(message, "…")
	message = checkpointPattern.ReplaceAllString(message, "checkpoint")
	return strings.ReplaceAll(message, "|", `\|`)
}

// runEvent runs a cell in which before makes something happen before the run. If after is not nil, it undoes that before
// the rerun.
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

// copyEvent is copyCell for an event, but leaves every third to be run.
func (sec *section) copyEvent(kind string) bool {
	if len(sec.kinds)%3 == 0 {
		return false
	}
	return sec.copyCell(kind, "")
}
