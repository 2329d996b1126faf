package main

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]string{
		"2026-01-31T12:00:00Z":          "2026-01-31T12:00:00Z",
		"2026-01-31T12:00:00.123+02:00": "2026-01-31T10:00:00.123Z",
		"2026-01-31":                    "2026-01-31T00:00:00Z",
		"36h":                           "2026-03-30T00:00:00Z",
		"7d":                            "2026-03-24T12:00:00Z",
		"2w":                            "2026-03-17T12:00:00Z",
		"0d":                            "2026-03-31T12:00:00Z",
	} {
		got, err := parseTime("start-time", s, now)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %v; want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "yesterday", "-7d", "7", "d", "1.5d", "2026-02-30", "-3h"} {
		if got, err := parseTime("start-time", s, now); err == nil {
			t.Errorf("%q is taken as %v, want an error", s, got)
		}
	}
}

func TestWindowRoundsUpToItsMeaning(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	w, err := window(nil, "2026-01-01T00:00:00.0001Z", "2026-01-01T00:00:00.0021Z", now)
	if err != nil {
		t.Fatal(err)
	}
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	if *w.StartMs != base+1 || *w.EndMs != base+3 {
		t.Errorf("from %d to %d ms after the start of the year, want from 1 to 3", *w.StartMs-base, *w.EndMs-base)
	}
	if _, err := window(nil, "1d", "2d", now); err == nil {
		t.Error("a window that ends before it starts is taken, want an error")
	}
}
