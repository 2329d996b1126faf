package seed

import (
	"flag"
	"testing"
)

func TestFlag(t *testing.T) {
	draw := func(text string) uint64 {
		t.Helper()
		if err := flag.Set("seed", text); err != nil {
			t.Fatal(err)
		}
		return Rand(t).Uint64()
	}
	defer flag.Set("seed", "0")
	if a, b := draw("7"), draw("7"); a != b {
		t.Errorf("seed 7 gives %d and %d, want the same", a, b)
	}
	if a, b := draw("0"), draw("0"); a == b {
		t.Errorf("without a seed %d comes twice, want others", a)
	}
}
