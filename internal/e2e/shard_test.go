//go:build rig

package e2e

import (
	"fmt"
	"testing"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/verify"
)

// TestShards has four processes share a migration, all at once; into the warehouse one of them is
// killed between its two writes, and run again.
func TestShards(t *testing.T) {
	t.Parallel()
	const shards = 4
	m := source(t)
	c := m.FillBulk(t, "/e2e/"+t.Name(), small, 60)
	src := newRecording(t, m.URI)
	want := newBed(t, src.URL, c.Experiment).toLocal()
	whole := want.mustRun(0).summary

	shard := func(i int) []string { return []string{"--shard", fmt.Sprintf("%d/%d", i, shards)} }
	local := newBed(t, src.URL, c.Experiment).toLocal() // its tables are made by four processes too
	wh := newBed(t, src.URL, c.Experiment).toWarehouse(rig.FrontOptions{})
	wh.mustRun(0, "--end-time", "2015-01-01")
	for _, b := range []*bed{local, wh} {
		const victim = 2
		var runs []*started
		for i := range shards {
			if i == victim && b == wh {
				p := newProxy(t, b.front.URL)
				b.setenv("DATABRICKS_HOST", p.URL)
				p.killAt(1, "INSERT INTO", true)
				s := b.start(shard(i)...)
				p.victim <- func() { _ = s.cmd.Process.Kill() }
				runs = append(runs, s)
				b.setenv("DATABRICKS_HOST", b.front.URL)
				continue
			}
			flags := shard(i)
			if b == local {
				flags = append(flags, smallBatches...) // more commits that can meet
			}
			runs = append(runs, b.start(flags...))
		}
		var sum migrate.Summary
		add := func(i int, o outcome) {
			if o.code != 0 {
				t.Errorf("shard %d: exit code %d: %s", i, o.code, tail(o.stderr))
			}
			s := o.summary
			t.Logf("shard %d migrated %d of %d in %.1f s, %d spans, %d commits", i, s.Migrated, s.Listed, s.Seconds, s.SpansWritten, s.TargetWrites)
			if s.Migrated == 0 || s.SpansPresent > 0 {
				t.Errorf("shard %d migrated %d traces, and found %d spans of others' there", i, s.Migrated, s.SpansPresent)
			}
			sum.Listed += s.Listed
			sum.Migrated += s.Migrated
			sum.Skipped += s.Skipped
			sum.SpansWritten += s.SpansWritten
			sum.AnnotationsWritten += s.AnnotationsWritten + s.AnnotationsPresent
		}
		for i, r := range runs {
			o := r.wait()
			if i == victim && b == wh {
				if o.code != -1 {
					t.Fatalf("shard %d was not killed, but ended with code %d: %s", i, o.code, tail(o.stderr))
				}
				o = b.run(shard(i)...)
			}
			add(i, o)
		}
		if sum.Listed != whole.Listed || sum.Migrated != whole.Migrated || sum.Skipped != whole.Skipped ||
			sum.SpansWritten != whole.SpansWritten || sum.AnnotationsWritten != whole.AnnotationsWritten {
			t.Errorf("together %+v\nwant the whole's %+v", sum, whole)
		}
		sameRows(t, want.rowsOf, b.rowsOf)

		// Nothing is left to write, also without the checkpoints.
		again := func() {
			t.Helper()
			var runs []*started
			for i := range shards {
				runs = append(runs, b.start(shard(i)...))
			}
			for i, r := range runs {
				if o := r.wait(); o.code != 0 || o.summary.Migrated > 0 || o.summary.TargetWrites > 0 {
					t.Errorf("shard %d again: exit code %d, %+v", i, o.code, o.summary)
				}
			}
		}
		if b == local {
			again()
		}
		b.forget()
		again()
	}
	if v := local.verify("verify", 0, "--deep"); !v.report.Equal || v.report.Kinds[verify.Extra] > 0 {
		t.Errorf("the whole: %+v %v", v.report, v.findings)
	}
}
