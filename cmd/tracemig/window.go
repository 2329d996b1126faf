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
	if t, ok := ago(s, now); ok {
		return t, nil
	}
	// A number may be a time since 1970; its size tells the unit, as for --start-time-ms.
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if t, _, ok := meant(n, now); ok {
			return time.Time{}, usageError("--%s %q is no time; write %s", flag, s, t.Format(time.RFC3339Nano))
		}
	}
	return time.Time{}, usageError("--%s %q is no time; write 2026-01-31T12:00:00Z, 2026-01-31, or an age such as 36h or 7d", flag, s)
}

// ago reads an age before now such as 36h, 7d or 2w.
func ago(s string, now time.Time) (t time.Time, ok bool) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), true
	}
	for unit, days := range map[string]int{"d": 1, "w": 7} {
		if n, err := strconv.Atoi(strings.TrimSuffix(s, unit)); err == nil && strings.HasSuffix(s, unit) && n >= 0 {
			return now.AddDate(0, 0, -n*days), true
		}
	}
	return t, false
}

// earliest is a time before which no trace was requested: there was no MLflow yet.
var earliest = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)

// meant reads a number as a time since 1970, in the one unit in which it lies between the earliest time and now.
func meant(n int64, now time.Time) (t time.Time, unit string, ok bool) {
	for _, try := range []struct {
		unit string
		time func(int64) time.Time
	}{
		{"milliseconds", time.UnixMilli},
		{"seconds", func(n int64) time.Time { return time.Unix(n, 0) }},
		{"microseconds", time.UnixMicro},
		{"nanoseconds", func(n int64) time.Time { return time.Unix(0, n) }},
	} {
		if t := try.time(n).UTC(); !t.Before(earliest) && !t.After(now) {
			return t, try.unit, true
		}
	}
	return t, "", false
}

// plausible refuses a bound of the window before the earliest time or in the future.
func plausible(flag string, t, now time.Time) error {
	const day = "2006-01-02T15:04:05Z07:00"
	switch {
	case t.Before(earliest):
		return usageError("--%s is %s, and there are no traces from before %s; leave it out to take all", flag, t.UTC().Format(day),
			earliest.Format(time.DateOnly))
	case flag != "end-time" && t.After(now):
		return usageError("--%s is %s, which lies in the future, where there are no traces yet; now it is %s", flag, t.UTC().Format(day),
			now.UTC().Format(day))
	}
	return nil
}

// plausibleMs is plausible for --start-time-ms. Where the number makes sense in another unit, the error gives it in
// milliseconds.
func plausibleMs(ms int64, now time.Time) error {
	err := plausible("start-time-ms", time.UnixMilli(ms), now)
	if t, unit, ok := meant(ms, now); err != nil && ok {
		return usageError("--start-time-ms %d looks like %s; in milliseconds %s is --start-time-ms %d", ms, unit, t.Format(time.RFC3339Nano),
			t.UnixMilli())
	}
	return err
}

// window is the request times that the flags ask for: start inclusive, end exclusive. The source's times are whole
// milliseconds, so bounds between two of them are rounded up, which leaves the same traces in the window.
func window(startMs *int64, start, end string, now time.Time) (mlflowclient.Window, error) {
	w := mlflowclient.Window{StartMs: startMs}
	bound := func(flag, text string) (*int64, error) {
		if text == "" {
			return nil, nil
		}
		t, err := parseTime(flag, text, now)
		if err == nil {
			err = plausible(flag, t, now)
		}
		return ceilMs(t), err
	}
	var err error
	if startMs != nil {
		err = plausibleMs(*startMs, now)
	} else {
		w.StartMs, err = bound("start-time", start)
	}
	if err != nil {
		return w, err
	}
	if w.EndMs, err = bound("end-time", end); err != nil {
		return w, err
	}
	if w.StartMs != nil && w.EndMs != nil && *w.StartMs >= *w.EndMs {
		return w, usageError("the window is empty: it starts at %s and ends before %s",
			time.UnixMilli(*w.StartMs).UTC().Format(time.RFC3339Nano), time.UnixMilli(*w.EndMs).UTC().Format(time.RFC3339Nano))
	}
	return w, nil
}

// noTraces warns that the source lists no trace in the window: that is more often a wrong window or experiment than a lack of
// new traces.
func (s *session) noTraces(w mlflowclient.Window) {
	where := "the experiment has no traces"
	if w.StartMs != nil || w.EndMs != nil || s.opts.shard.Count > 0 {
		where = "the experiment has no traces in the part that was asked for"
	}
	s.log.Warn(where+": check --source, the window and the shard, if this is not what you expect", "experiment", s.experiment, "window",
		interval(timeOf(w.StartMs), timeOf(w.EndMs)))
}

func ceilMs(t time.Time) *int64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return &ms
}
