package shard

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Shard{"0/1": {0, 1}, "0/4": {0, 4}, "3/4": {3, 4}, "127/128": {127, 128}} {
		got, err := Parse(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q is taken as %v with the error %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "1", "/", "0/", "/4", "4/4", "5/4", "0/0", "-1/4", "+1/4", "1/-4", "0/4/4", " 0/4", "0,4", "a/b", "0/99999999999999999999",
	} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q is taken as %v, want an error", text, got)
		}
	}
	if (Shard{}).String() != "" {
		t.Errorf("the zero shard is called %q, want an empty text", Shard{})
	}
}

// owners are those of count shards that have a trace.
func owners(count int, sourceID, targetID string) (of []int) {
	for i := range count {
		if (Shard{i, count}).Has(sourceID, targetID) {
			of = append(of, i)
		}
	}
	return of
}

func TestEachTraceIsInOneShard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 40).Draw(t, "count")
		hex := rapid.StringMatching(`[0-9a-f]{31}[1-9a-f]`).Draw(t, "hex")
		custom := rapid.StringMatching(`tr-[g-z]{1,20}`).Draw(t, "custom")
		of := owners(count, "tr-"+hex, "")
		if len(of) != 1 {
			t.Fatalf("%d shards of %d have trace %s, want 1", len(of), count, hex)
		}
		// Copies of a trace are in one shard, whatever their IDs.
		for _, c := range [][2]string{{"tr-" + hex, hex}, {"trace:/a.b.c/" + hex, ""}, {strings.ToUpper(hex), ""}, {custom, hex}} {
			if got := owners(count, c[0], c[1]); len(got) != 1 || got[0] != of[0] {
				t.Fatalf("%v is in the shards %v of %d, want %v as its copy", c, got, count, of)
			}
		}
		if got := owners(count, custom, ""); len(got) != 1 {
			t.Fatalf("%d shards of %d report trace %s, want 1", len(got), count, custom)
		}
		for i := range count {
			s := Shard{i, count}
			if s.MayHave("tr-"+hex) != s.Has("tr-"+hex, "") || !s.MayHave(custom) {
				t.Fatalf("shard %v may have %s: %v, want %v; %s: %v, want true",
					s, hex, s.MayHave("tr-"+hex), s.Has("tr-"+hex, ""), custom, s.MayHave(custom))
			}
		}
		if !(Shard{}).Has(custom, hex) || !(Shard{}).MayHave(custom) {
			t.Fatalf("the zero shard lacks trace %s, want all traces", custom)
		}
	})
}

// Consecutive IDs, as counters and clocks make them, are spread as evenly as random ones.
func TestShardsAreEven(t *testing.T) {
	const traces = 10_000
	for _, count := range []int{2, 3, 4, 8, 64} {
		for _, form := range []string{"tr-%032x", "tr-%x000000000000000000000", "custom-%d"} {
			n := make([]int, count)
			for i := range traces {
				n[owners(count, fmt.Sprintf(form, i+1<<40), "")[0]]++
			}
			mean := float64(traces) / float64(count)
			for i, got := range n {
				// Six standard deviations: the IDs are always the same, so this holds or does not.
				if math.Abs(float64(got)-mean) > 6*math.Sqrt(mean) {
					t.Errorf("shard %d/%d has %d traces %q, want about %.0f", i, count, got, form, mean)
				}
			}
		}
	}
}
