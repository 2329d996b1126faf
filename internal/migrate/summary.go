package migrate

import (
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/report"
	"github.com/tracemig/tracemig/internal/shard"
)

// Reasons why a trace was not, or not wholly, migrated. Package convert and the source give others.
const (
	ReasonInProgress     checkpoint.Reason = "in_progress"       // deferred: it had not ended
	ReasonSpansOpen      checkpoint.Reason = "spans_open"        // deferred: some of its spans have not ended
	ReasonRepair         checkpoint.Reason = "repair"            // deferred: verification found it wanting
	ReasonDeleted        checkpoint.Reason = "deleted"           // skipped: the source no longer has it
	ReasonFetch          checkpoint.Reason = "fetch_failed"      // failed: its spans could not be read
	ReasonSpansChanged   checkpoint.Reason = "spans_changed"     // migrated: spans have other values at the source than in the target
	ReasonRefused        checkpoint.Reason = "row_refused"       // failed: the target refuses one of its rows
	ReasonRowTooLarge    checkpoint.Reason = "row_too_large"     // failed: one of its rows is larger than the target takes
	ReasonSameTraceID    checkpoint.Reason = "same_trace_id"     // failed: another trace has the same ID at the target
	ReasonOfficialID     checkpoint.Reason = "official_trace_id" // skipped: Databricks' own migration has moved it under another ID
	ReasonAttachment     checkpoint.Reason = "attachment_failed" // failed: one of its attachments could not be read
	ReasonAttachmentLost checkpoint.Reason = "attachment_lost"   // failed: the source does not have one of its attachments
	ReasonUnlistable     checkpoint.Reason = "unlistable"        // failed: the source has it and can't list it
)

// TraceReport says what became of a trace that was not simply migrated: it was deferred or skipped, it failed, the
// target could not hold some of its values as they were, attachments of it stay at the source, or spans have changed.
type TraceReport struct {
	TraceID       string            `json:"trace_id"` // empty if the source can't list the trace and tells no ID
	TargetTraceID string            `json:"target_trace_id,omitempty"`
	State         checkpoint.State  `json:"state"`
	Reason        checkpoint.Reason `json:"reason,omitempty"`
	Detail        string            `json:"detail,omitempty"`
	Notes         []convert.Note    `json:"notes,omitempty"`       // on values that were changed to fit
	Attachments   int               `json:"attachments,omitempty"` // that spans refer to and that stay at the source

	Accepted        *checkpoint.Acceptance `json:"accepted,omitempty"`         // of a trace whose state is Accepted
	AcceptanceEnded bool                   `json:"acceptance_ended,omitempty"` // nobody needs to accept any more that it is not migrated

	updated   bool // it was migrated before
	unchanged bool // and is in the target as it is at the source
}

// end says what becomes of a trace that is not written.
func (t *TraceReport) end(e ending) {
	t.State, t.Reason, t.Detail, t.Accepted, t.AcceptanceEnded = e.state, e.reason, e.detail, e.accepted, e.ended
}

