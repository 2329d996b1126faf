//go:build rig

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/remove"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/schemas"
)

// removeCases are traces with annotations of every type.
const removeCases = "json_types,links,feedback_values,expectations,tags,in_run_and_linked,span_level_assessments,overridden_feedback"

// removal is what a removal ended with.
type removal struct {
	code    int
	summary remove.Summary
	stderr  string
}

// removing is the command of a removal with further flags.
func (fx *fixture) removing(flags ...string) *exec.Cmd {
	fx.t.Helper()
	cmd := exec.Command(binary(fx.t), slices.Concat([]string{"remove"}, fx.sourceFlags, fx.targetFlags, flags)...)
	cmd.Env, cmd.Dir = fx.env, fx.baseDir
	return cmd
}

// remove removes traces and waits for the end.
func (fx *fixture) remove(flags ...string) removal {
	fx.t.Helper()
	cmd := fx.removing(append(flags, "-o", "json")...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, _ := cmd.Output()
	r := removal{code: cmd.ProcessState.ExitCode(), stderr: stderr.String()}
	if r.code == -1 {
		return r
	}
	if err := schemas.Lines(string(out)); err != nil {
		fx.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r.summary); err != nil {
		fx.t.Fatalf("%v: %s\n%s", err, tail(string(out)), tail(r.stderr))
	}
	return r
}

// mustRemove is remove for a removal that must end well.
func (fx *fixture) mustRemove(flags ...string) remove.Summary {
	fx.t.Helper()
	r := fx.remove(append(flags, "--yes")...)
	if r.code != 0 {
		fx.t.Fatalf("exit code %d, want 0: %s", r.code, tail(r.stderr))
	}
	return r.summary
}

// rowText is a row of either table: its trace, the ID of a span's record or of an annotation, and all of it.
type rowText struct{ trace, id, text string }

// rowTexts are all rows of both tables, sorted.
func rowTexts(t *testing.T, at tables) (rows []string, all []rowText) {
	t.Helper()
	query := "SELECT trace_id, record_id, " + spanText + " FROM " + at.spans +
		" UNION ALL SELECT substring_index(target_id, ':', 1), annotation_id, " + annotationText + " FROM " + at.annotations
	for _, row := range rig.SharedWarehouse(t).SQL(t, query) {
		all = append(all, rowText{row[0].(string), row[1].(string), row[2].(string)})
		rows = append(rows, row[2].(string))
	}
	slices.Sort(rows)
	return rows, all
}

// leftOf are those rows that are not of the traces, and those that are kept.
func leftOf(all []rowText, gone map[string]bool, kept ...string) (rows []string) {
	for _, r := range all {
		if !gone[r.trace] || slices.Contains(kept, r.id) {
			rows = append(rows, r.text)
		}
	}
	slices.Sort(rows)
	return rows
}

func sameTexts(t *testing.T, step string, want, got []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", step, tail(d))
	}
}

// edit changes annotations of a trace as the service does for its users: a tag gets a newer version, an assessment is deleted, and
// another one is added. It returns the IDs of the annotations.
func edit(t *testing.T, at tables, trace string) (ids []string) {
	t.Helper()
	w := rig.SharedWarehouse(t)
	row := func(id, value, by, deleted, which string) string {
		return fmt.Sprintf(`SELECT %s AS annotation_id, target_type, target_id, annotation_type, name, %s AS value, comment, metadata, created_at,
			created_by, updated_at + INTERVAL 1 DAY AS updated_at, '%s' AS updated_by, %s AS deleted_at, %s AS deleted_by
			FROM %s WHERE target_id = '%s' AND %s`,
			id, value, by, strings.ReplaceAll(deleted, "BY", "now()"), strings.ReplaceAll(deleted, "BY", "'bob'"), at.annotations, trace, which)
	}
	const assessment = `(annotation_type IN ('FEEDBACK', 'EXPECTATION') AND annotation_id =
		(SELECT min(annotation_id) FROM %s WHERE target_id = '%s' AND annotation_type IN ('FEEDBACK', 'EXPECTATION')))`
	first := fmt.Sprintf(assessment, at.annotations, trace)
	parts := []string{
		row("annotation_id", `parse_json('"of bob"')`, "bob", "NULL", "annotation_type = 'TAG' AND name = 'corpus.case'"),
		row("annotation_id", "value", "bob", "BY", first),
		row("concat('added-', target_id)", `parse_json('5')`, "bob", "NULL", first),
	}
	into := at.annotations
	if strings.HasPrefix(into, "delta.") { // which is no name of a table to write to
		into = "default." + rig.TablePrefix(t)
		w.SQL(t, "CREATE TABLE "+into+" USING delta LOCATION '"+strings.TrimSuffix(strings.TrimPrefix(at.annotations, "delta.`"), "`")+"'")
	}
	columns := "annotation_id, target_type, target_id, annotation_type, name, value, comment, metadata, created_at, created_by, updated_at, " +
		"updated_by, deleted_at, deleted_by"
	w.SQL(t, fmt.Sprintf("INSERT INTO %s (%s) SELECT * FROM (%s)", into, columns, strings.Join(parts, " UNION ALL ")))
	for _, r := range w.SQL(t, fmt.Sprintf("SELECT DISTINCT annotation_id FROM %s WHERE target_id = '%s' AND updated_by = 'bob'",
		at.annotations, trace)) {
		ids = append(ids, r[0].(string))
	}
	if len(ids) != 3 {
		t.Fatalf("%d annotations were edited, want 3", len(ids))
	}
	return ids
}

