package migrate

import (
	"sync/atomic"
	"time"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/shard"
)

// Why a trace was not, or not wholly, migrated, beside the reasons that package convert and the
// source give.
const (
	ReasonInProgress     = "in_progress"       // deferred: it had not ended
	ReasonSpansOpen      = "spans_open"        // deferred: some of its spans have not ended
	ReasonRepair         = "repair"            // deferred: verification found it wanting
	ReasonDeleted        = "deleted"           // skipped: the source no longer has it
	ReasonFetch          = "fetch_failed"      // failed: its spans could not be read
	ReasonSpansChanged   = "spans_changed"     // migrated: some of its spans have other values at the source than in the target
	ReasonRefused        = "row_refused"       // failed: the target refuses one of its rows
	ReasonRowTooLarge    = "row_too_large"     // failed: one of its rows is larger than the target takes
	ReasonSameTraceID    = "same_trace_id"     // failed: another trace has the same ID at the target
	ReasonOfficialID     = "official_trace_id" // skipped: Databricks' own migration has moved it, under an ID of its own form
	ReasonAttachment     = "attachment_failed" // failed: one of its attachments could not be read
	ReasonAttachmentLost = "attachment_lost"   // failed: the source does not have one of its attachments
	ReasonUnlistable     = "unlistable"        // failed: the source has it and can't list it
)

// TraceReport says what became of a trace that was not simply migrated: one that was deferred,
// skipped, failed, whose values the target could not hold as they were, of which attachments stay behind, or
// of which spans have changed.
type TraceReport struct {
	TraceID       string           `json:"trace_id"` // empty of what the source can't list, where it tells no ID
	TargetTraceID string           `json:"target_trace_id,omitempty"`
	State         checkpoint.State `json:"state"`
	Reason        string           `json:"reason,omitempty"`
	Detail        string           `json:"detail,omitempty"`
	Notes         []convert.Note   `json:"notes,omitempty"`
	Attachments   int              `json:"attachments,omitempty"` // that stay at the source, to which spans refer

	updated   bool // it was migrated before
	unchanged bool // and is in the target as it is at the source
}

// Progress counts what a run has done so far. It may be read at any time.
type Progress struct {
	Listed      atomic.Int64 // traces seen at the source
	InWindow    atomic.Int64 // of these, what the window held, once it was listed to its end
	Total       atomic.Int64 // traces in the window, once counted; 0 before
	Read        atomic.Int64 // traces whose spans were asked for
	Migrated    atomic.Int64
	Updated     atomic.Int64 // migrated before, changed since
	Present     atomic.Int64 // already there
	Deferred    atomic.Int64
	Skipped     atomic.Int64
	Failed      atomic.Int64
	Spans       atomic.Int64 // rows written
	Annotations atomic.Int64 // rows written
	Bytes       atomic.Int64 // payload bytes written
}

// Done is the number of traces that the run has finished with.
func (p *Progress) Done() int64 {
	return p.Migrated.Load() + p.Updated.Load() + p.Present.Load() + p.Deferred.Load() + p.Skipped.Load() + p.Failed.Load()
}

// Outcome is how a run ended.
type Outcome string

// The outcomes of a run.
const (
	OutcomeDone        Outcome = "done"        // every trace is migrated, deferred or skipped
	OutcomePartial     Outcome = "partial"     // done, but some traces failed, or rows are there twice
	OutcomeInterrupted Outcome = "interrupted" // stopped by a signal
	OutcomeFailed      Outcome = "failed"      // stopped by an error
)

// Summary is the result of a run.
type Summary struct {
	RunID              string           `json:"run_id"`
	Source             string           `json:"source"`
	Target             string           `json:"target"`
	Shard              shard.Shard      `json:"shard,omitzero"`
	Outcome            Outcome          `json:"outcome"`
	Error              string           `json:"error,omitempty"`
	Started            time.Time        `json:"started"`
	Seconds            float64          `json:"seconds"`
	Listed             int64            `json:"traces_listed"`
	Migrated           int64            `json:"traces_migrated"`
	Updated            int64            `json:"traces_updated"` // migrated before, changed at the source since
	Present            int64            `json:"traces_already_there"`
	Deferred           int64            `json:"traces_deferred"`
	Skipped            int64            `json:"traces_skipped"`
	Failed             int64            `json:"traces_failed"`
	NotReached         int64            `json:"traces_not_reached"` // listed, and nothing became of them before the run broke off; it may not have listed all
	DeferredReasons    map[string]int64 `json:"deferred_reasons,omitempty"`
	SkippedReasons     map[string]int64 `json:"skipped_reasons,omitempty"`
	FailedReasons      map[string]int64 `json:"failed_reasons,omitempty"`
	RunLinksHidden     int64            `json:"run_links_hidden,omitempty"` // experiments, or runs, whose links the source does not show
	Notes              map[string]int64 `json:"notes,omitempty"`            // values that were changed to fit, by note code
	SpansWritten       int64            `json:"spans_written"`              // with the updated ones
	SpansPresent       int64            `json:"spans_already_there"`
	SpansChanged       int64            `json:"spans_changed"` // with other values at the source now than in the target, where they stay
	SpansUpdated       int64            `json:"spans_updated"` // the same, put in the place of the rows
	AnnotationsWritten int64            `json:"annotations_written"`
	AnnotationsPresent int64            `json:"annotations_already_there"`
	AnnotationsDeleted int64            `json:"annotations_deleted"`           // softly: the source no longer has them
	AnnotationsKept    int64            `json:"annotations_changed_at_target"` // left as they are there
	Duplicates         *int64           `json:"duplicates,omitempty"`          // keys that the tables hold more than once at the times of what was written; nil where nobody else can have written beside the run, or nothing was written
	TakenOver          int64            `json:"traces_taken_over"`             // Databricks' own migration had moved them; their annotations now have tracemig's form
	LargeForClients    int64            `json:"large_for_clients"`             // written traces over 25 MB: MLflow's clients can't open them in a UC location
	AttachmentsLeft    int64            `json:"attachments_left"`              // at the source: the written traces hold references to them
	AttachmentTraces   int64            `json:"traces_with_attachments_left"`
	AttachmentsCopied  int64            `json:"attachments_copied,omitempty"`  // to files
	AttachmentsInlined int64            `json:"attachments_inlined,omitempty"` // put into spans
	AttachmentBytes    int64            `json:"attachment_bytes,omitempty"`    // of those copied and inlined
	Bytes              int64            `json:"bytes"`
	TracesPerSecond    float64          `json:"traces_per_second"`
	Requests           int64            `json:"source_requests"`
	Retries            int64            `json:"source_retries"`
	ThrottledSeconds   float64          `json:"source_throttled_seconds"`
	Statements         int64            `json:"target_writes"` // commits sent to the target
}

// countAttachments counts those of a written trace.
func (s *Summary) countAttachments(k *kept) {
	s.AttachmentsLeft += int64(k.left)
	if k.left > 0 {
		s.AttachmentTraces++
	}
	s.AttachmentsCopied += int64(k.copied)
	s.AttachmentsInlined += int64(k.inlined)
	s.AttachmentBytes += k.bytes
}

func (s *Summary) count(st checkpoint.State, reason string) {
	var m *map[string]int64
	switch st {
	case checkpoint.Deferred:
		m = &s.DeferredReasons
	case checkpoint.Skipped:
		m = &s.SkippedReasons
	case checkpoint.Failed:
		m = &s.FailedReasons
	default:
		return
	}
	if *m == nil {
		*m = map[string]int64{}
	}
	(*m)[reason]++
}
