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

// raced are the tests that run the program with the race detector, which makes it several times slower:
// between them they take every way through a run. The others are about what it leaves, not how it
// gets there.
var raced = []string{"TestCorpus", "TestStorms", "TestReaders", "TestTwoRuns", "TestSecondRun", "TestBetweenRuns", "TestAnswerCutOff"}

// binary is the path of the program that the test is to run.
func binary(t *testing.T) string {
	t.Helper()
	build := plainBinary
	if slices.Contains(raced, t.Name()) {
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

// patience is how long a run may take before it counts as hung.
const patience = 10 * time.Minute

// A bed is what one test's runs have in common: the source, the target, credentials and folders.
type bed struct {
	t       *testing.T
	mlflow  *rig.MLflow
	front   *rig.Front     // before the warehouse, and before MLflow for a workspace source
	wh      *rig.Warehouse // nil for local targets
	env     []string
	source  []string // flags that name the source
	target  []string // flags that name the target
	prefix  string   // of the tables in wh
	folder  string   // of local tables
	rowsOf  tables
	baseDir string
}

// source is the MLflow server of all tests. What takes long to start is started at the first call,
// all at once.
func source(t *testing.T) *rig.MLflow {
	t.Helper()
	warm.Do(func() {
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

var warm sync.Once

// newBed is a bed without a target, whose source is the experiment on a plain MLflow server at uri.
func newBed(t *testing.T, uri, experiment string) *bed {
	t.Helper()
	dir := t.TempDir()
	b := &bed{t: t, baseDir: dir}
	b.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_STATE_HOME=" + filepath.Join(dir, "state"), "NO_PROXY=127.0.0.1",
		// A data race ends the run with this code, which no test expects. Otherwise it would end with a second of sleep.
		"GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0",
	}
	b.source = []string{"--tracking-uri", uri, "--source", experiment}
	return b
}

// newWorkspaceBed is a bed without a target, whose source is the experiment in a workspace.
func newWorkspaceBed(t *testing.T, opts rig.FrontOptions, experiment string) *bed {
	t.Helper()
	b := newBed(t, "databricks", experiment)
	opts.Warehouse = rig.SharedWarehouse(t).URL()
	b.useFront(opts)
	return b
}

func (b *bed) useFront(opts rig.FrontOptions) {
	b.t.Helper()
	b.front = rig.StartFront(b.t, opts)
	b.env = append(b.env, "DATABRICKS_HOST="+b.front.URL, "DATABRICKS_TOKEN="+b.front.Token, "DATABRICKS_WAREHOUSE_ID=rig")
}

// setenv replaces a variable of the runs' environment.
func (b *bed) setenv(name, value string) {
	b.env = slices.DeleteFunc(b.env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	b.env = append(b.env, name+"="+value)
}

// toLocal has the bed's runs write local tables.
func (b *bed) toLocal() *bed {
	b.folder = filepath.Join(b.baseDir, "lake", "agent")
	b.target = []string{"--target", "file:" + b.folder}
	b.rowsOf = localTables(b.folder)
	return b
}

// toWarehouse has the bed's runs write tables of the test's own in the shared warehouse.
func (b *bed) toWarehouse(opts rig.FrontOptions) *bed {
	b.t.Helper()
	b.wh = rig.SharedWarehouse(b.t)
	if b.front == nil {
		opts.Warehouse = b.wh.URL()
		opts.MLflow = "http://127.0.0.1:9" // Nothing of the source is to come this way.
		b.useFront(opts)
	}
	b.prefix = rig.TablePrefix(b.t)
	b.target = []string{"--target", "spark_catalog.default." + b.prefix, "--create"}
	b.rowsOf = warehouseTables(b.prefix)
	return b
}

// command is a run of the bed with further flags.
func (b *bed) command(flags ...string) *exec.Cmd {
	b.t.Helper()
	args := append([]string{"run", "-o", "json", "--log-level", "debug", "--search-rate", "1000", "--download-rate", "5000"}, b.source...)
	args = append(append(args, b.target...), flags...)
	cmd := exec.Command(binary(b.t), args...)
	cmd.Env, cmd.Dir = b.env, b.baseDir
	return cmd
}

// outcome is what a run left.
type outcome struct {
	code           int
	summary        migrate.Summary
	traces         []migrate.TraceReport
	stdout, stderr string
}

// started is a run under way.
type started struct {
	t           *testing.T
	cmd         *exec.Cmd
	out, errOut bytes.Buffer
}

func (b *bed) start(flags ...string) *started {
	b.t.Helper()
	s := &started{t: b.t, cmd: b.command(flags...)}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.errOut
	if err := s.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	return s
}

// wait is the run's outcome; the code of one that was killed is -1.
func (s *started) wait() outcome {
	s.t.Helper()
	hung := time.AfterFunc(patience, func() { _ = s.cmd.Process.Signal(syscall.SIGQUIT) })
	err := s.cmd.Wait()
	if !hung.Stop() {
		s.t.Fatalf("the run took more than %v:\n%s", patience, tail(s.errOut.String()))
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	o := outcome{code: s.cmd.ProcessState.ExitCode(), stdout: s.out.String(), stderr: s.errOut.String()}
	if o.code == 66 {
		s.t.Fatalf("data race:\n%s", tail(o.stderr))
	}
	if o.code == -1 {
		return o
	}
	lines := strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
	for i, line := range lines {
		var typed struct{ Type string }
		var into any = &o.summary
		if err := json.Unmarshal([]byte(line), &typed); err != nil {
			s.t.Fatalf("standard output has the line %q: %v\n%s", line, err, tail(o.stderr))
		}
		if i < len(lines)-1 {
			o.traces = append(o.traces, migrate.TraceReport{})
			into = &o.traces[i]
		}
		if want := map[bool]string{true: "trace", false: "summary"}[i < len(lines)-1]; typed.Type != want {
			s.t.Fatalf("line %d of standard output is a %q, want a %q", i, typed.Type, want)
		}
		if err := json.Unmarshal([]byte(line), into); err != nil {
			s.t.Fatal(err)
		}
	}
	return o
}

// run runs the program to its end.
func (b *bed) run(flags ...string) outcome {
	b.t.Helper()
	return b.start(flags...).wait()
}

// mustRun is run for one that has to end with the code.
func (b *bed) mustRun(code int, flags ...string) outcome {
	b.t.Helper()
	o := b.run(flags...)
	if o.code == code && (code == 0 || code == 3) {
		b.tablesMade()
	}
	if o.code != code {
		b.t.Fatalf("exit code %d, want %d\n%s\n%s", o.code, code, tail(o.stdout), tail(o.stderr))
	}
	return o
}

// tablesMade has further runs do without --create and --create-views, which would ask for each table again.
func (b *bed) tablesMade() { b.target = slices.DeleteFunc(b.target, creates) }

func creates(flag string) bool { return flag == "--create" || flag == "--create-views" }

// withViews has the first run make the views too.
func (b *bed) withViews() *bed {
	b.target = append(b.target, "--create-views")
	return b
}

// forget deletes the checkpoint.
func (b *bed) forget() {
	b.t.Helper()
	if err := os.RemoveAll(filepath.Join(b.baseDir, "state")); err != nil {
		b.t.Fatal(err)
	}
}

func tail(s string) string {
	if len(s) > 4000 {
		return "… " + s[len(s)-4000:]
	}
	return s
}
