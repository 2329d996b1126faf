package main

import (
	"testing"
	"time"
)

func TestSizesAndDurations(t *testing.T) {
	for text, want := range map[string]int64{
		"1048576": 1 << 20, "64MiB": 64 << 20, "64m": 64 << 20, "64M": 64 << 20, "64MB": 64e6, "64 mib": 64 << 20,
		"1.5GiB": 3 << 29, "2g": 2 << 30, "512k": 512 << 10, "7B": 7,
	} {
		var s byteSize
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("size %q: %d, %v; want %d", text, int64(s), err, want)
		}
		var again byteSize
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("size %q is shown as %s, which is %d; want %d", text, s.String(), again, s)
		}
	}
	for text, want := range map[string]time.Duration{
		"30": 30 * time.Second, "0.5": time.Second / 2, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "0": 0, "-1": -time.Second,
	} {
		var d duration
		if err := d.Set(text); err != nil || time.Duration(d) != want {
			t.Errorf("duration %q: %v, %v; want %v", text, time.Duration(d), err, want)
		}
	}
	for _, text := range []string{"", "m", "64x", "-1", "1e9", "1.2.3m", "99999999999g", "64MiBs", "NaN"} {
		if err := new(byteSize).Set(text); err == nil {
			t.Errorf("size %q is taken, want an error", text)
		}
	}
	for _, text := range []string{"", "s", "soon", "NaN", "Inf", "1e300"} {
		if err := new(duration).Set(text); err == nil {
			t.Errorf("duration %q is taken, want an error", text)
		}
	}
}
