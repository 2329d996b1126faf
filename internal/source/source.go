// Package source is what a run and a verification read traces from, and what both must know of how traces come to be
// there.
package source

import (
	"context"
	"errors"
	"strconv"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Source is what traces are read from: an MLflow server, which *mlflowclient.Client reads, or tables. Its methods may be called at
// the same time.
type Source interface {
	ListTraces(ctx context.Context, experimentID string, w mlflowclient.Window, yield func(*mlflow.TraceInfo) error) error
	TraceInfo(ctx context.Context, traceID string) (*mlflow.TraceInfo, error)
	FetchSpans(ctx context.Context, read mlflowclient.Read, infos []*mlflow.TraceInfo) []mlflowclient.Spans
	FetchGroup(read mlflowclient.Read) int
	ListExperiments(ctx context.Context, yield func(experimentID string) error) error
	ListRuns(ctx context.Context, experimentID string, yield func(runID string) error) error
	ListRunTraces(ctx context.Context, experimentID, runID string, w mlflowclient.Window, yield func(traceID string) error) error
}

// Opened is a source that a command has opened: besides what runs and verifications read, what is told of it.
type Opened interface {
	Source
	// Experiment finds what a command was told to read. Its error says what to name instead.
	Experiment(ctx context.Context, ref string) (mlflowclient.Experiment, error)
	// Attachment reads the bytes of an attachment that spans of trace t refer to.
	Attachment(ctx context.Context, t *mlflow.TraceInfo, a mlflow.Attachment) ([]byte, error)
	// Identity is the source's address: the same for every way that leads to it.
	Identity() string
	// Credentials says which ones are used, without them.
	Credentials() string
	// Stats counts the requests so far.
	Stats() mlflowclient.Stats
	Close()
}

// Copyable is a source whose spans lie in tables that a target may copy them from by itself.
type Copyable interface {
	// Tables says where they are.
	Tables() uctables.Location
	// Survey says of each trace how its spans can be copied so that the rows are those that package convert would make; nil for
	// a trace whose spans have to be read and converted.
	Survey(ctx context.Context, infos []*mlflow.TraceInfo) ([]*uctables.SpanCopy, error)
}

// Linked is a source that knows the links of all MLflow runs, so that no run has to be asked for its traces.
type Linked interface {
	// ListLinks calls yield with every trace of the experiment within w that belongs to a run, and with every run, so that links
	// that are gone are seen too: a run after all of its traces. The runs are those of the experiment and, if all is set, of every
	// other one.
	ListLinks(ctx context.Context, experimentID string, all bool, w mlflowclient.Window, yield func(RunLink) error) error
}

// RunLink is a trace that belongs to an MLflow run: one that the run made, or that was linked to it later.
type RunLink struct {
	RunID   string
	Other   bool   // the run is one of another experiment than the trace
	TraceID string // empty for the run itself
}

// ErrGone says that the source does not have what was asked for.
var ErrGone = errors.New("the source does not have it")

// Gone says whether err is the source saying that it does not have what was asked for.
func Gone(err error) bool {
	if errors.Is(err, ErrGone) {
		return true
	}
	api, ok := errors.AsType[*mlflowclient.APIError](err)
	return ok && (api.Code == "RESOURCE_DOES_NOT_EXIST" || api.Code == "NOT_FOUND")
}

// unknownSize is assumed for traces whose size the source does not tell.
const unknownSize = 64 << 10

// SizeOf estimates the bytes of the JSON of a trace's spans.
func SizeOf(info *mlflow.TraceInfo) int64 {
	if n, err := strconv.ParseInt(info.Metadata[mlflow.MetadataSizeBytes], 10, 64); err == nil && n > 0 {
		return n
	}
	return unknownSize
}
