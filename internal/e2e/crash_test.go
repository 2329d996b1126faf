//go:build rig

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/rig"
)

// smallBatches has a run write in many commits.
var smallBatches = []string{"--bytes-in-flight", "1048576"}

// TestKilledLocal kills runs that write local tables at requests and at random moments, several times
// each, half of them with the checkpoint lost besides, and then lets a run through.
func TestKilledLocal(t *testing.T) {
	m, c := fill(t, small)
	m.AddBulk(t, c.Experiment, 600)
	want := newBed(t, m.URI, c.Experiment).toLocal()
	began := time.Now()
	whole := want.mustRun(0, smallBatches...)
	lasts := time.Since(began)
	t.Logf("a whole run takes %v: %d requests, %d writes", lasts, whole.summary.Requests, whole.summary.Statements)
	compare(t, m.Dump(t, c.Experiment), want.rowsOf)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var got []tables
	kills, unharmed := 0, 0
	for round := range 8 {
		b := newBed(t, m.URI, c.Experiment)
		if round < 3 {
			p := newProxy(t, m.URI)
			b = newBed(t, p.URL, c.Experiment)
			b.toLocal()
			for try := range 3 {
				n := 1 + random.IntN(int(whole.summary.Requests))
				p.killAt(n, "", try%2 == 0)
				if b.killedRun(p, 0) {
					kills++
				} else {
					unharmed++
				}
				if round%2 == 0 {
					b.forget()
				}
			}
			p.disarm()
		} else {
			b.toLocal()
			for range 4 {
				if b.killedRun(nil, time.Duration(random.Int64N(int64(lasts)))) {
					kills++
				} else {
					unharmed++
				}
				if round%2 == 0 {
					b.forget()
				}
			}
		}
		b.mustRun(0, smallBatches...)
		got = append(got, b.rowsOf)
	}
	t.Logf("%d runs killed, %d ended before", kills, unharmed)
	if kills < 15 {
		t.Errorf("only %d of %d runs were killed", kills, kills+unharmed)
	}
	sameDigests(t, want.rowsOf, got)
}

// killedRun starts a run that p, or the time, ends with SIGKILL, and says whether it did.
func (b *bed) killedRun(p *proxy, after time.Duration) bool {
	b.t.Helper()
	s := b.start(smallBatches...)
	kill := func() { _ = s.cmd.Process.Kill() }
	if p != nil {
		p.victim <- kill
		defer p.disarm()
	} else {
		timer := time.AfterFunc(after, kill)
		defer timer.Stop()
	}
	o := s.wait()
	if o.code != -1 && o.code != 0 {
		b.t.Errorf("the run that was to be killed ended with code %d:\n%s", o.code, tail(o.stderr))
	}
	return o.code == -1
}

// TestKilledWarehouse does so for the warehouse: at statements, before they are executed and after.
func TestKilledWarehouse(t *testing.T) {
	m, c := fill(t, small)
	m.AddBulk(t, c.Experiment, 200)
	want := newBed(t, m.URI, c.Experiment).toLocal()
	want.mustRun(0)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, lost := range []bool{false, true} {
		b := newBed(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{})
		p := newProxy(t, b.front.URL)
		b.setenv("DATABRICKS_HOST", p.URL)
		for _, at := range []struct {
			match string
			n     int
			after bool
		}{
			{"CREATE TABLE", 2, true}, {"INSERT INTO", 1, true}, {"INSERT INTO", 2, false}, {"INSERT INTO", 2, true}, {"INSERT INTO", 1 + random.IntN(4), random.IntN(2) == 0},
		} {
			p.killAt(at.n, at.match, at.after)
			if !b.killedRun(p, 0) {
				t.Logf("not killed at %+v", at)
			}
			if lost {
				b.forget()
			}
		}
		b.killedRun(nil, time.Second+time.Duration(random.Int64N(int64(2*time.Second))))
		o := b.mustRun(0, smallBatches...)
		t.Logf("checkpoint lost %t: the last run wrote %d spans, found %d", lost, o.summary.SpansWritten, o.summary.SpansPresent)
		sameRows(t, want.rowsOf, b.rowsOf)
	}
}

// sameDigests fails unless each target holds the rows of want, each once. It needs one statement.
func sameDigests(t *testing.T, want tables, got []tables) {
	t.Helper()
	var parts []string
	add := func(i int, at tables) {
		annotations := `regexp_replace(` + annotationText + `, '"tracemig.source":"[^"]*"', '')`
		for _, c := range [][2]string{{spanText, at.spans}, {annotations, at.annotations}} {
			parts = append(parts, fmt.Sprintf("SELECT %d AS i, count(*) AS n, count(DISTINCT j) AS d, sum(CAST(xxhash64(j) AS DECIMAL(38))) AS h FROM (SELECT %s AS j FROM %s)", len(parts), c[0], c[1]))
		}
		_ = i
	}
	add(0, want)
	for i, at := range got {
		add(i+1, at)
	}
	rows := spark(t).SQL(t, "SELECT * FROM (\n"+strings.Join(parts, "\nUNION ALL\n")+"\n) ORDER BY i")
	for i, row := range rows {
		of := rows[i%2]
		if row[1] != of[1] || row[2] != of[1] || row[3] != of[3] {
			t.Errorf("target %d: %v rows, %v of them different, digest %v; want %v, %v", i/2, row[1], row[2], row[3], of[1], of[3])
			if i%2 == 1 || i+1 == len(rows) {
				sameRows(t, want, got[max(i/2-1, 0)])
			}
		}
	}
	if t.Failed() && os.Getenv("E2E_KEEP") != "" {
		t.Log("kept")
	}
}
