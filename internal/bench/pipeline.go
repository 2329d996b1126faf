package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/migrate"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/replay"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// migrateInto migrates a source, served at url, to a target with tracemig's own pipeline in this process.
func migrateInto(target target.Writer, s *replay.Synthetic, url string, limits mlflowclient.Limits) (sum migrate.Summary, err error) {
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
	sum, err = migrate.Run(ctx, ctx, migrate.Job{
		RunID: "bench", Source: source, ExperimentID: replay.SyntheticID, SourceName: name, Target: target, Checkpoint: store,
		RunLinks: runlinks.OfSource, Resync: true, Fetchers: migrate.DefaultFetchers, BytesInFlight: migrate.DefaultBytesInFlight,
		Recorder: &migrate.Recorder{},
	})
	if err == nil && sum.Migrated != int64(s.Traces) {
		err = fmt.Errorf("migrated %d traces, want %d", sum.Migrated, s.Traces)
	}
	return sum, err
}

// discardTarget is a target that accepts all rows and keeps none.
type discardTarget struct{ target.Writer }

func (discardTarget) WriteAnnotations(_ context.Context, rows []uctables.Annotation) (target.Written, error) {
	return target.Written{Inserted: len(rows)}, nil
}

func (discardTarget) WriteSpans(_ context.Context, rows []uctables.Span) (target.Written, error) {
	return target.Written{Inserted: len(rows)}, nil
}
func (discardTarget) Limits() target.Limits                                      { return target.Limits{Rows: 5000, Bytes: 8 << 20} }
func (discardTarget) Official(context.Context, string, func(string) error) error { return nil }
func (discardTarget) Migrated(context.Context, string, func(uctables.Provenance) error) error {
	return nil
}
func (discardTarget) Identity(context.Context) (string, error) { return "discard", nil }
func (discardTarget) String() string                           { return "discard" }
