package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/tracemig/tracemig/internal/digest"
	"github.com/tracemig/tracemig/internal/official"
	"github.com/tracemig/tracemig/internal/resync"
	"github.com/tracemig/tracemig/internal/uctables"
)

// evidence is all that is known of a trace of which the target has something else than it should.
type evidence struct {
	want  *trace // as the source has it now, rows included
	have  *sums
	notes []*uctables.Annotation // the newest versions that the target has
	spans []*uctables.Span       // that the target has, where spansDiffer
	// spansDiffer says that the sum of the spans is another than it should be.
	spansDiffer bool
	deep        bool   // spans are compared in their values too
	now         int64  // microseconds since the Unix epoch
	table       string // of the spans, for statements

	lookedAt map[string]bool // runs that were asked for, of those that notes link to
}

// noted is what a METADATA row says of where its trace comes from.
type noted struct {
	SourceTraceID string `json:"tracemig.source_trace_id"`
	Digest        string `json:"tracemig.digest"`
	Spans         int    `json:"tracemig.spans"`
}

// verdict says what the evidence comes to.
func verdict(e *evidence) (Kind, string) {
	meta := e.metadata()
	var of noted
	switch {
	case meta == nil && e.have.spans.Rows < e.want.spans:
		return Incomplete, fmt.Sprintf("%d of %d spans, and no METADATA row", e.have.spans.Rows, e.want.spans)
	case meta == nil:
		return Incomplete, "its METADATA row is missing; its spans may be of another writer"
	}
	plan, err := resync.Plan(e.want.rows.TraceID, e.want.rows.Annotations, e.notes, resync.Options{LookedAt: e.lookedAt, NowMicros: e.now, Insert: true})
	if err != nil {
		return Differ, err.Error()
	}
	if !plan.Official {
		if err := json.Unmarshal(meta.Metadata, &of); err != nil || of.SourceTraceID == "" {
			return Differ, "its METADATA row was not written by tracemig"
		}
		if of.SourceTraceID != e.want.info.TraceID {
			return Missing, "trace " + of.SourceTraceID + " has its ID at the target"
		}
	}
	changed := !plan.Official && !digest.Same(of.Digest, e.want.digest, e.want.asked)

	var spans comparison
	if e.spansDiffer {
		spans = compareSpans(e.want.rows.Spans, e.spans, e.deep)
	}
	if len(spans.lost) > 0 && changed && e.have.spans.Rows >= of.Spans {
		return Changed, fmt.Sprintf("%d spans came after it was migrated", len(spans.lost))
	}
	var problems []string
	add := func(n int, format string, args ...any) {
		if n > 0 {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	add(len(spans.lost), "%d of %d spans are missing: %s", len(spans.lost), e.want.spans, some(spans.lost))
	add(len(spans.foreign), "%d spans are not the source's: %s", len(spans.foreign), some(spans.foreign))
	add(len(spans.differ), "%d spans differ: %s", len(spans.differ), some(spans.differ))
	add(spans.links, "Databricks' own migration has lost %d links of its spans: DELETE FROM %s WHERE trace_id = '%s', and tracemig repair writes the spans anew",
		spans.links, e.table, e.want.rows.TraceID)
	add(len(plan.Twice), "of %d tags there are two live rows, of which readers show either: %s", len(plan.Twice), some(plan.Twice))
	add(len(plan.Ahead), "%d annotations have an updated_at that is yet to come, so that no edit would be seen: %s", len(plan.Ahead), some(plan.Ahead))
	missing := len(spans.lost) > 0
	if !changed && !plan.Official {
		lost, stale := annotations(&plan)
		missing = missing || len(lost) > 0
		add(len(lost), "%d annotations are missing: %s", len(lost), some(lost))
		add(len(stale), "%d annotations differ: %s", len(stale), some(stale))
	}
	switch {
	case missing:
		return Incomplete, strings.Join(problems, "; ")
	case len(problems) > 0:
		return Differ, strings.Join(problems, "; ")
	case plan.Official:
		return Official, "Databricks' own migration has moved it; " + e.nextOfOfficial()
	case changed:
		return Changed, ""
	case spans.official > 0:
		return Official, "its spans are those of Databricks' own migration"
	case plan.Kept > 0:
		return Edited, fmt.Sprintf("%d annotations", plan.Kept)
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
	for _, a := range e.notes {
		if a.AnnotationID == uctables.MetadataID(e.want.rows.TraceID) {
			return a
		}
	}
	return nil
}

// annotations names those that the target lacks, and those that differ.
func annotations(plan *resync.Result) (lost, stale []string) {
	for _, c := range plan.Changes {
		name := string(c.Type) + " " + c.Name
		switch {
		case c.ReplacesMicros == uctables.NoVersion:
			lost = append(lost, name)
		case c.Type != uctables.Metadata || len(plan.Changes) == 1: // else it notes the others' versions
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
