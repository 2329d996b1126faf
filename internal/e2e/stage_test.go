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
func (b *bed) stagedFiles() (left []string) {
	b.t.Helper()
	folder := filepath.Join(b.wh.Dir, "volumes", "spark_catalog", "default", b.prefix+"_staging")
	if _, err := os.Stat(folder); err != nil {
		b.t.Fatal(err)
	}
	left, _ = filepath.Glob(filepath.Join(folder, "tracemig", "*"))
	return left
}

// stagedInserts says how many INSERTs into the bed's tables read files.
func (b *bed) stagedInserts() (n int) {
	b.t.Helper()
	for _, e := range b.wh.Stats(b.t).Log {
		if e.Kind == "INSERT" && strings.Contains(e.Statement, b.prefix) && strings.Contains(e.Statement, "FROM parquet.`/Volumes/") {
			n++
		}
	}
	return n
}

// TestStagedCorpus moves all hard cases by way of a volume.
func TestStagedCorpus(t *testing.T) {
	t.Parallel()
	m := source(t)
	_, c := rig.SharedMLflow(t)
	local := newBed(t, m.URI, c.Experiment).toLocal()
	local.mustRun(3)

	b := newBed(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{})
	b.mustRun(3, "--stage", "auto")
	if n := b.stagedInserts(); n == 0 {
		t.Error("no statement read files")
	}
	sameRows(t, local.rowsOf, b.rowsOf)
	if left := b.stagedFiles(); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
	b.forget()
	if o := b.mustRun(3, "--stage", "auto"); o.summary.SpansWritten+o.summary.AnnotationsWritten > 0 {
		t.Errorf("a second run wrote %+v", o.summary)
	}
}

// TestKilledStaged kills runs after their files were put into the volume, and after these were loaded.
func TestKilledStaged(t *testing.T) {
	t.Parallel()
	synthetic := &replay.Synthetic{Traces: 1000, Spans: 6, SpanBytes: 1360, Large: -1}
	src := httptest.NewServer(synthetic.Handler())
	t.Cleanup(src.Close)
	source(t) // warms up what takes long
	want := newBed(t, src.URL, replay.SyntheticID).toLocal()
	want.mustRun(0)

	b := newBed(t, src.URL, replay.SyntheticID).toWarehouse(rig.FrontOptions{})
	p := newProxy(t, b.front.URL)
	b.setenv("DATABRICKS_HOST", p.URL)
	batches := []string{"--stage", "auto", "--bytes-in-flight", "8388608"}
	for _, after := range []bool{false, true} {
		p.killAt(1, "FROM parquet.", after)
		s := b.start(batches...)
		p.victim <- func() { _ = s.cmd.Process.Kill() }
		if o := s.wait(); o.code != -1 {
			t.Fatalf("the run ended with code %d before it was killed:\n%s", o.code, tail(o.stderr))
		}
		p.disarm()
		if len(b.stagedFiles()) == 0 {
			t.Error("the killed run left no files: it was killed at another time")
		}
		b.tablesMade()
	}
	b.mustRun(0, batches...)
	sameRows(t, want.rowsOf, b.rowsOf)
	if left := b.stagedFiles(); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}
