//go:build rig

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tracemig/tracemig/internal/rig"
)

// TestRealClient has MLflow's own client read every trace of the corpus twice, from the source and from the location that it
// was migrated to, and compares the two. testdata/rig/location.py serves the rows to the client. It knows the published
// forms of the rows and nothing of this program. All differences are listed in invisibleCases, expectedChanges and
// exceptions.
func TestRealClient(t *testing.T) {
	t.Parallel()
	m := mlflowServer(t)
	_, c := rig.SharedMLflow(t)
	fx := newFixture(t, m.URI, c.Experiment).toWarehouse()
	o := fx.mustRun(3)
	var unread []string // corrupt traces whose spans the migration cannot read, or that have none
	for _, trace := range o.traces {
		if trace.State != "migrated" && slices.Contains(c.Cases["corrupt_artifact"], trace.TraceID) {
			unread = append(unread, trace.TraceID)
		}
	}
	loc := newUCLocation(t, "spark_catalog.default."+fx.prefix, c.ExperimentID)

	began := time.Now()
	read := fx.front.ReadLocation(t, loc.name)
	t.Logf("the client read %d traces in %v", len(read), time.Since(began))
	loc.compareTraces(c.Expected, read, unread...)

	// A tag that the client edits replaces the migrated one, and a tag that it deletes is gone. The service finds both by
	// the IDs that it gives to tags itself.
	id := strings.TrimPrefix(c.Cases["tags"][0], "tr-")
	want := map[string]string{}
	for _, trace := range read {
		if trace.TraceID == loc.id(id) {
			want = trace.Tags
		}
	}
	for _, key := range []string{"plain", "nested.key"} {
		if _, ok := want[key]; !ok {
			t.Fatalf("trace %s has the tags %v, want tag %s to edit", id, want, key)
		}
	}
	want["plain"], want["added later"] = "edited later", "new"
	delete(want, "nested.key")
	edited := fx.front.ReadLocation(t, loc.name, rig.TagEdit{TraceID: id, Key: "plain", Value: "edited later"},
		rig.TagEdit{TraceID: id, Key: "added later", Value: "new"}, rig.TagEdit{TraceID: id, Key: "nested.key", Delete: true})
	if len(edited) != 1 || edited[0].Error != nil || !maps.Equal(edited[0].Tags, want) {
		t.Errorf("after the client edited its tags, the trace is %s, want the tags %v", short(text(edited)), want)
	}
}

// invisibleCases are the cases whose traces no client sees at a location, with the reasons.
var invisibleCases = map[string]string{
	"in_progress":           "has not ended, and is not migrated until then",
	"in_progress_info_only": "has not ended, and is not migrated until then",
	"otlp_orphans":          "its root never came, and readers begin at the root span",
	"state_unspecified":     "has no spans, and readers begin at the root span",
	"no_spans":              "its spans were lost, and readers begin at the root span",
	"no_spans_info_only":    "has no spans, and readers begin at the root span",
}

