//go:build rig

package main

import (
	"encoding/json"
	"fmt"

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
		parameter := &side{name: "by parameter", run: func() (result, error) { return l.tracemig() }}
		volume := &side{name: "by volume", run: func() (result, error) { return l.tracemig("--stage", "auto") }}
		if err := alternate(o.N, parameter, volume); err != nil {
			return err
		}
		fmt.Printf("%d traces of 6 spans and 8 KB into the warehouse stand-in, medians of %d\n", traces, o.N)
		for _, s := range []*side{parameter, volume} {
			fmt.Printf("%-14s %7.1f traces/s  %5.0f MB  %3.0f statements\n", s.name+":", float64(traces)/s.of(seconds), s.of(rss)/1e6, s.of(statements))
		}
		times, low, high := parameter.over(volume, seconds)
		fmt.Printf("by volume it is %.2f times as fast (%.2f to %.2f)\n", times, low, high)
		return nil
	})
}

// statements are those that a run of tracemig wrote by.
func statements(r result) float64 {
	var s migrate.Summary
	_ = json.Unmarshal(r.stdout, &s)
	return float64(s.Statements)
}
