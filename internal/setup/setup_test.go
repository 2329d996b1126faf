package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

var at = uctables.Location{Catalog: "main", Schema: "agents", Prefix: "support"}

const base = "main.agents.support"

// service is a workspace in which ann may do everything, but for what its fields say.
type service struct {
	experiments map[string]databricks.Experiment // by name
	tables      map[string]databricks.Table      // by full name
	lacks       []string                         // full names of what nobody has privileges on
	absent      []string                         // catalogs and schemas that there are not
	createErr   error
	makes       bool // the experiment is created although createErr is answered
	unbound     bool // the service binds nothing
	late        int  // looks for a table before the service has made its own
	noViews     bool
	calls       []string // what changed something
}

func (s *service) Host() string { return "https://w" }

func (s *service) Me(context.Context) (databricks.Identity, error) {
	return databricks.Identity{Name: "ann", AuthType: "pat"}, nil
}

func (s *service) Privileges(_ context.Context, _, name string, _ databricks.Identity) ([]string, bool, error) {
	switch {
	case slices.Contains(s.absent, name):
		return nil, false, databricks.ErrNotThere
	case slices.Contains(s.lacks, name):
		return nil, true, nil
	}
	return []string{"USE CATALOG", "USE SCHEMA", "CREATE TABLE", "SELECT", "MODIFY"}, true, nil
}

func (s *service) Owns(context.Context, string, string, databricks.Identity) bool { return false }

func (s *service) MayUse(context.Context, string, databricks.Identity) (bool, error) {
	return true, nil
}

func (s *service) Warehouse(_ context.Context, id string) (databricks.Warehouse, error) {
	if id != "wh" {
		return databricks.Warehouse{}, databricks.ErrNotThere
	}
	return databricks.Warehouse{Name: "main"}, nil
}

func (s *service) Experiment(_ context.Context, name string) (databricks.Experiment, error) {
	e, ok := s.experiments[name]
	if !ok {
		return e, databricks.ErrNoExperiment
	}
	return e, nil
}

func (s *service) CreateExperiment(_ context.Context, name string, l uctables.Location) (string, error) {
	s.calls = append(s.calls, "create "+name+" "+l.String())
	if s.createErr != nil && !s.makes {
		return "", s.createErr
	}
	e := databricks.Experiment{ID: "7", Location: &l}
	if s.unbound {
		e.Location = nil
	}
	s.experiments = map[string]databricks.Experiment{name: e}
	return e.ID, s.createErr
}

func (s *service) SetMonitoringWarehouse(_ context.Context, id, warehouse string) error {
	s.calls = append(s.calls, "warehouse "+id+" "+warehouse)
	return nil
}

func (s *service) Table(_ context.Context, name string) (databricks.Table, error) {
	t, ok := s.tables[name]
	if ok {
		return t, nil
	}
	made := slices.ContainsFunc(s.calls, func(c string) bool { return strings.HasPrefix(c, "create") })
	if !made || s.noViews && strings.Contains(name, "_trace_") {
		return t, databricks.ErrNotThere
	}
	if s.late > 0 {
		s.late--
		return t, databricks.ErrNotThere
	}
	return databricks.Table{Type: "MANAGED"}, nil
}

func (s *service) Grant(_ context.Context, privileges []string, securable, name, principal string) error {
	if slices.Contains(s.lacks, name) {
		return databricks.ErrNoRight
	}
	s.calls = append(s.calls, fmt.Sprintf("grant %s on %s %s to %s", strings.Join(privileges, "+"), securable, name, principal))
	return nil
}

// conforming is a table that the service adopts.
func conforming(t uctables.Table) databricks.Table {
	return databricks.Table{Type: "MANAGED", Columns: t.Columns, Properties: map[string]string{"otel.schemaVersion": "v2"}}
}

