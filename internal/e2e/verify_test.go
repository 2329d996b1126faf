//go:build rig

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/schemas"
	"github.com/tracemig/tracemig/internal/verify"
)

// verification is what verify or repair has printed.
type verification struct {
	report   verify.Report // the last one that was printed
	findings map[string]verify.Kind
	details  map[string]string
	stderr   string
}

func (v verification) String() string {
	return fmt.Sprintf("%+v, findings %v, details %v", v.report, v.findings, v.details)
}

// verify runs verify or repair, as verb says, and fails unless it ends with this exit code.
func (fx *fixture) verify(verb string, code int, flags ...string) verification {
	fx.t.Helper()
	cmd := fx.command(flags...)
	cmd.Args[1] = verb
	cmd.Args = slices.DeleteFunc(cmd.Args, isCreateFlag)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	hung := time.AfterFunc(runTimeout, func() { _ = cmd.Process.Kill() })
	defer hung.Stop()
	if err := cmd.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			fx.t.Fatal(err)
		}
	}
	if err := schemas.Lines(out.String()); err != nil {
		fx.t.Error(err)
	}
	v := verification{findings: map[string]verify.Kind{}, details: map[string]string{}, stderr: errOut.String()}
	for line := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n") {
		var typed struct{ Type string }
		var f verify.Finding
		if err := json.Unmarshal([]byte(line), &typed); err != nil {
			fx.t.Fatalf("%v in %q\n%s", err, line, tail(v.stderr))
		}
		switch typed.Type {
		case "finding":
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				fx.t.Fatal(err)
			}
			v.findings[f.TraceID], v.details[f.TraceID] = f.Kind, f.Detail
		case "verification":
			v.report = verify.Report{}
			if err := json.Unmarshal([]byte(line), &v.report); err != nil {
				fx.t.Fatal(err)
			}
		}
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		fx.t.Errorf("%s ended with code %d, want %d\n%s\n%s", verb, got, code, tail(out.String()), tail(v.stderr))
	}
	return v
}

