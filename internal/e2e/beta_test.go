//go:build rig

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/verify"
)

// TestBeta migrates tables of the beta form that hold the corpus and what other writers left there. The rows that the warehouse makes
// by SQL are those that are made of the same tables here, and those of the direct migration, but for what the tables can't hold. A
// run that is killed and repeated in shards, and runs without their checkpoint, end the same.
func TestBeta(t *testing.T) {
	t.Parallel()
	m := mlflowServer(t)
	_, c := rig.SharedMLflow(t)
	schema := "spark_catalog." + rig.TablePrefix(t)
	filled := rig.SharedWarehouse(t).FillBeta(t, schema, rig.BetaOptions{MLflow: m, Experiment: c.Experiment})
	if len(filled.Traces) < 100 || len(filled.Others["easy"]) == 0 || len(filled.Others["hard"]) == 0 {
		t.Fatalf("the tables hold %+v; want most of the corpus, and traces of others", filled)
	}
	from := func() *fixture {
		fx := newFixture(t, "databricks", schema)
		fx.useFront(rig.FrontOptions{Warehouse: rig.SharedWarehouse(t).URL(), MLflow: "http://127.0.0.1:9"})
		return fx
	}

	bySQL := from().toWarehouse()
	s := bySQL.mustRun(0).summary
	all := int64(len(filled.Traces) + len(filled.Others["easy"]) + len(filled.Others["hard"]))
	easy := int64(len(filled.Others["easy"]) + len(filled.Traces)/2)
	if s.Listed != all || s.Migrated+s.Skipped+s.Deferred != all || s.Copied < easy || s.Copied > all-int64(len(filled.Others["hard"])) {
		t.Errorf("%+v; want all of %d traces migrated, at least %d of them by SQL, and no hard one", s, all, easy)
	}
	v := bySQL.verify("verify", 0, "--deep")
	if !v.report.Equal || v.report.Kinds[verify.Match] != s.Migrated+s.Skipped {
		t.Errorf("verify: %v, want %d matches", v, s.Migrated+s.Skipped)
	}

	// Local tables can't be written by the warehouse, so that every trace is read and converted here.
	local := from().toLocal()
	if s := local.mustRun(0).summary; s.Copied != 0 || s.Migrated+s.Skipped+s.Deferred != all {
		t.Errorf("into local tables: %+v, want %d traces, none by SQL", s, all)
	}
	sameRows(t, local.tables, bySQL.tables)

	direct := newFixture(t, m.URI, c.Experiment).toLocal()
	direct.mustRun(3)
	compareWithDirect(t, filled, direct.tables, bySQL.tables)

	betaShards(t, from().toWarehouse(), bySQL.tables, s.Migrated)
}

// betaShards migrates a window, and then all in two shards. The first one is killed between its two writes, and loses its
// checkpoint. All runs go by the same proxy, since the workspace's address names the source.
func betaShards(t *testing.T, fx *fixture, want tables, migrated int64) {
	t.Helper()
	p := newProxy(t, fx.front.URL)
	fx.setenv("DATABRICKS_HOST", p.URL)
	total := fx.mustRun(0, "--end-time", "2015-01-01").summary.Migrated // a window that holds a few
	p.killAt(1, "INSERT INTO", true)
	run := fx.start("--shard", "0/2")
	p.kill <- func() { _ = run.cmd.Process.Kill() }
	if o := run.wait(); o.code != -1 {
		t.Errorf("the first shard ended with exit code %d, want it killed", o.code)
	}
	p.reset()
	fx.deleteCheckpoint()
	for _, shard := range []string{"0/2", "1/2"} {
		s := fx.mustRun(0, "--shard", shard).summary
		total += s.Migrated
		if s.Copied == 0 || s.Migrated == 0 {
			t.Errorf("shard %s: %+v, want some traces migrated, and some by SQL", shard, s)
		}
	}
	if total != migrated {
		t.Errorf("the window and the shards migrated %d traces, want %d", total, migrated)
	}
	sameRows(t, want, fx.tables)
	fx.deleteCheckpoint()
	if s := fx.mustRun(0).summary; s.TargetWrites > 0 || s.Present != migrated {
		t.Errorf("a run without its checkpoint: %+v, want no write", s)
	}
}

// betaLoss is a difference between the rows that were made of the beta form and those of the direct migration.
type betaLoss struct {
	row    string // the kind of row, and row for one that is missing
	path   string // regular expression for the place of the value in it
	reason string
	ok     func(direct, beta any) bool // whether the values differ as the reason says; nil for any
	used   int
}

// wasText and isText say whether a value was a text that looked like another one, and became one where it was none.
func wasText(direct, _ any) bool { _, text := direct.(string); return text }
func isText(_, beta any) bool    { _, text := beta.(string); return text }

// halves says whether the values differ by half a surrogate pair alone, in whose place the client that filled the tables writes "?".
func halves(direct, beta any) bool {
	d, _ := direct.(string)
	b, _ := beta.(string)
	return strings.Contains(d, "\ufffd") && strings.ReplaceAll(d, "\ufffd", "?") == b
}

