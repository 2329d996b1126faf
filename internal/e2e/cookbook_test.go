//go:build rig

package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tracemig/tracemig/internal/cookbook"
	"github.com/tracemig/tracemig/internal/rig"
)

// cookbookCases are cases of the corpus with tokens, sessions and feedback.
const cookbookCases = "token_usage_cost,token_usage_summed_up,session_and_user,feedback_errors,feedback_sources,otlp_gen_ai"

// checkCookbook runs what tracemig sql prints: on Spark for the tables of the warehouse and for local ones, and on DuckDB. It
// compares the answers with what MLflow's client reads from the source. The warehouse's tables are there; the local ones are made.
//
// In both, an annotation gets a newer version that deletes it. The local ones are also compacted by another program, so that files
// lie in their folders that are no longer part of them.
func checkCookbook(t *testing.T, inWarehouse, local *fixture, c rig.Corpus) {
	t.Helper()
	local.mustRun(0)
	columns := "annotation_id, target_type, target_id, annotation_type, name, value, metadata, created_at, "
	inWarehouse.warehouse.SQL(t, fmt.Sprintf(`INSERT INTO %[1]s (%[2]s updated_at, deleted_at)
		SELECT %[2]s updated_at + INTERVAL '1' DAY, current_timestamp FROM %[1]s WHERE name = 'judge' AND annotation_type = 'FEEDBACK'`,
		inWarehouse.tables.annotations, columns))
	if changed := cookbookScript(t, "", "change", "--prefix", local.localPath); changed != "1\n" {
		t.Fatalf("%q annotations deleted, want 1", changed)
	}
	checkDashboard(t, inWarehouse)
	want := expectedAnswers(t, c)
	for _, name := range cookbook.Names {
		answers := map[string][]answer{"Spark over tables of the warehouse": onSpark(t, inWarehouse, name), "DuckDB": onDuckDB(t, local, name)}
		// The texts for Spark differ only in the names of the tables, and in those of what is asked of each of them.
		if name == "storage" || name == "sessions" {
			answers["Spark over local tables"] = onSpark(t, local, name, "--engine", "spark")
		}
		for engine, got := range answers {
			if name == "storage" {
				checkStorage(t, engine, got, inWarehouse, local, want)
				continue
			}
			if name == "ids" && engine == "Spark over tables of the warehouse" {
				for _, row := range got {
					row["new_trace_id"], _ = strings.CutPrefix(row["new_trace_id"].(string), "trace:/spark_catalog.default."+inWarehouse.prefix+"/")
				}
			}
			for _, row := range got {
				if name == "annotations" && row["annotation_type"] != "TAG" {
					delete(row, "value")
				}
				for _, column := range []string{"comment", "source", "span_id", "created_at", "updated_at", "request_time", "source_experiment_id"} {
					delete(row, column)
				}
			}
			if d := gocmp.Diff(inOrder(want[name]), inOrder(got), cmpopts.EquateApprox(1e-9, 0)); d != "" {
				t.Errorf("tracemig sql %s on %s (-want +got):\n%.5000s", name, engine, d)
			}
		}
	}
}

