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

// stagedFiles are the files and folders that are left in the volume of --stage auto.
func (fx *fixture) stagedFiles() (left []string) {
	fx.t.Helper()
	folder := filepath.Join(fx.warehouse.Dir, "volumes", "spark_catalog", "default", fx.prefix+"_staging")
	if _, err := os.Stat(folder); err != nil {
		fx.t.Fatal(err)
	}
	left, _ = filepath.Glob(filepath.Join(folder, "tracemig", "*"))
	return left
}

// stagedInserts says how many INSERTs into the bed's tables read files.
func (fx *fixture) stagedInserts() (n int) {
	fx.t.Helper()
	for _, e := range fx.warehouse.Stats(fx.t).Log {
		if e.Kind == "INSERT" && strings.Contains(e.Statement, fx.prefix) && strings.Contains(e.Statement, "FROM parquet.`/Volumes/") {
			n++
		}
	}
	return n
}

// TestStagedCorpus moves all hard cases by way of a volume.
func TestStagedCorpus(t *testing.T) {
	t.Parallel()
	m := mlflowServer(t)
	_, c := rig.SharedMLflow(t)
	local := newFixture(t, m.URI, c.Experiment).toLocal()
	local.mustRun(3)

	fx := newFixture(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{})
	fx.mustRun(3, "--stage", "auto")
	if n := fx.stagedInserts(); n == 0 {
		t.Error("no statement read files")
	}
	sameRows(t, local.tables, fx.tables)
	if left := fx.stagedFiles(); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
	fx.deleteCheckpoint()
	if o := fx.mustRun(3, "--stage", "auto"); o.summary.SpansWritten+o.summary.AnnotationsWritten > 0 {
		t.Errorf("a second run wrote %+v", o.summary)
	}
}

// TestKilledStaged kills runs after their files were put into the volume, and after these were loaded.
func TestKilledStaged(t *testing.T) {
	t.Parallel()
	synthetic := &replay.Synthetic{Traces: 1000, Spans: 6, SpanBytes: 1360, Large: -1}
	src := httptest.NewServer(synthetic.Handler())
	t.Cleanup(src.Close)
	mlflowServer(t) // warms up what takes long
	want := newFixture(t, src.URL, replay.SyntheticID).toLocal()
	want.mustRun(0)

	fx := newFixture(t, src.URL, replay.SyntheticID).toWarehouse(rig.FrontOptions{})
	p := newProxy(t, fx.front.URL)
	fx.setenv("DATABRICKS_HOST", p.URL)
	batches := []string{"--stage", "auto", "--bytes-in-flight", "8388608"}
	for _, after := range []bool{false, true} {
		p.killAt(1, "FROM parquet.", after)
		s := fx.start(batches...)
		p.kill <- func() { _ = s.cmd.Process.Kill() }
		if o := s.wait(); o.code != -1 {
			t.Fatalf("the run ended with code %d before it was killed:\n%s", o.code, tail(o.stderr))
		}
		p.reset()
		if len(fx.stagedFiles()) == 0 {
			t.Error("the killed run left no files: it was killed at another time")
		}
		fx.dropCreateFlags()
	}
	fx.mustRun(0, batches...)
	sameRows(t, want.tables, fx.tables)
	if left := fx.stagedFiles(); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}
