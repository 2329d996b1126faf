// Package target is the contract between the stages that move and verify traces and the tables they
// end in: what a target can do, how much one commit of it takes, and which errors it answers with.
package target

import (
	"context"
	"fmt"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Written counts what one write did.
type Written struct {
	Inserted int   // rows this write added
	Present  int   // rows the table already had
	Bytes    int64 // payload bytes sent or written
	Unsure   bool  // some of the inserted rows may have been there: no answer said so, and the table holds them
}

// Limits bounds one commit of a target.
type Limits struct {
	Rows        int
	Bytes       int64
	PreferLarge bool // a commit costs much and its size little: rather let reading wait than make more commits
}

// Writer writes rows idempotently: a row whose key the table already holds is left alone, whoever
// wrote it and whenever (spans by (trace_id, span_id), annotations by (annotation_id, updated_at));
// ReplaceSpans alone puts another in its place.
// Each call is one atomic commit, or nothing. Methods may be called at the same time.
//
// Errors: *RowError when the table refuses a row, *TooLargeError when the commit must be split;
// any other error has been retried as far as the writer is willing to, and an unknown outcome has
// been looked up in the table.
type Writer interface {
	WriteAnnotations(ctx context.Context, rows []uctables.Annotation) (Written, error)
	WriteSpans(ctx context.Context, rows []uctables.Span) (Written, error)
	// ReplaceAnnotations writes newer versions of annotations that the table has, each only where the
	// version it replaces is still the newest, or where there is none (see uctables.Replacement).
	ReplaceAnnotations(ctx context.Context, rows []uctables.Replacement) (Written, error)
	// ReplaceSpans puts rows in the place of those that the table has under their keys (trace_id,
	// span_id), whoever wrote these, in one commit. A row whose key the table lacks is added, and a key
	// that is there more than once is there once afterwards. Of one key twice in rows the first counts.
	//
	// times is where the rows to be replaced are looked for, and so are those at the times of rows: a
	// span may have another time than its row. What the table has of a key elsewhere need not be found,
	// and then stays beside the new row.
	//
	// A row that the table has already, once and with the same values, is not written again and counts
	// as present, so that nothing changes when the same is sent twice. Where the answer to a commit got
	// lost, all rows may count as inserted. Columns that tracemig does not know are NULL in the new rows.
	ReplaceSpans(ctx context.Context, rows []uctables.Span, times Times) (Written, error)
	// Limits says how much one commit should hold at most.
	Limits() Limits
	Reader
	// Migrated calls yield for each trace of source that is complete in the tables: its METADATA
	// row is there and as many spans as it names. It is how a lost checkpoint is rebuilt.
	Migrated(ctx context.Context, source string, yield func(uctables.Provenance) error) error
	// Official calls yield with the target_id of each METADATA row whose newest version Databricks'
	// own migration wrote from the experiment, and nobody deleted. It may be any text.
	Official(ctx context.Context, experimentID string, yield func(targetTraceID string) error) error
	// Check says whether both tables are there with the expected schema; it writes nothing.
	Check(ctx context.Context) error
	// Identity is that of the two tables as they are now: it changes when one is dropped and made
	// anew, after which nothing that was known of its rows holds.
	Identity(ctx context.Context) (string, error)
	// Create makes the tables that are missing.
	Create(ctx context.Context) error
	// String names the target for people: catalog.schema.prefix or file:path.
	String() string
	Close() error
}

// RowError says that the table refuses the rows of one write for what they hold. The caller splits
// the write until a single row is left.
type RowError struct {
	Table string
	Err   error
}

func (e *RowError) Error() string { return fmt.Sprintf("%s refuses a row: %v", e.Table, e.Err) }
func (e *RowError) Unwrap() error { return e.Err }

// TooLargeError says that one write was larger than the target takes. The caller splits it.
type TooLargeError struct {
	Table string
	Bytes int64
	Slow  bool // it was not the size: the write ran out of time
	Err   error
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s refuses %d bytes in one write: %v", e.Table, e.Bytes, e.Err)
}
func (e *TooLargeError) Unwrap() error { return e.Err }

// TableError says that a table is missing or has another form than schema version v2.
type TableError struct {
	Table   string
	Missing bool   // Create would make it
	Problem string // what is wrong, a clause
	Next    string // what to do, a sentence
}

func (e *TableError) Error() string { return fmt.Sprintf("%s %s. %s", e.Table, e.Problem, e.Next) }
