//go:build rig

package e2e

import (
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/seed"
)

// smallBatches are flags that have a run write in many commits.
var smallBatches = []string{"--bytes-in-flight", "1048576"}

// TestKilledLocal kills runs that write local tables, several times at requests and at random moments. Half of the runs
// also lose their checkpoint. In the end a run is not killed. With -seed the runs are killed at the same requests again,
// and after the same shares of the time that a whole run takes.
func TestKilledLocal(t *testing.T) {
	t.Parallel()
	m, c := fillBulk(t, smallCases, 150)
	p := newRecordingProxy(t, m.URI)
	want := newFixture(t, p.URL, c.Experiment).toLocal()
	want.mustRun(0, smallBatches...)
	compareWithSource(t, c.Expected, want.tables)
	// This run is as fast as the killed ones, since the source's answers are recorded by now.
	second := newFixture(t, p.URL, c.Experiment).toLocal()
	began := time.Now()
	whole := second.mustRun(0, smallBatches...)
	lasts := time.Since(began)
	t.Logf("a whole run takes %v: %d requests, %d writes", lasts, whole.summary.Requests, whole.summary.TargetWrites)

	random := seed.Rand(t)
	got := []tables{second.tables}
	kills := 0
	for round := range 4 {
		fx := newFixture(t, p.URL, c.Experiment).toLocal()
		for try := range 5 {
			var killed bool
			if round < 2 {
				at := 1 + random.IntN(int(whole.summary.Requests)/2)
				p.killAt(at, "", try%2 == 0)
				// Only a run without earlier progress is sure to send so many requests.
				if killed = fx.killedRun(p, 0); !killed && try == 0 {
					t.Errorf("the first run of round %d ended without request %d", round, at)
				}
			} else {
				killed = fx.killedRun(nil, time.Duration(random.Int64N(int64(lasts))))
			}
			if killed {
				kills++
			}
			if round%2 == 0 {
				fx.deleteCheckpoint()
			}
		}
		fx.mustRun(0, smallBatches...)
		got = append(got, fx.tables)
	}
	t.Logf("%d of 20 runs were killed, the others ended before", kills)
	sameRows(t, want.tables, got...)
}

// killedRun starts a run, which p kills at a request, or a timer if p is nil. It returns whether the run was killed.
func (fx *fixture) killedRun(p *proxy, after time.Duration) bool {
	fx.t.Helper()
	s := fx.start(smallBatches...)
	kill := func() { _ = s.cmd.Process.Kill() }
	if p != nil {
		p.kill <- kill
		defer p.reset()
	} else {
		timer := time.AfterFunc(after, kill)
		defer timer.Stop()
	}
	o := s.wait()
	if o.code != -1 && o.code != 0 {
		fx.t.Errorf("the run ended with exit code %d, want it killed or 0:\n%s", o.code, tail(o.stderr))
	}
	return o.code == -1
}

// TestKilledWarehouse kills runs into the warehouse at statements, before and after they are executed. Some of the runs also
// lose their checkpoint.
func TestKilledWarehouse(t *testing.T) {
	t.Parallel()
	m, c := fillBulk(t, smallCases, 80)
	src := newRecordingProxy(t, m.URI)
	want := newFixture(t, src.URL, c.Experiment).toLocal()
	want.mustRun(0)

	random := seed.Rand(t)
	fx := newFixture(t, src.URL, c.Experiment).toWarehouse()
	p := newProxy(t, fx.front.URL)
	fx.setenv("DATABRICKS_HOST", p.URL)
	for i, at := range []struct {
		match string
		n     int
		after bool
	}{
		{"CREATE TABLE", 2, true}, {"INSERT INTO", 1, true}, {"INSERT INTO", 1, false}, {"INSERT INTO", 2, true},
		{"INSERT INTO", 1 + random.IntN(3), random.IntN(2) == 0},
	} {
		p.killAt(at.n, at.match, at.after)
		if !fx.killedRun(p, 0) {
			t.Logf("the run ended before it was killed at %+v", at)
			// The first three are sure to come, since annotations are inserted before spans. Later inserts depend on how
			// fast the run was.
			if i < 3 {
				t.Errorf("the run did not need statement %d with %s", at.n, at.match)
			}
		}
		if at.match == "INSERT INTO" {
			fx.dropCreateFlags()
		}
		if i%2 == 1 {
			fx.deleteCheckpoint()
		}
	}
	fx.killedRun(nil, time.Second+time.Duration(random.Int64N(int64(3*time.Second))))
	o := fx.mustRun(0, smallBatches...)
	t.Logf("the last run wrote %d spans, found %d", o.summary.SpansWritten, o.summary.SpansPresent)
	sameRows(t, want.tables, fx.tables)
}
