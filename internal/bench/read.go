package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/replay"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

func init() {
	comparisons["read"] = read
}

// read has the whole pipeline but the writing read a synthetic source: at the documented quotas with
// 50 ms of latency, where the share of the quota counts, and as fast as it can.
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
		r, _, err := readOnce(quota, mlflowclient.Limits{})
		if err != nil {
			return err
		}
		share = append(share, r/mlflowclient.DefaultDownloadPerSecond)
		r, _, err = readOnce(free, mlflowclient.Limits{SearchPerSecond: 1e6, DownloadPerSecond: 1e6})
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

// readOnce migrates a source into nothing and returns the traces a second.
func readOnce(s *replay.Synthetic, limits mlflowclient.Limits) (rate float64, sum migrate.Summary, err error) {
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	sum, err = into(null{}, s, server.URL, limits)
	return sum.TracesPerSecond, sum, err
}

// into has tracemig's own pipeline write a source, served at url, to a target.
func into(target target.Writer, s *replay.Synthetic, url string, limits mlflowclient.Limits) (sum migrate.Summary, err error) {
	source, err := mlflowclient.NewServer(url, mlflowclient.ServerCredentials{}, mlflowclient.Options{Limits: limits})
	if err != nil {
		return sum, err
	}
	defer source.Close()
	dir, err := os.MkdirTemp("", "tracemig-bench-")
	if err != nil {
		return sum, err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	name := url + "#" + replay.SyntheticID
	store, err := checkpoint.Open(ctx, filepath.Join(dir, "c.db"), checkpoint.Pair{Source: name, Target: target.String()})
	if err != nil {
		return sum, err
	}
	defer store.Close()
	sum, err = migrate.Run(ctx, nil, migrate.Job{
		RunID: "bench", Source: source, ExperimentID: replay.SyntheticID, SourceName: name, Target: target, Checkpoint: store,
		RunLinks: runlinks.OfSource, Resync: true, Fetchers: migrate.DefaultFetchers, BytesInFlight: migrate.DefaultBytesInFlight, Recorder: &migrate.Recorder{},
	})
	if err == nil && sum.Migrated != int64(s.Traces) {
		err = fmt.Errorf("%d of %d traces", sum.Migrated, s.Traces)
	}
	return sum, err
}

// null is a target that takes everything and keeps nothing.
type null struct{ target.Writer }

func (null) WriteAnnotations(_ context.Context, rows []uctables.Annotation) (target.Written, error) {
	return target.Written{Inserted: len(rows)}, nil
}

func (null) WriteSpans(_ context.Context, rows []uctables.Span) (target.Written, error) {
	return target.Written{Inserted: len(rows)}, nil
}
func (null) Limits() target.Limits { return target.Limits{Rows: 5000, Bytes: 8 << 20} }
func (null) Migrated(context.Context, string, func(uctables.Provenance) error) error {
	return nil
}
func (null) Identity(context.Context) (string, error) { return "null", nil }
func (null) String() string                           { return "null" }
