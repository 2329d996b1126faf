package beta

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// logs are rows of the table of logs as a statement gives them: event, time, attributes, and the body of an older row.
func logs(t *testing.T, rows ...logRow) string {
	t.Helper()
	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type fields = map[string]string

func infoOf(t *testing.T, row traceRow) *mlflow.TraceInfo {
	t.Helper()
	row.id = "0af7651916cd43dd8448eb211c80319c"
	s := &Source{location: uctables.Location{Catalog: "main", Schema: "beta", Prefix: uctables.BetaPrefix}}
	info, err := s.info(&row)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func text(s *string) string {
	if s == nil {
		return "none"
	}
	return *s
}

// TestNewestWins gives several versions of each thing, deleted ones, and rows that say nothing.
func TestNewestWins(t *testing.T) {
	info := infoOf(t, traceRow{requestMillis: 1000, rooted: true, logs: logs(t,
		logRow{Event: "genai.trace.metadata", Time: 2, Attributes: fields{"client_request_id": "new", "trace_metadata": `{"k":"v","n":1}`}},
		logRow{Event: "genai.trace.metadata", Time: 1, Attributes: fields{"client_request_id": "old", "trace_metadata": `{"k":"old"}`}},
		logRow{Event: "genai.trace.tag", Time: 1, Attributes: fields{"key": "a", "value": "1", "deleted": "true"}},
		logRow{Event: "genai.trace.tag", Time: 2, Attributes: fields{"key": "a", "value": "2", "deleted": "false"}},
		logRow{Event: "genai.trace.tag", Time: 1, Attributes: fields{"key": "b", "value": "1"}},
		logRow{Event: "genai.trace.tag", Time: 2, Attributes: fields{"key": "b", "value": "1", "deleted": "true"}},
		logRow{Event: "genai.trace.tag", Time: 3, Attributes: fields{"value": "without a key"}},
		logRow{Event: "genai.trace.tag", Time: 1, Body: `{"key": "old", "value": "in the body", "deleted": "false"}`},
		logRow{Event: "genai.run.link", Time: 1, Attributes: fields{"run_id": "r2"}},
		logRow{Event: "genai.run.link", Time: 1, Attributes: fields{"run_id": "r1"}},
		logRow{Event: "genai.run.link", Time: 2, Attributes: fields{"run_id": "r2", "deleted": "true"}},
		logRow{Event: "another", Time: 9, Attributes: fields{"key": "a", "value": "9"}},
	)})
	got := fmt.Sprint(info.TraceID, " ", text(info.ClientRequestID), " ", info.Metadata, " ", info.Tags, " ", info.Runs)
	want := "trace:/main.beta/0af7651916cd43dd8448eb211c80319c new map[k:v n:1] map[a:2 old:in the body] [r1]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestSameTime has two versions of one time: the same one wins in whichever order the statement gives them.
func TestSameTime(t *testing.T) {
	a := logRow{Event: "genai.trace.tag", Time: 1, Attributes: fields{"key": "k", "value": "1"}}
	b := logRow{Event: "genai.trace.tag", Time: 1, Attributes: fields{"key": "k", "value": "2"}}
	one, other := infoOf(t, traceRow{logs: logs(t, a, b)}), infoOf(t, traceRow{logs: logs(t, b, a)})
	if one.Tags["k"] != other.Tags["k"] || one.Digest() != other.Digest() {
		t.Errorf("%v and %v: the order of rows must not matter", one.Tags, other.Tags)
	}
}

// TestStates derives state and duration from the root span.
func TestStates(t *testing.T) {
	for _, test := range []struct {
		row      traceRow
		state    mlflow.State
		duration string
	}{
		{traceRow{rooted: true, code: "STATUS_CODE_OK"}, mlflow.StateOK, "none"},
		{traceRow{rooted: true}, mlflow.StateOK, "none"},
		{traceRow{rooted: true, code: "ERROR"}, mlflow.StateError, "none"},
		{traceRow{rooted: true, code: "STATUS_CODE_ODD"}, "ODD", "none"},
		{traceRow{}, mlflow.StateInProgress, "none"},
	} {
		if got := infoOf(t, test.row); got.State != test.state || text(got.ExecutionDuration) != test.duration {
			t.Errorf("%+v: state %s, duration %s", test.row, got.State, text(got.ExecutionDuration))
		}
	}
	row := traceRow{rooted: true}
	row.nanos.Valid, row.nanos.Int64 = true, 1_030_000_001
	if got := infoOf(t, row); text(got.ExecutionDuration) != "1.030000001s" {
		t.Errorf("duration %s", text(got.ExecutionDuration))
	}
}

// TestValues reads the values of assessments: typed ones first, then serialized, then plain ones.
func TestValues(t *testing.T) {
	typed := func(typ, value string) string { return fmt.Sprintf(`{"valueType":%q,"valueString":%s}`, typ, value) }
	for _, test := range []struct {
		name   string
		fields fields
		body   string
		want   string // feedback, or expectation, or serialized format and value
	}{
		{"text that looks like a number", fields{"feedback.value.typed": typed("STRING", `"42"`)}, "", `feedback "42"`},
		{"number", fields{"feedback.value.typed": typed("NUMBER", `"0.50"`), "feedback.value": "no"}, "", `feedback 0.50`},
		{"bool", fields{"feedback.value.typed": typed("BOOL", `"true"`)}, "", `feedback true`},
		{"list", fields{"feedback.value.typed": typed("LIST", `"[1, \"a\"]"`)}, "", `feedback [1, "a"]`},
		{"null", fields{"feedback.value.typed": `{"valueType":"NULL"}`}, "", `feedback null`},
		{"empty", fields{"feedback.value.typed": `{"valueType":"EMPTY"}`}, "", `feedback `},
		{"none", fields{"feedback.error.error_code": "E"}, "", `feedback `},
		{"plain", fields{"feedback.value": "yes"}, "", `feedback "yes"`},
		{"plain JSON", fields{"feedback.value": "0.1"}, "", `feedback 0.1`},
		{"typed number that is none", fields{"feedback.value.typed": typed("NUMBER", `"NaN"`)}, "", `feedback "NaN"`},
		{"struct", fields{"kind": "expectation", "expectation.value.typed": typed("STRUCT", `"{\"a\":1}"`),
			"expectation.serialized_value.value": "no"}, "", `expectation {"a":1}`},
		{"serialized", fields{"kind": "expectation", "expectation.serialized_value.value": `{"a":1}`,
			"expectation.serialized_value.serialization_format": "JSON_FORMAT", "expectation.value": "no"}, "", `serialized JSON_FORMAT {"a":1}`},
		{"plain expectation", fields{"expectation.value": "7"}, "", `expectation 7`},
		{"body with dots", nil, `{"kind":"feedback","assessment_id":"a","feedback.value":"0.5"}`, `feedback 0.5`},
		{"nested body", nil, `{"assessment_id":"a","feedback":{"value":0.5,"error":null},"source":{"source_id":"s"},"metadata":{"m":"1"}}`,
			`feedback 0.5`},
		{"nested body with an object", nil, `{"assessment_id":"a","feedback":{"value":{"x":[1]}}}`, `feedback {"x":[1]}`},
		{"nested body, serialized", nil,
			`{"assessment_id":"a","kind":"expectation","expectation":{"serialized_value":{"serialization_format":"F","value":"v"}}}`,
			`serialized F v`},
	} {
		row := logRow{Event: "genai.assessments.snapshot", Attributes: test.fields, Body: test.body}
		if row.Attributes != nil {
			row.Attributes["assessment_id"] = "a"
		}
		info := infoOf(t, traceRow{logs: logs(t, row)})
		if len(info.Assessments) != 1 {
			t.Errorf("%s: %d assessments", test.name, len(info.Assessments))
			continue
		}
		a, got := info.Assessments[0], ""
		switch {
		case a.Feedback != nil:
			got = "feedback " + string(a.Feedback.Value)
		case a.Expectation.Serialized != nil:
			got = "serialized " + a.Expectation.Serialized.Format + " " + a.Expectation.Serialized.Value
		default:
			got = "expectation " + string(a.Expectation.Value)
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// TestAssessment reads all fields of an assessment.
func TestAssessment(t *testing.T) {
	info := infoOf(t, traceRow{logs: logs(t, logRow{Event: "genai.assessments.snapshot", SpanID: "00f067aa0ba902b7", Attributes: fields{
		"assessment_id": "a-1", "assessment_name": "relevance", "source.source_id": "ann", "source.source_type": "HUMAN",
		"create_time": "1000", "last_update_time": "2000", "rationale": "why", "overrides": "a-0", "valid": "false",
		"metadata.k": "v", "feedback.value": "1", "feedback.error.error_code": "E", "feedback.error.error_message": "m",
	}})})
	span, why, over, valid, code, message := "00f067aa0ba902b7", "why", "a-0", false, "E", "m"
	want := mlflow.Assessment{
		ID: "a-1", Name: "relevance", TraceID: info.TraceID, SpanID: &span, SourceType: "HUMAN", SourceID: "ann",
		CreateTime: time.UnixMilli(1000).UTC(), LastUpdateTime: time.UnixMilli(2000).UTC(), Rationale: &why, Overrides: &over, Valid: &valid,
		Metadata: fields{"k": "v"},
		Feedback: &mlflow.Feedback{Value: []byte("1"), Error: &mlflow.AssessmentError{Code: &code, Message: &message}},
	}
	if d := cmp.Diff(want, info.Assessments[0]); d != "" {
		t.Errorf("-want +got: %s", d)
	}
}

// TestDocument has rows of one span: the first one, which ended last, is taken.
func TestDocument(t *testing.T) {
	d := &document{}
	d.add("a", "1")
	d.add("a", "2")
	d.add("b", "3")
	d.add("", "4")
	d.add("", "5")
	if got := string(d.text); got != `{"otel.schemaVersion":"v1","spans":[1,3,4,5` || d.rows != 5 {
		t.Errorf("%s, %d rows", got, d.rows)
	}
}