// notNewMetadata leaves out newer versions of METADATA rows: a run that finds an edited assessment no longer lists it as tracemig's.
func notNewMetadata(rows []string) []string {
	return slices.DeleteFunc(slices.Clone(rows), func(row string) bool {
		var a annotationRow
		return json.Unmarshal([]byte(row), &a) == nil && a.Type == "METADATA" && a.UpdatedAt != a.CreatedAt
	})
}

// TestRemove removes what tracemig has written into local tables, beside another experiment's traces: of one run, and then all, by a
// process that is killed once. What others wrote stays, and a run brings everything back.
func TestRemove(t *testing.T) {
	t.Parallel()
	m, c := fill(t, removeCases)
	other := m.FillCases(t, "/e2e/"+t.Name()+"/other", "tags,links")
	fx := newFixture(t, m.URI, c.Experiment).toLocal()
	beside := newFixture(t, m.URI, other.Experiment)
	beside.targetFlags = fx.targetFlags
	beside.mustRun(0)
	times := requestTimes(c)
	middle := times[len(times)/2]
	first := fx.mustRun(0, "--end-time", time.UnixMilli(middle).UTC().Format(time.RFC3339Nano)).summary
	fx.mustRun(0)
	mine, early := map[string]bool{}, map[string]bool{}
	for _, e := range c.Expected {
		mine[targetOf(e.TraceID)] = true
		early[targetOf(e.TraceID)] = e.RequestTimeMS < middle
	}
	if first.Migrated == 0 || first.Migrated == int64(len(mine)) {
		t.Fatalf("the first run migrated %d of %d traces, want a part", first.Migrated, len(mine))
	}
	kept := edit(t, fx.tables, targetOf(c.Cases["feedback_values"][0]))
	before, all := rowTexts(t, fx.tables)

	logs := func(suffix string) (n int) {
		found, err := filepath.Glob(fx.localPath + suffix + "/_delta_log/*.json")
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	spans, annotations := logs("_otel_spans"), logs("_otel_annotations")
	for _, flags := range [][]string{{"--dry-run"}, nil} {
		if r := fx.remove(flags...); r.code != 2*(1-len(flags)) || r.summary.Traces != int64(len(mine)) || r.summary.AnnotationsEdited != 2 ||
			r.summary.AnnotationsAdded != 1 {
			t.Errorf("%v: exit code %d, %+v; want %d traces, 2 annotations edited and 1 added", flags, r.code, r.summary, len(mine))
		}
	}
	if s, a := logs("_otel_spans"), logs("_otel_annotations"); s != spans || a != annotations {
		t.Errorf("after the dry runs there are %d and %d versions of the tables, want %d and %d", s, a, spans, annotations)
	}

	if s := fx.mustRemove("--run", first.RunID); s.Traces != first.Migrated {
		t.Errorf("of the first run: %+v, want %d traces", s, first.Migrated)
	}
	rows, _ := rowTexts(t, fx.tables)
	sameTexts(t, "without the first run", leftOf(all, early, kept...), rows)

	// As soon as the spans are gone, the process is killed, wherever it is by then.
	spans = logs("_otel_spans")
	cmd, ended := fx.removing("--yes"), make(chan error, 1)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- cmd.Wait() }()
	for logs("_otel_spans") == spans && len(ended) == 0 {
		time.Sleep(time.Millisecond)
	}
	_ = cmd.Process.Kill()
	t.Logf("the killed removal: %v", <-ended)
	if err := os.RemoveAll(filepath.Join(fx.baseDir, "state")); err != nil {
		t.Fatal(err)
	}
	fx.mustRemove()
	rows, _ = rowTexts(t, fx.tables)
	sameTexts(t, "without all", leftOf(all, mine, kept...), rows)

	if s := fx.mustRun(0).summary; s.Migrated != int64(len(mine)) {
		t.Errorf("the next run: %+v, want %d traces migrated", s, len(mine))
	}
	rows, _ = rowTexts(t, fx.tables)
	sameTexts(t, "after another run", before, notNewMetadata(rows))
}

