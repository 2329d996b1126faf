package verify

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/checkpoint"
	"github.com/tracemig/tracemig/internal/convert"
	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/runlinks"
	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

const hex = "0123456789abcdef0123456789abcdef"

var epoch = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)

const document = `[{"name":"root","span_id":"0000000000000001","start_time_unix_nano":1735787045000000000,"attributes":{"n":"7","d":"0.5"}},
	{"name":"child","span_id":"0000000000000002","parent_span_id":"0000000000000001","start_time_unix_nano":1735787045000000000,
	 "links":[{"trace_id":"tr-fedcba9876543210fedcba9876543210","span_id":"0000000000000009"}]}]`

func info() *mlflow.TraceInfo {
	return &mlflow.TraceInfo{
		TraceID: "tr-" + hex, ExperimentID: "1", RequestTime: epoch, State: mlflow.StateOK,
		Tags: map[string]string{"a": "1"}, Metadata: map[string]string{},
		Assessments: []mlflow.Assessment{{
			ID: "f1", Name: "good", SourceType: "HUMAN", SourceID: "ann", CreateTime: epoch, LastUpdateTime: epoch,
			Feedback: &mlflow.Feedback{Value: jsontext.Value("true")},
		}},
	}
}

// rows are a target's rows of one trace, newest versions only.
type rows struct {
	spans       []*uctables.Span
	annotations []*uctables.Annotation
}

func (r *rows) span(name string) *uctables.Span {
	return r.spans[slices.IndexFunc(r.spans, func(s *uctables.Span) bool { return s.Name == name })]
}

func (r *rows) annotation(name string) *uctables.Annotation {
	return r.annotations[slices.IndexFunc(r.annotations, func(a *uctables.Annotation) bool { return a.Name == name })]
}

func (r *rows) drop(name string) {
	r.spans = slices.DeleteFunc(r.spans, func(s *uctables.Span) bool { return s.Name == name })
	r.annotations = slices.DeleteFunc(r.annotations, func(a *uctables.Annotation) bool { return a.Name == name })
}

// add is a copy of an annotation that is added to the rows, to be changed.
func (r *rows) add(name string) *uctables.Annotation {
	a := *r.annotation(name)
	r.annotations = append(r.annotations, &a)
	return &a
}

// official makes the rows those of Databricks' own migration.
func (r *rows) official() {
	for _, s := range r.spans {
		s.Kind, s.StatusCode, s.Links = "LLM", new("UNSET"), nil
	}
	meta, tag := r.annotation("metadata"), r.annotation("a")
	meta.Metadata = nil
	tag.AnnotationID = uctables.OfficialTagID(hex, "a")
	r.annotation("good").Metadata = uctables.JSON(`{"mlflow.source.source_type":"HUMAN","mlflow.source.source_id":"ann"}`)
}

// migrated are the rows of the trace as a run leaves them.
func migrated(t *testing.T, info *mlflow.TraceInfo) *rows {
	t.Helper()
	res, err := convert.Convert(convert.Input{Info: info, Spans: []byte(document), Digest: info.Digest()}, convert.Options{Source: "s"})
	if err != nil {
		t.Fatal(err)
	}
	r := &rows{}
	for i := range res.Trace.Spans {
		r.spans = append(r.spans, &res.Trace.Spans[i])
	}
	for i := range res.Trace.Annotations {
		r.annotations = append(r.annotations, &res.Trace.Annotations[i])
	}
	return r
}

// judged is a trace as a run migrated it, what happened since, and what is to be said of it.
type judged struct {
	target func(r *rows)             // what became of the target's rows
	source func(i *mlflow.TraceInfo) // what became of the trace at the source
	known  func(e *evidence)         // what else is known
	kind   Kind
	says   string // in the detail
}

