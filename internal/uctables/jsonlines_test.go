package uctables

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

// exampleSpans are rows with every column, with as few as possible, and with texts that break naive encoders.
func exampleSpans() []Span {
	const at = 1_700_000_000_123_456
	return []Span{
		{
			RecordID: "018bcfe5-687b-7000-8000-000000000002", TimeMicros: at + 1000, Date: Day(at), ServiceName: new("svc"),
			TraceID: strings.Repeat("0a", 16), SpanID: strings.Repeat("0b", 8), TraceState: new("k=v"),
			ParentSpanID: new(strings.Repeat("0c", 8)), Flags: 1, Name: "child \"${x}\" \\ \n\r\t\x01 ünï \U0001F600",
			Kind: "SPAN_KIND_INTERNAL", StartTimeUnixNano: at*1000 + 1_000_007, EndTimeUnixNano: new(int64(at*1000 + 2_000_009)),
			Attributes: JSON("{\"big\": 9007199254740993,\n\"dec\": 1.50, \"dbl\": 1.5e-7, " +
				"\"text\": \"a\\nb ${env:HOME} '; DROP TABLE x --\", \"null\": null, \"list\": [1, {\"a\": true}]}"),
			DroppedAttributesCount: 2,
			Events: []Event{
				{TimeUnixNano: at * 1000, Name: "exception", Attributes: JSON(`{"exception.message":"boom"}`), DroppedAttributesCount: 1},
				{TimeUnixNano: 0, Name: ""},
			},
			DroppedEventsCount: 3,
			Links: []Link{
				{TraceID: strings.Repeat("0d", 16), SpanID: strings.Repeat("0e", 8), TraceState: new(""),
					Attributes: JSON(`{"n":12345678901234567890}`), DroppedAttributesCount: 4, Flags: 5},
				{},
			},
			DroppedLinksCount: 6, StatusMessage: new("it broke"), StatusCode: new("STATUS_CODE_ERROR"),
			ResourceAttributes: JSON(`{"service.name":"svc"}`), ScopeName: new("mlflow"),
		},
		{
			RecordID: "018bcfe5-687b-7000-8000-000000000001", TimeMicros: at, Date: Day(at),
			TraceID: strings.Repeat("0a", 16), SpanID: strings.Repeat("0c", 8), Name: "root",
			Kind: "SPAN_KIND_INTERNAL", StartTimeUnixNano: at * 1000, EndTimeUnixNano: new(int64(at*1000 + 2_500_000)),
			Attributes: JSON(`{"mlflow.spanInputs":{"q":"why"},"mlflow.spanOutputs":"because"}`), StatusCode: new("STATUS_CODE_OK"),
		},
		{
			RecordID: "", TimeMicros: -1, Date: NoDate, TraceID: strings.Repeat("ff", 16), SpanID: strings.Repeat("ff", 8),
			Name: "", Kind: "SPAN_KIND_UNSPECIFIED", StartTimeUnixNano: -1, Attributes: JSON(`{}`), Events: []Event{}, Links: nil,
		},
	}
}

