package source

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/uctables"
)

// LateSpans is how long after its request a trace's spans may still arrive at the source: MLflow
// writes a trace's listing and its spans in separate requests, which clients may send late.
const LateSpans = 24 * time.Hour

// StillArriving says whether spans of a trace with this request time may still arrive. A time far in the future comes
// from a wrong clock, and such a trace is not waited for.
func StillArriving(requested, now time.Time) bool { return now.Sub(requested).Abs() < LateSpans }

// MissingSpans says why spans of a trace that was read are missing, "" if none are. Of a trace that the source still lists
// as in progress the root span has not come.
func MissingSpans(info *mlflow.TraceInfo, spans *mlflowclient.Spans) string {
	if spans.Missing == "" && info.State == mlflow.StateInProgress {
		return mlflowclient.MissingIncomplete
	}
	return spans.Missing
}

// Elsewhere says why the spans of a trace can't be read, which lie outside of the database that is read.
func Elsewhere(info *mlflow.TraceInfo, spans *mlflowclient.Spans) error {
	if spans.Err != nil {
		return spans.Err
	}
	where := ""
	u, err := url.Parse(cmp.Or(info.Tags[mlflow.TagArchiveLocation], info.Tags[mlflow.TagArtifactLocation]))
	if err == nil && *u != (url.URL{}) {
		u.User, u.RawQuery, u.Fragment = nil, "", "" // some kinds of stores have a password there
		where = ", in " + u.String()
	}
	return advice.With(fmt.Errorf("its spans lie outside of the database%s, and can't be read from here", where),
		"Name the artifact store with --artifacts-destination, or the MLflow server with --server")
}

// StillOpen says whether to wait for a trace although it has ended: one of its spans has not, and its end may still
// arrive.
func StillOpen(info *mlflow.TraceInfo, spans []uctables.Span, now time.Time) bool {
	return info.SpansInTrackingStore() && StillArriving(info.RequestTime, now) &&
		slices.ContainsFunc(spans, func(s uctables.Span) bool { return s.EndTimeUnixNano == nil })
}

// Ended is the time when a trace ended, or of its request if the source does not tell.
func Ended(info *mlflow.TraceInfo) time.Time {
	if info.ExecutionDuration != nil {
		if d, err := time.ParseDuration(*info.ExecutionDuration); err == nil {
			return info.RequestTime.Add(d)
		}
	}
	return info.RequestTime
}
