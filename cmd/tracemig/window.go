package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/tracemig/tracemig/internal/mlflowclient"
)

// parseTime reads a point in time: RFC 3339, a date (midnight UTC), or an age before now such as 36h,
// 7d or 2w.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for unit, days := range map[string]int{"d": 1, "w": 7} {
		if n, err := strconv.Atoi(strings.TrimSuffix(s, unit)); err == nil && strings.HasSuffix(s, unit) && n >= 0 {
			return now.AddDate(0, 0, -n*days), nil
		}
	}
	return time.Time{}, usageError("--%s %q is no time; write 2026-01-31T12:00:00Z, 2026-01-31, or an age such as 36h or 7d", flag, s)
}

// window is the request times that the flags ask for: start inclusive, end exclusive. Half
// milliseconds, which the source does not have, round so that the window keeps its meaning.
func window(startMs *int64, start, end string, now time.Time) (mlflowclient.Window, error) {
	w := mlflowclient.Window{StartMs: startMs}
	if start != "" {
		t, err := parseTime("start-time", start, now)
		if err != nil {
			return w, err
		}
		w.StartMs = ceilMs(t)
	}
	if end != "" {
		t, err := parseTime("end-time", end, now)
		if err != nil {
			return w, err
		}
		w.EndMs = ceilMs(t)
	}
	if w.StartMs != nil && w.EndMs != nil && *w.StartMs >= *w.EndMs {
		return w, usageError("the window is empty: it starts at %s and ends before %s",
			time.UnixMilli(*w.StartMs).UTC().Format(time.RFC3339Nano), time.UnixMilli(*w.EndMs).UTC().Format(time.RFC3339Nano))
	}
	return w, nil
}

func ceilMs(t time.Time) *int64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return &ms
}
