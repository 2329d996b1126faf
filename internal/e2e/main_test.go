//go:build rig

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/rig"
)

func TestMain(m *testing.M) {
	// The tests wait for Spark and for servers more than they compute.
	_ = flag.Set("test.parallel", "10")
	rig.Main(m)
}

// racedTests are the tests that run the program with the race detector, which makes it several times slower:
// between them they take every way through a run. The others are about what it leaves, not how it
// gets there.
var racedTests = []string{"TestCorpus", "TestStorms", "TestReaders", "TestTwoRuns", "TestSecondRun", "TestBetweenRuns", "TestAnswerCutOff"}

// binary is the path of the program that the test is to run.
func binary(t *testing.T) string {
	t.Helper()
	build := plainBinary
	if slices.Contains(racedTests, t.Name()) {
		build = racedBinary
	}
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	plainBinary = sync.OnceValues(func() (string, error) { return build() })
	racedBinary = sync.OnceValues(func() (string, error) { return build("-race") })
)

func build(flags ...string) (string, error) {
	dir, err := os.MkdirTemp("", "tracemig-e2e-")
	if err != nil {
		return "", err
	}
	rig.AtEnd(func(bool) { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "tracemig")
	cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), "./cmd/tracemig")...)
	cmd.Dir = rig.Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// runTimeout is how long a run may take before it counts as hung.
const runTimeout = 10 * time.Minute

// A fixture is what one test's runs have in common: the source, the target, credentials and folders.
type fixture struct {
	t           *testing.T
	mlflow      *rig.MLflow
	front       *rig.Front     // before the warehouse, and before MLflow for a workspace source
	warehouse   *rig.Warehouse // nil for local targets
	env         []string
	sourceFlags []string // flags that name the source
	targetFlags []string // flags that name the target
	prefix      string   // of the tables in wh
	localPath   string   // of local tables
	tables      tables
	baseDir     string
}

// mlflowServer is the MLflow server of all tests. What takes long to start is started at the first call,
// all at once.
func mlflowServer(t *testing.T) *rig.MLflow {
	t.Helper()
	startShared.Do(func() {
		// Errors come again where the test itself asks.
		var all sync.WaitGroup
		all.Go(func() { _, _ = plainBinary() })
		all.Go(func() { _, _ = racedBinary() })
		all.Go(func() { rig.SharedWarehouse(t) })
		rig.SharedServer(t)
		all.Wait()
	})
	return rig.SharedServer(t)
}

var startShared sync.Once

// newFixture is a bed without a target, whose source is the experiment on a plain MLflow server at uri.
func newFixture(t *testing.T, uri, experiment string) *fixture {
	t.Helper()
	dir := t.TempDir()
	fx := &fixture{t: t, baseDir: dir}
	fx.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_STATE_HOME=" + filepath.Join(dir, "state"), "NO_PROXY=127.0.0.1",
		// A data race ends the run with this code, which no test expects. Otherwise it would end with a second of sleep.
		"GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0",
	}
	fx.sourceFlags = []string{"--tracking-uri", uri, "--source", experiment}
	return fx
}

// newWorkspaceFixture is a bed without a target, whose source is the experiment in a workspace.
func newWorkspaceFixture(t *testing.T, opts rig.FrontOptions, experiment string) *fixture {
	t.Helper()
	fx := newFixture(t, "databricks", experiment)
	opts.Warehouse = rig.SharedWarehouse(t).URL()
	fx.useFront(opts)
	return fx
}

func (fx *fixture) useFront(opts rig.FrontOptions) {
	fx.t.Helper()
	fx.front = rig.StartFront(fx.t, opts)
	fx.env = append(fx.env, "DATABRICKS_HOST="+fx.front.URL, "DATABRICKS_TOKEN="+fx.front.Token, "DATABRICKS_WAREHOUSE_ID=rig")
}

