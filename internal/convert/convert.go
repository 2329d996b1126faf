package convert

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// Options are the same for all traces of a run.
type Options struct {
	Source      string // the source's identity, for provenance
	ServiceName string // service.name of all spans; "" for the one that the source knows, if any
}

// Input is one trace of the source.
type Input struct {
	Info *mlflow.TraceInfo
	// Spans is a JSON array of spans, or an object with such a member "spans". It is nil if the source has
	// no spans; then SpansMissing says why. Unless Reuse allows it, Convert does not change it, and the result does not
	// share its memory.
	Spans        []byte
	SpansMissing string
	// SpanCount is how many rows of spans somebody else writes for the trace, where that is not Convert: METADATA says how many
	// there are.
	SpanCount int
	// Runs are IDs of runs that the trace is linked to, besides mlflow.sourceRun of its metadata.
	Runs []string
	// Digest of everything that the source lists of the trace, for provenance; "" for the digest of Info.
	Digest string
	// TraceID is the target's ID of the trace if it is known already; "" to have Convert find it.
	TraceID string
	// Attachments for which it has been decided where their bytes are to be. Any others that the spans refer to stay
	// at the source.
	Attachments []Attachment
	// Reuse says that the caller reads Spans no more, unless the result has Attachments. Then the parts of a value over the
	// size limit take the place of that value, so that a large one is in memory once and not twice.
	Reuse bool
}

// Result is one converted trace.
type Result struct {
	Trace uctables.Trace
	Notes []Note
	// StoredTellsMore says that the spans came in OTLP form and hold something of which only the stored text tells what it was:
	// a value with a note, a null in the place of a value that the form leaves out, or an ID that it may have made longer.
	StoredTellsMore bool
	// Attachments are all that the spans refer to, also those of the input.
	Attachments []mlflow.Attachment
}

// Note reports something that the target does not hold as the source had it.
type Note struct {
	Code   NoteCode `json:"code"`              // what was done, see docs/tables.md
	SpanID string   `json:"span_id,omitempty"` // of the row; "" outside spans
	Key    string   `json:"key,omitempty"`     // attribute or field
	Detail string   `json:"detail,omitempty"`  // what was done
}

// NoteCode says what a Note reports. The package documentation says for each code what the row holds instead.
type NoteCode string

// All note codes.
const (
	NonFinite     NoteCode = "non_finite"      // NaN or an infinity, now a string
	InexactNumber NoteCode = "inexact_number"  // a number that no VARIANT number equals, now a string of its digits
	LoneSurrogate NoteCode = "lone_surrogate"  // half a surrogate pair, now U+FFFD
	InvalidUTF8   NoteCode = "invalid_utf8"    // bytes that are no UTF-8, now U+FFFD
	DuplicateKey  NoteCode = "duplicate_key"   // the last one stands
	NULInKey      NoteCode = "nul_in_key"      // NUL in an object key, now U+FFFD
	InvalidJSON   NoteCode = "invalid_json"    // text that begins like JSON but is not, kept as a string
	TooDeep       NoteCode = "too_deep"        // nested deeper than the limit, kept as a string of its JSON text
	LongKey       NoteCode = "long_key"        // an object key over the limit
	TooLarge      NoteCode = "too_large"       // over the size limit of a VARIANT, kept in parts
	BadID         NoteCode = "bad_id"          // no OTEL ID, replaced by a derived one
	OtherTraceID  NoteCode = "other_trace_id"  // a span with another trace ID than the trace's first
	BadTime       NoteCode = "bad_time"        // no time in nanoseconds, replaced
	BadValue      NoteCode = "bad_value"       // a field of another type than the format has
	UnknownField  NoteCode = "unknown_field"   // a field that the format does not have
	DuplicateSpan NoteCode = "duplicate_span"  // the same span twice: one row, or a derived span ID where they differ
	NoRoot        NoteCode = "no_root"         // no span without parent: readers' views do not show the trace
	IssueLink     NoteCode = "issue_reference" // an issue reference, kept as FEEDBACK
	KeyCollision  NoteCode = "key_collision"   // the user's own key is one of those that readers give a meaning, and was renamed
	BadAssessment NoteCode = "bad_assessment"  // without ID or value, or with an ID that comes twice
)

