//go:build rig

package e2e

import (
	"fmt"
	"testing"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/verify"
)

// TestShards has four processes share a migration at the same time. Into the warehouse, one of them is killed between its
// two writes and started again.
func TestShards(t *testing.T) {
	t.Parallel()
	const shards = 4
	m := mlflowServer(t)
	c := m.FillBulk(t, "/e2e/"+t.Name(), smallCases, 60)
	src := newRecordingProxy(t, m.URI)
	want := newFixture(t, src.URL, c.Experiment).toLocal()
	whole := want.mustRun(0).summary

	shard := func(i int) []string { return []string{"--shard", fmt.Sprintf("%d/%d", i, shards)} }
	local := newFixture(t, src.URL, c.Experiment).toLocal() // Its tables are created by the four processes.
	warehouse := newFixture(t, src.URL, c.Experiment).toWarehouse()
	warehouse.mustRun(0, "--end-time", "2015-01-01")
	for _, fx := range []*fixture{local, warehouse} {
		const killedShard = 2
		var runs []*process
		for i := range shards {
			if i == killedShard && fx == warehouse {
				p := newProxy(t, fx.front.URL)
				fx.setenv("DATABRICKS_HOST", p.URL)
				p.killAt(1, "INSERT INTO", true)
				s := fx.start(shard(i)...)
				p.kill <- func() { _ = s.cmd.Process.Kill() }
				runs = append(runs, s)
				fx.setenv("DATABRICKS_HOST", fx.front.URL)
				continue
			}
			flags := shard(i)
			if fx == local {
				flags = append(flags, smallBatches...) // Small batches make more commits, which can conflict.
			}
			runs = append(runs, fx.start(flags...))
		}
		var total migrate.Summary
		add := func(i int, o outcome) {
			if o.code != 0 {
				t.Errorf("shard %d: exit code %d, want 0: %s", i, o.code, tail(o.stderr))
			}
			s := o.summary
			t.Logf("shard %d migrated %d of %d in %.1f s, %d spans, %d writes", i, s.Migrated, s.Listed, s.Seconds, s.SpansWritten, s.TargetWrites)
			if s.Migrated == 0 || s.SpansPresent > 0 {
				t.Errorf("shard %d migrated %d traces, want some, and found %d spans present, want none", i, s.Migrated, s.SpansPresent)
			}
			total.Listed += s.Listed
			total.Migrated += s.Migrated
			total.Skipped += s.Skipped
			total.SpansWritten += s.SpansWritten
			total.AnnotationsWritten += s.AnnotationsWritten + s.AnnotationsPresent
		}
		for i, r := range runs {
			o := r.wait()
			if i == killedShard && fx == warehouse {
				if o.code != -1 {
					t.Fatalf("shard %d ended with code %d, want it killed: %s", i, o.code, tail(o.stderr))
				}
				o = fx.run(shard(i)...)
			}
			add(i, o)
		}
		if total.Listed != whole.Listed || total.Migrated != whole.Migrated || total.Skipped != whole.Skipped ||
			total.SpansWritten != whole.SpansWritten || total.AnnotationsWritten != whole.AnnotationsWritten {
			t.Errorf("the shards together: %+v\nwant the same as one whole run: %+v", total, whole)
		}
		sameRows(t, want.tables, fx.tables)

		// Further runs have nothing left to write, even without the checkpoints.
		again := func() {
			t.Helper()
			var runs []*process
			for i := range shards {
				runs = append(runs, fx.start(shard(i)...))
			}
			for i, r := range runs {
				if o := r.wait(); o.code != 0 || o.summary.Migrated > 0 || o.summary.TargetWrites > 0 {
					t.Errorf("shard %d again: exit code %d, want 0, and no write: %+v", i, o.code, o.summary)
				}
			}
		}
		if fx == local {
			again()
		}
		fx.deleteCheckpoint()
		again()
	}
	if v := local.verify("verify", 0, "--deep"); !v.report.Equal || v.report.Kinds[verify.Extra] > 0 {
		t.Errorf("verify without --shard: %v, want an equal target and no extra trace", v)
	}
}
