//go:build rig

package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/schemas"
)

// tracemig runs the program without the fixture's source and target.
func (fx *fixture) tracemig(args ...string) (code int, stdout, stderr string) {
	fx.t.Helper()
	cmd := exec.Command(binary(fx.t), args...)
	cmd.Env, cmd.Dir = fx.env, fx.baseDir
	var said strings.Builder
	cmd.Stderr = &said
	out, _ := cmd.Output()
	if strings.Contains(string(out)+said.String(), fx.front.Token) {
		fx.t.Errorf("the output shows the token, want it not to:\n%s%s", out, said.String())
	}
	return cmd.ProcessState.ExitCode(), string(out), said.String()
}

// TestTargetCreate makes a target with nothing there, again with all there, and migrates into it.
func TestTargetCreate(t *testing.T) {
	t.Parallel()
	m, c := fill(t, smallCases)
	fx := newWorkspaceFixture(t, rig.FrontOptions{MLflow: m.URI}, c.Experiment)
	fx.warehouse, fx.prefix = rig.SharedWarehouse(t), rig.TablePrefix(t)
	location := "spark_catalog.default." + fx.prefix
	create := []string{"target", "create", "--experiment", "/Shared/new", "--location", location}
	made := func(flags ...string) (line struct {
		ID      string `json:"experiment_id"`
		Created bool
		Tables  []string
		Views   []string
	}) {
		t.Helper()
		code, out, errs := fx.tracemig(append(append(create, "-o", "json"), flags...)...)
		if err := schemas.Lines(out); err != nil {
			t.Error(err)
		}
		if err := json.Unmarshal([]byte(out), &line); err != nil || code != 0 {
			t.Fatalf("exit code %d, %v; want 0\n%s%s", code, err, out, errs)
		}
		return line
	}
	first := made("--grant-to", "team")
	if !first.Created || len(first.Tables) != 4 || len(first.Views) != 2 {
		t.Errorf("the first time %+v, want a created experiment with 4 tables and 2 views", first)
	}
	want := [][]string{{"spark_catalog", "team", "USE_CATALOG"}, {"spark_catalog.default", "team", "USE_SCHEMA"}}
	for _, table := range []string{"spans", "annotations", "logs", "metrics"} {
		want = append(want, []string{location + "_otel_" + table, "team", "SELECT", "MODIFY"})
	}
	if diff := cmp.Diff(want, fx.front.Stats(t).Grants); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
	writes := len(fx.front.Stats(t).Writes)
	if second := made(); second.Created || second.ID != first.ID || len(fx.front.Stats(t).Writes) != writes {
		t.Errorf("the second time %+v, and requests that write %q; want nothing made", second, fx.front.Stats(t).Writes[writes:])
	}
	code, out, _ := fx.tracemig(create...)
	for _, words := range []string{
		"/Shared/new (" + first.ID + ") is bound to " + location + ": was there", "export MLFLOW_EXPERIMENT_ID=" + first.ID,
		"export MLFLOW_TRACING_SQL_WAREHOUSE_ID=rig", "_otel_metrics` TO `PRINCIPAL`;", "--target /Shared/new",
	} {
		if !strings.Contains(out, words) || code != 0 {
			t.Errorf("exit code %d, want 0 and %q in\n%s", code, words, out)
		}
	}
	create[len(create)-1] += "x"
	if code, _, errs := fx.tracemig(create...); code != 1 || !strings.Contains(errs, "is bound to "+location) {
		t.Errorf("another location: exit code %d, want 1 and where it is bound:\n%s", code, errs)
	}

	fx.targetFlags = []string{"--target", "/Shared/new"}
	if o := fx.mustRun(0); o.summary.Migrated == 0 {
		t.Errorf("the run migrated nothing:\n%s", tail(o.stderr))
	}
	if code, out, errs := fx.tracemig("verify", "--deep", "--source", c.Experiment, "--target", "/Shared/new"); code != 0 {
		t.Errorf("verify: exit code %d, want 0\n%s%s", code, out, tail(errs))
	}
}
