package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/go-json-experiment/json"

	"github.com/tracemig/tracemig/internal/digest"
	"github.com/tracemig/tracemig/internal/official"
	"github.com/tracemig/tracemig/internal/resync"
	"github.com/tracemig/tracemig/internal/uctables"
)

// evidence is all that is known of a trace whose sums at the target are not what they should be.
type evidence struct {
	want *trace // as the source has it now; rows included, unless the sums say enough
	have *sums

	// Of a trace that the target has nothing of.
	moved   bool      // a checkpoint has it as moved
	covered time.Time // see Job.Covered
	reach   time.Time // see Job.Reach
	latest  time.Time // of the request times of all that the target has of the source

	// Of a trace that the target has rows of.
	annotations []*uctables.Annotation // the newest versions
	spans       []*uctables.Span       // read only where spansDiffer
	spansDiffer bool                   // the sum of the spans is not what it should be
	lookedAt    map[string]bool        // runs that were asked for, of those that the annotations link to
	deep        bool                   // spans are compared in their values too
	now         int64                  // microseconds since the Unix epoch
	table       string                 // of the spans, for statements in advice
}

// judge says what the evidence comes to.
func judge(e *evidence) (Kind, string) {
	if e.want.kind != "" {
		return e.want.kind, e.want.detail
	}
	if twice := e.have.duplicate(); twice != "" {
		return Duplicate, twice
	}
	if e.have.nothing() {
		return e.absent()
	}
	return e.rows()
}

// absent says why the target has nothing of the trace.
func (e *evidence) absent() (Kind, string) {
	switch at := e.want.info.RequestTime; {
	case e.moved:
		return Missing, "it was moved, and the target has nothing of it: tracemig repair moves it again"
	case e.covered.IsZero() || at.Before(e.covered):
		return Pending, "it is not moved yet"
	case e.latest.After(e.reach) && at.Before(e.latest):
		return Pending, "it is not moved yet, while later ones are"
	}
	return Newer, "it was requested after the last run began that looked at all"
}

// noted is what a METADATA row says of where its trace comes from.
type noted struct {
	SourceTraceID string `json:"tracemig.source_trace_id"`
	Digest        string `json:"tracemig.digest"`
	Spans         int    `json:"tracemig.spans"`
}

// rows compares the rows that the target has of the trace with those that it should have.
func (e *evidence) rows() (Kind, string) {
	meta := e.metadata()
	switch {
	case meta == nil && e.have.spans.Rows < e.want.spans:
		return Incomplete, fmt.Sprintf("%d of %s, and no METADATA row", e.have.spans.Rows, english.Plural(e.want.spans, "span", ""))
	case meta == nil:
		return Incomplete, "its METADATA row is missing; its spans may be of another writer"
	}
	o := resync.Options{LookedAt: e.lookedAt, NowMicros: e.now, Insert: true}
	diff, err := resync.Compare(e.want.rows.TraceID, e.want.rows.Annotations, e.annotations, o)
	if err != nil {
		return Differ, err.Error()
	}
	var of noted
	if !diff.Official {
		var kind Kind
		var detail string
		if of, kind, detail = e.origin(meta); kind != "" {
			return kind, detail
		}
	}
	changed := !diff.Official && !digest.Same(of.Digest, e.want.digest, e.want.asked)
	var spans comparison
	if e.spansDiffer {
		spans = compareSpans(e.want.rows.Spans, e.spans, e.deep)
	}
	if len(spans.lost) > 0 && changed && e.have.spans.Rows >= of.Spans {
		return Changed, english.Plural(len(spans.lost), "span", "") + " came after it was migrated"
	}
	if kind, detail := e.wrong(&spans, &diff, changed); kind != "" {
		return kind, detail
	}
	return e.right(&spans, &diff, changed)
}

// origin reads from the METADATA row where the trace comes from, and says what is wrong with that, if anything.
func (e *evidence) origin(meta *uctables.Annotation) (of noted, kind Kind, detail string) {
	if err := json.Unmarshal(meta.Metadata, &of); err != nil || of.SourceTraceID == "" {
		return of, Differ, "its METADATA row was not written by tracemig"
	}
	if of.SourceTraceID != e.want.info.TraceID {
		return of, Missing, "trace " + of.SourceTraceID + " has its ID at the target"
	}
	return of, "", ""
}

