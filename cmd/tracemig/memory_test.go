package main

import "testing"

func TestHeapLimit(t *testing.T) {
	for inFlight, want := range map[int64]int64{
		1 << 20:  17 << 20,
		32 << 20: 72 << 20,
		64 << 20: 144 << 20,
		1 << 30:  1<<30 + 256<<20,
	} {
		if got := heapLimit(inFlight); got != want {
			t.Errorf("%d bytes in flight: limit %d, want %d", inFlight, got, want)
		}
	}
}