// setenv replaces a variable of the runs' environment.
func (fx *fixture) setenv(name, value string) {
	fx.env = slices.DeleteFunc(fx.env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	fx.env = append(fx.env, name+"="+value)
}

// toLocal has the bed's runs write local tables.
func (fx *fixture) toLocal() *fixture {
	fx.localPath = filepath.Join(fx.baseDir, "lake", "agent")
	fx.targetFlags = []string{"--target", "file:" + fx.localPath}
	fx.tables = localTables(fx.localPath)
	return fx
}

// toWarehouse has the bed's runs write tables of the test's own in the shared warehouse.
func (fx *fixture) toWarehouse(opts rig.FrontOptions) *fixture {
	fx.t.Helper()
	fx.warehouse = rig.SharedWarehouse(fx.t)
	if fx.front == nil {
		opts.Warehouse = fx.warehouse.URL()
		opts.MLflow = "http://127.0.0.1:9" // Nothing of the source is to come this way.
		fx.useFront(opts)
	}
	fx.prefix = rig.TablePrefix(fx.t)
	fx.targetFlags = []string{"--target", "spark_catalog.default." + fx.prefix, "--create"}
	fx.tables = warehouseTables(fx.prefix)
	return fx
}

// command is a run of the bed with further flags.
func (fx *fixture) command(flags ...string) *exec.Cmd {
	fx.t.Helper()
	args := append([]string{"run", "-o", "json", "--log-level", "debug", "--search-rate", "1000", "--download-rate", "5000"}, fx.sourceFlags...)
	args = append(append(args, fx.targetFlags...), flags...)
	cmd := exec.Command(binary(fx.t), args...)
	cmd.Env, cmd.Dir = fx.env, fx.baseDir
	return cmd
}

// outcome is what a run left.
type outcome struct {
	code           int
	summary        migrate.Summary
	traces         []migrate.TraceReport
	stdout, stderr string
}

// process is a run under way.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

func (fx *fixture) start(flags ...string) *process {
	fx.t.Helper()
	p := &process{t: fx.t, cmd: fx.command(flags...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		fx.t.Fatal(err)
	}
	return p
}

// wait is the run's outcome; the code of one that was killed is -1.
func (p *process) wait() outcome {
	p.t.Helper()
	hung := time.AfterFunc(runTimeout, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) })
	err := p.cmd.Wait()
	if !hung.Stop() {
		p.t.Fatalf("the run took more than %v:\n%s", runTimeout, tail(p.stderr.String()))
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	o := outcome{code: p.cmd.ProcessState.ExitCode(), stdout: p.stdout.String(), stderr: p.stderr.String()}
	if o.code == 66 {
		p.t.Fatalf("data race:\n%s", tail(o.stderr))
	}
	if o.code == -1 {
		return o
	}
	lines := strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
	for i, line := range lines {
		var typed struct{ Type string }
		var into any = &o.summary
		if err := json.Unmarshal([]byte(line), &typed); err != nil {
			p.t.Fatalf("standard output has the line %q: %v\n%s", line, err, tail(o.stderr))
		}
		if i < len(lines)-1 {
			o.traces = append(o.traces, migrate.TraceReport{})
			into = &o.traces[i]
		}
		if want := map[bool]string{true: "trace", false: "summary"}[i < len(lines)-1]; typed.Type != want {
			p.t.Fatalf("line %d of standard output is a %q, want a %q", i, typed.Type, want)
		}
		if err := json.Unmarshal([]byte(line), into); err != nil {
			p.t.Fatal(err)
		}
	}
	return o
}

// run runs the program to its end.
func (fx *fixture) run(flags ...string) outcome {
	fx.t.Helper()
	return fx.start(flags...).wait()
}

// mustRun is run for one that has to end with the code.
func (fx *fixture) mustRun(code int, flags ...string) outcome {
	fx.t.Helper()
	o := fx.run(flags...)
	if o.code == code && (code == 0 || code == 3) {
		fx.dropCreateFlags()
	}
	if o.code != code {
		fx.t.Fatalf("exit code %d, want %d\n%s\n%s", o.code, code, tail(o.stdout), tail(o.stderr))
	}
	return o
}

// dropCreateFlags has further runs do without --create and --create-views, which would ask for each table again.
func (fx *fixture) dropCreateFlags() {
	fx.targetFlags = slices.DeleteFunc(fx.targetFlags, isCreateFlag)
}

func isCreateFlag(flag string) bool { return flag == "--create" || flag == "--create-views" }

// withViews has the first run make the views too.
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

func tail(s string) string {
	if len(s) > 4000 {
		return "… " + s[len(s)-4000:]
	}
	return s
}
