//go:build rig

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestTwoRuns has two runs with different checkpoints write to the same tables at the same time.
func TestTwoRuns(t *testing.T) {
	t.Parallel()
	m, c := fillBulk(t, smallCases, 100)
	src := newRecordingProxy(t, m.URI)
	want := newFixture(t, src.URL, c.Experiment).toLocal()
	want.mustRun(0)
	compareWithSource(t, c.Expected, want.tables)

	local, warehouse := newFixture(t, src.URL, c.Experiment).toLocal(), newFixture(t, src.URL, c.Experiment).toWarehouse()
	for _, fx := range []*fixture{local, warehouse} {
		// The tables are created first, since this test is not about runs that create the same tables.
		fx.mustRun(0, "--end-time", "2015-01-01")
		// Each run waits at its third request until the other one is there too.
		var both sync.WaitGroup
		both.Add(2)
		var runs []*process
		for i := range 2 {
			p := newProxy(t, src.URL)
			p.onRequest(3, "", false, func() { both.Done(); both.Wait() })
			fx.sourceFlags[1] = p.URL
			runs = append(runs, fx.start(append(smallBatches, "--checkpoint", filepath.Join(fx.baseDir, fmt.Sprintf("%d.db", i)))...))
		}
		var written, spans int64
		for _, r := range runs {
			o := r.wait()
			if o.code != 0 {
				t.Errorf("exit code %d, want 0: %s", o.code, tail(o.stderr))
			}
			written += o.summary.SpansWritten
			spans = max(spans, o.summary.SpansWritten+o.summary.SpansPresent)
			t.Logf("one wrote %d spans and found %d", o.summary.SpansWritten, o.summary.SpansPresent)
		}
		if written != spans {
			t.Errorf("both together wrote %d spans, want %d", written, spans)
		}
		sameRows(t, want.tables, fx.tables)
	}
}

// TestSameCheckpoint holds a run at a request. A second run with the same checkpoint is refused, or waits.
func TestSameCheckpoint(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "links,json_types")
	p := newProxy(t, m.URI)
	fx := newFixture(t, p.URL, c.Experiment).toLocal()
	held, release := make(chan struct{}), make(chan struct{})
	p.onRequest(1, "locations", false, func() { close(held); <-release })
	first := fx.start()
	<-held

	refused := fx.mustRun(11)
	holder := fmt.Sprintf("process %d", first.cmd.Process.Pid)
	if !strings.Contains(refused.stderr, holder) || !strings.Contains(refused.message(), "--lock-wait") {
		t.Errorf("the refusal is %s\nwant it to name %s and --lock-wait", refused.stderr, holder)
	}
	refused = fx.mustRun(11, "--lock-wait", "1ms")
	if !strings.Contains(refused.stderr, "in use") {
		t.Errorf("the refusal is %s\nwant it to contain %q", refused.stderr, "in use")
	}

	second := fx.start("--lock-wait", "2m")
	close(release)
	for _, o := range []outcome{first.wait(), second.wait()} {
		if o.code != 0 {
			t.Errorf("exit code %d, want 0: %s", o.code, tail(o.stderr))
		}
		t.Logf("%d migrated, %d already there", o.summary.Migrated, o.summary.Present)
	}
	compareWithSource(t, c.Expected, fx.tables)
}
