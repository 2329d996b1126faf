package main

import (
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/replay"
)

func init() { comparisons["read"] = read }

// read runs the whole pipeline except for the writing over a synthetic source. It measures which share of the
// documented quotas is used at 50 ms of latency, and the speed without quotas and latency.
func read(o options) error {
	quota := &replay.Synthetic{
		Traces: 3000, Spans: 6, SpanBytes: 2000, Large: -1, Latency: 50 * time.Millisecond,
		SearchPerSecond: mlflowclient.DefaultSearchPerSecond, DownloadPerSecond: mlflowclient.DefaultDownloadPerSecond,
	}
	free := &replay.Synthetic{Traces: 20_000, Spans: 6, SpanBytes: 2000, Large: -1}
	if o.Traces > 0 {
		quota.Traces, free.Traces = o.Traces, o.Traces
	}
	var share, rate []float64
	for range o.N {
		r, _, err := readOnce(quota, mlflowclient.Limits{
			SearchPerSecond: mlflowclient.DefaultSearchPerSecond, DownloadPerSecond: mlflowclient.DefaultDownloadPerSecond,
		})
		if err != nil {
			return err
		}
		share = append(share, r/mlflowclient.DefaultDownloadPerSecond)
		r, _, err = readOnce(free, mlflowclient.Limits{})
		if err != nil {
			return err
		}
		rate = append(rate, r)
	}
	fmt.Printf("under the quotas, 50 ms latency:  %.1f %% of %d downloads/s used, %d requests refused in all\n",
		100*median(share), mlflowclient.DefaultDownloadPerSecond, quota.Refused.Load())
	fmt.Printf("without quotas and latency:       %.0f traces/s of 6 spans of 2 KB (the source runs on the same cores)\n", median(rate))
	return nil
}

// readOnce migrates a source to a target that discards all rows, and returns the traces a second.
func readOnce(s *replay.Synthetic, limits mlflowclient.Limits) (rate float64, sum migrate.Summary, err error) {
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	sum, err = migrateInto(discardTarget{}, s, server.URL, limits)
	return sum.TracesPerSecond, sum, err
}
