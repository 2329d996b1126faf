//go:build rig

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/rig"
)

// TestRealClient has MLflow's own client read every trace of the corpus twice, from the source and from
// the location that it was migrated to, and holds the two against each other. Between the client and
// the rows stands testdata/rig/location.py, which knows the published forms of the rows and nothing of
// this program. What the two may differ in is listed in invisible and exceptions, and in nothing else.
func TestRealClient(t *testing.T) {
	t.Parallel()
	m := source(t)
	_, c := rig.SharedMLflow(t)
	b := newBed(t, m.URI, c.Experiment).toWarehouse(rig.FrontOptions{})
	b.mustRun(3)
	place := &place{t: t, name: "spark_catalog.default." + b.prefix, experimentID: c.ExperimentID, used: make([]int, len(exceptions))}

	read := b.front.ReadLocation(t, place.name)
	place.compare(c.Expected, read)

	// A tag edited by the client replaces the migrated one, and a deleted one is gone: the service finds
	// both by the IDs that it gives tags itself.
	id := strings.TrimPrefix(c.Cases["tags"][0], "tr-")
	want := map[string]string{}
	for _, trace := range read {
		if trace.TraceID == place.id(id) {
			want = trace.Tags
		}
	}
	for _, key := range []string{"plain", "nested.key"} {
		if _, ok := want[key]; !ok {
			t.Fatalf("trace %s has no tag %s to edit, but %v", id, key, want)
		}
	}
	want["plain"], want["added later"] = "edited later", "new"
	delete(want, "nested.key")
	edited := b.front.ReadLocation(t, place.name, rig.TagEdit{TraceID: id, Key: "plain", Value: "edited later"},
		rig.TagEdit{TraceID: id, Key: "added later", Value: "new"}, rig.TagEdit{TraceID: id, Key: "nested.key", Delete: true})
	if len(edited) != 1 || edited[0].Error != nil || !maps.Equal(edited[0].Tags, want) {
		t.Errorf("after the client edited its tags, the trace is %s, want the tags %v", short(text(edited)), want)
	}
}

// invisible are the cases whose traces no client sees at a location, and why.
var invisible = map[string]string{
	"in_progress":           "has not ended, and is not migrated until then",
	"in_progress_info_only": "has not ended, and is not migrated until then",
	"otlp_orphans":          "has not ended: its root never came",
	"state_unspecified":     "has no spans, and readers begin at the root span",
	"no_spans":              "its spans were lost, and readers begin at the root span",
	"no_spans_info_only":    "has no spans, and readers begin at the root span",
	"corrupt_artifact":      "its spans cannot be read: the migration reports it as failed",
}

// An exception is a difference that cannot be otherwise.
type exception struct {
	reason string
	path   string // regular expression for the whole path, see leaves
	cases  string // regular expression for the whole name of the case, "" for any
	ok     func(d *difference) bool
}

// A difference is one value that the client reads otherwise at the location. Values are JSON texts; one
// that is not there is "".
type difference struct {
	place     *place
	source    *rig.ExpectedTrace
	location  *rig.ExpectedTrace
	hex       string // the trace's ID at the location
	path      string
	want, got string
}

var exceptions = []exception{
	{"the ID of a trace at a location has the location in it, and the client puts it into each span and assessment",
		`spans/[0-9a-f]+/attributes/mlflow\.traceRequestId|assessments/[^/]+/trace_id`, "",
		func(d *difference) bool { return d.got == text(d.place.id(d.hex)) }},
	{"and into each link, for it takes the other trace to be at the same location",
		`spans/[0-9a-f]+/links/\d+/trace_id`, "",
		func(d *difference) bool {
			return d.got == text(d.place.id(strings.TrimPrefix(unquoted(d.want), "tr-")))
		}},
	{"all rows of a trace have one trace ID, that of the MLflow ID if it has one",
		`spans/[0-9a-f]+/trace_id`, "custom_trace_ids",
		func(d *difference) bool { return "tr-"+d.hex == d.source.TraceID && d.got == text(d.hex) }},
	{"tags that name the source's storage would lead a reader there",
		`tags/mlflow\.(artifactLocation|trace\.(spansLocation|archiveLocation|archivalFailure))`, "",
		func(d *difference) bool { return d.got == "" }},
	{"where a trace comes from, as the official migration notes it",
		`trace_metadata/mlflow\.migration\.sourceExperimentId`, "",
		func(d *difference) bool { return d.want == "" && d.got == text(d.place.experimentID) }},
	{"root spans carry user and session, as MLflow's own exporter to a location has it",
		`spans/[0-9a-f]+/attributes/(user|session)\.id`, "",
		func(d *difference) bool {
			key := map[string]string{"user.id": "mlflow.trace.user", "session.id": "mlflow.trace.session"}[d.path[strings.LastIndex(d.path, "/")+1:]]
			return d.want == "" && d.isRoot() && d.got == text(d.source.Metadata[key])
		}},
}

// place is the location.
type place struct {
	t            *testing.T
	name         string
	experimentID string
	used         []int // how often each exception was
}

// id is the client's ID of a trace at the location.
func (p *place) id(hex string) string { return "trace:/" + p.name + "/" + hex }

var hexID = regexp.MustCompile(`^tr-[0-9a-f]{32}$`)

// hex is what the rows of a trace of the source have as trace_id.
func hex(trace *rig.ExpectedTrace) string {
	if !hexID.MatchString(trace.TraceID) && len(trace.Spans) > 0 {
		return trace.Spans[0].TraceID
	}
	return strings.TrimPrefix(trace.TraceID, "tr-")
}

