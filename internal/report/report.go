// Package report is what a run and a verification both tell of themselves: how far they are, and how they ended.
package report

import "time"

// Outcome is how a run or a verification ended.
type Outcome string

// The outcomes.
const (
	Done        Outcome = "done"        // every trace is migrated, deferred or skipped
	Partial     Outcome = "partial"     // done, but some traces failed, or rows are there twice
	Interrupted Outcome = "interrupted" // stopped by a signal
	Failed      Outcome = "failed"      // stopped by an error
)

// Phase is what a run or a verification is at. A later one is greater.
type Phase int

// The phases. The zero Phase is that of a run before it has listed anything: it reads what the target has, and run links.
const (
	Preparing Phase = iota
	Counting        // how many traces there are is not known yet, and none has been read
	Moving
	Verifying
	Checking // all is written; the run looks for rows that are there twice
)

// Counts is how far a run or a verification is.
type Counts struct {
	Phase       Phase
	Listed      int64 // traces seen at the source
	Total       int64 // traces that there are to see, once counted; 0 before
	Read        int64 // traces whose spans were asked for
	Done        int64 // traces that it has finished with
	Present     int64 // of these: the target had them, so nothing was to do
	Known       int64 // of Total: those that will be Present, as far as that was counted
	Failed      int64 // of Done
	Spans       int64 // rows written
	Annotations int64 // rows written
	Bytes       int64 // payload bytes written

	// For how long traces that were read waited for the target to take them, and for how long readers waited for traces to be
	// listed.
	Blocked, Starved time.Duration
}