// expectedChanges are the differences that every trace at a location has. Each changes the leaves of a trace of the source
// (see leaves) into those that the client must read at the location.
var expectedChanges = []struct {
	reason string
	make   func(loc *ucLocation, source *rig.ExpectedTrace, id string, want map[string]string)
}{
	{"the ID of a trace at a location has the location in it, and the client puts it into each span and assessment",
		func(loc *ucLocation, source *rig.ExpectedTrace, id string, want map[string]string) {
			for _, span := range source.Spans {
				want["spans/"+span.SpanID+"/attributes/mlflow.traceRequestId"] = text(id)
			}
			for path := range want {
				if strings.HasPrefix(path, "assessments/") && strings.HasSuffix(path, "/trace_id") {
					want[path] = text(id)
				}
			}
		}},
	{"the client also puts the location into the ID in each link, since it takes the other trace to be there too",
		func(loc *ucLocation, source *rig.ExpectedTrace, id string, want map[string]string) {
			for _, span := range source.Spans {
				for i, link := range span.Links {
					want[fmt.Sprintf("spans/%s/links/%d/trace_id", span.SpanID, i)] = text(loc.id(link.TraceID))
				}
			}
		}},
	{"tags that name the source's storage would lead a reader there",
		func(loc *ucLocation, source *rig.ExpectedTrace, id string, want map[string]string) {
			for _, key := range []string{"artifactLocation", "trace.spansLocation", "trace.archiveLocation", "trace.archivalFailure"} {
				delete(want, "tags/mlflow."+key)
			}
		}},
	{"the trace metadata names the source's experiment, as the official migration does",
		func(loc *ucLocation, source *rig.ExpectedTrace, id string, want map[string]string) {
			want["trace_metadata/mlflow.migration.sourceExperimentId"] = text(loc.experimentID)
		}},
	{"root spans carry user and session, as MLflow's own exporter to a location has it",
		func(loc *ucLocation, source *rig.ExpectedTrace, id string, want map[string]string) {
			for _, span := range source.Spans {
				for key, of := range map[string]string{"user.id": "mlflow.trace.user", "session.id": "mlflow.trace.session"} {
					value, known := source.Metadata[of]
					if _, has := span.Attributes[key]; known && !has && span.ParentSpanID == nil {
						want["spans/"+span.SpanID+"/attributes/"+key] = text(value)
					}
				}
			}
		}},
}

// An exception is a difference that cannot be avoided.
type exception struct {
	reason string
	path   string // regular expression for the whole path (see leaves)
	cases  string // regular expression for the whole name of the case, "" for any
	ok     func(d *difference) bool
}

// A difference is one value that the client reads differently at the location. Values are JSON texts, and "" stands for a
// missing one.
type difference struct {
	location        *ucLocation
	source, located *rig.ExpectedTrace
	wants, gots     map[string]string // all leaves of both traces
	hex             string            // the trace's ID at the location
	path            string
	want, got       string
}

