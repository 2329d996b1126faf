// Package beta reads traces from tables of the beta form (schema version v1) in Unity Catalog, through a SQL warehouse. It never
// writes to them.
//
// A trace there is its rows in the table of spans, and rows of the table of logs that each say one thing about it, of which the
// newest counts (logs.go). What the tables don't hold, such as previews, is absent. The listing goes by slices of time, so that the
// warehouse reads only a part of the tables for each (list.go). Spans come as documents for package convert (spans.go), or are
// surveyed, for a target that copies them by itself (survey.go).
package beta

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/warehouse"
)

// Source is the tables of the beta form in one schema. It is a source.Opened and a source.Copyable.
type Source struct {
	wh       *warehouse.Warehouse
	location uctables.Location
	host     string
	places   chan struct{} // holds a value for each statement that reads traces

	mu  sync.Mutex
	far map[string]bool // IDs of traces whose spans may lie further apart than tablesql.BetaSpread

	requests, bytes atomic.Int64
}

var (
	_ source.Opened   = (*Source)(nil)
	_ source.Copyable = (*Source)(nil)
)

// readers is how many statements read traces at the same time.
const readers = 8

// New reads the tables at a location through a warehouse that was opened for it. host is the address of the workspace.
func New(wh *warehouse.Warehouse, l uctables.Location, host string) *Source {
	return &Source{wh: wh, location: l, host: host, places: make(chan struct{}, readers), far: map[string]bool{}}
}

// Close ends the sessions of the warehouse.
func (s *Source) Close() { _ = s.wh.Close() }

// Identity is the workspace's address.
func (s *Source) Identity() string { return s.host }

// Credentials says which ones are used, for check.
func (s *Source) Credentials() string { return "those of the workspace" }

// Stats counts the statements so far, and the bytes of the spans that they brought.
func (s *Source) Stats() mlflowclient.Stats {
	return mlflowclient.Stats{Requests: s.requests.Load(), Bytes: s.bytes.Load()}
}

// Experiment checks the tables. They stand for an experiment whose ID and name are catalog.schema.
func (s *Source) Experiment(ctx context.Context, _ string) (mlflowclient.Experiment, error) {
	if err := s.wh.CheckBeta(ctx); err != nil {
		return mlflowclient.Experiment{}, err
	}
	name := s.location.SchemaName()
	return mlflowclient.Experiment{ID: name, Name: name}, nil
}

// Attachment says that the tables have no attachments.
func (s *Source) Attachment(_ context.Context, t *mlflow.TraceInfo, a mlflow.Attachment) ([]byte, error) {
	return nil, fmt.Errorf("attachment %s of trace %s: %w", a.ID, t.TraceID, mlflowclient.ErrNoAttachment)
}

// FetchGroup is how many traces a statement reads.
func (s *Source) FetchGroup(mlflowclient.Read) int { return 100 }

// ListExperiments yields the tables. The runs that traces are linked to are listed with the traces, so nothing is asked for them.
func (s *Source) ListExperiments(_ context.Context, yield func(string) error) error {
	return yield(s.location.SchemaName())
}

// ListRuns yields nothing, see ListExperiments.
func (s *Source) ListRuns(context.Context, string, func(string) error) error { return nil }

// ListRunTraces yields nothing, see ListExperiments.
func (s *Source) ListRunTraces(context.Context, string, string, mlflowclient.Window, func(string) error) error {
	return nil
}

// traceID is the ID by which MLflow knows a trace of the tables, and rowID the one in their rows.
func (s *Source) traceID(rowID string) string {
	return "trace:/" + s.location.Catalog + "." + s.location.Schema + "/" + rowID
}

func (s *Source) rowID(traceID string) string {
	if prefix := s.traceID(""); len(traceID) > len(prefix) && traceID[:len(prefix)] == prefix {
		return traceID[len(prefix):]
	}
	return traceID
}

// place waits until another statement may read traces.
func (s *Source) place(ctx context.Context) (release func(), err error) {
	select {
	case s.places <- struct{}{}:
		return func() { <-s.places }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// errGone says that the tables have no span of a trace.
var errGone = fmt.Errorf("the tables have no span of it: %w", source.ErrGone)
