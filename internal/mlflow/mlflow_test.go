package mlflow

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// recorded are traces as MLflow 3.17 lists them (testdata/search.json), each as its own text.
func recorded(t testing.TB) []json.RawMessage {
	t.Helper()
	b, err := os.ReadFile("testdata/search.json")
	if err != nil {
		t.Fatal(err)
	}
	var page struct{ Traces []json.RawMessage }
	if err := json.Unmarshal(b, &page); err != nil || len(page.Traces) == 0 {
		t.Fatalf("%d traces, error %v", len(page.Traces), err)
	}
	return page.Traces
}

// Another decoder finds the same fields in what a server listed and in the decoded traces, written in that form.
func TestDecodeTraceInfoKeepsEverything(t *testing.T) {
	for _, raw := range recorded(t) {
		got, err := DecodeTraceInfo(raw)
		if err != nil {
			t.Fatal(err)
		}
		var want, have map[string]any
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(encode(got), &have); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("%s (-listed +decoded):\n%s", got.TraceID, d)
		}
	}
}

// encode writes t in the form in which the API lists it.
func encode(t *TraceInfo) []byte {
	m := map[string]any{
		"trace_id":       t.TraceID,
		"trace_location": map[string]any{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": map[string]any{"experiment_id": t.ExperimentID}},
		"request_time":   t.RequestTime.Format("2006-01-02T15:04:05.000Z"),
		"state":          t.State,
	}
	set := func(m map[string]any, k string, v any) {
		if rv := reflect.ValueOf(v); !rv.IsNil() {
			m[k] = v
		}
	}
	set(m, "execution_duration", t.ExecutionDuration)
	set(m, "client_request_id", t.ClientRequestID)
	set(m, "request_preview", t.RequestPreview)
	set(m, "response_preview", t.ResponsePreview)
	set(m, "trace_metadata", t.Metadata)
	set(m, "tags", t.Tags)
	var as []any
	for _, a := range t.Assessments {
		o := map[string]any{
			"assessment_id": a.ID, "assessment_name": a.Name, "trace_id": a.TraceID,
			"source":           map[string]any{"source_type": a.SourceType, "source_id": a.SourceID},
			"create_time":      a.CreateTime.Format("2006-01-02T15:04:05.000Z"),
			"last_update_time": a.LastUpdateTime.Format("2006-01-02T15:04:05.000Z"),
		}
		set(o, "span_id", a.SpanID)
		set(o, "rationale", a.Rationale)
		set(o, "metadata", a.Metadata)
		set(o, "overrides", a.Overrides)
		set(o, "valid", a.Valid)
		if f := a.Feedback; f != nil {
			v := map[string]any{}
			set(v, "value", json.RawMessage(f.Value))
			if e := f.Error; e != nil {
				ee := map[string]any{}
				set(ee, "error_code", e.Code)
				set(ee, "error_message", e.Message)
				set(ee, "stack_trace", e.StackTrace)
				v["error"] = ee
			}
			o["feedback"] = v
		}
		if x := a.Expectation; x != nil {
			v := map[string]any{}
			set(v, "value", json.RawMessage(x.Value))
			if s := x.Serialized; s != nil {
				v["serialized_value"] = map[string]any{"serialization_format": s.Format, "value": s.Value}
			}
			o["expectation"] = v
		}
		if a.Issue != nil {
			o["issue"] = map[string]any{"issue_name": *a.Issue}
		}
		as = append(as, o)
	}
	if as != nil {
		m["assessments"] = as
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

func TestDecodeTraceInfoEdges(t *testing.T) {
	const head = `{"trace_id":"tr-1","request_time":"2026-01-01T00:00:00.001Z"`
	info := func(change func(*TraceInfo)) *TraceInfo {
		t := &TraceInfo{TraceID: "tr-1", RequestTime: time.Date(2026, 1, 1, 0, 0, 0, 1e6, time.UTC)}
		change(t)
		return t
	}
	for text, want := range map[string]*TraceInfo{
		head + `}`: info(func(*TraceInfo) {}),
		head + `,"unknown":{"a":[1]},"tags":null}`: info(func(*TraceInfo) {}),
		head + `,"tags":{},"request_preview":""}`: info(func(t *TraceInfo) {
			t.Tags, t.RequestPreview = map[string]string{}, new("")
		}),
		head + `,"request_preview":"\ud83d"}`:                  info(func(t *TraceInfo) { t.RequestPreview = new("\ufffd") }),
		head + `,"request_preview":"a","request_preview":"b"}`: info(func(t *TraceInfo) { t.RequestPreview = new("b") }),
		head + `,"assessments":[{"assessment_id":"a","feedback":{"value":12345678901234567890}},{"feedback":{"value":null}},` +
			`{"feedback":null,"issue":{"issue_name":"i"}}]}`: info(func(t *TraceInfo) {
			t.Assessments = []Assessment{
				{ID: "a", Feedback: &Feedback{Value: jsontext.Value("12345678901234567890")}},
				{Feedback: &Feedback{Value: jsontext.Value("null")}},
				{Issue: new("i")},
			}
		}),
		``: nil, `null`: nil, `[]`: nil, `{}`: nil,
		`{"trace_id":"tr-1"}`:                                nil,
		head + `} {}`:                                        nil,
		head + `,"tags":[]}`:                                 nil,
		head + `,"assessments":[{"valid":"yes"}]}`:           nil,
		`{"trace_id":"tr-1","request_time":"yesterday"}`:     nil,
		`{"trace_id":"tr-1","request_time":"2026-01-01T00:0`: nil,
	} {
		got, err := DecodeTraceInfo([]byte(text))
		if (err == nil) != (want != nil) {
			t.Errorf("%s: error %v, want one: %t", text, err, want == nil)
		} else if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}

// FuzzDecodeTraceInfo decodes any bytes: nothing panics, and what decodes has the same digest a second time.
func FuzzDecodeTraceInfo(f *testing.F) {
	for _, raw := range recorded(f) {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := DecodeTraceInfo(b)
		if err != nil {
			return
		}
		again, err := DecodeTraceInfo(bytes.Clone(b))
		if err != nil || again.Digest() != a.Digest() {
			t.Errorf("%q decodes differently the second time, error %v (-first +second):\n%s", b, err, cmp.Diff(a, again))
		}
	})
}

// The digest depends on the contents only, not on the order of maps, members and assessments.
func TestDigestIsStable(t *testing.T) {
	for _, raw := range recorded(t) {
		a, err := DecodeTraceInfo(raw)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := DecodeTraceInfo(raw)
		slices.Reverse(b.Assessments)
		if a.Digest() != b.Digest() || len(a.Digest()) != 64 {
			t.Errorf("%s: digests %s and %s, want one of 64 digits", a.TraceID, a.Digest(), b.Digest())
		}
	}
	one := TraceInfo{Assessments: []Assessment{{Feedback: &Feedback{Value: jsontext.Value(`{"a":1,"b":[2]}`)}}}}
	two := TraceInfo{Assessments: []Assessment{{Feedback: &Feedback{Value: jsontext.Value(`{ "b": [2], "a": 1 }`)}}}}
	if one.Digest() != two.Digest() {
		t.Error("the order of an object's members changes the digest")
	}
	// Checkpoints keep digests: a new recipe makes every trace look changed, so it must be intended.
	if got, want := (&TraceInfo{TraceID: "tr-1"}).Digest(), "5367de1b65c497d1f02eda208991b2ca3256f334ce923c218e77147a0d37cc50"; got != want {
		t.Errorf("the recipe has changed: digest %s, want %s", got, want)
	}
}

// Two traces have the same digest only if they are equal. Values come from few, so that neighbouring fields often
// hold what could be taken for the other's.
func TestDigestTellsApart(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "a", "b", "ab", "\x00"})
	optional := rapid.Ptr(text, true)
	dict := rapid.OneOf(rapid.Just(map[string]string(nil)), rapid.MapOfN(text, text, 0, 2))
	value := rapid.SampledFrom([]jsontext.Value{
		nil, jsontext.Value("null"), jsontext.Value(`""`), jsontext.Value("1"),
		jsontext.Value("9007199254740993"), jsontext.Value("9007199254740992"),
	})
	when := rapid.Custom(func(t *rapid.T) time.Time { return time.UnixMilli(rapid.Int64Range(0, 2).Draw(t, "ms")).UTC() })
	assessment := rapid.Custom(func(t *rapid.T) Assessment {
		a := Assessment{
			ID: text.Draw(t, "id"), Name: text.Draw(t, "name"), TraceID: text.Draw(t, "trace"), SpanID: optional.Draw(t, "span"),
			SourceType: text.Draw(t, "type"), SourceID: text.Draw(t, "source"),
			CreateTime: when.Draw(t, "created"), LastUpdateTime: when.Draw(t, "updated"),
			Issue: optional.Draw(t, "issue"), Rationale: optional.Draw(t, "rationale"),
			Metadata: dict.Draw(t, "metadata"), Overrides: optional.Draw(t, "overrides"), Valid: rapid.Ptr(rapid.Bool(), true).Draw(t, "valid"),
		}
		if rapid.Bool().Draw(t, "feedback") {
			a.Feedback = &Feedback{Value: value.Draw(t, "value")}
			if rapid.Bool().Draw(t, "error") {
				a.Feedback.Error = &AssessmentError{optional.Draw(t, "code"), optional.Draw(t, "message"), optional.Draw(t, "stack")}
			}
		}
		if rapid.Bool().Draw(t, "expectation") {
			a.Expectation = &Expectation{Value: value.Draw(t, "value")}
			if rapid.Bool().Draw(t, "serialized") {
				a.Expectation.Serialized = &SerializedValue{text.Draw(t, "format"), text.Draw(t, "text")}
			}
		}
		return a
	})
	info := rapid.Custom(func(t *rapid.T) *TraceInfo {
		return &TraceInfo{
			TraceID: text.Draw(t, "id"), ExperimentID: text.Draw(t, "experiment"), RequestTime: when.Draw(t, "time"),
			ExecutionDuration: optional.Draw(t, "duration"), State: State(text.Draw(t, "state")),
			ClientRequestID: optional.Draw(t, "client"), RequestPreview: optional.Draw(t, "request"), ResponsePreview: optional.Draw(t, "response"),
			Metadata: dict.Draw(t, "metadata"), Tags: dict.Draw(t, "tags"),
			Assessments: rapid.SliceOfN(assessment, 0, 2).Draw(t, "assessments"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := info.Draw(t, "a"), info.Draw(t, "b")
		// Two drawn traces are rarely alike: take over all of a but one field of b.
		i := rapid.IntRange(0, reflect.TypeFor[TraceInfo]().NumField()-1).Draw(t, "field")
		c := *a
		reflect.ValueOf(&c).Elem().Field(i).Set(reflect.ValueOf(b).Elem().Field(i))
		// And within an assessment, likewise.
		if len(a.Assessments) > 0 && rapid.Bool().Draw(t, "within") {
			c = *a
			c.Assessments = slices.Clone(a.Assessments)
			x := assessment.Draw(t, "x")
			j := rapid.IntRange(0, reflect.TypeFor[Assessment]().NumField()-1).Draw(t, "member")
			reflect.ValueOf(&c.Assessments[0]).Elem().Field(j).Set(reflect.ValueOf(&x).Elem().Field(j))
		}
		same := cmp.Equal(sorted(a), sorted(&c))
		if (a.Digest() == c.Digest()) != same {
			t.Errorf("equal: %v, digests %s and %s\n%s", same, a.Digest(), c.Digest(), cmp.Diff(a, &c))
		}
	})
}

// sorted is t with the assessments in an order of their own, nil when there are none.
func sorted(t *TraceInfo) TraceInfo {
	c := *t
	c.Assessments = slices.Clone(t.Assessments)
	slices.SortFunc(c.Assessments, func(a, b Assessment) int {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		return bytes.Compare(x, y)
	})
	if len(c.Assessments) == 0 {
		c.Assessments = nil
	}
	return c
}