func exampleAnnotations() []Annotation {
	const at = 1_700_000_000_123_000
	// row is one that was not changed after its creation, so many microseconds after at.
	row := func(id string, typ AnnotationType, name, value string, after int64) Annotation {
		a := Annotation{AnnotationID: id, TargetType: TargetTrace, TargetID: strings.Repeat("0a", 16), Type: typ, Name: name,
			CreatedAtMicros: at + after, UpdatedAtMicros: at + after}
		if value != "" {
			a.Value = JSON(value)
		}
		return a
	}
	deleted := row("t2", Tag, "gone", `"x"`, 0)
	deleted.UpdatedAtMicros, deleted.DeletedAtMicros, deleted.DeletedBy = at+1, new(int64(at+1)), new("ann")
	feedback := row("a1", Feedback, "ok", `0.5`, 2)
	feedback.Comment, feedback.CreatedBy, feedback.UpdatedAtMicros, feedback.UpdatedBy = new("why\nnot"), new("bob"), at+3, new("bob")
	feedback.Metadata = JSON(`{"user":"u","mlflow.source.source_type":"HUMAN","mlflow.source.source_id":"bob",` +
		`"mlflow.span_id":"0b0b0b0b0b0b0b0b","mlflow.error.error_code":"E1","mlflow.error.stack_trace":"at x",` +
		`"mlflow.valid":"false","mlflow.overrides":"a0","tracemig.raw.value":"0.50"}`)
	expectation := row("a2", Expectation, "want", `[1, 2]`, 1)
	expectation.Metadata = JSON(`{"mlflow.expectation.serialization_format":"JSON_FORMAT"}`)
	otherFormat := row("a3", Expectation, "other format", `"- 1"`, 4)
	otherFormat.Metadata = JSON(`{"mlflow.expectation.serialization_format":"YAML","mlflow.valid":"true",` +
		`"mlflow.error.error_message":"of no feedback"}`)
	failedFeedback := row("a4", Feedback, "failed", "", 5)
	failedFeedback.Metadata = JSON(`{"mlflow.error.error_message":"no model"}`)
	metadata := row("m1", Metadata, "metadata",
		`{"client_request_id":"c1","trace_metadata":{"mlflow.user":"ann"},"request_preview":"why"}`, 0)
	metadata.Metadata = JSON(`{"tracemig.source":"rig#1","tracemig.source_trace_id":"tr-0a","tracemig.digest":"d1","tracemig.spans":2}`)
	return []Annotation{
		row("t1", Tag, "k", `"v"`, 0), row("t2", Tag, "gone", `"x"`, 0), deleted, feedback, expectation, otherFormat, failedFeedback,
		row("a5", Expectation, "plain", `{"a": 1}`, 6), row("t3", Tag, "k", `"older"`, -1), row("r1", RunLink, "run_link", `"run"`, 0),
		metadata,
	}
}

func lines[T any](rows []T, appendRow func([]byte, *T) []byte) []byte {
	var b []byte
	for i := range rows {
		if i > 0 {
			b = append(b, '\n')
		}
		b = appendRow(b, &rows[i])
	}
	return b
}