// wrong lists what is not as it should be, and says of which kind that is; "" if nothing is.
func (e *evidence) wrong(spans *comparison, diff *resync.Difference, changed bool) (Kind, string) {
	var problems []string
	add := func(n int, format string, args ...any) {
		if n > 0 {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	add(len(spans.lost), "%d of %s missing: %s", len(spans.lost), do(e.want.spans, "span", "is", "are"), some(spans.lost))
	add(len(spans.foreign), "%s not the source's: %s", do(len(spans.foreign), "span", "is", "are"), some(spans.foreign))
	add(len(spans.differ), "%s: %s", do(len(spans.differ), "span", "differs", "differ"), some(spans.differ))
	add(spans.links, "Databricks' own migration has lost %s of its spans: "+
		"DELETE FROM %s WHERE trace_id = '%s', and tracemig repair writes the spans anew",
		english.Plural(spans.links, "link", ""), e.table, e.want.rows.TraceID)
	add(len(diff.Twice), "of %s there are two live rows, of which readers show either: %s", english.Plural(len(diff.Twice), "tag", ""),
		some(diff.Twice))
	add(len(diff.Ahead), "%s an updated_at that is yet to come, so that no edit would be seen: %s",
		do(len(diff.Ahead), "annotation", "has", "have"), some(diff.Ahead))
	missing := len(spans.lost) > 0
	if !changed && !diff.Official {
		lost, stale := annotations(diff)
		missing = missing || len(lost) > 0
		add(len(lost), "%s missing: %s", do(len(lost), "annotation", "is", "are"), some(lost))
		add(len(stale), "%s: %s", do(len(stale), "annotation", "differs", "differ"), some(stale))
	}
	switch {
	case missing:
		return Incomplete, strings.Join(problems, "; ")
	case len(problems) > 0:
		return Differ, strings.Join(problems, "; ")
	}
	return "", ""
}

// do is a number of things and what they do, such as "1 span differs" and "2 spans differ".
func do(n int, thing, one, more string) string {
	return english.Plural(n, thing, "") + " " + english.PluralWord(n, one, more)
}

// right says why the sums differ although nothing is wrong.
func (e *evidence) right(spans *comparison, diff *resync.Difference, changed bool) (Kind, string) {
	switch {
	case diff.Official:
		return Official, "Databricks' own migration has moved it; " + e.nextOfOfficial()
	case changed:
		return Changed, ""
	case spans.official > 0:
		return Official, "its spans are those of Databricks' own migration"
	case diff.Kept > 0:
		return Edited, english.Plural(diff.Kept, "annotation", "")
	}
	return Match, "" // Only the digests differed: in digits of doubles, or in what others have added.
}

// nextOfOfficial says what a run does with a trace that it has not taken over.
func (e *evidence) nextOfOfficial() string {
	if id := e.want.rows.TraceID; !uctables.HexTraceID(id) {
		return "it stays there as " + id
	}
	return "the next run brings its annotations to tracemig's form"
}

func (e *evidence) metadata() *uctables.Annotation {
	for _, a := range e.annotations {
		if a.AnnotationID == uctables.MetadataID(e.want.rows.TraceID) {
			return a
		}
	}
	return nil
}

// annotations names those that the target lacks, and those that differ.
func annotations(diff *resync.Difference) (lost, stale []string) {
	for _, c := range diff.Changes {
		name := string(c.Type) + " " + c.Name
		switch {
		case c.ReplacesMicros == uctables.NoVersion:
			lost = append(lost, name)
		case c.Type != uctables.Metadata || len(diff.Changes) == 1: // else it notes the others' versions
			stale = append(stale, name)
		}
	}
	return lost, stale
}

// comparison is what the spans of a trace differ in.
type comparison struct {
	lost, foreign, differ []string // span IDs
	official              int      // spans as Databricks' own migration writes them
	links                 int      // that those have lost
}

// compareSpans finds spans that only one side has, and those that differ.
func compareSpans(want []uctables.Span, got []*uctables.Span, deep bool) (c comparison) {
	there := make(map[string]*uctables.Span, len(got))
	for _, s := range got {
		there[s.SpanID] = s
	}
	for i := range want {
		w := &want[i]
		s, ok := there[w.SpanID]
		switch delete(there, w.SpanID); {
		case !ok:
			c.lost = append(c.lost, w.SpanID)
		case !deep || uctables.SameSpan(w, s):
		case official.SameSpan(w, s):
			c.official++
			c.links += len(w.Links) // they have none
		default:
			c.differ = append(c.differ, w.SpanID)
		}
	}
	for id := range there {
		c.foreign = append(c.foreign, id)
	}
	slices.Sort(c.foreign)
	return c
}

// some names a few.
func some(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
