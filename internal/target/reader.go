package target

import (
	"context"
	"math"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Times bounds the column that a table is pruned by (time of spans, created_at of annotations), both
// ends inclusive, in microseconds since the Unix epoch.
type Times struct{ Low, High int64 }

// AllTimes bounds nothing: a TIMESTAMP lies between the years 1 and 9999.
var AllTimes = Times{Low: -62_135_596_800_000_000, High: 253_402_300_799_999_999}

// SpanSum is what the table of spans holds of one trace.
type SpanSum struct {
	TraceID   string
	Rows      int
	Spans     int // distinct span_id
	RecordIDs int // distinct record_id
	Digest    string
}

// AnnotationSum is the newest version of one annotation: the one with the highest updated_at, of
// equal ones the deleted one.
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

// Reader reads back what the tables hold of some traces (column trace_id; of annotations, target_id up
// to its colon), for proof and for following changes. Rows outside of times need not be found. It may
// yield in any order; an error of yield ends it.
//
// The digests are those of uctables.Digester: equal where the rows are equal, and
// different ones call for a look at the rows themselves.
type Reader interface {
	// SumSpans yields a sum for each of the traces that has spans. With deep the digest covers every
	// value, else the span IDs alone.
	SumSpans(ctx context.Context, traceIDs []string, times Times, deep bool, yield func(SpanSum) error) error
	// SumAnnotations yields a sum for each annotation of the traces; Digest is empty unless deep.
	SumAnnotations(ctx context.Context, traceIDs []string, times Times, deep bool, yield func(AnnotationSum) error) error
	// ReadSpans yields all span rows of the traces, whole.
	ReadSpans(ctx context.Context, traceIDs []string, times Times, yield func(*uctables.Span) error) error
	// ReadAnnotations yields the newest version of each annotation of the traces, whole, deleted ones
	// included.
	ReadAnnotations(ctx context.Context, traceIDs []string, times Times, yield func(*uctables.Annotation) error) error
}

// Include widens the times so that at lies within.
func (t *Times) Include(at int64) { t.Join(Times{at, at}) }

// Join widens the times so that those of o lie within.
func (t *Times) Join(o Times) { t.Low, t.High = min(t.Low, o.Low), max(t.High, o.High) }

// NoTimes includes nothing; it is what Include and Join begin with.
var NoTimes = Times{Low: math.MaxInt64, High: math.MinInt64}
