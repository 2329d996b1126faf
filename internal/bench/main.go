// Command bench measures tracemig against what else there is, and against its own limits. make bench
// runs it; each figure of the README's performance section names the comparison that prints it.
//
// A comparison alternates its sides within one run and prints medians, so that a busy machine weighs
// on both.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
)

// options are the same for all comparisons.
type options struct {
	N      int // rounds
	Traces int // how many, where a comparison is of so many traces; 0 for its own number
}

var comparisons = map[string]func(options) error{}

func main() {
	var o options
	flag.IntVar(&o.N, "n", 5, "rounds of each comparison")
	flag.IntVar(&o.Traces, "traces", 0, "traces, where the number is free")
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

// median is the middle of some figures.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