// betaLosses are all differences that are as they should be.
var betaLosses = []betaLoss{
	{row: "METADATA", path: `^metadata>tracemig\.(source|source_trace_id|source_experiment_id|digest|source_execution_duration)$`,
		reason: "the source is another one"},
	{row: "METADATA", path: `^metadata>tracemig\.versions`, reason: "assessments are in the order of their IDs, without issue references"},
	{row: "METADATA", path: `^metadata>tracemig\.otel_trace_id$`, reason: "a trace has one ID"},
	{row: "METADATA", path: `^value>(request|response)_preview$`, reason: "there are no previews"},
	{row: "METADATA", path: `^value>trace_metadata>mlflow\.migration\.sourceExperimentId$`, reason: "no experiment is named"},
	{row: "FEEDBACK row", reason: "there are no references to issues", ok: func(direct, _ any) bool {
		return strings.Contains(fmt.Sprint(direct), "tracemig.issue_name")
	}},
	{row: "EXPECTATION", path: `^metadata>mlflow\.valid$`, reason: "MLflow's client, which filled the tables, does not tell it"},
	{row: "span", path: `^attributes>tracemig\.raw\.`, reason: "half a surrogate pair is no UTF-8"},
	{row: "span", path: `^(name|attributes>.*)$`, reason: "half a surrogate pair is no UTF-8", ok: halves},
	{row: "span", path: `^attributes>[^>]*$`, reason: "a text that looks like JSON is not told from the value", ok: wasText},
	{row: "span", path: `^(events|links)>\d+>attributes>[^>]*$`, reason: "values are texts", ok: isText},
}

// compareWithDirect compares the rows of the traces that both have.
func compareWithDirect(t *testing.T, filled rig.BetaTables, direct, beta tables) {
	t.Helper()
	want, got := rowsByKey(t, direct), rowsByKey(t, beta)
	traces := slices.Collect(maps.Values(filled.Traces))
	unexpected := map[string][]string{}
	for key, row := range want {
		if !slices.Contains(traces, row.trace) {
			continue
		}
		if got[key].values == nil {
			if !excused(row.kind+" row", "", row.values, nil) {
				note(unexpected, row.kind+" row", fmt.Sprintf("%s is missing: %.300v", key, row.values))
			}
			continue
		}
		compareFlat(unexpected, key, row, got[key])
	}
	for key, row := range got {
		if slices.Contains(traces, row.trace) && want[key].values == nil {
			note(unexpected, row.kind+" row", fmt.Sprintf("%s is there besides: %.300v", key, row.values))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(unexpected)) {
		all := unexpected[what]
		t.Errorf("%d times %s, such as:\n  %s", len(all), what, strings.Join(all[:min(3, len(all))], "\n  "))
	}
	for _, l := range betaLosses {
		if l.used == 0 {
			t.Errorf("nothing is lost at %s of %s rows (%s), so the list must not say so", l.path, l.row, l.reason)
		}
	}
}

func note(to map[string][]string, what, text string) { to[what] = append(to[what], text) }

// flatRow is a row as values by their paths.
type flatRow struct {
	kind, trace string
	values      map[string]any
}

// rowsByKey reads both tables as Spark reads them.
func rowsByKey(t *testing.T, at tables) map[string]flatRow {
	t.Helper()
	rows := map[string]flatRow{}
	query := "SELECT 'span', trace_id, span_id, " + spanText + " FROM " + at.spans +
		" UNION ALL SELECT annotation_type, target_id, annotation_id, " + annotationText + " FROM " + at.annotations
	for _, r := range rig.SharedWarehouse(t).SQL(t, query) {
		d := json.NewDecoder(strings.NewReader(r[3].(string)))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		row := flatRow{r[0].(string), r[1].(string), map[string]any{}}
		flatten(row.values, "", v)
		rows[fmt.Sprintf("%v %v %v", r[0], r[1], r[2])] = row
	}
	return rows
}

// flatten adds the values of v by their paths. An object or array stands there too, without what is in it.
func flatten(to map[string]any, path string, v any) {
	under := func(name string) string { return strings.TrimPrefix(path+">"+name, ">") }
	switch v := v.(type) {
	case map[string]any:
		to[path] = "an object"
		for name, member := range v {
			flatten(to, under(name), member)
		}
	case []any:
		to[path] = fmt.Sprintf("an array of %d", len(v))
		for i, element := range v {
			flatten(to, under(fmt.Sprint(i)), element)
		}
	default:
		to[path] = v
	}
}

// compareFlat notes the differences of a row that betaLosses does not list. Of a value that differs, what is in it is not compared.
func compareFlat(unexpected map[string][]string, key string, want, got flatRow) {
	paths := maps.Clone(want.values)
	maps.Copy(paths, got.values)
	var above []string
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		direct, inDirect := want.values[path]
		beta, inBeta := got.values[path]
		inside := slices.ContainsFunc(above, func(a string) bool { return strings.HasPrefix(path, a+">") })
		if inside || inDirect == inBeta && direct == beta {
			continue
		}
		above = append(above, path)
		if !excused(want.kind, path, direct, beta) {
			note(unexpected, want.kind+" "+regexp.MustCompile(`\d+`).ReplaceAllString(path, "N"),
				fmt.Sprintf("%s: %.200v (%T) directly, %.200v (%T) by way of the tables", key, direct, direct, beta, beta))
		}
	}
}

func excused(kind, path string, direct, beta any) bool {
	for i := range betaLosses {
		l := &betaLosses[i]
		if l.row == kind && regexp.MustCompile(l.path).MatchString(path) && (l.ok == nil || l.ok(direct, beta)) {
			l.used++
			return true
		}
	}
	return false
}
