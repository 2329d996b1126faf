package target

import (
	"context"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Some targets can do more than Writer asks of all. Each of these interfaces is one such ability; who needs
// it asks for it by a type assertion and does without where it is missing.

// SpanProber can say whether it would take spans, by the errors of WriteSpans, without writing them.
type SpanProber interface {
	ProbeSpans(ctx context.Context, rows []uctables.Span) error
}

// DuplicateCounter can count the keys that its tables hold more than once. A target has it that other
// programs may write at the same time: Databricks documents how two statements conflict that change the same
// rows, but not how two do that add the same key, so each run looks for such keys at its end.
type DuplicateCounter interface {
	CountDuplicates(ctx context.Context, times Times) (spans, annotations int64, err error)
}

// Stager can take large batches by files. Stage prepares that, and removes what earlier runs of the same
// owner left there. It does nothing where no place for files was named.
type Stager interface {
	Stage(ctx context.Context, owner string) error
}

// ViewCreator can make the views that the service makes beside the tables. It returns the names of those
// that were missing and now exist.
type ViewCreator interface {
	CreateViews(ctx context.Context) (made []string, err error)
}

// StatementSender writes by SQL statements. It marks them with the run that sends them, and learns how large
// they may be.
type StatementSender interface {
	SetRun(id string)
	// LimitStatements bounds a statement to bytes of rows, as an earlier run found.
	LimitStatements(bytes int64)
	// StatementBytes is the largest statement, in bytes of rows, after larger ones were refused; 0 if none was.
	StatementBytes() int64
}
