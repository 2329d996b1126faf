//go:build rig

package e2e

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/replay"
	"github.com/tracemig/tracemig/internal/rig"
)

// stagedFiles returns the files and folders in the volume that --stage auto uses.
func (fx *fixture) stagedFiles() (left []string) {
	fx.t.Helper()
	folder := filepath.Join(fx.warehouse.Dir, "volumes", "spark_catalog", "default", fx.prefix+"_staging")
	if _, err := os.Stat(folder); err != nil {
		fx.t.Fatal(err)
	}
	left, _ = filepath.Glob(filepath.Join(folder, "tracemig", "*"))
	return left
}

// stagedInserts returns the number of INSERTs into the fixture's tables that read files.
func (fx *fixture) stagedInserts() (n int) {
	fx.t.Helper()
	for _, e := range fx.warehouse.Stats(fx.t).Log {
		if e.Kind == "INSERT" && strings.Contains(e.Statement, fx.prefix) && strings.Contains(e.Statement, "FROM parquet.`/Volumes/") {
			n++
		}
	}
	return n
}

// TestStagedCorpus migrates the whole corpus through files in a volume.
func TestStagedCorpus(t *testing.T) {
	t.Parallel()
	m := mlflowServer(t)
	_, c := rig.SharedMLflow(t)
	local := newFixture(t, m.URI, c.Experiment).toLocal()
	local.mustRun(3)

	fx := newFixture(t, m.URI, c.Experiment).toWarehouse()
	fx.mustRun(3, "--stage", "auto")
	if n := fx.stagedInserts(); n == 0 {
		t.Error("no INSERT read files, want some")
	}
	sameRows(t, local.tables, fx.tables)
	if left := fx.stagedFiles(); len(left) > 0 {
		t.Errorf("files are left in the volume, want none: %v", left)
	}
	fx.deleteCheckpoint()
	if o := fx.mustRun(3, "--stage", "auto"); o.summary.SpansWritten+o.summary.AnnotationsWritten > 0 {
		t.Errorf("a second run wrote rows, want none: %+v", o.summary)
	}
}

// TestKilledStaged kills runs after they have put files into the volume, and after they have loaded these.
func TestKilledStaged(t *testing.T) {
	t.Parallel()
	synthetic := &replay.Synthetic{Traces: 1000, Spans: 6, SpanBytes: 1360, Large: -1}
	src := httptest.NewServer(synthetic.Handler())
	t.Cleanup(src.Close)
	mlflowServer(t) // It starts the warehouse and builds the program before the first run.
	want := newFixture(t, src.URL, replay.SyntheticID).toLocal()
	want.mustRun(0)

	fx := newFixture(t, src.URL, replay.SyntheticID).toWarehouse()
	p := newProxy(t, fx.front.URL)
	fx.setenv("DATABRICKS_HOST", p.URL)
	batches := []string{"--stage", "auto", "--bytes-in-flight", "8388608"}
	for _, after := range []bool{false, true} {
		p.killAt(1, "FROM parquet.", after)
		s := fx.start(batches...)
		p.kill <- func() { _ = s.cmd.Process.Kill() }
		if o := s.wait(); o.code != -1 {
			t.Fatalf("the run ended with code %d, want it killed:\n%s", o.code, tail(o.stderr))
		}
		p.reset()
		if len(fx.stagedFiles()) == 0 {
			t.Error("the killed run left no files, want some: it was killed at another time")
		}
		fx.dropCreateFlags()
	}
	fx.mustRun(0, batches...)
	sameRows(t, want.tables, fx.tables)
	if left := fx.stagedFiles(); len(left) > 0 {
		t.Errorf("files are left in the volume, want none: %v", left)
	}
}
