// Command bench compares tracemig with other ways to migrate traces, and with the least work that a migration needs.
// make bench runs it. The published figures name the comparison that prints each of them.
//
// A comparison alternates its sides within one run and prints medians, so that a busy machine slows down all sides.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
)

// options are the flags of all comparisons.
type options struct {
	N      int // number of rounds
	Traces int // number of traces, for comparisons that can vary it; 0 is the default of each
}

var comparisons = map[string]func(options) error{}

func main() {
	var o options
	flag.IntVar(&o.N, "n", 5, "rounds of each comparison")
	flag.IntVar(&o.Traces, "traces", 0, "number of traces, for comparisons that can vary it (0: the default of each)")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "bench [flags] COMPARISON…\ncomparisons: %v\n", slices.Sorted(maps.Keys(comparisons)))
		flag.PrintDefaults()
	}
	flag.Parse()
	names := flag.Args()
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(comparisons))
	}
	for _, name := range names {
		run := comparisons[name]
		if run == nil {
			flag.Usage()
			os.Exit(2)
		}
		fmt.Printf("## %s\n", name)
		if err := run(o); err != nil {
			fmt.Fprintf(os.Stderr, "bench %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

// median returns the middle value of figures.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
