// Package report is what a run and a verification both tell of themselves: how far they are, and how they ended.
package report

// Outcome is how a run or a verification ended.
type Outcome string

// The outcomes.
const (
	Done        Outcome = "done"        // every trace is migrated, deferred or skipped
	Partial     Outcome = "partial"     // done, but some traces failed, or rows are there twice
	Interrupted Outcome = "interrupted" // stopped by a signal
	Failed      Outcome = "failed"      // stopped by an error
)

// Counts is how far a run or a verification is.
type Counts struct {
	Listed      int64 // traces seen at the source
	Total       int64 // traces that there are to see, once counted; 0 before
	Read        int64 // traces whose spans were asked for
	Done        int64 // traces that it has finished with
	Failed      int64 // of these
	Spans       int64 // rows written
	Annotations int64 // rows written
	Bytes       int64 // payload bytes written
}
