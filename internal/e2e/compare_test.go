//go:build rig

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/rig"
)

// compareWithSource compares every value of every trace in the tables of a target with what MLflow's own client reads from
// the source. Failed traces must not be in the tables, nor traces that have been in progress for less than a day.
//
// Where a table cannot hold a value, it must hold what internal/convert documents instead.
func compareWithSource(t *testing.T, expected []rig.ExpectedTrace, at tables, failed ...string) {
	t.Helper()
	spanRows, annotationRows := readRows(t, at)
	compareRowsWithSource(t, expected, spanRows, annotationRows, failed...)
}

// compareRowsWithSource is compareWithSource for rows that were read.
func compareRowsWithSource(
	t *testing.T, expected []rig.ExpectedTrace, spanRows []spanRow, annotationRows []annotationRow, failed ...string,
) {
	t.Helper()
	spans, annotations := map[string]map[string]spanRow{}, map[string][]annotationRow{}
	sources := map[string]string{} // target trace IDs by source trace ID
	for _, s := range spanRows {
		if spans[s.TraceID] == nil {
			spans[s.TraceID] = map[string]spanRow{}
		}
		if _, twice := spans[s.TraceID][s.SpanID]; twice {
			t.Errorf("span %s of trace %s is there twice, want it once", s.SpanID, s.TraceID)
		}
		spans[s.TraceID][s.SpanID] = s
	}
	seen := map[string]bool{}
	for _, a := range annotationRows {
		if seen[a.ID] {
			t.Errorf("annotation %s is there twice, want it once", a.ID)
		}
		seen[a.ID] = true
		id, _, _ := strings.Cut(a.TargetID, ":")
		annotations[id] = append(annotations[id], a)
		if a.Type == "METADATA" {
			sources[a.Metadata["tracemig.source_trace_id"].(string)] = id
		}
	}
	for _, e := range expected {
		id, there := sources[e.TraceID]
		young := time.Since(time.UnixMilli(e.RequestTimeMS)) < 24*time.Hour
		if want := !(e.State == "IN_PROGRESS" && young) && !slices.Contains(failed, e.TraceID); there != want {
			t.Errorf("%s (%s, %s) is in the target: %t, want %t", e.TraceID, e.Case, e.State, there, want)
		}
		delete(sources, e.TraceID)
		if !there {
			continue
		}
		c := &comparison{t: t, trace: &e, id: id}
		if hex := strings.TrimPrefix(e.TraceID, "tr-"); len(hex) == 32 && id != hex {
			c.errorf("trace_id is %s, want %s", id, hex)
		}
		c.spans(spans[id])
		c.annotations(annotations[id])
		delete(spans, id)
		delete(annotations, id)
	}
	for source, id := range sources {
		t.Errorf("the target has trace %s from %s, which is not in the source", id, source)
	}
	if len(spans)+len(annotations) > 0 {
		t.Errorf("rows of %d traces in spans and %d in annotations belong to no migrated trace, want none", len(spans), len(annotations))
	}
}

// comparison is one trace of the source and its ID in the target.
type comparison struct {
	t     *testing.T
	trace *rig.ExpectedTrace
	id    string
}

func (c *comparison) errorf(format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("%s (%s): "+format, append([]any{c.trace.TraceID, c.trace.Case}, args...)...)
}

func (c *comparison) equal(what string, want, got any) {
	c.t.Helper()
	if w, g := text(want), text(got); w != g {
		c.errorf("%s is %s, want %s", what, short(g), short(w))
	}
}

// text returns a value as JSON.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// short returns the beginning and the end of a long text.
func short(s string) string {
	if len(s) > 600 {
		return s[:300] + " … " + s[len(s)-300:]
	}
	return s
}