// NoteCodes lists all note codes.
var NoteCodes = []NoteCode{
	NonFinite, InexactNumber, LoneSurrogate, InvalidUTF8, DuplicateKey, NULInKey, InvalidJSON, TooDeep,
	LongKey, TooLarge, BadID, OtherTraceID, BadTime, BadValue, UnknownField, DuplicateSpan, NoRoot,
	IssueLink, KeyCollision, BadAssessment,
}

// Reason says why a trace cannot be migrated.
type Reason string

// All reasons.
const (
	NoTrace      Reason = "no_trace"       // no TraceInfo, or one without ID
	SpansNotJSON Reason = "spans_not_json" // the spans document is no JSON, not even with NaN allowed
	SpansForm    Reason = "spans_form"     // it is JSON of another form
	OtherTrace   Reason = "other_trace"    // none of its spans is of this trace
)

// Error says that a trace cannot be migrated.
type Error struct {
	Reason  Reason
	TraceID string // of the source
	Err     error
}

func (e *Error) Error() string {
	return fmt.Sprintf("trace %s cannot be converted (%s): %v; open it at the source to see whether it is damaged there",
		e.TraceID, e.Reason, e.Err)
}
func (e *Error) Unwrap() error { return e.Err }

// Convert gives the rows of one trace. The error is an *Error. A bad value inside a well-formed trace
// gives a Note, never an error.
func Convert(in Input, opt Options) (Result, error) {
	if in.Info == nil || in.Info.TraceID == "" {
		return Result{}, &Error{NoTrace, "", errors.New("the source listed it without an ID")}
	}
	c := converter{in: in, opt: opt, traceID: cmp.Or(in.TraceID, mlflow.TargetTraceID(in.Info.TraceID))}
	if in.Spans != nil {
		if err := c.readSpans(); err != nil {
			err.TraceID = in.Info.TraceID
			return Result{}, err
		}
	}
	if c.traceID == "" {
		c.traceID = c.otelID
	}
	if c.traceID == "" {
		u := derive("trace", in.Info.TraceID)
		c.traceID = strings.ReplaceAll(u.String(), "-", "")
	}
	c.setService()
	c.finishSpans()
	storedTellsMore := c.otlp && (c.unsure || len(c.notes) > 0)
	c.annotate()
	return Result{
		Trace: uctables.Trace{TraceID: c.traceID, Annotations: c.annotations, Spans: c.rows},
		Notes: c.notes, StoredTellsMore: storedTellsMore, Attachments: c.foundAttachments(),
	}, nil
}

// converter holds the state of one Convert.
type converter struct {
	in      Input
	opt     Options
	traceID string // the target's; "" until it is known

	// From the spans document.
	doc         []byte  // valid UTF-8
	values      bool    // strings among the attributes of its spans are values, not JSON texts, unless a span says otherwise
	otlp        bool    // it is in OTLP form
	beta        bool    // it is from tables of the beta form
	unsure      bool    // something in it may stand for what OTLP does not hold: a null, or zeros before an ID
	otelID      string  // first OTEL trace ID
	otelLit     []byte  // its literal, if the ID is exact
	parent      *string // ID of the parent that was read last, which is often the next span's too
	parentLit   []byte  // its literal, if nothing is to be reported of it
	identified  bool    // a span belongs to the trace that was asked for, as far as the spans tell
	other       string  // the trace ID of the first span, if that one belongs to another trace
	rootService string  // service.name of the first root span that has one
	rows        []uctables.Span
	origins     []origin // of rows, in the beta form

	// Of the span that is being read.
	lits      [fieldCount][]byte
	spanAttrs object
	requestID []byte // literal of its attribute mlflow.traceRequestId
	service   []byte // literal of its attribute service.name
	over      []overflow

	reuse func() bool // whether the document may be overwritten

	subAttrs object // attributes of the event or link that is being read, METADATA's value, or an assessment's metadata
	text     []byte // scratch: an attribute's text
	plain    []byte // scratch: an OTLP value as plain JSON

	found map[string]mlflow.Attachment // attachments that the spans refer to, by ID; nil if there can't be any
	given map[string]*Attachment       // attachments of the input, by ID

	annotations []uctables.Annotation
	parts       []uctables.Annotation // rows that hold values over the size limit
	notes       []Note
}

