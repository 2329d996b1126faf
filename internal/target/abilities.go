package target

import (
	"context"

	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Some targets can do more than Writer requires. Each interface here is one such ability. Code that can use an
// ability finds it by a type assertion, and works without it where a target lacks it.

// SpanProber can say whether WriteSpans would take rows, by the same errors, without writing them.
type SpanProber interface {
	ProbeSpans(ctx context.Context, rows []uctables.Span) error
}

// DuplicateCounter can count the keys that its tables hold more than once. It is for tables that other programs
// may write at the same time: Databricks documents that two statements conflict when they change the same rows,
// but not what happens when two add the same key, so each run looks for such keys at its end.
type DuplicateCounter interface {
	CountDuplicates(ctx context.Context, times Times) (spans, annotations int64, err error)
}

// Stager can take large batches as files in a volume. Stage prepares that, and removes the files that earlier
// runs of the same owner left there. It does nothing where no volume was named.
type Stager interface {
	Stage(ctx context.Context, owner string) error
}

// ViewCreator can make the views that the service makes beside the tables. CreateViews returns the names of
// those that were missing and now exist.
type ViewCreator interface {
	CreateViews(ctx context.Context) (made []string, err error)
}

// Marker keeps beside each of its commits which run made it, from SetMark on.
type Marker interface {
	SetMark(m Mark)
}

// TagSender sends marks as query tags, which a workspace may refuse. Then it goes on without them.
type TagSender interface {
	TagsRefused() bool
}

// StatementSender writes by SQL statements, and learns how large a statement may be.
type StatementSender interface {
	// LimitStatements sets how many bytes of rows a statement may have, as an earlier run has learnt.
	LimitStatements(bytes int64)
	// StatementBytes is how many bytes of rows a statement may have after larger ones were refused. It is 0 as
	// long as none was.
	StatementBytes() int64
}

// SpanCopier can write spans by copying them from tables of the beta form that it reaches itself, so that they don't pass through
// this process.
type SpanCopier interface {
	// CopySpans adds those spans of some traces that the table lacks, in one commit. Of a trace that is no longer as it was surveyed
	// it adds none, so that fewer rows than expected may be inserted; the others count as present. Its errors are those of
	// Writer.WriteSpans.
	CopySpans(ctx context.Context, from uctables.Location, traces []uctables.SpanCopy) (Written, error)
}

// LedgerKeeper can keep a ledger beside its tables, or wherever else it can write.
type LedgerKeeper interface {
	Ledger(name uctables.Location) Ledger
}

// Ledger is a table with one row for each run.
type Ledger interface {
	// Check returns a *TableError where the table is missing, or lacks columns. It writes nothing.
	Check(ctx context.Context) error
	// Create makes the table where it is missing.
	Create(ctx context.Context) error
	// Record adds the row of a run, unless the table has one of that run.
	Record(ctx context.Context, run uctables.Run) error
}

// TableChecker can check each of its tables alone. The error is a *TableError where the table is missing or has another
// form.
type TableChecker interface {
	CheckTable(ctx context.Context, t uctables.Table) error
}

// LocationReader can tell what else is in the tables' schema in Unity Catalog.
type LocationReader interface {
	// OwnViews are the views beside the tables that tracemig has made.
	OwnViews(ctx context.Context) ([]tablesql.View, error)
	// OfficialSkips counts, by reason, the traces of a source experiment that Databricks' own migration
	// has skipped; nil where it has not skipped any.
	OfficialSkips(ctx context.Context, experimentID string) (map[string]int64, error)
}