// Summary is the result of a run.
type Summary struct {
	RunID   string         `json:"run_id"`
	Source  string         `json:"source"`
	Target  string         `json:"target"`
	Shard   shard.Shard    `json:"shard,omitzero"`
	Outcome report.Outcome `json:"outcome"`
	Stopped report.Stop    `json:"stopped,omitempty"` // the limit at which it stopped
	Error   *report.Error  `json:"error,omitempty"`   // what kept it from looking at every trace
	Started time.Time      `json:"started"`
	Seconds float64        `json:"seconds"`

	Listed   int64 `json:"traces_listed"` // that the source has in the window, and those that earlier runs left open
	InWindow int64 `json:"-"`             // of Listed; the rest is what earlier runs left open outside of the window
	// Reached is up to which request time, exclusive, a run that stopped at Job.Limit has looked at all traces.
	Reached time.Time `json:"-"`
	// Seen is which traces the run has looked at, source and target a day. It is nil until the run has ended.
	Seen     *report.Seen `json:"-"`
	Migrated int64        `json:"traces_migrated"`      // new in the target
	Updated  int64        `json:"traces_updated"`       // migrated before, changed at the source since
	Present  int64        `json:"traces_already_there"` // the target had them as they are
	Deferred int64        `json:"traces_deferred"`      // not ended, or their spans may still come: a later run takes them
	Skipped  int64        `json:"traces_skipped"`       // the source lacks some or all of their spans, or they were deleted meanwhile
	Failed   int64        `json:"traces_failed"`        // could not be migrated: every run tries them again
	Accepted int64        `json:"traces_accepted"`      // failed, for reasons that somebody has accepted: no fault of the run
	// NotReached counts listed traces of which nothing became before the run ended early. It may not have listed all.
	NotReached      int64                       `json:"traces_not_reached"`
	DeferredReasons map[checkpoint.Reason]int64 `json:"deferred_reasons,omitempty"` // by reason
	SkippedReasons  map[checkpoint.Reason]int64 `json:"skipped_reasons,omitempty"`  // by reason
	FailedReasons   map[checkpoint.Reason]int64 `json:"failed_reasons,omitempty"`   // by reason
	AcceptedReasons map[checkpoint.Reason]int64 `json:"accepted_reasons,omitempty"` // by reason
	// AcceptancesEnded counts traces of which somebody had accepted that they can't be migrated, and that are now, or are gone.
	AcceptancesEnded int64 `json:"acceptances_ended,omitempty"`
	// RunLinksHidden counts experiments, and single runs, whose links the source does not show.
	RunLinksHidden int64                      `json:"run_links_hidden,omitempty"`
	Notes          map[convert.NoteCode]int64 `json:"notes,omitempty"` // values that were changed to fit

	SpansWritten int64 `json:"spans_written"`       // with the updated ones
	SpansPresent int64 `json:"spans_already_there"` // rows that the target had
	// SpansChanged counts spans with other values at the source now than in the target, where they stay.
	SpansChanged       int64 `json:"spans_changed"`
	SpansUpdated       int64 `json:"spans_updated"`                 // such spans that were put in the place of their rows
	AnnotationsWritten int64 `json:"annotations_written"`           // rows
	AnnotationsPresent int64 `json:"annotations_already_there"`     // rows that the target had
	AnnotationsDeleted int64 `json:"annotations_deleted"`           // softly: the source no longer has them
	AnnotationsKept    int64 `json:"annotations_changed_at_target"` // they stay as they are there
	// Duplicates counts keys that the tables hold more than once at the times of what was written. It is nil
	// where nobody else can have written beside the run, or nothing was written.
	Duplicates *int64 `json:"duplicates,omitempty"`
	// TakenOver counts traces that Databricks' own migration had moved and whose annotations now have tracemig's
	// form.
	TakenOver int64 `json:"traces_taken_over"`
	// ReadFast counts written traces whose spans were read with --read fast.
	ReadFast int64 `json:"traces_read_fast,omitempty"`
	// Copied counts written traces whose spans the target copied from the source's tables by itself.
	Copied int64 `json:"traces_copied,omitempty"`
	// LargeForClients counts written traces over 25 MB, which MLflow's clients can't open in a UC location.
	LargeForClients int64 `json:"large_for_clients"`

	AttachmentsLeft    int64 `json:"attachments_left"`              // at the source: the written traces hold references to them
	AttachmentTraces   int64 `json:"traces_with_attachments_left"`  // written traces whose attachments are left at the source
	AttachmentsCopied  int64 `json:"attachments_copied,omitempty"`  // to files
	AttachmentsInlined int64 `json:"attachments_inlined,omitempty"` // put into spans
	AttachmentBytes    int64 `json:"attachment_bytes,omitempty"`    // of those copied and inlined

	Bytes            int64   `json:"bytes"`                    // payload that was written
	TracesPerSecond  float64 `json:"traces_per_second"`        // migrated ones
	Requests         int64   `json:"source_requests"`          // to the source
	Retries          int64   `json:"source_retries"`           // requests to the source that were repeated
	ThrottledSeconds float64 `json:"source_throttled_seconds"` // that requests waited for the source's quotas, added up
	TargetWrites     int64   `json:"target_writes"`            // each of them one commit
}

// countAttachments counts the attachments of a written trace.
func (s *Summary) countAttachments(a *attachmentsOf) {
	s.AttachmentsLeft += int64(a.left)
	if a.left > 0 {
		s.AttachmentTraces++
	}
	s.AttachmentsCopied += int64(a.copied)
	s.AttachmentsInlined += int64(a.inlined)
	s.AttachmentBytes += a.bytes
}

// Handled is the number of traces that the run has finished with.
func (s *Summary) Handled() int64 {
	return s.Migrated + s.Updated + s.Present + s.Deferred + s.Skipped + s.Failed + s.Accepted
}

// count counts what became of a trace.
func (s *Summary) count(t TraceReport) {
	switch t.State {
	case checkpoint.Migrated:
		switch {
		case t.unchanged:
			s.Present++
		case t.updated:
			s.Updated++
		default:
			s.Migrated++
		}
	case checkpoint.Deferred:
		s.Deferred++
		increment(&s.DeferredReasons, t.Reason)
	case checkpoint.Skipped:
		s.Skipped++
		increment(&s.SkippedReasons, t.Reason)
	case checkpoint.Failed:
		s.Failed++
		increment(&s.FailedReasons, t.Reason)
	case checkpoint.Accepted:
		s.Accepted++
		increment(&s.AcceptedReasons, t.Reason)
	}
	if t.AcceptanceEnded {
		s.AcceptancesEnded++
	}
	for _, n := range t.Notes {
		increment(&s.Notes, n.Code)
	}
}

func increment[K comparable](counts *map[K]int64, key K) {
	if *counts == nil {
		*counts = map[K]int64{}
	}
	(*counts)[key]++
}