// TestVerify damages a target in every way that verify knows, and checks what verify finds and what repair repairs.
func TestVerify(t *testing.T) {
	t.Parallel()
	m, c := fillBulk(t, smallCases+",tags,state_error,in_progress,no_spans", 30)
	fx := newFixture(t, m.URI, c.Experiment).toWarehouse()
	fx.mustRun(0)
	// TestCorpus verifies an undamaged target with --deep.
	if v := fx.verify("verify", 0); !v.report.Equal || v.report.Compared != v.report.Listed ||
		v.report.Kinds[verify.Match]+v.report.Kinds[verify.Open] != v.report.Listed {
		t.Errorf("verify: %v, want an equal target whose traces all match or are open", v)
	}
	if v := fx.verify("verify", 0, "--sample", "7"); v.report.Compared != 7 {
		t.Errorf("verify --sample 7: %v, want 7 traces compared", v)
	}

	var ids []string // of bulk traces, in the target
	for _, row := range fx.warehouse.SQL(t, "SELECT DISTINCT trace_id FROM "+fx.tables.spans+" WHERE name = 'bulk' ORDER BY 1") {
		ids = append(ids, row[0].(string))
	}
	spans, annotations := fx.tables.spans, fx.tables.annotations
	want := map[string]verify.Kind{}
	shallow := map[string]bool{}
	// next returns a bulk trace that is to be damaged so that verify finds the kind, and without --deep only if it is seen.
	next := func(kind verify.Kind, seen bool) string {
		id := ids[0]
		ids = ids[1:]
		want["tr-"+id], shallow["tr-"+id] = kind, seen
		return "'" + id + "'"
	}
	missing, noSpans, noChild := next(verify.Missing, true), next(verify.Incomplete, true), next(verify.Incomplete, true)
	noMetadata, noTag := next(verify.Incomplete, true), next(verify.Incomplete, true)
	otherTag, edited, bobsTag := next(verify.Differ, false), next(verify.Edited, false), next(verify.Match, true)
	created, tagTwice := next(verify.Differ, false), next(verify.Differ, true)
	repairable := len(want)
	date, future := next(verify.Differ, false), next(verify.Differ, true)
	ids = append([]string{strings.TrimPrefix(c.Cases["json_types"][0], "tr-")}, ids...)
	integer := next(verify.Differ, false)
	attributes, name, spanID := next(verify.Differ, false), next(verify.Differ, false), next(verify.Differ, true)
	spansTwice, annotationsTwice := next(verify.Duplicate, true), next(verify.Duplicate, true)
	for _, s := range []string{
		"DELETE FROM " + spans + " WHERE trace_id IN (" + missing + ", " + noSpans + ")" +
			" OR trace_id = " + noChild + " AND parent_span_id IS NOT NULL",
		"DELETE FROM " + annotations + " WHERE target_id LIKE concat(" + missing + ", '%')" +
			" OR target_id = " + noMetadata + " AND annotation_type = 'METADATA'" +
			" OR target_id = " + noTag + " AND annotation_type = 'TAG' AND name = 'mlflow.traceName'",
		"UPDATE " + annotations + " SET value = CASE WHEN target_id = " + otherTag + " THEN parse_json('\"another\"') ELSE value END," +
			" created_at = CASE WHEN target_id = " + created + " THEN created_at - INTERVAL 1 HOUR ELSE created_at END," +
			" updated_at = CASE WHEN target_id = " + future + " THEN now() + INTERVAL 400 DAYS ELSE updated_at END" +
			" WHERE target_id IN (" + otherTag + ", " + created + ") AND name = 'mlflow.traceName'" +
			" OR target_id = " + future + " AND annotation_type = 'METADATA'",
		"INSERT INTO " + annotations + " SELECT annotation_id, target_type, target_id, annotation_type, name, parse_json('\"mine\"')," +
			" comment, metadata, created_at, created_by, now(), 'bob', NULL, NULL, 'insert' FROM " + annotations +
			" WHERE target_id = " + edited + " AND name = 'mlflow.traceName'" +
			" UNION ALL SELECT 'under another ID', target_type, target_id, annotation_type, name, value," +
			" comment, metadata, created_at, created_by, updated_at, updated_by, NULL, NULL, 'insert' FROM " + annotations +
			" WHERE target_id = " + tagTwice + " AND name = 'mlflow.traceName'" +
			" UNION ALL SELECT 'of bob', 'TRACE', " + bobsTag + ", 'TAG', 'bob', parse_json('1')," +
			" NULL, NULL, now(), NULL, now(), NULL, NULL, NULL, 'insert'" +
			" UNION ALL SELECT * FROM " + annotations + " WHERE target_id = " + annotationsTwice + " AND annotation_type = 'TAG'",
		"UPDATE " + spans + " SET attributes = CASE WHEN trace_id = " + attributes + " THEN parse_json('{\"a\":1}')" +
			" WHEN trace_id = " + integer + " THEN parse_json(replace(to_json(attributes), '\"int\":1', '\"int\":1.0E0')) ELSE attributes END," +
			" date = CASE WHEN trace_id = " + date + " THEN date_add(date, 1) ELSE date END," +
			" name = CASE WHEN trace_id = " + name + " THEN 'another' ELSE name END," +
			" span_id = CASE WHEN trace_id = " + spanID + " THEN 'ffffffffffffffff' ELSE span_id END" +
			" WHERE trace_id IN (" + attributes + ", " + name + ", " + integer + ", " + date + ") AND parent_span_id IS NULL" +
			" OR trace_id = " + spanID + " AND parent_span_id IS NOT NULL",
		"INSERT INTO " + spans + " SELECT * FROM " + spans + " WHERE trace_id = " + spansTwice,
	} {
		fx.warehouse.SQL(t, s)
	}
	added := m.Add(t, c.Experiment, 1).Cases["added"][0]
	want[added], shallow[added] = verify.Newer, true

	check := func(v verification, deep bool) {
		t.Helper()
		for id, kind := range want {
			if kind == verify.Match || !deep && !shallow[id] {
				kind = ""
			}
			if got := v.findings[id]; got != kind && !(kind == verify.Differ && got == verify.Incomplete && shallow[id]) {
				t.Errorf("deep %t: trace %s is %q (%s), want %q", deep, id, got, v.details[id], kind)
			}
		}
		for id, kind := range v.findings {
			if _, damaged := want[id]; !damaged && kind != verify.Open {
				t.Errorf("deep %t: trace %s is %s (%s), want no finding", deep, id, kind, v.details[id])
			}
		}
	}
	check(fx.verify("verify", 4), false)
	lost, differ := filepath.Join(fx.baseDir, "lost.txt"), filepath.Join(fx.baseDir, "differ.txt")
	v := fx.verify("verify", 4, "--deep", "--missing-on-target", lost, "--differ", differ)
	check(v, true)
	for path, kinds := range map[string][]verify.Kind{
		lost:   {verify.Pending, verify.Missing, verify.Incomplete},
		differ: {verify.Differ, verify.Duplicate},
	} {
		var listed []string
		for id, kind := range v.findings {
			if slices.Contains(kinds, kind) {
				listed = append(listed, id+"\n")
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(text), "\n")
		slices.Sort(lines)
		slices.Sort(listed)
		if got := strings.Join(lines, ""); got != strings.Join(listed, "") {
			t.Errorf("%s has %q, want %q", path, got, listed)
		}
	}
	// Without the checkpoint it finds the same, but cannot know which traces were migrated before.
	fx.deleteCheckpoint()
	for id, kind := range want {
		if kind == verify.Missing || kind == verify.Newer {
			want[id], shallow[id] = verify.Pending, true
		}
	}
	check(fx.verify("verify", 4, "--deep"), true)

	changed := "SELECT count(*) FROM " + spans + " WHERE name = 'another' OR span_id = 'ffffffffffffffff'"
	before := fx.warehouse.SQL(t, changed)
	v = fx.verify("repair", 4, "--deep")
	if !strings.Contains(v.stderr, "DELETE FROM") {
		t.Errorf("repair says %s\nwant a DELETE FROM for what it leaves to the user", tail(v.stderr))
	}
	if after := fx.warehouse.SQL(t, changed); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("after repair there are %v changed spans, want %v as before", after, before)
	}
	if wrong := v.report.Wrong(); wrong != int64(len(want)-1-repairable) {
		t.Errorf("after repair %d traces are wrong, want %d: %+v", wrong, len(want)-1-repairable, v.report)
	}
	// repair writes anew what the user deletes.
	var wrong []string
	for id, kind := range want {
		if kind == verify.Differ || kind == verify.Duplicate {
			wrong = append(wrong, "'"+strings.TrimPrefix(id, "tr-")+"'")
		}
	}
	fx.warehouse.SQL(t, "DELETE FROM "+spans+" WHERE trace_id IN ("+strings.Join(wrong, ", ")+")")
	fx.warehouse.SQL(t, "DELETE FROM "+annotations+" WHERE target_id IN ("+strings.Join(wrong, ", ")+")")
	if v := fx.verify("repair", 0, "--deep"); !v.report.Equal {
		t.Errorf("repair after the deletion: %v, want an equal target", v)
	}
}