// spans compares the spans of the trace with their rows, which are by span ID.
func (c *comparison) spans(rows map[string]spanRow) {
	c.t.Helper()
	if c.trace.Error != nil {
		return // The client could not read the spans, so there is nothing to compare with.
	}
	if len(rows) != len(c.trace.Spans) {
		c.errorf("%d spans, want %d", len(rows), len(c.trace.Spans))
	}
	for i := range c.trace.Spans {
		want := &c.trace.Spans[i]
		got, ok := rows[want.SpanID]
		if !ok {
			c.errorf("no span %s (%q)", want.SpanID, want.Name)
			continue
		}
		name := "span " + strconv.Quote(short(want.Name)) + " "
		start := time.Unix(0, want.Start).UTC()
		c.equal(name+"name", want.Name, got.Name)
		c.equal(name+"parent", want.ParentSpanID, got.ParentSpanID)
		c.equal(name+"start", want.Start, got.Start)
		c.equal(name+"time", start.UnixMicro(), got.Time)
		c.equal(name+"date", start.Truncate(24*time.Hour).Unix()/86400, got.Date)
		c.equal(name+"end", want.End, got.End)
		code := "STATUS_CODE_" + want.StatusCode
		c.equal(name+"status", orNull(code, "STATUS_CODE_UNSET"), got.Status.Code)
		c.equal(name+"status message", orNull(want.StatusMessage, ""), got.Status.Message)
		c.attributes(name+"attributes", want.Name, c.withUser(want), got.Attributes)
		c.equal(name+"service", c.trace.Tags["service.name"], got.ServiceName)
		c.equal(name+"kind", "SPAN_KIND_INTERNAL", got.Kind)
		c.equal(name+"number of events", len(want.Events), len(got.Events))
		for i := range min(len(want.Events), len(got.Events)) {
			c.equal(name+"event name", want.Events[i].Name, got.Events[i].Name)
			c.equal(name+"event time", want.Events[i].Time, got.Events[i].Time)
			c.attributes(name+"event attributes", "", want.Events[i].Attributes, got.Events[i].Attributes)
		}
		c.equal(name+"number of links", len(want.Links), len(got.Links))
		for i := range min(len(want.Links), len(got.Links)) {
			c.equal(name+"link to trace", strings.TrimPrefix(want.Links[i].TraceID, "tr-"), got.Links[i].TraceID)
			c.equal(name+"link to span", want.Links[i].SpanID, got.Links[i].SpanID)
			c.attributes(name+"link attributes", "", want.Links[i].Attributes, got.Links[i].Attributes)
		}
	}
}

// withUser returns the attributes of a span. A root span also has those that MLflow's own exporter takes from the metadata
// of the trace.
func (c *comparison) withUser(s *rig.ExpectedSpan) map[string]jsontext.Value {
	all := maps.Clone(s.Attributes)
	for attribute, key := range map[string]string{"user.id": "mlflow.trace.user", "session.id": "mlflow.trace.session"} {
		if v := c.trace.Metadata[key]; v != "" && s.ParentSpanID == nil && all[attribute] == nil {
			all[attribute] = jsontext.Value(text(v))
		}
	}
	return all
}

// orNull returns nil for the text that a table has as NULL.
func orNull(s, null string) *string {
	if s == null {
		return nil
	}
	return &s
}

// attributes compares attributes one by one. The target may have additional ones, named tracemig.raw.…, with the exact text
// that the source has of a value or key that the tables cannot hold.
func (c *comparison) attributes(what, spanName string, want map[string]jsontext.Value, got object) {
	c.t.Helper()
	rest := maps.Clone(got)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		value, ok := rest[noNUL(key)]
		if !ok {
			c.errorf("%s lack %q", what, short(key))
			continue
		}
		delete(rest, noNUL(key))
		if problem := differs(decode(c.t, want[key]), value); problem != "" {
			c.errorf("%s: %q: %s", what, short(key), problem)
		}
	}
	for key, value := range rest {
		of, _ := strings.CutPrefix(key, "tracemig.raw.")
		exact, isText := value.(string)
		if of == key || !isText {
			c.errorf("%s have %q, want no such key", what, short(key))
			continue
		}
		var shown any // what MLflow's client reads
		if name, ok := strings.CutSuffix(of, ".key"); ok {
			shown = slices.Collect(func(yield func(any) bool) {
				for k := range want {
					if noNUL(k) == name && !yield(k) {
						return
					}
				}
			})[0]
		} else if want[of] != nil {
			shown = decode(c.t, want[of])
		} else if of == "span.name" {
			shown = spanName
		}
		v := decode(c.t, jsontext.Value(exact))
		if differs(shown, v) == "" {
			continue
		}
		if s, ok := v.(string); ok && json.Valid([]byte(s)) && differs(shown, decode(c.t, jsontext.Value(s))) == "" {
			continue
		}
		c.errorf("%s: %q is %s, want the text of what MLflow shows, %s", what, short(key), short(exact), short(text(shown)))
	}
}

