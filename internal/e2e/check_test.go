//go:build rig

package e2e

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/preflight"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/schemas"
)

// check runs the command check with the fixture's source and target, and returns its exit code and its findings by code.
func (fx *fixture) check(flags ...string) (int, map[preflight.Code]preflight.Finding) {
	fx.t.Helper()
	args := slices.Concat([]string{"check", "-o", "json"}, fx.sourceFlags, fx.targetFlags, flags)
	cmd := exec.Command(binary(fx.t), args...)
	cmd.Env, cmd.Dir = fx.env, fx.baseDir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, _ := cmd.Output()
	if strings.Contains(string(out)+stderr.String(), fx.front.Token) {
		fx.t.Errorf("the output shows the token, want it not to:\n%s%s", out, stderr.String())
	}
	if err := schemas.Lines(string(out)); err != nil {
		fx.t.Error(err)
	}
	found := map[preflight.Code]preflight.Finding{}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, line := range lines {
		var f struct {
			Type string
			preflight.Finding
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil || (f.Type == "summary") != (i == len(lines)-1) {
			fx.t.Fatalf("line %q: %v\n%s", line, err, stderr.String())
		}
		if f.Type == "probe" {
			found[f.Code] = f.Finding
		}
	}
	return cmd.ProcessState.ExitCode(), found
}

// TestCheck checks what check and run say to a new user about each thing that can be wrong.
func TestCheck(t *testing.T) {
	t.Parallel()
	m, c := fill(t, smallCases)
	good := newWorkspaceFixture(t, rig.FrontOptions{MLflow: m.URI}, c.Experiment).toWarehouse()
	code, found := good.check()
	if code != 0 || found["table.spans"].Text != "it will be made" || found["grant.spans"].Result != preflight.OK {
		t.Errorf("before the tables are created: exit code %d, %+v; want 0 and tables that will be made", code, found)
	}
	good.dropCreateFlags()
	code, found = good.check()
	if f := found["table.spans"]; code != 4 || f.Result != preflight.Failed || !strings.Contains(f.Next, "--create") {
		t.Errorf("without --create: exit code %d, %+v; want 4, and --create as the next step for table.spans", code, found)
	}
	if o := good.mustRun(0, "--create"); !strings.Contains(o.stderr, "made no views") {
		t.Errorf("the log of --create, want %q in it:\n%s", "made no views", tail(o.stderr))
	}
	viewed := newWorkspaceFixture(t, rig.FrontOptions{MLflow: m.URI}, c.Experiment).toWarehouse()
	if o := viewed.mustRun(0, "--create-views", "--end-time", "2015-01-01"); !strings.Contains(o.stderr, "no experiment can be bound") {
		t.Errorf("the log of --create-views, want %q in it:\n%s", "no experiment can be bound", tail(o.stderr))
	}
	code, found = viewed.check()
	f := found["target.views"]
	first, second, _ := strings.Cut(strings.TrimPrefix(f.Next, "If one is to be bound, run before it is created: "), "; ")
	if code != 0 || f.Result != preflight.Warning || !strings.Contains(f.Text, "no experiment can be bound") ||
		!strings.HasPrefix(first, "DROP VIEW") {
		t.Errorf("own views: exit code %d, %+v; want 0 and a warning whose next step is DROP VIEW", code, f)
	} else {
		second, _, _ = strings.Cut(second, ". ")
		viewed.warehouse.SQL(t, first)
		viewed.warehouse.SQL(t, second)
	}
	if code, found = viewed.check(); code != 0 || found["target.views"].Result != preflight.OK {
		t.Errorf("dropped views: exit code %d, %+v; want 0 and ok", code, found["target.views"])
	}
	spans, annotations := "spark_catalog.default."+good.prefix+"_otel_spans", "spark_catalog.default."+good.prefix+"_otel_annotations"

	// workspace returns a fixture with the same source and target, in which something is wrong.
	workspace := func(opts rig.FrontOptions) *fixture {
		opts.MLflow = m.URI
		opts.Targets = []rig.Target{
			{ExperimentID: "900", Name: "/Shared/bound", Catalog: "spark_catalog", Schema: "default", Prefix: good.prefix, Typed: true},
		}
		fx := newWorkspaceFixture(t, opts, c.Experiment)
		fx.targetFlags = []string{"--target", "spark_catalog.default." + good.prefix}
		return fx
	}
	differs := "spark_catalog.default." + good.prefix + "x"
	for _, ddl := range []string{
		"CREATE TABLE " + differs + "_otel_spans (time STRING, name STRING) USING DELTA" +
			" TBLPROPERTIES ('otel.schemaVersion' = 'v2')",
		"CREATE TABLE " + differs + "_otel_annotations USING DELTA" +
			" TBLPROPERTIES ('otel.schemaVersion' = 'v1') AS SELECT 1 AS a",
	} {
		good.warehouse.SQL(t, ddl)
	}

	for name, try := range map[string]struct {
		opts     rig.FrontOptions
		flags    []string
		env      [2]string
		code     int            // exit code of check
		probe    preflight.Code // the probe that reports the problem
		result   preflight.Result
		text     []string         // parts of its text, its next step and its GRANT statements
		run      int              // exit code of run, -1 for no run
		says     string           // part of run's standard error
		all      int              // how many probes report a problem, 0 for one and -1 for none
		notTried []preflight.Code // some of the probes that depend on this one
	}{
		"all fine": {
			probe: "workspace.identity", result: preflight.OK,
			text: []string{"ann@example.com at http://127.0.0.1", "(pat)"},
			all:  -1, run: -1,
		},
		"by experiment": {
			flags: []string{"--target", "/Shared/bound"},
			probe: "target.location", result: preflight.OK,
			text: []string{"experiment 900 is bound to spark_catalog.default." + good.prefix},
			all:  -1, run: -1,
		},
		"a missing grant": {
			opts: rig.FrontOptions{MissingGrants: []string{annotations}},
			code: 4, probe: "grant.annotations", result: preflight.Failed,
			text: []string{
				"lacks SELECT and MODIFY",
				"GRANT SELECT, MODIFY ON TABLE `spark_catalog`.`default`.`" + good.prefix + "_otel_annotations` TO `ann@example.com`",
			},
			run: 0, says: "lacks SELECT and MODIFY on " + annotations,
		},
		"all privileges": {
			opts: rig.FrontOptions{AllPrivileges: []string{spans, "spark_catalog"}},
			code: 4, probe: "grant.spans", result: preflight.Failed,
			text: []string{"ALL PRIVILEGES, which it has, is not enough", "GRANT SELECT, MODIFY ON TABLE"},
			run:  -1,
		},
		"no schema": {
			opts: rig.FrontOptions{MissingGrants: []string{"spark_catalog.default"}},
			code: 4, probe: "grant.schema", result: preflight.Failed,
			text: []string{"lacks USE SCHEMA", "GRANT USE SCHEMA ON SCHEMA `spark_catalog`.`default` TO `ann@example.com`"},
			run:  -1,
		},
		"only own grants": {
			opts:  rig.FrontOptions{OwnGrantsOnly: true, MissingGrants: []string{"spark_catalog"}},
			probe: "grant.catalog", result: preflight.Warning,
			text: []string{"unless it has them through a group", "GRANT USE CATALOG ON CATALOG"},
			run:  -1,
		},
		"unbound": {
			flags: []string{"--target", c.Experiment},
			code:  4, probe: "target.location", result: preflight.Failed,
			text: []string{"is not bound to a Unity Catalog trace location", "Create a new experiment with a location"},
			run:  1, says: "Create a new experiment with a location",
			notTried: []preflight.Code{"table.spans"},
		},
		"no such target": {
			flags: []string{"--target", "/Shared/nothing"},
			code:  4, probe: "target.location", result: preflight.Failed,
			text: []string{"no such experiment", "Check the name"},
			run:  1, says: "Check the name",
			notTried: []preflight.Code{"table.spans"},
		},
		"no such source": {
			flags: []string{"--source", "/Shared/nothing"},
			code:  4, probe: "source.experiment", result: preflight.Failed,
			text: []string{"has no experiment", "Give its ID"},
			run:  1, says: "give its ID",
			notTried: []preflight.Code{"source.traces", "checkpoint.file"},
		},
		"no such warehouse": {
			flags: []string{"--warehouse-id", "other"},
			code:  4, probe: "warehouse.state", result: preflight.Failed,
			text: []string{"no SQL warehouse other", "Check --warehouse-id"},
			run:  1, says: "Check --warehouse-id",
			notTried: []preflight.Code{"table.spans", "warehouse.use"},
		},
		"no warehouse named": {
			env:  [2]string{"DATABRICKS_WAREHOUSE_ID", ""},
			code: 4, probe: "warehouse.state", result: preflight.Failed,
			text: []string{"no SQL warehouse is named", "Give --warehouse-id"},
			run:  1, says: "Give --warehouse-id",
			notTried: []preflight.Code{"table.spans", "warehouse.use"},
		},
		"no use of the warehouse": {
			opts: rig.FrontOptions{NoWarehouseUse: true},
			code: 4, probe: "warehouse.use", result: preflight.Failed,
			text: []string{"no CAN USE on warehouse rig", "grant CAN USE"},
			run:  12, says: "CAN USE on the warehouse", all: 5,
			notTried: []preflight.Code{"target.views"},
		},
		"stopped and not to be used": {
			opts: rig.FrontOptions{NoWarehouseUse: true, WarehouseState: "STOPPED"},
			code: 4, probe: "warehouse.state", result: preflight.Failed,
			text: []string{"start it", "CAN USE"},
			run:  12, says: "Ask for CAN USE on it", all: 2,
			notTried: []preflight.Code{"table.spans"},
		},
		"stopped": {
			opts:  rig.FrontOptions{WarehouseState: "STOPPED"},
			probe: "warehouse.state", result: preflight.OK,
			text: []string{"was stopped and has been started"},
			all:  -1, run: -1,
		},
		"wrong token": {
			env:  [2]string{"DATABRICKS_TOKEN", "wrong"},
			code: 4, probe: "workspace.identity", result: preflight.Failed,
			text: []string{"does not accept the credentials (Invalid access token)", "of type pat", "make a new token"},
			run:  12, says: "credentials",
			notTried: []preflight.Code{"source.credentials", "source.traces", "target.location", "table.spans", "grant.spans", "checkpoint.file"},
		},
		"a window without traces": {
			flags: []string{"--end-time", "2015-01-01"},
			probe: "source.traces", result: preflight.Warning,
			text:     []string{"there is no trace", "the window"},
			run:      0,
			notTried: []preflight.Code{"source.cap"},
		},
		"a firewall before the storage": {
			opts: rig.FrontOptions{Storage: rig.StorageFirewall},
			code: 4, probe: "source.spans", result: preflight.Failed,
			text: []string{"is not reachable from here (127.0.0.1", "403 AuthorizationFailure", "Run inside its network"},
			run:  -1,
		},
		"wrong columns": {
			flags: []string{"--target", differs},
			code:  4, probe: "table.spans", result: preflight.Failed,
			text: []string{
				"has no column record_id", "has column time of type string, not timestamp",
				"has no column span_schema_url", "name another location",
			},
			run: 1, says: "name another location", all: 4,
		},
		"another table for a ledger": {
			flags: []string{"--ledger-table", spans},
			code:  4, probe: "table.ledger", result: preflight.Failed,
			text: []string{"has no column run_id", "It is no ledger: name another table"},
			run:  1, says: "has no column run_id",
		},
		"a ledger that can't be made": {
			opts:  rig.FrontOptions{MissingGrants: []string{"spark_catalog.elsewhere"}},
			flags: []string{"--ledger-table", "spark_catalog.elsewhere.runs"},
			code:  4, probe: "grant.ledger", result: preflight.Failed,
			text: []string{"GRANT USE SCHEMA, CREATE TABLE ON SCHEMA `spark_catalog`.`elsewhere`"},
			run:  1, says: "spark_catalog.elsewhere.runs: the catalog or schema does not exist",
		},
		"beta form": {
			flags: []string{"--target", differs},
			code:  4, probe: "table.annotations", result: preflight.Failed,
			text: []string{"is of the beta form", "Tracemig writes version v2"},
			run:  -1, all: 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fx := workspace(try.opts)
			fx.t = t
			if try.env[0] != "" {
				fx.setenv(try.env[0], try.env[1])
			}
			code, found := fx.check(try.flags...)
			f, ok := found[try.probe]
			said := strings.Join(append([]string{f.Text, f.Next}, f.Grants...), "\n")
			if code != try.code || !ok || f.Result != try.result {
				t.Errorf("exit code %d, want %d with result %s of %s; %+v", code, try.code, try.result, try.probe, found)
			}
			for _, text := range try.text {
				if !strings.Contains(said, text) {
					t.Errorf("%s says\n%s\nwant it to contain %q", try.probe, said, text)
				}
			}
			if f.Result != preflight.OK && f.Next == "" {
				t.Errorf("%+v, want a next step", f)
			}
			bad := 0
			for code, f := range found {
				switch {
				case slices.Contains(try.notTried, code):
					if f.Result != preflight.NotChecked {
						t.Errorf("%s is %+v, want it not checked", code, f)
					}
				case f.Result == preflight.NotChecked:
					if len(try.notTried) == 0 {
						t.Errorf("%s is %+v, want it checked", code, f)
					}
				case f.Result != preflight.OK:
					bad++
				}
			}
			if want := max(try.all, 0) + map[bool]int{true: 1}[try.all == 0]; bad != want {
				t.Errorf("%d probes report a problem, want %d: %+v", bad, want, found)
			}
			if writes := fx.front.Stats(t).Writes; len(writes) > 0 {
				t.Errorf("check writes to the workspace, want no write: %v", writes)
			}
			if try.run < 0 {
				return
			}
			o := fx.run(try.flags...)
			if o.code != try.run || !strings.Contains(o.stderr, try.says) {
				t.Errorf("run: exit code %d, want %d, and %q in\n%s", o.code, try.run, try.says, o.stderr)
			}
		})
	}
}
