//go:build rig

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/rig"
)

// TestWindow proves which traces --start-time-ms and --end-time take.
func TestWindow(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "same_millisecond,links,zero_duration,nanosecond_times,session_and_user")
	src := newRecordingProxy(t, m.URI)
	var times []int64
	for _, e := range c.Expected {
		times = append(times, e.RequestTimeMS)
	}
	slices.Sort(times)
	at := times[len(times)/2]
	count := func(from, to int64) int64 {
		n := int64(0)
		for _, ms := range times {
			if ms >= from && ms < to {
				n++
			}
		}
		return n
	}
	utc := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
	ms := func(ms int64) string { return fmt.Sprint(ms) }
	const never = int64(1) << 60
	seen := map[int64]bool{}
	for _, w := range []struct {
		flags []string
		want  int64
	}{
		{[]string{"--start-time-ms", ms(at - 1)}, count(at-1, never)},
		{[]string{"--start-time-ms", ms(at)}, count(at, never)},
		{[]string{"--start-time-ms", ms(at + 1)}, count(at+1, never)},
		{[]string{"--start-time", utc(at)}, count(at, never)},
		{[]string{"--start-time", time.UnixMilli(at).Add(time.Microsecond).UTC().Format(time.RFC3339Nano)}, count(at+1, never)},
		{[]string{"--end-time", utc(at)}, count(0, at)},
		{[]string{"--end-time", utc(at + 1)}, count(0, at+1)},
		{[]string{"--start-time-ms", ms(at), "--end-time", utc(at + 1)}, count(at, at+1)},
		{[]string{"--start-time", "2025-03-01", "--end-time", "2025-03-02"}, int64(len(times))},
		{[]string{"--start-time", "24h"}, 0},
	} {
		fx := newFixture(t, src.URL, c.Experiment).toLocal()
		if s := fx.mustRun(0, w.flags...).summary; s.Migrated != w.want || s.Listed != w.want {
			t.Errorf("%v: %d traces listed, %d migrated, want %d", w.flags, s.Listed, s.Migrated, w.want)
		}
		seen[w.want] = true
	}
	if len(seen) < 4 {
		t.Errorf("the windows don't tell enough apart: %v of %v around %d", seen, times, at)
	}
}

// TestBetweenRuns changes the source between runs: new traces are taken, and so are those that had
// not ended, wherever the window lies by then.
func TestBetweenRuns(t *testing.T) {
	t.Parallel()
	m, c := fill(t, "in_progress,in_progress_info_only,json_types,otlp_orphans")
	local := newFixture(t, m.URI, c.Experiment).toLocal()
	warehouse := newFixture(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{})
	for _, fx := range []*fixture{local, warehouse} {
		if s := fx.mustRun(0).summary; s.Deferred != 2 || s.DeferredReasons["in_progress"] != 2 || s.SkippedReasons["spans_incomplete"] != 1 || s.Migrated != 2 {
			t.Fatalf("first run: %+v", s)
		}
		compareWithSource(t, c.Expected, fx.tables)
	}
	m.Add(t, c.Experiment, 3)
	expected := m.EndInProgress(t, c.Experiment).Expected
	for _, fx := range []*fixture{local, warehouse} {
		s := fx.mustRun(0, "--start-time", "12h").summary
		// The one whose spans never came is skipped, but what is known of it moved.
		if s.Migrated != 4 || s.Skipped != 1 || s.Deferred != 0 || s.Failed != 0 {
			t.Errorf("second run: %+v", s)
		}
		compareWithSource(t, expected, fx.tables)
	}
	sameRows(t, local.tables, warehouse.tables)
}