// rowsOf are cases in which the rows decide.
func rowsOf(now, later int64) map[string]judged {
	attributes := func(text string) func(*rows) {
		return func(r *rows) { r.span("root").Attributes = uctables.JSON(text) }
	}
	metadata := func(text string) func(*rows) {
		return func(r *rows) { r.annotation("metadata").Metadata = uctables.JSON(text) }
	}
	tagged := func(i *mlflow.TraceInfo) { i.Tags["a"] = "2" }
	return map[string]judged{
		"as it was": {kind: Match},
		"others have added a tag": {
			target: func(r *rows) { a := r.add("a"); a.AnnotationID, a.Name = "of bob", "b" },
			kind:   Match,
		},

		"a span is missing": {
			target: func(r *rows) { r.drop("child") },
			kind:   Incomplete, says: "1 of 2 spans are missing: 0000000000000002",
		},
		"a tag is missing": {target: func(r *rows) { r.drop("a") }, kind: Incomplete, says: "TAG a"},
		"no METADATA":      {target: func(r *rows) { r.drop("metadata") }, kind: Incomplete, says: "METADATA row is missing"},
		"no METADATA, a part": {
			target: func(r *rows) { r.drop("metadata"); r.drop("child") },
			kind:   Incomplete, says: "1 of 2 spans, and no METADATA",
		},
		"another trace has its ID":   {target: metadata(`{"tracemig.source_trace_id":"tr-other"}`), kind: Missing, says: "tr-other"},
		"METADATA of another writer": {target: metadata(`{}`), kind: Differ, says: "not written by tracemig"},
		"METADATA can't be read":     {target: metadata(`7`), kind: Differ, says: "can't be read"},

		"an attribute":         {target: attributes(`{"n":8,"d":0.5}`), kind: Differ, says: "1 span differs: 0000000000000001"},
		"an integer, a double": {target: attributes(`{"n":7.0,"d":0.5}`), kind: Differ, says: "1 span differs"},
		"a date":               {target: func(r *rows) { r.span("root").Date++ }, kind: Differ, says: "1 span differs"},
		"no date":              {target: func(r *rows) { r.span("root").Date = uctables.NoDate }, kind: Differ, says: "1 span differs"},
		"a kind":               {target: func(r *rows) { r.span("root").Kind = "SPAN_KIND_SERVER" }, kind: Differ, says: "1 span differs"},
		"a span besides": {
			target: func(r *rows) { s := *r.span("root"); s.SpanID = "00000000000000ff"; r.spans = append(r.spans, &s) },
			kind:   Differ, says: "1 span is not the source's: 00000000000000ff",
		},
		"a tag's value": {
			target: func(r *rows) { r.annotation("a").Value = uctables.JSON(`"2"`) },
			kind:   Differ, says: "1 annotation differs: TAG a",
		},
		"a tag's created_at": {
			target: func(r *rows) { r.annotation("a").CreatedAtMicros-- },
			kind:   Differ, says: "1 annotation differs: TAG a",
		},
		"feedback's created_at": {target: func(r *rows) { r.annotation("good").CreatedAtMicros-- }, kind: Differ, says: "FEEDBACK good"},
		"METADATA's created_at": {target: func(r *rows) { r.annotation("metadata").CreatedAtMicros-- }, kind: Differ, says: "METADATA metadata"},
		"two live tags": {
			target: func(r *rows) { r.add("a").AnnotationID = "other" },
			kind:   Differ, says: "two live rows, of which readers show either: a",
		},
		"METADATA of the future": {
			target: func(r *rows) { r.annotation("metadata").UpdatedAtMicros = now + 1 },
			kind:   Differ, says: "yet to come, so that no edit would be seen: METADATA metadata",
		},

		"the source changed": {source: tagged, kind: Changed},
		"the source changed, and a loss": {
			source: tagged, target: func(r *rows) { r.drop("child") },
			kind: Incomplete, says: "1 of 2 spans",
		},
		"the source changed, spans came": {
			source: tagged,
			target: func(r *rows) {
				metadata(`{"tracemig.source_trace_id":"tr-` + hex + `","tracemig.spans":1}`)(r)
				r.drop("child")
			},
			kind: Changed, says: "1 span came after it was migrated",
		},
		"edited at the target": {
			target: func(r *rows) { a := r.annotation("a"); a.Value, a.UpdatedAtMicros = uctables.JSON(`"2"`), later },
			kind:   Edited, says: "1 annotation",
		},
		"deleted at the target": {
			target: func(r *rows) { a := r.annotation("a"); a.DeletedAtMicros, a.UpdatedAtMicros = &later, later },
			kind:   Edited, says: "1 annotation",
		},

		"moved officially, links lost": {
			target: (*rows).official,
			kind:   Differ, says: "lost 1 link of its spans: DELETE FROM m.a.p_otel_spans WHERE trace_id = '" + hex + "'",
		},
		"moved officially, a span lost": {
			target: func(r *rows) { r.official(); r.drop("child") },
			kind:   Incomplete, says: "1 of 2 spans",
		},
	}
}