// checkDashboard has Spark look at what the widgets of a dashboard ask of its datasets, whose queries checkCookbook runs.
func checkDashboard(t *testing.T, fx *fixture) {
	t.Helper()
	var d struct {
		Datasets []struct {
			Name       string
			QueryLines []string
		}
		Pages []struct {
			Layout []struct {
				Widget struct {
					Name    string
					Queries []struct {
						Query struct {
							DatasetName   string
							Disaggregated bool
							Fields        []struct{ Name, Expression string }
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(printed(t, fx, "--dashboard")), &d); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, set := range d.Datasets {
		queries[set.Name] = strings.Join(set.QueryLines, "")
	}
	for _, item := range d.Pages[0].Layout {
		for _, q := range item.Widget.Queries {
			var fields []string
			for _, f := range q.Query.Fields {
				fields = append(fields, f.Expression+" AS `"+f.Name+"`")
			}
			query := "SELECT " + strings.Join(fields, ", ") + " FROM (\n" + queries[q.Query.DatasetName] + "\n)"
			if !q.Query.Disaggregated {
				query += " GROUP BY ALL"
			}
			if columns, err := fx.warehouse.TrySQL("DESCRIBE QUERY " + query); err != nil || len(columns) != len(fields) {
				t.Errorf("widget %s: error %v, columns %v, want %v", item.Widget.Name, err, columns, fields)
			}
		}
	}
}

// answer is a row of an answer, without the columns that are NULL.
type answer = map[string]any

// inOrder sorts rows by their texts, of which the columns of text come first.
func inOrder(rows []answer) []answer {
	key := func(r answer) string {
		var texts []string
		for _, k := range slices.Sorted(maps.Keys(r)) {
			if s, ok := r[k].(string); ok {
				texts = append(texts, k+"="+s)
			}
		}
		return strings.Join(texts, "\n")
	}
	return slices.SortedFunc(slices.Values(rows), func(a, b answer) int { return cmp.Compare(key(a), key(b)) })
}

// printed is what tracemig sql prints for the target of the fixture.
func printed(t *testing.T, fx *fixture, flags ...string) string {
	t.Helper()
	cmd := exec.Command(binary(t), slices.Concat([]string{"sql", "--days", "36500", "--target", fx.targetFlags[1]}, flags)...)
	cmd.Env, cmd.Dir = fx.env, fx.baseDir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return string(out)
}

func onSpark(t *testing.T, fx *fixture, flags ...string) (rows []answer) {
	t.Helper()
	query := strings.TrimSuffix(printed(t, fx, flags...), ";\n")
	for _, row := range rig.SharedWarehouse(t).SQL(t, "SELECT to_json(struct(q.*)) FROM (\n"+query+"\n) AS q") {
		rows = append(rows, decodeAnswer(t, row[0].(string)))
	}
	return rows
}

func onDuckDB(t *testing.T, fx *fixture, recipe string) (rows []answer) {
	t.Helper()
	for line := range strings.Lines(cookbookScript(t, printed(t, fx, recipe), "query")) {
		rows = append(rows, decodeAnswer(t, line))
	}
	return rows
}

func decodeAnswer(t *testing.T, text string) (row answer) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &row); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return row
}

func cookbookScript(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := rig.Command(t, "venv", "cookbook.py", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output returns it as it is
			stderr = string(exit.Stderr)
		}
		t.Fatalf("cookbook.py %v: %v\n%s\n%s", args, err, stderr, stdin)
	}
	return string(out)
}

// checkStorage holds that the days have all rows and all bytes of the tables.
func checkStorage(t *testing.T, engine string, got []answer, inWarehouse, local *fixture, want map[string][]answer) {
	t.Helper()
	var size float64
	if strings.Contains(engine, "warehouse") {
		for _, table := range []string{inWarehouse.tables.spans, inWarehouse.tables.annotations} {
			const sizeInBytes = 10
			size += float64(inWarehouse.warehouse.SQL(t, "DESCRIBE DETAIL "+table)[0][sizeInBytes].(int64))
		}
	} else {
		size, _ = strconv.ParseFloat(strings.TrimSpace(cookbookScript(t, "", "size", "--prefix", local.localPath)), 64)
	}
	var spans, annotations, bytes float64
	for _, day := range got {
		spans += day["spans"].(float64)
		annotations += day["annotations"].(float64)
		bytes += day["bytes"].(float64)
	}
	wantSpans := 0.0
	for _, row := range want["latency"] {
		wantSpans += row["spans"].(float64)
	}
	// The deleted annotation is there in two versions.
	if wantAnnotations := float64(len(want["annotations"]) + 2); spans != wantSpans || annotations != wantAnnotations {
		t.Errorf("tracemig sql storage on %s: %v spans, %v annotations; want %v, %v", engine, spans, annotations, wantSpans, wantAnnotations)
	}
	if math.Abs(bytes-size) > float64(len(got)) || size == 0 {
		t.Errorf("tracemig sql storage on %s: %v bytes, want %v: %v", engine, bytes, size, got)
	}
}

// expectedAnswers are the answers that the source has, by recipe.
func expectedAnswers(t *testing.T, c rig.Corpus) map[string][]answer {
	t.Helper()
	want := map[string][]answer{"tokens": {
		// As the cases of the corpus set them.
		{"model": "model-x", "calls": 3.0, "input_tokens": 33.0, "output_tokens": 15.0, "total_tokens": 48.0, "cost": 0.7500003},
		{"model": "model-y", "calls": 1.0, "input_tokens": 100.0, "output_tokens": 1.0, "total_tokens": 101.0, "cost": 0.5},
		{"model": "model-z", "calls": 1.0, "input_tokens": 20.0, "output_tokens": 1.0, "total_tokens": 21.0, "cost": 0.125},
		{"model": "gpt-x", "calls": 1.0, "input_tokens": 12.0, "output_tokens": 3.0, "total_tokens": 15.0},
	}}
	e := expectation{
		days: map[string]answer{}, sessions: map[string]answer{}, judges: map[[3]string]*judged{}, spans: map[[2]string]*timed{},
	}
	summedUp := 0.0
	for i := range c.Expected {
		trace := &c.Expected[i]
		summedUp += tokensOf(trace)
		e.trace(trace)
		e.annotations(t, trace)
		want["ids"] = append(want["ids"], answer{"old_trace_id": trace.TraceID, "new_trace_id": strings.TrimPrefix(trace.TraceID, "tr-")})
	}
	byModel := 0.0
	for _, row := range want["tokens"] {
		byModel += row["total_tokens"].(float64)
	}
	if byModel != summedUp {
		t.Fatalf("MLflow sums up %v tokens, the cases of the corpus %v", summedUp, byModel)
	}
	want["traces"], want["sessions"] = slices.Collect(maps.Values(e.days)), slices.Collect(maps.Values(e.sessions))
	want["annotations"] = e.rows
	for key, j := range e.judges {
		row := answer{
			"name": key[0], "judge": key[1], "judge_type": key[2], "feedbacks": j.n, "yes_count": j.yes, "no_count": j.no, "errors": j.errors,
		}
		if len(j.numbers) > 0 {
			sum := 0.0
			for _, n := range j.numbers {
				sum += n
			}
			row["mean"] = sum / float64(len(j.numbers))
		}
		want["feedback"] = append(want["feedback"], row)
	}
	for key, s := range e.spans {
		slices.Sort(s.ms)
		want["latency"] = append(want["latency"], answer{
			"name": key[0], "type": key[1], "spans": float64(len(s.ms)), "p50_ms": quantile(s.ms, 0.5), "p95_ms": quantile(s.ms, 0.95),
			"errors": s.errors,
		})
	}
	for _, row := range want["latency"] {
		if row["type"] == "" {
			delete(row, "type")
		}
	}
	return want
}

// tokensOf is how many tokens MLflow has counted of a trace.
func tokensOf(trace *rig.ExpectedTrace) float64 {
	var usage struct {
		Total float64 `json:"total_tokens"`
	}
	_ = json.Unmarshal([]byte(trace.Metadata["mlflow.trace.tokenUsage"]), &usage)
	return usage.Total
}

// quantile is a quantile of sorted numbers, between two of which it lies on the line.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

type judged struct {
	n, yes, no, errors float64
	numbers            []float64
}

type timed struct {
	ms     []float64
	errors float64
}

// expectation gathers what the recipes should find.
type expectation struct {
	days, sessions map[string]answer // by day, by session
	judges         map[[3]string]*judged
	spans          map[[2]string]*timed
	rows           []answer // annotations
}

func (e *expectation) trace(trace *rig.ExpectedTrace) {
	day, session, failed := "", trace.Metadata["mlflow.trace.session"], 0.0
	var began, ended int64
	for i := range trace.Spans {
		s := &trace.Spans[i]
		var typ string
		_ = json.Unmarshal(s.Attributes["mlflow.spanType"], &typ)
		key := [2]string{s.Name, typ}
		if e.spans[key] == nil {
			e.spans[key] = &timed{}
		}
		e.spans[key].ms = append(e.spans[key].ms, float64(*s.End-s.Start)/1e6)
		if s.StatusCode == "ERROR" {
			e.spans[key].errors++
		}
		if s.ParentSpanID != nil {
			continue
		}
		day = time.Unix(0, s.Start).UTC().Format(time.DateOnly)
		if began == 0 || s.Start < began {
			began = s.Start
		}
		ended = max(ended, *s.End)
		if s.StatusCode == "ERROR" {
			failed = 1
		}
		_ = json.Unmarshal(s.Attributes["session.id"], &session)
	}
	count := func(rows map[string]answer, column, key string) answer {
		if rows[key] == nil {
			rows[key] = answer{column: key, "traces": 0.0, "errors": 0.0}
		}
		rows[key]["traces"] = rows[key]["traces"].(float64) + 1
		rows[key]["errors"] = rows[key]["errors"].(float64) + failed
		return rows[key]
	}
	count(e.days, "day", day)
	if session == "" {
		return
	}
	row, at := count(e.sessions, "session", session), func(ns int64) string {
		return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	if first, ok := row["first_at"].(string); !ok || at(began) < first {
		row["first_at"] = at(began)
	}
	if last, ok := row["last_at"].(string); !ok || at(ended) > last {
		row["last_at"] = at(ended)
	}
	if n := tokensOf(trace); n > 0 {
		before, _ := row["tokens"].(float64)
		row["tokens"] = before + n
	}
}

func (e *expectation) annotations(t *testing.T, trace *rig.ExpectedTrace) {
	t.Helper()
	add := func(typ, name string) answer {
		row := answer{"trace_id": strings.TrimPrefix(trace.TraceID, "tr-"), "annotation_type": typ, "name": name}
		e.rows = append(e.rows, row)
		return row
	}
	add("METADATA", "metadata")
	for key, value := range trace.Tags {
		if key != "mlflow.artifactLocation" && key != "mlflow.trace.spansLocation" {
			add("TAG", key)["value"] = text(value)
		}
	}
	for range trace.Runs {
		add("RUN_LINK", "run_link")
	}
	for _, b := range trace.Assessments {
		var a assessment
		if err := json.Unmarshal(b, &a); err != nil {
			t.Fatal(err)
		}
		if a.Feedback == nil {
			add("EXPECTATION", a.Name)
			continue
		}
		if a.Name == "judge" {
			continue // deleted at the target
		}
		add("FEEDBACK", a.Name)
		if a.Valid == nil || *a.Valid {
			e.feedback(&a)
		}
	}
}

func (e *expectation) feedback(a *assessment) {
	key := [3]string{a.Name, a.Source.ID, a.Source.Type}
	if e.judges[key] == nil {
		e.judges[key] = &judged{}
	}
	j := e.judges[key]
	j.n++
	if a.Feedback.Error != nil && a.Feedback.Error.Code != nil {
		j.errors++
	}
	var value any
	_ = json.Unmarshal(a.Feedback.Value, &value)
	switch v := value.(type) {
	case bool:
		if v {
			j.yes++
		} else {
			j.no++
		}
	case float64:
		j.numbers = append(j.numbers, v)
	}
}
