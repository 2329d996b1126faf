package verify

// Kind is what verification says of a trace.
type Kind string

// The kinds. Of a Match, nothing is reported.
const (
	Match      Kind = "match"      // the target has what the source has
	Pending    Kind = "pending"    // the target has nothing of it yet; a run moves it
	Missing    Kind = "missing"    // it was moved, and the target has nothing of it
	Incomplete Kind = "incomplete" // spans or annotations of it are missing
	Differ     Kind = "differ"     // values differ
	Duplicate  Kind = "duplicate"  // rows of it are there more than once
	Unreadable Kind = "unreadable" // the source does not give it, so nothing is proven

	Changed Kind = "changed" // it changed at the source after it was migrated; the next run follows
	Newer   Kind = "newer"   // it came after the last run that looked at all; the next run takes it
	Open    Kind = "open"    // it has not ended at the source; a later run takes it
	Edited  Kind = "edited"  // its annotations were changed at the target; they stay as they are there
	Extra   Kind = "extra"   // migrated from this source, which no longer lists it

	// Official is a trace that Databricks' own migration has moved. The target holds what that migration keeps.
	Official Kind = "official"

	// Accepted is a trace that is not at the target as it should be, because runs can't migrate it, which somebody has accepted.
	Accepted Kind = "accepted"
)

// Kinds lists all kinds, in the order of a report.
var Kinds = []Kind{
	Match, Pending, Missing, Incomplete, Differ, Duplicate, Unreadable, Changed, Newer, Open, Edited, Extra, Official, Accepted,
}

// Wrong says whether a kind means that the target is not what it should be.
func (k Kind) Wrong() bool {
	return k == Pending || k == Missing || k == Incomplete || k == Differ || k == Duplicate
}

// Finding says what is found of one trace.
type Finding struct {
	TraceID       string `json:"trace_id"` // at the source
	TargetTraceID string `json:"target_trace_id,omitempty"`
	Kind          Kind   `json:"kind"` // what was found, see docs/verify.md
	Detail        string `json:"detail,omitempty"`
}