// sumsOf are cases in which the source or the sums at the target say enough.
func sumsOf() map[string]judged {
	settled := func(kind Kind, detail string) func(*evidence) {
		return func(e *evidence) { e.want.settle(kind, detail) }
	}
	nothing := func(change func(e *evidence)) func(*evidence) {
		return func(e *evidence) {
			e.have = &sums{}
			e.covered, e.reach, e.latest = epoch.Add(-time.Hour), epoch.Add(-time.Hour), epoch.Add(-2*time.Hour)
			change(e)
		}
	}
	return map[string]judged{
		"it is open":        {known: settled(Open, "some of its spans have not ended"), kind: Open, says: "not ended"},
		"it can't be read":  {known: settled(Unreadable, "503"), kind: Unreadable, says: "503"},
		"it is gone":        {known: settled(Extra, errGone.Error()), kind: Extra, says: "no longer has it"},
		"its spans are too": {known: settled(Changed, "its spans are gone"), kind: Changed, says: "its spans are gone"},

		"a span twice":      {known: func(e *evidence) { e.have.spans.Rows++ }, kind: Duplicate, says: "3 rows for 2 spans"},
		"a record_id twice": {known: func(e *evidence) { e.have.spans.RecordIDs-- }, kind: Duplicate, says: "1 record_id for 2 spans"},
		"an annotation twice": {
			known: func(e *evidence) {
				e.have.annotations = []target.AnnotationSum{{AnnotationID: "x", Type: uctables.Tag, Copies: 2}}
			},
			kind: Duplicate, says: "annotation x (TAG) is there 2 times",
		},

		"lost":      {known: nothing(func(e *evidence) { e.moved = true }), kind: Missing, says: "tracemig repair moves it again"},
		"no run":    {known: nothing(func(e *evidence) { e.covered = time.Time{} }), kind: Pending, says: "not moved yet"},
		"left out":  {known: nothing(func(e *evidence) { e.covered = epoch.Add(time.Hour) }), kind: Pending, says: "not moved yet"},
		"passed by": {known: nothing(func(e *evidence) { e.latest = epoch.Add(time.Hour) }), kind: Pending, says: "while later ones are"},
		"too new":   {known: nothing(func(*evidence) {}), kind: Newer, says: "after the last run began"},
	}
}

// Every row of the table in the documentation, from the evidence alone.
func TestJudge(t *testing.T) {
	now := epoch.Add(time.Hour).UnixMicro()
	cases := rowsOf(now, epoch.Add(30*time.Minute).UnixMicro())
	maps.Copy(cases, sumsOf())
	tried := map[Kind]bool{}
	for name, c := range cases {
		tried[c.kind] = true
		t.Run(name, func(t *testing.T) {
			i := info()
			r := migrated(t, i)
			if c.target != nil {
				c.target(r)
			}
			if c.source != nil {
				c.source(i)
			}
			e := collect(t, i, document, r, now)
			if c.known != nil {
				c.known(e)
			}
			if kind, detail := judge(e); kind != c.kind || !strings.Contains(detail, c.says) {
				t.Errorf("%s (%s), want %s (… %s …)", kind, detail, c.kind, c.says)
			}
		})
	}
	tried[Official] = true // by TestJudgeOfficial
	tried[Accepted] = true // by TestExcuse: no evidence of source and target says so
	for _, kind := range Kinds {
		if !tried[kind] {
			t.Errorf("no case ends in %s", kind)
		}
	}
}

// The documentation has a row for each kind, but for a match, and no other.
func TestKindsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/verify.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| found | means | exit code |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var got []string
	for line := range strings.Lines(table) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(first, -1) {
			got = append(got, m[1])
		}
	}
	var want []string
	for _, kind := range Kinds[1:] {
		want = append(want, string(kind))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("documented are %v, want %v", got, want)
	}
}

// A trace that the official migration moved and whose spans had no links.
func TestJudgeOfficial(t *testing.T) {
	now := epoch.Add(time.Hour).UnixMicro()
	linkless := strings.Replace(document, `"links":[`, `"dropped":[`, 1)
	linkless = linkless[:strings.Index(linkless, `,
	 "dropped"`)] + "}]"
	i := info()
	r := migrated(t, i)
	r.official()
	kind, detail := judge(collect(t, i, linkless, r, now))
	if kind != Official || !strings.Contains(detail, "the next run brings") {
		t.Errorf("%s (%s), want %s (… the next run brings …)", kind, detail, Official)
	}
	// Taken over: the annotations are tracemig's, the spans stay.
	own := migrated(t, i)
	own.spans = r.spans
	if kind, detail = judge(collect(t, i, linkless, own, now)); kind != Official || !strings.Contains(detail, "its spans are those") {
		t.Errorf("taken over: %s (%s)", kind, detail)
	}
	r.span("root").Attributes = uctables.JSON(`{"n":8,"d":0.5}`)
	if kind, detail = judge(collect(t, i, linkless, r, now)); kind != Differ {
		t.Errorf("another value: %s (%s)", kind, detail)
	}
}

// collect is the evidence of a trace of the source and the rows that the target has of it.
func collect(t *testing.T, i *mlflow.TraceInfo, doc string, r *rows, now int64) *evidence {
	t.Helper()
	v := &verification{job: Job{Deep: true, RunLinks: runlinks.OfSource, SourceName: "s"}}
	want := v.expect(t.Context(), i, mlflowclient.Spans{JSON: []byte(doc)}, checkpoint.Links{}, checkpoint.Record{TargetTraceID: hex})
	if want.kind != "" {
		t.Fatal(fmt.Sprint(want.kind, " ", want.detail))
	}
	return &evidence{
		want: want, have: &sums{spans: target.SpanSum{Rows: len(r.spans), Spans: len(r.spans), RecordIDs: len(r.spans)}},
		annotations: r.annotations, spans: r.spans, spansDiffer: true, deep: true, now: now, table: "m.a.p_otel_spans",
	}
}
