//go:build rig

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestWindow checks which traces --start-time-ms, --start-time and --end-time select.
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
		t.Errorf("the windows select %v traces of %v around %d, want at least 4 different numbers", seen, times, at)
	}
}