// TestRun checks what each state of a workspace leads to: what is changed, and what is said to the user.
func TestRun(t *testing.T) {
	bound := func(l uctables.Location, warehouse string) map[string]databricks.Experiment {
		return map[string]databricks.Experiment{"/Shared/support": {ID: "7", Location: &l, Warehouse: warehouse}}
	}
	there := map[string]databricks.Table{}
	for _, table := range uctables.Tables {
		there[at.Name(table)] = conforming(table)
	}
	all := func(more map[string]databricks.Table) map[string]databricks.Table {
		m := map[string]databricks.Table{base + "_trace_metadata": {Type: "VIEW"}, base + "_trace_unified": {Type: "VIEW"}}
		maps.Copy(m, there)
		maps.Copy(m, more)
		return m
	}
	other := at
	other.Prefix = "other"
	const create, warehouse = "create /Shared/support " + base, "warehouse 7 wh"
	for _, tt := range []struct {
		name    string
		service service
		grantTo []string
		calls   []string   // in any case
		err     []string   // words of the error; nil for none
		fault   fault.Kind // of the error
		log     string     // words of the log
	}{
		{name: "nothing there", calls: []string{create, warehouse}},
		{name: "made late", service: service{late: 8}, calls: []string{create, warehouse}, log: "waiting for the service"},
		{name: "views never come", service: service{noViews: true}, calls: []string{create, warehouse}, log: "a migration goes without them"},
		{name: "tables never come", service: service{late: 1 << 30}, calls: []string{create}, fault: fault.TableMissing,
			err: []string{"has not made " + base + "_otel_spans", "run the same command again"}},
		{name: "adopts tables", service: service{tables: there}, calls: []string{create, warehouse}, log: "adopts"},
		{name: "all there", service: service{tables: all(nil), experiments: bound(at, "wh")}},
		{name: "no warehouse yet", service: service{tables: all(nil), experiments: bound(at, "")}, calls: []string{warehouse}},
		{name: "another warehouse", service: service{tables: all(nil), experiments: bound(at, "mine")}, log: "another monitoring warehouse"},
		{name: "bound elsewhere", service: service{experiments: bound(other, "wh")},
			err: []string{"is bound to main.agents.other", "never afterwards", "--experiment"}},
		{name: "not bound", service: service{experiments: map[string]databricks.Experiment{"/Shared/support": {ID: "3"}}},
			err: []string{"bound to no location", "never afterwards", "--experiment"}},
		{name: "in the trash", service: service{experiments: map[string]databricks.Experiment{"/Shared/support": {ID: "3", Deleted: true}}},
			err: []string{"in the trash", "Restore it"}},
		{name: "name in the trash", service: service{createErr: fmt.Errorf("%w: x", databricks.ErrExists)}, calls: []string{create},
			err: []string{"trash", "choose another name"}},
		{name: "made by another", service: service{createErr: databricks.ErrExists, makes: true}, calls: []string{create, warehouse}},
		{name: "answer lost", service: service{createErr: fault.With(errors.New("EOF"), fault.Unreachable), makes: true},
			calls: []string{create, warehouse}},
		{name: "no answer", service: service{createErr: fault.With(errors.New("EOF"), fault.Unreachable)}, calls: []string{create},
			err: []string{"EOF"}, fault: fault.Unreachable},
		{name: "silently not bound", service: service{unbound: true}, calls: []string{create},
			err: []string{"has not bound it", "GRANT SELECT, MODIFY ON TABLE `main`.`agents`.`support_otel_metrics` TO `ann`",
				"delete the experiment"}},
		{name: "no preview", service: service{createErr: databricks.ErrNoPreview}, calls: []string{create},
			err: []string{"OpenTelemetry on Databricks", "Variant Shredding", "regions"}},
		{name: "service finds views", service: service{createErr: databricks.ErrIncompatible}, calls: []string{create},
			err: []string{"begin with support_", "another prefix"}},
		{name: "no folder", service: service{createErr: databricks.ErrNoFolder}, calls: []string{create},
			err: []string{"folder of the experiment", "CREATE SCHEMA IF NOT EXISTS `main`.`agents`"}},
		{name: "no schema", service: service{absent: []string{"main.agents"}}, err: []string{"schema main.agents", "CREATE SCHEMA"},
			fault: fault.NotFound},
		{name: "no right to make tables", service: service{lacks: []string{"main.agents"}}, calls: []string{create, warehouse},
			log: "lacks USE SCHEMA and CREATE TABLE on main.agents"},
		{name: "no grant on metrics", service: service{tables: there, lacks: []string{base + "_otel_metrics"}}, fault: fault.Permission,
			err: []string{"not bind it", "GRANT SELECT, MODIFY ON TABLE `main`.`agents`.`support_otel_metrics` TO `ann`"}},
		{name: "materialized view", service: service{tables: all(map[string]databricks.Table{base + "_otel_spans": {Type: "MATERIALIZED_VIEW"}})},
			err: []string{"no table (MATERIALIZED_VIEW)", "another prefix"}, fault: fault.TableDiffers},
		{name: "other version", service: service{tables: map[string]databricks.Table{base + "_otel_logs": {Type: "MANAGED"}}},
			err: []string{`otel.schemaVersion is ""`}, fault: fault.TableDiffers},
		{name: "other columns", service: service{tables: map[string]databricks.Table{base + "_otel_spans": {
			Type: "MANAGED", Properties: map[string]string{"otel.schemaVersion": "v2"}}}},
			err: []string{"has no column record_id"}, fault: fault.TableDiffers},
		{name: "own views", service: service{tables: map[string]databricks.Table{base + "_trace_unified": {
			Type: "VIEW", Properties: map[string]string{tablesql.MadeProperty: "true"}}}},
			err: []string{"DROP VIEW `main`.`agents`.`support_trace_unified`"}, fault: fault.TableDiffers},
		{name: "grants", service: service{tables: all(nil), experiments: bound(at, "wh")}, grantTo: []string{"team", "bob"}, calls: []string{
			"grant USE CATALOG on CATALOG main to team", "grant USE SCHEMA on SCHEMA main.agents to team",
			"grant SELECT+MODIFY on TABLE main.agents.support_otel_spans to team",
			"grant SELECT+MODIFY on TABLE main.agents.support_otel_logs to team",
			"grant SELECT+MODIFY on TABLE main.agents.support_otel_metrics to team",
			"grant SELECT+MODIFY on TABLE main.agents.support_otel_annotations to team",
			"grant USE CATALOG on CATALOG main to bob", "grant USE SCHEMA on SCHEMA main.agents to bob",
			"grant SELECT+MODIFY on TABLE main.agents.support_otel_spans to bob",
			"grant SELECT+MODIFY on TABLE main.agents.support_otel_logs to bob",
			"grant SELECT+MODIFY on TABLE main.agents.support_otel_metrics to bob",
			"grant SELECT+MODIFY on TABLE main.agents.support_otel_annotations to bob",
		}},
		{name: "a grant refused", service: service{tables: all(nil), experiments: bound(at, "wh"), lacks: []string{
			"main", base + "_otel_spans", base + "_otel_logs", base + "_otel_metrics", base + "_otel_annotations"}},
			grantTo: []string{"team"}, calls: []string{"grant USE SCHEMA on SCHEMA main.agents to team"},
			err: []string{"5 of 6 grants were refused", "GRANT USE CATALOG ON CATALOG `main` TO `team`"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			s := tt.service
			var r Result
			var err error
			synctest.Test(t, func(t *testing.T) { // the clock runs ahead while everybody waits
				r, err = Run(t.Context(), Job{
					Service: &s, Experiment: "/Shared/support", Location: at, Warehouse: "wh", GrantTo: tt.grantTo,
					Wait: 5 * time.Minute, Pause: 3 * time.Second, Log: slog.New(slog.NewTextHandler(&log, nil)),
				})
			})
			slices.Sort(s.calls)
			slices.Sort(tt.calls)
			if diff := cmp.Diff(tt.calls, s.calls); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			for _, words := range tt.err {
				if err == nil || !strings.Contains(err.Error(), words) {
					t.Errorf("error %v, want %q in it", err, words)
				}
			}
			if tt.err == nil && (err != nil || r.ExperimentID != "7") {
				t.Errorf("experiment %q, error %v; want 7, nil", r.ExperimentID, err)
			}
			if tt.fault != "" && fault.Of(err) != tt.fault {
				t.Errorf("the error %v is of kind %s, want %s", err, fault.Of(err), tt.fault)
			}
			if !strings.Contains(log.String(), tt.log) {
				t.Errorf("log, want %q in it:\n%s", tt.log, log.String())
			}
		})
	}
}
