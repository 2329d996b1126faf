// Package target is the contract between the stages that move and verify traces and the tables that hold them
// in the end: what a target can do, how much it takes in one commit, and which errors it returns. Package
// targettest tests the contract, and package memtarget keeps it in memory.
package target

import (
	"context"
	"fmt"

	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Written counts what one write did.
type Written struct {
	Inserted int   // rows this write added
	Present  int   // rows the table already had
	Bytes    int64 // payload bytes sent or written
	Unsure   bool  // some of the inserted rows may have been there before: the answer got lost, and the table holds them
}

// Limits bounds one commit of a target.
type Limits struct {
	Rows        int
	Bytes       int64
	PreferLarge bool // a commit costs much and its size little, so it is better to read less ahead than to commit more often
}

// Writer writes rows idempotently: a row whose key the table already holds is left alone, whoever wrote it
// (spans by (trace_id, span_id), annotations by (annotation_id, updated_at)). ReplaceSpans alone puts another
// row in its place. The key is looked for at the times of the rows of the call (time of spans, created_at of
// annotations); a row of the same key at another time need not be found. Of one key twice in a call the first row
// counts, and the other counts as present.
//
// Each call is one atomic commit, or nothing: a reader sees all of its rows or none. Methods may be called at
// the same time, and several writers, also in other processes, may write the same tables.
//
// Errors: *RowError where the table refuses a row, *TooLargeError where the commit must be split, the error of
// the context where it has ended. Any other error has been retried as far as the writer is willing to, and
// where it was not known whether a commit took effect, the writer has looked the rows up in the table.
type Writer interface {
	WriteAnnotations(ctx context.Context, rows []uctables.Annotation) (Written, error)
	WriteSpans(ctx context.Context, rows []uctables.Span) (Written, error)
	// ReplaceAnnotations writes newer versions of annotations that the table has, each only where the version
	// that it replaces is still the newest, or where there is none (see uctables.Replacement). Of one
	// annotation_id twice in rows the first counts.
	ReplaceAnnotations(ctx context.Context, rows []uctables.Replacement) (Written, error)
	// ReplaceSpans puts rows in the place of those that the table has under their keys (trace_id, span_id),
	// whoever wrote those, in one commit. A row whose key the table lacks is added. A key that is there more
	// than once is there once afterwards.
	//
	// The rows to be replaced are looked for within times and at the times of rows: a span may have another
	// time than the row that the table has of it. A row at any other time need not be found, and then stays
	// beside the new one.
	//
	// A row that the table has already, once and with the same values, is not written again and counts as
	// present, so that a call that is repeated changes nothing. Where the answer to a commit got lost, all rows
	// may count as inserted. Columns that tracemig does not know are NULL in the new rows.
	ReplaceSpans(ctx context.Context, rows []uctables.Span, times Times) (Written, error)
	// Limits says how much one commit should hold at most.
	Limits() Limits
	Reader
	// Migrated calls yield for each trace of source that is complete in the tables: the newest version of its
	// METADATA row is of source and not deleted, and there are at least as many spans as that names. A lost
	// checkpoint is rebuilt from it. An error of yield ends it, as it ends Official.
	Migrated(ctx context.Context, source string, yield func(uctables.Provenance) error) error
	// Official calls yield with the target_id of each METADATA row whose newest version Databricks' own
	// migration wrote from the experiment, and nobody deleted. A target_id may be any text.
	Official(ctx context.Context, experimentID string, yield func(targetTraceID string) error) error
	// Check returns a *TableError where one of the two tables is missing or has another schema than expected. It
	// writes nothing.
	Check(ctx context.Context) error
	// Identity names the two tables as they are now. It is another one after a table was dropped and made anew:
	// what was known of the rows of the old table does not hold for the new one.
	Identity(ctx context.Context) (string, error)
	// Create makes the tables that are missing and leaves the others alone. It then returns what Check would.
	Create(ctx context.Context) error
	// String names the target for people: catalog.schema.prefix or file:path.
	String() string
	Close() error
}

// RowError says that the table refuses the rows of one write for the values in them. Nothing was written. The
// caller splits the write until a single row is left.
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
	Slow  bool // the write ran out of time, which a smaller one may not
	Err   error
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s refuses %d bytes in one write: %v", e.Table, e.Bytes, e.Err)
}
func (e *TooLargeError) Unwrap() error { return e.Err }

// TableError says that a table is missing, or that it differs from schema version v2.
type TableError struct {
	Table   string
	Missing bool   // Create would make it
	Problem string // what is wrong, as a clause that follows the name of the table
	Next    string // what to do, as a sentence
}

func (e *TableError) Error() string { return fmt.Sprintf("%s %s. %s", e.Table, e.Problem, e.Next) }

// NextStep is Next.
func (e *TableError) NextStep() string { return e.Next }

// Fault says whether the table is missing, or is another one than it should be.
func (e *TableError) Fault() fault.Kind {
	if e.Missing {
		return fault.TableMissing
	}
	return fault.TableDiffers
}
