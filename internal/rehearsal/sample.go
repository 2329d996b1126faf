package rehearsal

import (
	"context"
	"errors"

	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/source"
	"github.com/tracemig/tracemig/internal/uctables"
)

// sampleSize is how many traces of a source are tried.
const sampleSize = 20

var errEnough = errors.New("enough traces")

// Sample converts the first traces of an experiment that have ended and can be read; it is for Job.Sample. The error says
// why the source could not be listed, or the spans of a trace not be read.
func Sample(ctx context.Context, src source.Source, experimentID string, yield func(uctables.Trace) error) error {
	n := 0
	all := mlflowclient.Window{Unlistable: func(*mlflowclient.UnlistableError) error { return nil }}
	err := src.ListTraces(ctx, experimentID, all, func(t *mlflow.TraceInfo) error {
		if t.State == mlflow.StateInProgress {
			return nil
		}
		spans := src.FetchSpans(ctx, mlflowclient.Exact, []*mlflow.TraceInfo{t})[0]
		if spans.Err != nil {
			return spans.Err
		}
		in := convert.Input{Info: t, Spans: spans.JSON, SpansMissing: spans.Missing, Digest: "rehearsal"}
		res, err := convert.Convert(in, convert.Options{Source: "rehearsal"})
		if err != nil {
			return nil // a run would report it as failed
		}
		if err := yield(res.Trace); err != nil {
			return err
		}
		if n++; n == sampleSize {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