var exceptions = []exception{
	// Differences between a location and an experiment.
	{"all rows of a trace have one trace ID: the one in the MLflow ID if that has one",
		`spans/\w+/trace_id`, "custom_trace_ids",
		func(d *difference) bool {
			return strings.TrimPrefix(d.source.TraceID, "tr-") == d.hex && d.got == text(d.hex)
		}},
	{"the service's view has a row with its own times for each root span, but getting the trace returns that of the first",
		`request_time_ms|execution_duration_ms|error`, "otlp_two_roots",
		func(d *difference) bool {
			if d.path == "error" {
				return d.got == `"the trace is another than the listed one"`
			}
			return slices.ContainsFunc(d.source.Spans, func(root rig.ExpectedSpan) bool {
				return root.Start/1e6 == d.located.RequestTimeMS && (*root.End-root.Start)/1e6 == *d.located.ExecutionDurationMS
			})
		}},
	{"assessments of the service cannot be issues: a feedback has the issue's name as its value",
		`assessments/[^/]+/(issue/issue_name|feedback/value|metadata/tracemig\.issue_name|valid)`, "issue_reference",
		func(d *difference) bool {
			switch name := text("Slow 'tool'"); d.path[strings.LastIndex(d.path, "/")+1:] {
			case "issue_name":
				return d.want == name && d.got == ""
			case "valid":
				return d.want == "" && d.got == "true"
			default:
				return d.want == "" && d.got == name
			}
		}},

	// What the client cannot read at the source.
	{"the client fails on these spans of the source, which the migration reads: there is nothing to compare with",
		`error|spans/.*`, "integers_beyond_64_bits|corrupt_artifact",
		func(d *difference) bool {
			return d.source.Error != nil && d.located.Error == nil && (d.path == "error" || d.want == "")
		}},

	// What the client cannot read at the location.
	{"the client's protobuf ends at 100 levels of messages, which are 31 of nested objects or 47 of lists",
		`error|spans/.*`, "deep_nesting_(90|200)(_artifact)?",
		func(d *difference) bool {
			return strings.HasPrefix(d.gots["error"], `"ParseError: Failed to parse traces field`) && (d.path == "error" || d.got == "")
		}},

	// What the columns of the tables cannot hold.
	{"OTLP has no integer beyond 64 bits: the client gets a double",
		`spans/\w+/attributes/.*`, "integers_beyond_64_bits(_artifact)?",
		func(d *difference) bool {
			want, isInteger := new(big.Int).SetString(d.want, 10)
			w, errW := strconv.ParseFloat(d.want, 64)
			g, errG := strconv.ParseFloat(d.got, 64)
			return isInteger && !want.IsInt64() && digits(d.want) <= 38 && errW == nil && errG == nil && w == g
		}},
	{"VARIANT has no number of more than 38 digits: the string of its digits",
		`spans/\w+/attributes/.*`, "integers_beyond_64_bits(_artifact)?",
		func(d *difference) bool { return digits(d.want) > 38 && d.got == text(d.want) }},
	{"VARIANT has no number beyond a double's range, which Python takes for infinite: the string of its digits",
		`spans/\w+/attributes/raw\.exponent`, "raw_attribute_texts(_artifact)?",
		func(d *difference) bool { return d.want == `"Infinity"` && d.got == `"1E400"` }},
	{"keys cannot hold NUL: U+FFFD stands for it",
		`spans/\w+/attributes/.*[\x00\x{FFFD}].*`, "nul_in_keys_and_names(_artifact)?|raw_attribute_texts(_artifact)?",
		func(d *difference) bool {
			if strings.Contains(d.path, "\x00") {
				return d.got == "" && d.gots[noNUL(d.path)] == d.want
			}
			for path, want := range d.wants {
				if strings.Contains(path, "\x00") && noNUL(path) == d.path && want == d.got {
					return d.want == ""
				}
			}
			return false
		}},
	{"an additional attribute has the source's exact text of what the tables cannot hold",
		`spans/\w+/attributes/tracemig\.raw\..*`, "nul_in_keys_and_names(_artifact)?|raw_attribute_texts(_artifact)?|lone_surrogates_artifact",
		func(d *difference) bool {
			return d.want == "" && d.isExactText(strings.TrimPrefix(d.attribute(), "tracemig.raw."), unquoted(d.got))
		}},
	{"VARIANT ends before 1500 levels: the string of the value's JSON text",
		`spans/\w+/attributes/mlflow\.spanInputs(/.*)?`, "deep_nesting_1500(_artifact)?",
		func(d *difference) bool {
			at := strings.Join(strings.Split(d.path, "/")[:4], "/")
			return d.isTextOf("mlflow.spanInputs", unquoted(d.gots[at])) && (d.path == at || d.got == "")
		}},
}

// ucLocation is a location to compare with the source, and which of the listed differences were found there.
type ucLocation struct {
	t            *testing.T
	name         string
	experimentID string
	paths, cases []*regexp.Regexp // compiled expressions of the exceptions
	used         []int            // how often each exception applied
	changed      []int            // in how many traces each change changed something
}

func newUCLocation(t *testing.T, name, experimentID string) *ucLocation {
	loc := &ucLocation{
		t: t, name: name, experimentID: experimentID,
		used: make([]int, len(exceptions)), changed: make([]int, len(expectedChanges)),
	}
	for _, e := range exceptions {
		if e.cases == "" {
			e.cases = ".*"
		}
		loc.paths = append(loc.paths, regexp.MustCompile(`^(?s:`+e.path+`)$`))
		loc.cases = append(loc.cases, regexp.MustCompile(`^(?:`+e.cases+`)$`))
	}
	return loc
}

// id returns the client's ID of a trace at the location.
func (loc *ucLocation) id(hex string) string { return "trace:/" + loc.name + "/" + hex }

var hexID = regexp.MustCompile(`^(tr-)?[0-9a-f]{32}$`)

