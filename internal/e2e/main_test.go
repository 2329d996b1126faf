//go:build rig

package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
)

func TestMain(m *testing.M) {
	// The tests wait for Spark and for servers more than they compute.
	_ = flag.Set("test.parallel", "10")
	rig.Main(m)
}

// racedTests are the tests that run the program with the race detector, which makes it several times slower.
// Together they cover every path of a run. The other tests check what a run leaves, not how it gets there.
var racedTests = []string{
	"TestCorpus", "TestStorms", "TestReaders", "TestTwoRuns", "TestSecondRun", "TestBetweenRuns", "TestAnswerCutOff",
	"TestDatabases/postgresql/writing",
}

// binary builds the program that the test runs, with the race detector for racedTests, and returns its path.
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

// mlflowServer returns the MLflow server that all tests share. The first call starts everything that takes long to
// start, in parallel.
func mlflowServer(t *testing.T) *rig.MLflow {
	t.Helper()
	startShared.Do(func() {
		// Errors are ignored here, since the calls of the tests return them again.
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
