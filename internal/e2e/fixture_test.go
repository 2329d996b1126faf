//go:build rig

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/deltalake"
	"github.com/tracemig/tracemig/internal/rig"
)

// A fixture is what the runs of one test have in common: source, target, credentials and folders.
type fixture struct {
	t           *testing.T
	front       *rig.Front     // stands before the warehouse, and for a workspace source before MLflow too
	warehouse   *rig.Warehouse // nil for local targets
	env         []string
	sourceFlags []string // flags that name the source
	rateFlags   []string // flags that let requests to the source's server be many; a database is refused with them
	targetFlags []string // flags that name the target
	prefix      string   // of the tables in the warehouse
	localPath   string   // path prefix of local tables
	tables      tables
	baseDir     string
}

// newFixture returns a fixture without a target. Its source is the experiment on a plain MLflow server at uri.
func newFixture(t *testing.T, uri, experiment string) *fixture {
	t.Helper()
	dir := t.TempDir()
	fx := &fixture{t: t, baseDir: dir}
	fx.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_STATE_HOME=" + filepath.Join(dir, "state"), "NO_PROXY=127.0.0.1",
		// A data race ends the run with this code, which no test expects. By default the race detector also sleeps a
		// second at the end of each run.
		"GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0",
	}
	fx.sourceFlags = []string{"--tracking-uri", uri, "--source", experiment}
	fx.rateFlags = []string{"--search-rate", "1000", "--download-rate", "5000"}
	return fx
}

// newWorkspaceFixture returns a fixture without a target. Its source is the experiment in a workspace.
func newWorkspaceFixture(t *testing.T, opts rig.FrontOptions, experiment string) *fixture {
	t.Helper()
	fx := newFixture(t, "databricks", experiment)
	opts.Warehouse = rig.SharedWarehouse(t).URL()
	fx.useFront(opts)
	return fx
}

// useFront starts a front, and has the runs take it for their workspace.
func (fx *fixture) useFront(opts rig.FrontOptions) {
	fx.t.Helper()
	fx.front = rig.StartFront(fx.t, opts)
	fx.env = append(fx.env, "DATABRICKS_HOST="+fx.front.URL, "DATABRICKS_TOKEN="+fx.front.Token, "DATABRICKS_WAREHOUSE_ID=rig")
}

// setenv sets a variable of the runs' environment.
func (fx *fixture) setenv(name, value string) {
	fx.unsetenv(name)
	fx.env = append(fx.env, name+"="+value)
}

// unsetenv removes a variable from the runs' environment.
func (fx *fixture) unsetenv(name string) {
	fx.env = slices.DeleteFunc(fx.env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
}

// toLocal makes local tables the target.
func (fx *fixture) toLocal() *fixture {
	fx.localPath = filepath.Join(fx.baseDir, "lake", "agent")
	fx.targetFlags = []string{"--target", "file:" + fx.localPath}
	fx.tables = localTables(fx.localPath)
	return fx
}

// toWarehouse makes tables of this fixture's own in the shared warehouse the target.
func (fx *fixture) toWarehouse() *fixture {
	fx.t.Helper()
	fx.warehouse = rig.SharedWarehouse(fx.t)
	if fx.front == nil {
		// No request to the source may go through this front.
		fx.useFront(rig.FrontOptions{Warehouse: fx.warehouse.URL(), MLflow: "http://127.0.0.1:9"})
	}
	fx.prefix = rig.TablePrefix(fx.t)
	fx.targetFlags = []string{"--target", "spark_catalog.default." + fx.prefix, "--create"}
	fx.tables = warehouseTables(fx.prefix)
	return fx
}

// dropCreateFlags has further runs go without --create and --create-views, which cost statements for each table.
func (fx *fixture) dropCreateFlags() {
	fx.targetFlags = slices.DeleteFunc(fx.targetFlags, isCreateFlag)
}

func isCreateFlag(flag string) bool { return flag == "--create" || flag == "--create-views" }

// withViews has the first run create the views too.
func (fx *fixture) withViews() *fixture {
	fx.targetFlags = append(fx.targetFlags, "--create-views")
	return fx
}

// deleteCheckpoint deletes the checkpoint.
func (fx *fixture) deleteCheckpoint() {
	fx.t.Helper()
	if err := os.RemoveAll(filepath.Join(fx.baseDir, "state")); err != nil {
		fx.t.Fatal(err)
	}
}

// openLake opens the local target, so that a test can read it without Spark.
func (fx *fixture) openLake() *deltalake.Lake {
	fx.t.Helper()
	l, err := deltalake.Open(fx.localPath, deltalake.Options{})
	if err != nil {
		fx.t.Fatal(err)
	}
	fx.t.Cleanup(func() { l.Close() })
	return l
}
