package main

import (
	"fmt"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/replay"
)

func init() { comparisons["memory"] = memory }

// memory measures the peak of resident memory by the number of traces, and with a large trace among small ones.
func memory(o options) error {
	for _, c := range []struct {
		name   string
		source *replay.Synthetic
	}{
		{"1,000 traces of 12 KB", &replay.Synthetic{Traces: 1000, Spans: 6, SpanBytes: 2000, Large: -1}},
		{"10,000 traces of 12 KB", &replay.Synthetic{Traces: 10_000, Spans: 6, SpanBytes: 2000, Large: -1}},
		{"100,000 traces of 12 KB", &replay.Synthetic{Traces: 100_000, Spans: 6, SpanBytes: 2000, Large: -1}},
		{"1,000 traces, one of 100 MB", &replay.Synthetic{Traces: 1000, Spans: 6, SpanBytes: 2000, Large: 500, LargeBytes: 100 << 20}},
	} {
		var peaks []float64
		var s migrate.Summary
		// Peaks vary less than times, so one run of the largest source is enough.
		for range min(o.N, max(1, 20_000/c.source.Traces)) {
			l, err := newLocalRun(c.source)
			if err != nil {
				return err
			}
			var r result
			s, r, err = l.run()
			l.close()
			if err != nil {
				return err
			}
			peaks = append(peaks, r.rss/1e6)
		}
		fmt.Printf("%-28s peak %4.0f MB, %.0f traces/s into local tables\n", c.name, median(peaks), s.TracesPerSecond)
	}
	return nil
}
