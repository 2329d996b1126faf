//go:build rig

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/tracemig/tracemig/internal/migrate"
)

func init() { comparisons["stage"] = stage }

// stage compares tracemig that puts its batches into a volume with tracemig that sends them as
// parameters.
func stage(o options) error {
	traces := o.Traces
	if traces == 0 {
		traces = 10_000
	}
	return inLab(traces, func(l *lab) error {
		n := float64(traces)
		sides := []struct {
			name       string
			flags      []string
			rate, rss  []float64
			statements []float64
		}{
			{name: "by parameter"},
			{name: "by volume", flags: []string{"--stage", "auto"}},
		}
		order := []int{0, 1}
		for round := -1; round < o.N; round++ {
			for _, i := range order {
				s := &sides[i]
				r, err := l.tracemigWith(s.flags...)
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				var sum migrate.Summary
				if err := json.Unmarshal(r.stdout, &sum); err != nil {
					return fmt.Errorf("%s: summary: %w", s.name, err)
				}
				fmt.Fprintf(os.Stderr, "round %d: %s: %.1f s, %.0f MB, %d statements\n", round+1, s.name, r.seconds, r.rss/1e6, sum.Statements)
				if round < 0 {
					continue // Spark is cold.
				}
				s.rate, s.rss, s.statements = append(s.rate, n/r.seconds), append(s.rss, r.rss), append(s.statements, float64(sum.Statements))
			}
			slices.Reverse(order)
		}
		fmt.Printf("%d traces of 6 spans and 8 KB into the warehouse stand-in, medians of %d\n", traces, o.N)
		ratio := make([]float64, o.N)
		for i := range o.N {
			ratio[i] = sides[1].rate[i] / sides[0].rate[i]
		}
		for _, s := range sides {
			fmt.Printf("%-14s %7.1f traces/s  %5.0f MB  %3.0f statements\n", s.name+":", median(s.rate), median(s.rss)/1e6, median(s.statements))
		}
		fmt.Printf("by volume it is %.2f times as fast (%.2f to %.2f)\n", median(ratio), slices.Min(ratio), slices.Max(ratio))
		return nil
	})
}
