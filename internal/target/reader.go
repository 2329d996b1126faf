package target

import (
	"context"
	"math"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Times is a range of the column by which engines skip files (time of spans, created_at of annotations), in
// microseconds since the Unix epoch. Both ends are included.
type Times struct{ Low, High int64 }

// AllTimes includes every TIMESTAMP: one lies between the years 1 and 9999.
var AllTimes = Times{Low: -62_135_596_800_000_000, High: 253_402_300_799_999_999}

// SpanSum is what the table of spans holds of one trace.
type SpanSum struct {
	TraceID   string
	Rows      int
	Spans     int // distinct span_id
	RecordIDs int // distinct record_id
	Digest    string
}

// AnnotationSum is the newest version of one annotation: the one with the highest updated_at, and of several
// with the same updated_at the one that was deleted last, if one was.
type AnnotationSum struct {
	TraceID         string // target_id up to its colon
	AnnotationID    string
	Type            uctables.AnnotationType
	Name            string
	UpdatedAtMicros int64
	Deleted         bool
	Copies          int // rows with this annotation_id and updated_at
	Digest          string
}

// Reader reads back what the tables hold of some traces, to verify them or to follow changes at the source. Spans
// belong to a trace by column trace_id, annotations by target_id up to its colon. Rows outside of times are left
// out. Rows come in any order. An error of yield ends the call, which returns it.
//
// The digests are those of uctables.Digester. They are equal where the rows are equal. Where they differ, the
// rows themselves have to be compared.
type Reader interface {
	// SumSpans yields a sum for each of the traces that has spans. With deep the digest covers every value,
	// otherwise the span IDs alone.
	SumSpans(ctx context.Context, traceIDs []string, times Times, deep bool, yield func(SpanSum) error) error
	// SumAnnotations yields a sum for each annotation of the traces. Digest is empty unless deep is true.
	SumAnnotations(ctx context.Context, traceIDs []string, times Times, deep bool, yield func(AnnotationSum) error) error
	// ReadSpans yields all rows of spans of the traces with all their values.
	ReadSpans(ctx context.Context, traceIDs []string, times Times, yield func(*uctables.Span) error) error
	// ReadAnnotations yields the newest version of each annotation of the traces with all its values, also of
	// deleted ones.
	ReadAnnotations(ctx context.Context, traceIDs []string, times Times, yield func(*uctables.Annotation) error) error
}

// Contains says whether at lies within the times.
func (t Times) Contains(at int64) bool { return t.Low <= at && at <= t.High }

// Include widens the range so that it includes at.
func (t *Times) Include(at int64) { t.Join(Times{at, at}) }

// Join widens the range so that it includes o.
func (t *Times) Join(o Times) { t.Low, t.High = min(t.Low, o.Low), max(t.High, o.High) }

// NoTimes includes nothing. Include and Join begin with it.
var NoTimes = Times{Low: math.MaxInt64, High: math.MinInt64}
