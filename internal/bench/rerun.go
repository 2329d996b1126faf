package main

import (
	"cmp"
	"fmt"

	"github.com/tracemig/tracemig/internal/replay"
)

func init() { comparisons["rerun"] = rerun }

// rerun measures a run that finds nothing new, on 100,000 traces.
func rerun(o options) error {
	n := cmp.Or(o.Traces, 100_000)
	l, err := newLocalRun(&replay.Synthetic{Traces: n, Spans: 1, SpanBytes: 600, Large: -1})
	if err != nil {
		return err
	}
	defer l.close()
	first, _, err := l.run()
	if err != nil {
		return err
	}
	var seconds []float64
	for range o.N {
		s, _, err := l.run()
		if err != nil {
			return err
		}
		if s.TargetWrites != 0 || s.Present != int64(n) {
			return fmt.Errorf("a rerun must find %d traces present and write nothing: %+v", n, s)
		}
		seconds = append(seconds, s.Seconds)
		first.Requests = s.Requests
	}
	fmt.Printf("nothing new on %d traces: %.2f s, %d requests, no write\n", n, median(seconds), first.Requests)
	return nil
}