// locationTraceID returns the trace_id in the rows of a trace of the source.
func locationTraceID(trace *rig.ExpectedTrace) string {
	if !hexID.MatchString(trace.TraceID) && len(trace.Spans) > 0 {
		return trace.Spans[0].TraceID
	}
	return strings.TrimPrefix(trace.TraceID, "tr-")
}

// compareTraces fails if the client reads the two differently, except for the listed differences. The unread traces must
// not be at the location.
func (loc *ucLocation) compareTraces(source, location []rig.ExpectedTrace, unread ...string) {
	loc.t.Helper()
	byID := map[string][]*rig.ExpectedTrace{}
	for i := range location {
		byID[location[i].TraceID] = append(byID[location[i].TraceID], &location[i])
	}
	invisibleSeen := map[string]int{}
	for i := range source {
		trace := &source[i]
		id := locationTraceID(trace)
		seen := byID[loc.id(id)]
		delete(byID, loc.id(id))
		times := 1
		if trace.Case == "otlp_two_roots" {
			times = 2 // The service's view has one row for each root span.
		} else if invisibleCases[trace.Case] != "" {
			invisibleSeen[trace.Case]++
			times = 0
		} else if slices.Contains(unread, trace.TraceID) {
			times = 0
		}
		if len(seen) != times {
			loc.t.Errorf("%s (%s) is listed %d times at the location, want %d", trace.TraceID, trace.Case, len(seen), times)
		}
		for _, other := range seen {
			loc.compareTrace(trace, other, id)
		}
	}
	for id, traces := range byID {
		loc.t.Errorf("the location has %s (%s), which is not in the source", id, traces[0].Case)
	}
	for name, reason := range invisibleCases {
		if invisibleSeen[name] == 0 {
			loc.t.Errorf("the corpus has no trace of case %s, want one to be invisible: %s", name, reason)
		}
	}
	for i, change := range expectedChanges {
		if loc.changed[i] == 0 {
			loc.t.Errorf("no trace of the corpus shows this change, want one: %s", change.reason)
		}
	}
	for i, e := range exceptions {
		if loc.used[i] == 0 {
			loc.t.Errorf("nothing differs in %s: take the exception off the list (%s)", e.path, e.reason)
		}
	}
}

// compareTrace compares one trace, whose trace_id at the location is hex.
func (loc *ucLocation) compareTrace(source, location *rig.ExpectedTrace, hex string) {
	loc.t.Helper()
	want, got := leaves(loc.t, source), leaves(loc.t, location)
	for i, change := range expectedChanges {
		before := maps.Clone(want)
		change.make(loc, source, loc.id(hex), want)
		if !maps.Equal(before, want) {
			loc.changed[i]++
		}
	}
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
		d := &difference{loc, source, location, want, got, hex, path, want[path], got[path]}
		if i := loc.findException(d); i >= 0 {
			loc.used[i]++
			continue
		}
		loc.t.Errorf("%s (%s): %s is %s at the location, want %s",
			source.TraceID, source.Case, short(path), orNothing(d.got), orNothing(d.want))
	}
}

func orNothing(s string) string {
	if s == "" {
		return "not there"
	}
	return short(s)
}

// findException returns the index of the first exception that allows the difference, or -1.
func (loc *ucLocation) findException(d *difference) int {
	for i, e := range exceptions {
		if loc.paths[i].MatchString(d.path) && loc.cases[i].MatchString(d.source.Case) && e.ok(d) {
			return i
		}
	}
	return -1
}

// span returns the span of the source that the path belongs to.
func (d *difference) span() *rig.ExpectedSpan {
	id := strings.Split(d.path, "/")[1]
	i := slices.IndexFunc(d.source.Spans, func(s rig.ExpectedSpan) bool { return s.SpanID == id })
	return &d.source.Spans[i]
}

// attribute returns the key of the attribute that the path belongs to.
func (d *difference) attribute() string { return unescaped(strings.Split(d.path, "/")[3]) }

