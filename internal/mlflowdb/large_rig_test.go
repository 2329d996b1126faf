//go:build rig

package mlflowdb

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/retry"
	"github.com/tracemig/tracemig/internal/rig"
)

// planned are traces in a store of each engine: enough for the engines to weigh plans, and every third time is that of several.
const planned = 60_000

// generated makes numbers from 1 to planned in each engine.
var generated = map[string]string{
	"sqlite":     "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g LIMIT %d) SELECT %s FROM g",
	"postgresql": "SELECT %[2]s FROM generate_series(1, %[1]d) AS g(i)",
	"mysql":      "SELECT %[2]s FROM (SELECT seq AS i FROM seq_1_to_%[1]d) g",
}

// TestLargeStore fills a store in each engine, and asks for two things of it.
func TestLargeStore(t *testing.T) {
	for _, engine := range append([]string{"sqlite"}, rig.Engines...) {
		t.Run(engine, func(t *testing.T) {
			owner, reader := emptyStore(t, engine)
			fillStore(t, engine, owner)
			a, err := ParseAddress(reader)
			if err != nil {
				t.Fatal(err)
			}
			t.Run("PagesWalkAlongTheIndex", func(t *testing.T) { testPlans(t, engine, a) })
			if !a.engine.file {
				t.Run("LostConnections", func(t *testing.T) { testLostConnections(t, a) })
			}
		})
	}
}

// testPlans says that no engine sorts an experiment, or reads what earlier pages have read, for a page.
func testPlans(t *testing.T, engine string, a *Address) {
	s, err := Open(t.Context(), a, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const first, millis = 1_700_000_000_000, planned / 3
	for _, at := range []place{start(mlflowclient.Window{}), {first, ""}, {first + millis/3, "tr-5"}} {
		if plan, problem := planOf(t, engine, s, at); problem != "" {
			t.Errorf("page after %+v: %s\n%s", at, problem, plan)
		}
	}
}

// testLostConnections lists an experiment while connections break again and again, in the middle of answers too.
func testLostConnections(t *testing.T, a *Address) {
	through := *a
	var err error
	if through.host, through.port, err = net.SplitHostPort(rig.BreakingRelay(t, net.JoinHostPort(a.host, a.port), 200_000)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), &through, Options{Retry: retry.Policy{Initial: time.Millisecond, Max: time.Millisecond, Budget: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all []string
	last := place{}
	err = s.ListTraces(t.Context(), "1002", mlflowclient.Window{}, func(info *mlflow.TraceInfo) error {
		at := place{info.RequestTime.UnixMilli(), info.TraceID}
		if at.ms < last.ms || at.ms == last.ms && at.id <= last.id {
			t.Errorf("%+v after %+v", at, last)
		}
		last, all = at, append(all, at.id)
		return nil
	})
	if err != nil || len(all) != planned/5 {
		t.Errorf("%d traces, %v; want %d", len(all), err, planned/5)
	}
	if s.Stats().Retries == 0 {
		t.Error("no connection broke")
	}
}

// emptyStore makes the tables of a store, and returns the addresses of who owns it and of who may read it.
func emptyStore(t *testing.T, engine string) (owner, reader string) {
	owner = "sqlite:///" + t.TempDir() + "/mlflow.db"
	reader = owner
	if engine != "sqlite" {
		d := rig.StartDatabase(t, engine)
		owner, reader = d.Owner, d.Reader
	}
	if out, err := exec.Command(filepath.Join(rig.Dir(), "venv", "bin", "mlflow"), "db", "upgrade", owner).CombinedOutput(); err != nil {
		t.Fatalf("mlflow db upgrade: %v\n%s", err, out)
	}
	return owner, reader
}

// fillStore writes the listing of traces of five experiments.
func fillStore(t *testing.T, engine, owner string) {
	a, err := ParseAddress(owner)
	if err != nil {
		t.Fatal(err)
	}
	open := a.engine.open
	if a.engine.file {
		open = func(a *Address, _ Options) (*sql.DB, error) { return sql.Open("sqlite", a.database) } // for writing
	}
	db, err := open(a, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	id := "'tr-' || (i * 7919 % 99991)"
	if engine == "mysql" {
		id = "concat('tr-', i * 7919 % 99991)"
	}
	statements := []string{
		"INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) " +
			fmt.Sprintf(generated[engine], planned, id+", 1000 + i % 5, 1700000000000 + i / 3, 'OK'"),
		map[string]string{"mysql": "ANALYZE TABLE trace_info"}[engine],
	}
	for i := range 5 {
		statements = append([]string{fmt.Sprintf("INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (%d, 'e%d', 'active')",
			1000+i, i)}, statements...)
	}
	for _, q := range statements {
		if q == "" {
			q = "ANALYZE trace_info"
		}
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// planOf is how an engine reads the page after a place, and what is wrong with that; "" for nothing.
func planOf(t *testing.T, engine string, s *Source, at place) (plan, problem string) {
	explain := map[string]string{"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN ", "mysql": "EXPLAIN "}[engine]
	err := s.read(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, explain+s.query(s.pageText()), 1002, at.ms, end(mlflowclient.Window{}), at.ms, at.id)
		if err != nil {
			return err
		}
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		return each(rows, func() error {
			values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			err := rows.Scan(into...)
			for i, v := range values {
				plan += columns[i] + "=" + v.String + " "
			}
			plan += "\n"
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	wants, refuses := map[string][2][]string{
		"sqlite":     {{"SEARCH t USING INDEX " + pageIndex + " (experiment_id=? AND timestamp_ms>"}, {"FOR ORDER BY", "SCAN"}},
		"postgresql": {{"Index Scan using " + pageIndex, "timestamp_ms >="}, {"Seq Scan", "Bitmap", "->  Sort "}},
		"mysql":      {{"type=range", "key=" + pageIndex}, {"filesort", "temporary"}},
	}[engine], ""
	for _, want := range wants[0] {
		if !strings.Contains(plan, want) {
			refuses += "it lacks " + want + "; "
		}
	}
	for _, not := range wants[1] {
		if strings.Contains(plan, not) {
			refuses += "it has " + not + "; "
		}
	}
	return plan, refuses
}
