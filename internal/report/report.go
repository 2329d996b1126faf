// Package report is what a run and a verification both tell of themselves: how far they are, and how they ended.
package report

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
)

// Outcome is how a run or a verification ended.
type Outcome string

// The outcomes.
const (
	Done        Outcome = "done"        // every trace is migrated, deferred or skipped
	Partial     Outcome = "partial"     // done, but some traces failed, or rows are there twice
	Stopped     Outcome = "stopped"     // at a limit that the user gave, see Stop; the next run goes on
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

// Stop is the limit at which a run or a verification stopped.
type Stop string

// The limits.
const (
	AtMaxDuration Stop = "max_duration" // the time is over
	AtLimit       Stop = "limit"        // as many new traces were moved as should be
)

// StopError is the cause of the end of a context at a limit.
type StopError struct{ At Stop }

func (e *StopError) Error() string {
	return "stopped at --" + map[Stop]string{AtMaxDuration: "max-duration", AtLimit: "limit"}[e.At]
}

// Ended is the outcome of what ended early with ctx: Stopped, with the limit, or Interrupted.
func Ended(ctx context.Context) (Outcome, Stop) {
	if e, ok := errors.AsType[*StopError](context.Cause(ctx)); ok {
		return Stopped, e.At
	}
	return Interrupted, ""
}

// Error is what kept a command from doing its work.
type Error struct {
	Code    fault.Kind `json:"code"`           // what kind of fault it is
	Message string     `json:"message"`        // what is wrong, for people
	Next    string     `json:"next,omitempty"` // what to do about it, as a sentence without its full stop
}

// ErrorOf tells err. It is nil for nil.
func ErrorOf(err error) *Error {
	if err == nil {
		return nil
	}
	problem, next := advice.Split(err)
	if first, n := utf8.DecodeRuneInString(next); n > 0 {
		next = string(unicode.ToUpper(first)) + strings.TrimSuffix(next[n:], ".")
	}
	return &Error{fault.Of(err), problem, next}
}

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