// isExactText returns whether a JSON text, from an attribute tracemig.raw.<name> of the path's span, stands for what the
// client reads at the source: an attribute's value, an attribute's key, or the span's name.
func (d *difference) isExactText(name, exact string) bool {
	value := any(nil)
	if json.Unmarshal([]byte(exact), &value) != nil {
		return false
	}
	key, isText := value.(string)
	if of, ok := strings.CutSuffix(name, ".key"); ok {
		_, there := d.span().Attributes[key]
		return isText && there && noNUL(key) == of
	}
	return name == "span.name" && key == d.span().Name || d.isTextOf(name, exact)
}

// isTextOf returns whether a JSON text stands for the value of an attribute of the path's span, as the client reads it at
// the source.
func (d *difference) isTextOf(attribute, exact string) bool {
	if !json.Valid([]byte(exact)) {
		return false
	}
	path := d.path[:strings.Index(d.path, "/attributes/")] + "/attributes/" + escaped(attribute)
	told, want := map[string]string{}, map[string]string{}
	collectLeaves(path, decode(d.location.t, []byte(exact)), told)
	for p, value := range d.wants {
		if p == path || strings.HasPrefix(p, path+"/") {
			want[p] = value
		}
	}
	return len(want) > 0 && maps.Equal(told, want)
}

// digits returns the number of digits of an integer's text, or 0 for another text.
func digits(integer string) int {
	s := strings.TrimPrefix(integer, "-")
	if strings.Trim(s, "0123456789") != "" {
		return 0
	}
	return len(s)
}

// unquoted returns the string of a JSON text.
func unquoted(text string) string {
	var s string
	_ = json.Unmarshal([]byte(text), &s)
	return s
}

// leaves returns the values of a trace by their paths, such as tags/a, assessments/<ID>/rationale and
// spans/<ID>/attributes/mlflow.spanInputs/messages/0/role. Each value is the JSON text that the client gave, so that 1 and
// 1.0 differ. In keys, ~ and / are written ~0 and ~1. Runs are left out, since the client can't ask a location for them.
//
// Two differences do not show here. The dumps of both sides have NaN and the infinities as the strings that stand for them
// in a row. And Go reads half of a surrogate pair as U+FFFD, which also stands for it in a row.
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
					decodeSerialized(t, member)
				}
				id := fmt.Sprint(member[map[string]string{"assessments": "assessment_id", "spans": "span_id"}[key]])
				path := key + "/" + id
				if _, twice := found[path]; twice {
					t.Errorf("trace %s (%s): %s is there twice, want it once", trace.TraceID, trace.Case, path)
				}
				found[path] = "there"
				collectLeaves(path, member, found)
			}
		case "tags", "trace_metadata":
			for name, value := range value.(object) {
				collectLeaves(key+"/"+escaped(name), value, found)
			}
		default:
			if value != nil {
				collectLeaves(key, value, found)
			}
		}
	}
	return found
}

// decodeSerialized replaces the JSON text of an expectation by its value, since the order of an object's members does not
// matter.
func decodeSerialized(t *testing.T, assessment object) {
	expectation, _ := assessment["expectation"].(object)
	serialized, _ := expectation["serialized_value"].(object)
	if s, ok := serialized["value"].(string); ok {
		serialized["value"] = decode(t, []byte(s))
	}
}

// collectLeaves adds the leaves of a value at the path.
func collectLeaves(path string, value any, into map[string]string) {
	switch v := value.(type) {
	case object:
		for key, member := range v {
			collectLeaves(path+"/"+escaped(key), member, into)
		}
		if len(v) > 0 {
			return
		}
	case []any:
		for i, member := range v {
			collectLeaves(path+"/"+strconv.Itoa(i), member, into)
		}
		if len(v) > 0 {
			return
		}
	}
	into[path] = text(value)
}

var (
	escaped   = strings.NewReplacer("~", "~0", "/", "~1").Replace
	unescaped = strings.NewReplacer("~1", "/", "~0", "~").Replace
)