func (c *converter) note(code NoteCode, key, detail string) {
	c.notes = append(c.notes, Note{Code: code, Key: key, Detail: detail})
}

// lossNotes are the notes on each loss.
var lossNotes = []struct {
	l      loss
	code   NoteCode
	detail string
}{
	{lostNonFinite, NonFinite, "kept as a string"},
	{lostNumber, InexactNumber, "kept as a string of its digits"},
	{lostSurrogate, LoneSurrogate, "replaced by U+FFFD"},
	{lostDuplicate, DuplicateKey, "the last one stands"},
	{lostNUL, NULInKey, "replaced by U+FFFD"},
	{lostDepth, TooDeep, "kept as a string of its JSON text"},
	{lostName, LongKey, "kept as a string of its JSON text"},
}

// noteLoss reports what compact lost.
func (c *converter) noteLoss(l loss, key string) {
	for _, n := range lossNotes {
		if l&n.l != 0 {
			c.note(n.code, key, n.detail)
		}
	}
}

// scopeName is the instrumentation scope of all spans, as MLflow's own exporter names it.
var scopeName = "mlflow"

// setService gives the rows the service that made the trace. MLflow does not store the OTLP resource. Of traces that
// it receives by OTLP it stores the resource's service.name, as a tag or as an attribute of the root span (function
// export_traces of its otel_api.py).
func (c *converter) setService() {
	name := cmp.Or(c.opt.ServiceName, c.in.Info.Tags[mlflow.TagServiceName], c.rootService)
	name = c.valid(name, mlflow.TagServiceName)
	if c.beta {
		c.setOrigins(name)
		return
	}
	resource := append(quote([]byte(`{"service.name":`), name), '}')
	for i := range c.rows {
		c.rows[i].ServiceName, c.rows[i].ResourceAttributes, c.rows[i].ScopeName = &name, resource, &scopeName
	}
}

// finishSpans gives the rows their trace ID and unique keys, and puts the roots last: so a trace that is
// written in several commits becomes visible only with the last one.
func (c *converter) finishSpans() {
	seen := make(map[string]int, len(c.rows))
	kept := c.rows[:0]
	for i := range c.rows {
		s := &c.rows[i]
		s.TraceID = c.traceID
		id := s.SpanID
		for n := 2; ; n++ {
			at, dup := seen[s.SpanID]
			if !dup {
				break
			}
			if equalSpans(&kept[at], s, id) {
				c.notes = append(c.notes, Note{DuplicateSpan, s.SpanID, "", "the source lists the same span twice; one row"})
				s.SpanID = ""
				break
			}
			s.SpanID = deriveSpanID(c.traceID, id, fmt.Sprint(n))
		}
		if s.SpanID == "" {
			continue
		}
		if s.SpanID != id {
			detail := "the source lists another span with ID " + id + "; this one got a derived ID"
			c.notes = append(c.notes, Note{DuplicateSpan, s.SpanID, "span_id", detail})
		}
		s.RecordID = uctables.RecordID(s.StartTimeUnixNano, s.TraceID, s.SpanID)
		seen[s.SpanID] = len(kept)
		if kept = kept[:len(kept)+1]; len(kept) <= i {
			kept[len(kept)-1] = *s
		}
	}
	clear(c.rows[len(kept):])
	c.rows = kept
	c.rootsLast()
}

// rootsLast puts the root spans last, and reports a trace that has none.
func (c *converter) rootsLast() {
	roots := 0
	for i := range c.rows {
		if c.rows[i].IsRoot() {
			roots++
		}
	}
	if roots == 0 && c.in.Spans != nil {
		c.note(NoRoot, "", fmt.Sprintf("%d spans; the rows are written, but the views begin at a root span", len(c.rows)))
	}
	if roots == 0 || roots == len(c.rows) {
		return
	}
	last := make([]uctables.Span, 0, roots)
	rows := c.rows[:0]
	for i := range c.rows {
		if s := &c.rows[i]; s.IsRoot() {
			last = append(last, *s)
		} else {
			rows = append(rows, *s)
		}
	}
	c.rows = append(rows, last...)
}