// requestTimes are those of the traces of a corpus, sorted.
func requestTimes(c rig.Corpus) (ms []int64) {
	for _, e := range c.Expected {
		ms = append(ms, e.RequestTimeMS)
	}
	slices.Sort(ms)
	return ms
}

// TestRemoveKilled removes through a warehouse what tracemig has written, beside traces of Databricks' own migration, one of which a
// run has taken over. The removal is killed between its commits, and in the end done once more by the statements that it prints.
func TestRemoveKilled(t *testing.T) {
	t.Parallel()
	m, c := fill(t, removeCases)
	fx := newFixture(t, m.URI, c.Experiment).toWarehouse()
	times := requestTimes(c)
	rig.Official(t, m, fx.warehouse, c.Experiment, "spark_catalog.default."+fx.prefix, rig.OfficialOptions{UntilMS: times[1]})
	p := newProxy(t, fx.front.URL)
	fx.setenv("DATABRICKS_HOST", p.URL)
	from := []string{"--start-time-ms", fmt.Sprint(times[1])}
	if s := fx.mustRun(0, from...).summary; s.TakenOver == 0 || s.Migrated < 5 {
		t.Fatalf("%+v, want a trace taken over and some migrated", s)
	}
	mine := map[string]bool{} // traces that are tracemig's alone
	for _, e := range c.Expected {
		mine[targetOf(e.TraceID)] = e.RequestTimeMS > times[1]
	}
	kept := edit(t, fx.tables, targetOf(c.Cases["feedback_values"][0]))
	before, all := rowTexts(t, fx.tables)
	left := leftOf(all, mine, kept...)

	was := len(before)
	for i := range 2 { // after the commit of spans, and after that of annotations
		p.killAt(1, "MERGE INTO", true)
		cmd := fx.removing("--yes")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p.kill <- func() { _ = cmd.Process.Kill() }
		if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
			t.Errorf("removal %d ended with exit code %d, want it killed", i, cmd.ProcessState.ExitCode())
		}
		p.reset()
		is := was
		for is == was { // A long statement is answered before it has ended, and goes on when its sender is killed.
			rows, _ := rowTexts(t, fx.tables)
			is = len(rows)
			time.Sleep(100 * time.Millisecond)
		}
		if last := i == 1; is >= was || last != (is == len(left)) {
			t.Errorf("%d rows after commit %d, %d before it, and %d in the end", is, i, was, len(left))
		}
		was = is
	}
	if s := fx.mustRemove(); s.Traces != 0 || s.TracesKept == 0 {
		t.Errorf("the last removal: %+v, want nothing left to do, and a trace kept", s)
	}
	rows, _ := rowTexts(t, fx.tables)
	sameTexts(t, "what is left", left, rows)

	if s := fx.mustRun(0, from...).summary; s.Migrated != int64(countTrue(mine)) || s.TakenOver != 0 {
		t.Errorf("the next run: %+v, want %d traces migrated", s, countTrue(mine))
	}
	rows, _ = rowTexts(t, fx.tables)
	sameTexts(t, "after another run", notNewMetadata(before), notNewMetadata(rows))
	out, err := fx.removing("--print-sql").Output()
	if err != nil {
		t.Fatal(err)
	}
	for statement := range strings.SplitSeq(string(out), ";\n\n") {
		if strings.HasPrefix(statement, "DELETE") {
			fx.warehouse.SQL(t, statement)
		}
	}
	rows, _ = rowTexts(t, fx.tables)
	sameTexts(t, "after the statements that were printed", left, rows)
}

func countTrue(m map[string]bool) (n int) {
	for _, is := range m {
		if is {
			n++
		}
	}
	return n
}
