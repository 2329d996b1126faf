package target

import (
	"context"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Remover can remove what tracemig has written, and leaves everything else. A span is tracemig's if its record_id is
// uctables.RecordID of its values. Which versions of annotations are, the caller says. Each removal is one commit, or nothing;
// one that is repeated changes nothing. Errors are as for Writer.
type Remover interface {
	// CheckRemoval returns a *TableError where one of the tables does not let rows be removed.
	CheckRemoval(ctx context.Context) error
	// Marked calls yield for the wanted traces of source, complete or not, in the order of their request times and IDs. A trace is
	// of source where the newest METADATA row with a source, deleted or not, names that one.
	Marked(ctx context.Context, source string, wanted Wanted, yield func(Marked) error) error
	// ReadVersions yields every version of the annotations of some traces that were created within some times. Comments, and values
	// and metadata that do not tell who wrote a row, may be left out.
	ReadVersions(ctx context.Context, traceIDs []string, times Times, yield func(*uctables.Annotation) error) error
	// RemoveSpans removes tracemig's spans of some traces that lie within times.
	RemoveSpans(ctx context.Context, traceIDs []string, times Times) error
	// RemoveAnnotations removes versions of annotations, all copies of each. A version that somebody else than tracemig deleted in
	// place stays.
	RemoveAnnotations(ctx context.Context, versions []uctables.Version) error
}

// Wanted are traces by their request times, and where IDs is not nil, by their IDs at the source or at the target.
type Wanted struct {
	Requested Times
	IDs       []string
}

// Marked is a trace that tracemig has written, and what the tables hold of it.
type Marked struct {
	SourceTraceID, TraceID string
	RequestMicros          int64
	Attachments            string // JSON of an array of uctables.Attachment, or empty
	Spans, Others          int    // rows of spans that are tracemig's, and that are not
	SpanTimes              Times  // of all its spans; NoTimes where there are none
	AnnotationTimes        Times  // created_at of all versions of its annotations
}
