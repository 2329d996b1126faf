package source

import (
	"slices"
	"time"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// LateSpans is how long after its request a trace's spans may still arrive at the source: MLflow
// writes a trace's listing and its spans in separate requests, which clients may send late.
const LateSpans = 24 * time.Hour

// StillArriving says whether spans of a trace requested then may be on their way yet. A time far in the
// future is what a wrong clock wrote: else it would be waited for.
func StillArriving(requested, now time.Time) bool { return now.Sub(requested).Abs() < LateSpans }

// StillOpen says whether a trace is to be waited for although it has ended: a span of it has not, and its end
// may come yet.
func StillOpen(info *mlflow.TraceInfo, spans []uctables.Span, now time.Time) bool {
	return LateSpansPossible(info) && StillArriving(info.RequestTime, now) &&
		slices.ContainsFunc(spans, func(s uctables.Span) bool { return s.EndTimeUnixNano == nil })
}

// Ended is when a trace ended, as far as the source tells.
func Ended(info *mlflow.TraceInfo) time.Time {
	if info.ExecutionDuration != nil {
		if d, err := time.ParseDuration(*info.ExecutionDuration); err == nil {
			return info.RequestTime.Add(d)
		}
	}
	return info.RequestTime
}

// LateSpansPossible says whether the source may get spans of a trace after its end: a server that keeps spans
// in its tracking store takes each one as it comes, while a trace that is stored as one file is complete.
func LateSpansPossible(info *mlflow.TraceInfo) bool {
	return info.SpansInTrackingStore()
}