// compare fails unless the client reads the same of both, but for what is listed.
func (p *place) compare(source, location []rig.ExpectedTrace) {
	p.t.Helper()
	byID := map[string][]*rig.ExpectedTrace{}
	for i := range location {
		byID[location[i].TraceID] = append(byID[location[i].TraceID], &location[i])
	}
	unseen := map[string]int{}
	for i := range source {
		trace := &source[i]
		id := hex(trace)
		seen := byID[p.id(id)]
		delete(byID, p.id(id))
		times := 1
		if trace.Case == "otlp_two_roots" {
			times = 2 // The service's view has one row for each root span.
		} else if invisible[trace.Case] != "" {
			unseen[trace.Case]++
			times = 0
		}
		if len(seen) != times {
			p.t.Errorf("%s (%s) is listed %d times at the location, want %d", trace.TraceID, trace.Case, len(seen), times)
		}
		for _, other := range seen {
			p.trace(trace, other, id)
		}
	}
	for id, traces := range byID {
		p.t.Errorf("%s (%s) at the location is no trace of the source", id, traces[0].Case)
	}
	for name, reason := range invisible {
		if unseen[name] == 0 {
			p.t.Errorf("the corpus has no case %s, which should not be seen: %s", name, reason)
		}
	}
	for i, e := range exceptions {
		if p.used[i] == 0 {
			p.t.Errorf("nothing differs in %s: take the exception off the list (%s)", e.path, e.reason)
		}
	}
}

func (p *place) trace(source, location *rig.ExpectedTrace, hex string) {
	p.t.Helper()
	want, got := leaves(p.t, source), leaves(p.t, location)
	paths := slices.Collect(maps.Keys(want))
	for path := range got {
		if _, ok := want[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		if want[path] == got[path] {
			continue
		}
		d := &difference{p, source, location, hex, path, want[path], got[path]}
		if i := slices.IndexFunc(exceptions, func(e exception) bool { return e.allows(d) }); i >= 0 {
			p.used[i]++
			continue
		}
		p.t.Errorf("%s (%s): %s is %s at the location, want %s", source.TraceID, source.Case, short(path), orNothing(d.got), orNothing(d.want))
	}
}

func orNothing(s string) string {
	if s == "" {
		return "not there"
	}
	return short(s)
}

func (e *exception) allows(d *difference) bool {
	return matches(e.path, d.path) && (e.cases == "" || matches(e.cases, d.source.Case)) && e.ok(d)
}

// isRoot says whether the path is of a root span.
func (d *difference) isRoot() bool {
	span := d.span()
	return span != nil && span.ParentSpanID == nil
}

// span is the source's span that the path is of.
func (d *difference) span() *rig.ExpectedSpan {
	parts := strings.Split(d.path, "/")
	for i := range d.source.Spans {
		if parts[0] == "spans" && d.source.Spans[i].SpanID == parts[1] {
			return &d.source.Spans[i]
		}
	}
	return nil
}

func unquoted(text string) string {
	var s string
	_ = json.Unmarshal([]byte(text), &s)
	return s
}

// leaves are the values of a trace by their paths, such as tags/a, assessments/<ID>/rationale and
// spans/<ID>/attributes/mlflow.spanInputs/messages/0/role, each as the JSON text that the client gave:
// 1 and 1.0 differ. In keys, ~ and / are ~0 and ~1. Runs are left out: the client can't ask a location
// for them.
func leaves(t *testing.T, trace *rig.ExpectedTrace) map[string]string {
	t.Helper()
	all := decode(t, []byte(text(trace))).(object)
	found := map[string]string{}
	for key, value := range all {
		switch key {
		case "case", "trace_id", "runs":
		case "assessments", "spans":
			list, _ := value.([]any)
			for _, member := range list {
				member := member.(object)
				if key == "assessments" {
					openSerialized(t, member)
				}
				id := fmt.Sprint(member[map[string]string{"assessments": "assessment_id", "spans": "span_id"}[key]])
				path := key + "/" + id
				if _, twice := found[path]; twice {
					t.Errorf("trace %s (%s): %s is there twice", trace.TraceID, trace.Case, path)
				}
				found[path] = "there"
				walk(path, member, found)
			}
		case "tags", "trace_metadata":
			for name, value := range value.(object) {
				walk(key+"/"+escaped(name), value, found)
			}
		default:
			if value != nil {
				walk(key, value, found)
			}
		}
	}
	return found
}

// openSerialized replaces the JSON text of an expectation by its value: the order of an object's members
// says nothing.
func openSerialized(t *testing.T, assessment object) {
	expectation, _ := assessment["expectation"].(object)
	serialized, _ := expectation["serialized_value"].(object)
	if s, ok := serialized["value"].(string); ok {
		serialized["value"] = decode(t, []byte(s))
	}
}

func walk(path string, value any, into map[string]string) {
	switch v := value.(type) {
	case object:
		for key, member := range v {
			walk(path+"/"+escaped(key), member, into)
		}
		if len(v) > 0 {
			return
		}
	case []any:
		for i, member := range v {
			walk(path+"/"+strconv.Itoa(i), member, into)
		}
		if len(v) > 0 {
			return
		}
	}
	into[path] = text(value)
}

var escaped = strings.NewReplacer("~", "~0", "/", "~1").Replace

// matches says whether the expression matches the whole text.
func matches(expression, s string) bool {
	return regexp.MustCompile(`^(?s:` + expression + `)$`).MatchString(s)
}
