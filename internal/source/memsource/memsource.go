// Package memsource is a source in memory for tests.
package memsource

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
)

// Experiment is a source of generated traces. Its ID is "1".
type Experiment struct {
	Traces []*mlflow.TraceInfo            // in the order of the listing
	Spans  map[string]mlflowclient.Spans  // by trace ID
	Fast   map[string][]byte              // what the fast way gives of a trace's spans; none for what Spans has
	Runs   map[string][]string            // traces that are linked to the runs of the experiment
	Others map[string]map[string][]string // the same for other experiments, by their IDs; nil for one that is refused
	Gone   map[string]bool                // traces that were deleted
	Down   error                          // what TraceInfo answers; nil for the trace

	Group  int         // traces that one call of FetchSpans should get; 0 for one
	Reads  int         // calls of FetchSpans so far
	OnRead func(n int) // is called in each of them with its number; may be nil

	mu sync.Mutex // guards Reads
}

// Epoch is the request time of the first trace; each further one is a millisecond later.
var Epoch = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)

// TraceID is the ID of the n-th generated trace at the source.
func TraceID(n int) string { return "tr-" + TargetID(n) }

// TargetID is the ID of the n-th generated trace at the target.
func TargetID(n int) string { return fmt.Sprintf("%032x", n+1) }

// Add adds an ended trace with the given span names; the first is the root.
func (e *Experiment) Add(n int, spans ...string) *mlflow.TraceInfo {
	info := &mlflow.TraceInfo{
		TraceID: TraceID(n), ExperimentID: "1", RequestTime: Epoch.Add(time.Duration(n) * time.Millisecond),
		State: mlflow.StateOK, Tags: map[string]string{"mlflow.traceName": "t"}, Metadata: map[string]string{},
	}
	var b strings.Builder
	for i, name := range spans {
		parent := "null"
		if i > 0 {
			parent = fmt.Sprintf("%q", fmt.Sprintf("%016x", 1))
		}
		fmt.Fprintf(&b, `,{"context":{"trace_id":%q,"span_id":"%016x"},"parent_id":%s,"name":%q,"start_time":%d,"end_time":%d,`+
			`"status_code":"OK","status_message":"","attributes":{"i":"%d"},"events":[]}`,
			TargetID(n), i+1, parent, name, info.RequestTime.UnixNano(), info.RequestTime.UnixNano()+1, i)
	}
	if e.Spans == nil {
		e.Spans = map[string]mlflowclient.Spans{}
	}
	e.Traces = append(e.Traces, info)
	e.Spans[info.TraceID] = mlflowclient.Spans{JSON: []byte(`{"spans":[` + strings.TrimPrefix(b.String(), ",") + `]}`)}
	return info
}

// ListTraces implements source.Source.
func (e *Experiment) ListTraces(ctx context.Context, _ string, w mlflowclient.Window, yield func(*mlflow.TraceInfo) error) error {
	for _, t := range e.Traces {
		ms := t.RequestTime.UnixMilli()
		if w.StartMs != nil && ms < *w.StartMs || w.EndMs != nil && ms >= *w.EndMs || e.Gone[t.TraceID] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(t); err != nil {
			return err
		}
	}
	return nil
}

// TraceInfo implements source.Source.
func (e *Experiment) TraceInfo(_ context.Context, id string) (*mlflow.TraceInfo, error) {
	if e.Down != nil {
		return nil, e.Down
	}
	for _, t := range e.Traces {
		if t.TraceID == id && !e.Gone[id] {
			return t, nil
		}
	}
	return nil, &mlflowclient.APIError{Status: 404, Code: "RESOURCE_DOES_NOT_EXIST"}
}

// FetchSpans implements source.Source.
func (e *Experiment) FetchSpans(_ context.Context, read mlflowclient.Read, infos []*mlflow.TraceInfo) []mlflowclient.Spans {
	e.mu.Lock()
	e.Reads++
	n := e.Reads
	e.mu.Unlock()
	if e.OnRead != nil {
		e.OnRead(n)
	}
	out := make([]mlflowclient.Spans, len(infos))
	for i, t := range infos {
		out[i] = e.Spans[t.TraceID]
		if doc := e.Fast[t.TraceID]; doc != nil && read == mlflowclient.Fast {
			out[i] = mlflowclient.Spans{JSON: doc, Fast: true}
		}
		out[i].JSON = bytes.Clone(out[i].JSON) // The reader may overwrite it.
	}
	return out
}

// FetchGroup implements source.Source.
func (e *Experiment) FetchGroup(mlflowclient.Read) int { return max(e.Group, 1) }

// ListExperiments implements source.Source.
func (e *Experiment) ListExperiments(_ context.Context, yield func(string) error) error {
	for _, id := range append([]string{"1"}, slices.Sorted(maps.Keys(e.Others))...) {
		if err := yield(id); err != nil {
			return err
		}
	}
	return nil
}

// ListRuns implements source.Source.
func (e *Experiment) ListRuns(_ context.Context, experimentID string, yield func(string) error) error {
	runs := e.Runs
	if experimentID != "1" {
		runs = e.Others[experimentID]
	}
	if runs == nil && experimentID != "1" {
		return &mlflowclient.APIError{Status: 403, Code: "PERMISSION_DENIED"}
	}
	for run := range runs {
		if err := yield(run); err != nil {
			return err
		}
	}
	return nil
}

// ListRunTraces implements source.Source.
func (e *Experiment) ListRunTraces(_ context.Context, _, run string, _ mlflowclient.Window, yield func(string) error) error {
	ids := e.Runs[run]
	for _, runs := range e.Others {
		ids = slices.Concat(ids, runs[run])
	}
	for _, id := range ids {
		if err := yield(id); err != nil {
			return err
		}
	}
	return nil
}