func noNUL(key string) string { return strings.ReplaceAll(key, "\x00", "\uFFFD") }

// decode returns a JSON value, whose numbers are json.Number.
func decode(t *testing.T, b []byte) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// differs returns how got differs from want, or "" if it does not. These documented changes are no difference: a NUL in a
// key becomes U+FFFD, a number that VARIANT can't hold becomes the string of its digits, and a value that is nested too
// deeply becomes the string of its JSON text.
func differs(want, got any) string {
	switch w := want.(type) {
	case json.Number:
		switch g := got.(type) {
		case json.Number:
			if sameNumber(w.String(), g.String()) {
				return ""
			}
		case string:
			if len(strings.Trim(w.String(), "-")) > 38 && w.String() == g {
				return ""
			}
		}
	case object:
		g, ok := got.(object)
		if !ok {
			return differsAsText(want, got)
		}
		if len(w) != len(g) {
			return fmt.Sprintf("%d members, want %d", len(g), len(w))
		}
		for key, value := range w {
			other, ok := g[key]
			if !ok {
				other, ok = g[noNUL(key)]
			}
			if !ok {
				return fmt.Sprintf("no member %q", short(key))
			}
			if problem := differs(value, other); problem != "" {
				return strconv.Quote(short(key)) + ": " + problem
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok {
			return differsAsText(want, got)
		}
		if len(w) != len(g) {
			return fmt.Sprintf("%d elements, want %d", len(g), len(w))
		}
		for i := range w {
			if problem := differs(w[i], g[i]); problem != "" {
				return fmt.Sprintf("[%d]: %s", i, problem)
			}
		}
		return ""
	default: // string, bool, nil
		if want == got {
			return ""
		}
		// The client, in Python, reads a number beyond a double's range as infinite.
		if g, ok := got.(string); ok && (want == "Infinity" || want == "-Infinity") {
			if f, err := strconv.ParseFloat(g, 64); errors.Is(err, strconv.ErrRange) && math.IsInf(f, 0) {
				return ""
			}
		}
	}
	return fmt.Sprintf("%T %s, want %T %s", got, short(text(got)), want, short(text(want)))
}

// differsAsText is differs for an object or array that may be stored as its JSON text because it is nested too deeply.
func differsAsText(want, got any) string {
	if s, ok := got.(string); ok && depth(want) > 200 {
		d := json.NewDecoder(strings.NewReader(s))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err == nil {
			return differs(want, v)
		}
	}
	return fmt.Sprintf("%T %s, want %T %s", got, short(text(got)), want, short(text(want)))
}

// depth returns how many levels of objects and arrays a value has.
func depth(v any) int {
	most := 0
	switch v := v.(type) {
	case object:
		for _, m := range v {
			most = max(most, depth(m))
		}
	case []any:
		for _, e := range v {
			most = max(most, depth(e))
		}
	default:
		return 0
	}
	return most + 1
}

// sameNumber compares two numbers exactly. If one of them is written with an exponent, they are equal if they are the same
// double.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	if strings.ContainsAny(a+b, "eE") {
		x, errX := strconv.ParseFloat(a, 64)
		y, errY := strconv.ParseFloat(b, 64)
		return errX == nil && errY == nil && x == y
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}

// assessment is an assessment as MLflow's client returns it (Assessment.to_dictionary).
type assessment struct {
	ID     string `json:"assessment_id"`
	Name   string `json:"assessment_name"`
	Source struct {
		Type string `json:"source_type"`
		ID   string `json:"source_id"`
	} `json:"source"`
	CreateTime     string            `json:"create_time"`
	LastUpdateTime string            `json:"last_update_time"`
	Rationale      *string           `json:"rationale"`
	Metadata       map[string]string `json:"metadata"`
	SpanID         *string           `json:"span_id"`
	Overrides      *string           `json:"overrides"`
	Valid          *bool             `json:"valid"`
	Feedback       *struct {
		Value json.RawMessage `json:"value"`
		Error *struct {
			Code    *string `json:"error_code"`
			Message *string `json:"error_message"`
			Stack   *string `json:"stack_trace"`
		} `json:"error"`
	} `json:"feedback"`
	Expectation *struct {
		Value      json.RawMessage `json:"value"`
		Serialized *struct {
			Format string `json:"serialization_format"`
			Value  string `json:"value"`
		} `json:"serialized_value"`
	} `json:"expectation"`
	Issue *struct {
		Name string `json:"issue_name"`
	} `json:"issue"`
}

// annotations compares the annotations of the trace with its rows.
func (c *comparison) annotations(rows []annotationRow) {
	c.t.Helper()
	byType := map[string]map[string]annotationRow{}
	for _, a := range rows {
		key := a.Name
		switch a.Type {
		case "FEEDBACK", "EXPECTATION":
			key = a.ID
		case "RUN_LINK":
			key = fmt.Sprint(a.Value)
		}
		if byType[a.Type] == nil {
			byType[a.Type] = map[string]annotationRow{}
		}
		if _, twice := byType[a.Type][key]; twice {
			c.errorf("%s %q is there twice", a.Type, key)
		}
		byType[a.Type][key] = a
		if a.DeletedAt != nil {
			c.errorf("%s %q is deleted", a.Type, key)
		}
		if a.Type != "FEEDBACK" && a.Type != "EXPECTATION" {
			c.equal(a.Type+" created_at", c.trace.RequestTimeMS*1000, a.CreatedAt)
			c.equal(a.Type+" updated_at", c.trace.RequestTimeMS*1000, a.UpdatedAt)
			c.equal(a.Type+" target", "TRACE "+c.id, a.TargetType+" "+a.TargetID)
		}
	}

	c.equal("number of METADATA rows", 1, len(byType["METADATA"]))
	meta := byType["METADATA"]["metadata"]
	traceMetadata := object{"mlflow.migration.sourceExperimentId": meta.Metadata["tracemig.source_experiment_id"]}
	value := object{"trace_metadata": traceMetadata}
	for k, v := range c.trace.Metadata {
		traceMetadata[k] = v
	}
	for key, s := range map[string]*string{
		"client_request_id": c.trace.ClientRequestID,
		"request_preview":   c.trace.RequestPreview,
		"response_preview":  c.trace.ResponsePreview,
	} {
		if value[key] = nil; s != nil {
			value[key] = *s
		}
	}
	if problem := differs(value, meta.Value); problem != "" {
		c.errorf("METADATA: %s", problem)
	}
	c.equal("source_state", c.trace.State, meta.Metadata["tracemig.source_state"])
	if ms := c.trace.ExecutionDurationMS; ms != nil {
		d, err := time.ParseDuration(fmt.Sprint(meta.Metadata["tracemig.source_execution_duration"]))
		if err != nil || d != time.Duration(*ms)*time.Millisecond {
			c.errorf("execution duration is %v (%v), want %d ms", d, err, *ms)
		}
	}

	tags, storage := maps.Clone(c.trace.Tags), object{}
	for _, key := range []string{"mlflow.artifactLocation", "mlflow.trace.spansLocation", "mlflow.trace.archiveLocation"} {
		if v, ok := tags[key]; ok {
			delete(tags, key)
			storage[key] = v
		}
	}
	kept, _ := meta.Metadata["tracemig.source_tags"].(object)
	c.equal("source_tags", storage, maps.Clone(kept))
	c.equal("TAG rows", slices.Sorted(maps.Keys(tags)), slices.Sorted(maps.Keys(byType["TAG"])))
	for key, value := range tags {
		c.equal("TAG "+key, value, byType["TAG"][key].Value)
	}
	runs := slices.Clone(c.trace.Runs)
	if source := c.trace.Metadata["mlflow.sourceRun"]; source != "" && !slices.Contains(runs, source) {
		runs = append(runs, source)
	}
	slices.Sort(runs)
	c.equal("RUN_LINK rows", append([]string{}, runs...), append([]string{}, slices.Sorted(maps.Keys(byType["RUN_LINK"]))...))

	c.equal("number of assessments", len(c.trace.Assessments), len(byType["FEEDBACK"])+len(byType["EXPECTATION"]))
	for _, j := range c.trace.Assessments {
		var a assessment
		if err := json.Unmarshal(j, &a); err != nil {
			c.t.Fatal(err)
		}
		c.assessment(&a, byType)
	}
}

// assessment compares an assessment with its row.
func (c *comparison) assessment(a *assessment, byType map[string]map[string]annotationRow) {
	c.t.Helper()
	kind := "FEEDBACK"
	if a.Expectation != nil {
		kind = "EXPECTATION"
	}
	got, ok := byType[kind][a.ID]
	if !ok {
		c.errorf("no %s %s (%s)", kind, a.ID, a.Name)
		return
	}
	name := kind + " " + strconv.Quote(a.Name) + " "
	c.equal(name+"name", a.Name, got.Name)
	c.equal(name+"comment", a.Rationale, got.Comment)
	c.equal(name+"created_at", micros(c.t, a.CreateTime), got.CreatedAt)
	c.equal(name+"updated_at", micros(c.t, a.LastUpdateTime), got.UpdatedAt)
	c.equal(name+"created_by", a.Source.ID, got.CreatedBy)
	c.equal(name+"updated_by", a.Source.ID, got.UpdatedBy)
	meta := object{"mlflow.source.source_type": a.Source.Type, "mlflow.source.source_id": a.Source.ID}
	for k, v := range a.Metadata {
		meta[k] = v
	}
	if a.SpanID != nil {
		meta["mlflow.span_id"] = *a.SpanID
	}
	if a.Overrides != nil {
		meta["mlflow.overrides"] = *a.Overrides
	}
	if a.Valid != nil {
		meta["mlflow.valid"] = strconv.FormatBool(*a.Valid)
	} else if a.Feedback == nil {
		// The server sends it with all assessments, but the client shows it only for feedback.
		meta["mlflow.valid"] = "true"
	}
	c.equal(name+"target", "TRACE "+c.id, got.TargetType+" "+got.TargetID)
	var value any
	switch {
	case a.Feedback != nil:
		if a.Feedback.Value != nil {
			value = decode(c.t, a.Feedback.Value)
		}
		if e := a.Feedback.Error; e != nil {
			for key, s := range map[string]*string{"error_code": e.Code, "error_message": e.Message, "stack_trace": e.Stack} {
				if s != nil {
					meta["mlflow.error."+key] = *s
				}
			}
		}
	case a.Expectation != nil && a.Expectation.Serialized != nil:
		value = decode(c.t, []byte(a.Expectation.Serialized.Value))
		meta["mlflow.expectation.serialization_format"] = a.Expectation.Serialized.Format
	case a.Expectation != nil:
		value = decode(c.t, a.Expectation.Value)
	case a.Issue != nil:
		value = a.Issue.Name
		meta["tracemig.issue_name"] = a.Issue.Name
	}
	if problem := differs(value, got.Value); problem != "" {
		c.errorf("%svalue: %s", name, problem)
	}
	if problem := differs(meta, any(got.Metadata)); problem != "" {
		c.errorf("%smetadata: %s: %s", name, problem, text(got.Metadata))
	}
}

// micros returns a time in microseconds since 1970.
func micros(t *testing.T, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMicro()
}

// checkUnchanged fails unless the source's traces are the same before and after the test.
func checkUnchanged(t *testing.T, before, after []rig.ExpectedTrace) {
	t.Helper()
	byID := func(a, b rig.ExpectedTrace) int { return strings.Compare(a.TraceID, b.TraceID) }
	slices.SortFunc(before, byID)
	slices.SortFunc(after, byID)
	if len(before) != len(after) {
		t.Fatalf("the source now has %d traces, want %d as before", len(after), len(before))
	}
	for i := range before {
		for _, e := range []*rig.ExpectedTrace{&before[i], &after[i]} {
			// The server lists assessments of the same time, and the keys of their metadata, in any order.
			for i, a := range e.Assessments {
				e.Assessments[i] = jsontext.Value(text(decode(t, a)))
			}
			slices.SortFunc(e.Assessments, func(a, b jsontext.Value) int { return strings.Compare(string(a), string(b)) })
			// It lists spans of the same time in the order of its database, which PostgreSQL changes.
			slices.SortFunc(e.Spans, func(a, b rig.ExpectedSpan) int { return strings.Compare(a.SpanID, b.SpanID) })
			if e.Error != nil {
				problem, _, _ := strings.Cut(*e.Error, " for path=") // The path is a temporary one.
				e.Error = &problem
			}
		}
		if text(before[i]) != text(after[i]) {
			t.Errorf("trace %s (%s) of the source is now %s, want %s as before",
				before[i].TraceID, before[i].Case, short(text(after[i])), short(text(before[i])))
		}
	}
}