func TestJSONLinesGolden(t *testing.T) {
	for name, got := range map[string][]byte{
		"spans.jsonl":       lines(exampleSpans(), AppendSpan),
		"annotations.jsonl": lines(exampleAnnotations(), AppendAnnotation),
	} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// wireSpan is a span as a reader of the line sees it.
type wireSpan struct {
	RecordID               string          `json:"record_id"`
	Time                   int64           `json:"time"`
	Date                   *int32          `json:"date"`
	ServiceName            *string         `json:"service_name"`
	TraceID                string          `json:"trace_id"`
	SpanID                 string          `json:"span_id"`
	TraceState             *string         `json:"trace_state"`
	ParentSpanID           *string         `json:"parent_span_id"`
	Flags                  int32           `json:"flags"`
	Name                   string          `json:"name"`
	Kind                   string          `json:"kind"`
	Start                  int64           `json:"start_time_unix_nano"`
	End                    *int64          `json:"end_time_unix_nano"`
	Attributes             json.RawMessage `json:"attributes"`
	DroppedAttributesCount int32           `json:"dropped_attributes_count"`
	Events                 []wireEvent     `json:"events"`
	DroppedEventsCount     int32           `json:"dropped_events_count"`
	Links                  []wireLink      `json:"links"`
	DroppedLinksCount      int32           `json:"dropped_links_count"`
	Status                 struct {
		Message *string `json:"message"`
		Code    *string `json:"code"`
	} `json:"status"`
	Resource *struct {
		Attributes             json.RawMessage `json:"attributes"`
		DroppedAttributesCount int32           `json:"dropped_attributes_count"`
	} `json:"resource"`
	Scope *struct {
		Name                   *string `json:"name"`
		DroppedAttributesCount int32   `json:"dropped_attributes_count"`
	} `json:"instrumentation_scope"`
}

type wireEvent struct {
	Time                   int64           `json:"time_unix_nano"`
	Name                   string          `json:"name"`
	Attributes             json.RawMessage `json:"attributes"`
	DroppedAttributesCount int32           `json:"dropped_attributes_count"`
}

type wireLink struct {
	TraceID                string          `json:"trace_id"`
	SpanID                 string          `json:"span_id"`
	TraceState             *string         `json:"trace_state"`
	Attributes             json.RawMessage `json:"attributes"`
	DroppedAttributesCount int32           `json:"dropped_attributes_count"`
	Flags                  int32           `json:"flags"`
}

func (w *wireSpan) span() Span {
	s := Span{
		RecordID: w.RecordID, TimeMicros: w.Time, Date: NoDate, ServiceName: w.ServiceName, TraceID: w.TraceID, SpanID: w.SpanID,
		TraceState: w.TraceState, ParentSpanID: w.ParentSpanID, Flags: w.Flags, Name: w.Name,
		Kind: w.Kind, StartTimeUnixNano: w.Start, EndTimeUnixNano: w.End,
		Attributes: JSON(w.Attributes), DroppedAttributesCount: w.DroppedAttributesCount, DroppedEventsCount: w.DroppedEventsCount,
		DroppedLinksCount: w.DroppedLinksCount, StatusMessage: w.Status.Message,
	}
	if w.Status.Code != nil {
		s.StatusCode = w.Status.Code
	}
	if w.Date != nil {
		s.Date = *w.Date
	}
	if w.Scope != nil {
		s.ScopeName = w.Scope.Name
	}
	if w.Resource != nil {
		s.ResourceAttributes = JSON(w.Resource.Attributes)
	}
	for _, e := range w.Events {
		s.Events = append(s.Events, Event{e.Time, e.Name, JSON(e.Attributes), e.DroppedAttributesCount})
	}
	for _, l := range w.Links {
		s.Links = append(s.Links, Link{l.TraceID, l.SpanID, l.TraceState, JSON(l.Attributes), l.DroppedAttributesCount, l.Flags})
	}
	return s
}

// drawJSON makes an object, sometimes with raw newlines between its tokens, or nil.
func drawJSON(t *rapid.T) JSON {
	if rapid.Bool().Draw(t, "nil") {
		return nil
	}
	m := rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "object")
	b, err := json.MarshalIndent(m, "", rapid.SampledFrom([]string{"", " "}).Draw(t, "indent"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func drawSpan(t *rapid.T) Span {
	text := rapid.String()
	s := Span{
		RecordID: text.Draw(t, "record"), TimeMicros: rapid.Int64().Draw(t, "time"), Date: rapid.Int32().Draw(t, "date"),
		ServiceName: rapid.Ptr(text, true).Draw(t, "service"), TraceID: text.Draw(t, "trace"), SpanID: text.Draw(t, "span"),
		TraceState:   rapid.Ptr(text, true).Draw(t, "state"),
		ParentSpanID: rapid.Ptr(text, true).Draw(t, "parent"), Flags: rapid.Int32().Draw(t, "flags"), Name: text.Draw(t, "name"),
		Kind:              text.Draw(t, "kind"),
		StartTimeUnixNano: rapid.Int64().Draw(t, "start"), EndTimeUnixNano: rapid.Ptr(rapid.Int64(), true).Draw(t, "end"),
		Attributes: drawJSON(t), StatusMessage: rapid.Ptr(text, true).Draw(t, "message"),
		StatusCode: rapid.Ptr(text, true).Draw(t, "code"), ResourceAttributes: drawJSON(t),
		ScopeName: rapid.Ptr(text, true).Draw(t, "scope"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "events") {
		s.Events = append(s.Events, Event{rapid.Int64().Draw(t, "at"), text.Draw(t, "event"), drawJSON(t), rapid.Int32().Draw(t, "dropped")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "links") {
		s.Links = append(s.Links, Link{
			text.Draw(t, "linked trace"), text.Draw(t, "linked span"), rapid.Ptr(text, true).Draw(t, "linked state"),
			drawJSON(t), rapid.Int32().Draw(t, "dropped"), rapid.Int32().Draw(t, "flags"),
		})
	}
	return s
}

var compactJSON = cmp.Transformer("compact", func(j JSON) string {
	if j == nil {
		return ""
	}
	var b bytes.Buffer
	if err := json.Compact(&b, j); err != nil {
		return err.Error()
	}
	return b.String()
})

func TestSpanLineRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSpan(t)
		line := AppendSpan(nil, &want)
		if bytes.ContainsRune(line, '\n') {
			t.Fatalf("a newline in %q", line)
		}
		var w wireSpan
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&w); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if diff := cmp.Diff(want, w.span(), compactJSON); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		parsed, err := ParseSpan(line)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, *parsed, compactJSON); diff != "" {
			t.Fatalf("parsed (-want +got):\n%s", diff)
		}
	})
}

func TestAnnotationLineRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		want := Annotation{
			AnnotationID: text.Draw(t, "id"), TargetType: TargetSpan, TargetID: text.Draw(t, "target"), Type: Feedback, Name: text.Draw(t, "name"),
			Value: drawJSON(t), Comment: rapid.Ptr(text, true).Draw(t, "comment"), Metadata: drawJSON(t),
			CreatedAtMicros: rapid.Int64().Draw(t, "created"), CreatedBy: rapid.Ptr(text, true).Draw(t, "cb"),
			UpdatedAtMicros: rapid.Int64().Draw(t, "updated"), UpdatedBy: rapid.Ptr(text, true).Draw(t, "ub"),
			DeletedAtMicros: rapid.Ptr(rapid.Int64(), true).Draw(t, "deleted"), DeletedBy: rapid.Ptr(text, true).Draw(t, "db"),
		}
		line := AppendAnnotation(nil, &want)
		if bytes.ContainsRune(line, '\n') {
			t.Fatalf("a newline in %q", line)
		}
		var w struct {
			AnnotationID string          `json:"annotation_id"`
			TargetType   TargetType      `json:"target_type"`
			TargetID     string          `json:"target_id"`
			Type         AnnotationType  `json:"annotation_type"`
			Name         string          `json:"name"`
			Value        json.RawMessage `json:"value"`
			Comment      *string         `json:"comment"`
			Metadata     json.RawMessage `json:"metadata"`
			CreatedAt    int64           `json:"created_at"`
			CreatedBy    *string         `json:"created_by"`
			UpdatedAt    int64           `json:"updated_at"`
			UpdatedBy    *string         `json:"updated_by"`
			DeletedAt    *int64          `json:"deleted_at"`
			DeletedBy    *string         `json:"deleted_by"`
		}
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&w); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		got := Annotation{w.AnnotationID, w.TargetType, w.TargetID, w.Type, w.Name, JSON(w.Value), w.Comment, JSON(w.Metadata),
			w.CreatedAt, w.CreatedBy, w.UpdatedAt, w.UpdatedBy, w.DeletedAt, w.DeletedBy}
		if diff := cmp.Diff(want, got, compactJSON); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestInvalidUTF8BecomesReplacement(t *testing.T) {
	s := Span{Name: "a\xffb\xc3"}
	var w wireSpan
	if err := json.Unmarshal(AppendSpan(nil, &s), &w); err != nil {
		t.Fatal(err)
	}
	if want := "a\ufffdb\ufffd"; w.Name != want {
		t.Errorf("name %q, want %q", w.Name, want)
	}
}

func TestDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Int64Range(-62_135_596_800_000_000, 253_402_300_799_999_999).Draw(t, "time")
		got := time.Unix(int64(Day(at))*86400, 0).UTC().Format(time.DateOnly)
		if want := time.UnixMicro(at).UTC().Format(time.DateOnly); got != want {
			t.Fatalf("%d is on %s, want %s", at, got, want)
		}
	})
}
