package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/race"
	"github.com/tracemig/tracemig/internal/uctables"
)

const (
	hexTrace = "2dc9e3041b13a2e92f2482702ff5885d"
	trTrace  = "tr-" + hexTrace
)

// spanDoc is a document of one root span with attributes and further members, JSON each.
func spanDoc(attributes, members string) []byte {
	return []byte(`[{"trace_id":"LcnjBBsToukvJIJwL/WIXQ==","span_id":"EfzHQJwVUE0=","parent_span_id":null,"name":"s",` +
		`"start_time_unix_nano":1794740511220414689,"end_time_unix_nano":1794740511225414689` + members +
		`,"attributes":` + attributes + `}]`)
}

func lit(text string) string { return string(quote(nil, text)) }

func codes(notes []Note) []NoteCode {
	var out []NoteCode
	for _, n := range notes {
		out = append(out, n.Code)
	}
	return out
}

// TestAttributeValues gives one attribute "k" as the source's literal and the members that come of it.
func TestAttributeValues(t *testing.T) {
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) // with the column's object one too many
	longKey := `{"` + strings.Repeat("k", maxName) + `":1}`
	for _, tt := range []struct {
		name, literal, want string
		notes               []NoteCode
	}{
		{"string", lit(`"LLM"`), `"k":"LLM"`, nil},
		{"plain text", lit("just text, 50%"), `"k":"just text, 50%"`, nil},
		{"empty text", `""`, `"k":""`, nil},
		{"spaces in JSON", lit("{ \"a\" : [ 1 ,\n2 ] }"), `"k":{"a":[1,2]}`, nil},
		{"raw number", `5`, `"k":5`, nil},
		{"raw null", `null`, `"k":null`, nil},
		{"raw list of texts stays texts", `["[1]"]`, `"k":["[1]"]`, nil},
		{"int64", lit("9223372036854775807"), `"k":9223372036854775807`, nil},
		{"38 digits", lit(strings.Repeat("9", 38)), `"k":` + strings.Repeat("9", 38), nil},
		{"39 digits", lit(strings.Repeat("9", 39)), `"k":"` + strings.Repeat("9", 39) + `"`, []NoteCode{InexactNumber}},
		{"39 digits, round", lit("1" + strings.Repeat("0", 38)), `"k":"1` + strings.Repeat("0", 38) + `"`, []NoteCode{InexactNumber}},
		{"decimal of scale 38", lit("0." + strings.Repeat("1", 38)), `"k":0.` + strings.Repeat("1", 38), nil},
		{"decimal of scale 39", lit("0." + strings.Repeat("1", 39)), `"k":"0.` + strings.Repeat("1", 39) + `"`, []NoteCode{InexactNumber}},
		{"tiny plain decimal", lit("0." + strings.Repeat("0", 45) + "1"), `"k":0.` + strings.Repeat("0", 45) + "1", nil},
		{"decimal stays as spelled", lit("1.50"), `"k":1.50`, nil},
		{"negative zero", lit("[-0.0,-0,0.0,-0e0]"), `"k":[-0.0E0,-0,0.0,-0e0]`, nil},
		{"largest double", lit("1.7976931348623157e+308"), `"k":1.7976931348623157e+308`, nil},
		{"smallest double", lit("5e-324"), `"k":5e-324`, nil},
		{"over the double range", lit("[1e400,-1E400]"), `"k":["1e400","-1E400"]`, []NoteCode{InexactNumber}},
		{"under the double range", lit("1e-400"), `"k":"1e-400"`, []NoteCode{InexactNumber}},
		{"more digits than a double", lit("1.000000000000000001e3"), `"k":"1.000000000000000001e3"`, []NoteCode{InexactNumber}},
		{"17 digits no double has", lit("9.007199254740993e15"), `"k":"9.007199254740993e15"`, []NoteCode{InexactNumber}},
		{"very long number", lit("1." + strings.Repeat("0", maxNumber)), `"k":"1.` + strings.Repeat("0", maxNumber) + `"`,
			[]NoteCode{InexactNumber}},
		{"NaN", lit("NaN"), `"k":"NaN"`, []NoteCode{NonFinite}},
		{"NaN inside", lit(`{"a":[NaN,Infinity,-Infinity,1]}`), `"k":{"a":["NaN","Infinity","-Infinity",1]}`, []NoteCode{NonFinite}},
		{"truncated", lit(`{"a": [1, 2`), `"k":"{\"a\": [1, 2"`, []NoteCode{InvalidJSON}},
		{"two values", lit(`{} {}`), `"k":"{} {}"`, []NoteCode{InvalidJSON}},
		{"number and words", lit(`5 apples`), `"k":"5 apples"`, nil},
		{"line break in a string is no JSON", lit("[\"a\nb\"]"), `"k":"[\"a\nb\"]"`, []NoteCode{InvalidJSON}},
		{"emoji escape", lit(`"\ud83d\ude00"`), `"k":"😀"`, nil},
		{"lone surrogate", lit(`["a\ud83d"]`), `"k":["a` + "\uFFFD" + `"],"tracemig.raw.k":"[\"a\\ud83d\"]"`, []NoteCode{LoneSurrogate}},
		{"lone surrogate, outside", `"[\"a\ud83d\"]"`, `"k":["a` + "\uFFFD" + `"],"tracemig.raw.k":"[\"a\\ud83d\"]"`, []NoteCode{LoneSurrogate}},
		{"lone surrogate, plain text", `"a\ud83d"`, `"k":"a` + "\uFFFD" + `","tracemig.raw.k":"\"a\\ud83d\""`, []NoteCode{LoneSurrogate}},
		{"lone surrogate in a key", lit(`{"\udc00":1}`), `"k":{"` + "\uFFFD" + `":1},"tracemig.raw.k":"{\"\\udc00\":1}"`,
			[]NoteCode{LoneSurrogate}},
		{"duplicate keys", lit(`{"a":1,"b":{"c":1,"c":2},"a":3}`),
			`"k":{"b":{"c":2},"a":3},"tracemig.raw.k":"{\"a\":1,\"b\":{\"c\":1,\"c\":2},\"a\":3}"`, []NoteCode{DuplicateKey}},
		{"duplicate by escape", lit(`{"a":1,"\u0061":2}`), `"k":{"a":2},"tracemig.raw.k":"{\"a\":1,\"\\u0061\":2}"`, []NoteCode{DuplicateKey}},
		{"NUL in a key", lit(`{"a\u0000":"x\u0000"}`), `"k":{"a` + "\uFFFD" + `":"x\u0000"},"tracemig.raw.k":"{\"a\\u0000\":\"x\\u0000\"}"`,
			[]NoteCode{NULInKey}},
		{"too deep", lit(deep), `"k":"` + deep + `"`, []NoteCode{TooDeep}},
		{"deep", lit(deep[1 : len(deep)-1]), `"k":` + deep[1:len(deep)-1], nil},
		{"too deep, raw", deep, `"k":"` + deep + `"`, []NoteCode{TooDeep}},
		{"long key inside", lit(longKey), `"k":` + lit(longKey), []NoteCode{LongKey}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := convert(t, Input{Info: info(trTrace), Spans: spanDoc(`{"k":`+tt.literal+`}`, "")})
			want := "{" + tt.want + "}"
			if canon, err := jsontext.AppendFormat(nil, want); err != nil {
				t.Fatal(err)
			} else if d := cmp.Diff(string(canon), string(res.Trace.Spans[0].Attributes)); d != "" {
				t.Errorf("attributes (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.notes, codes(res.Notes)); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
		})
	}
}

// TestStringsOfTypeScript has spans of MLflow's TypeScript SDK, which stores values and says so by a request ID
// without quotes, wherever that stands: their strings stay strings, without a note.
func TestStringsOfTypeScript(t *testing.T) {
	const values = `"a":"123","b":"true","c":"null","d":"{\"answer\": 42}","e":"[1","f":"\"q\"","g":"NaN"`
	id, quoted := `"mlflow.traceRequestId":"`+trTrace+`"`, `"mlflow.traceRequestId":`+lit(lit(trTrace))
	decoded := `"a":123,"b":true,"c":null,"d":{"answer":42},"e":"[1","f":"q","g":"NaN"`
	inEvent := `,"events":[{"name":"e","time_unix_nano":1,"attributes":{` + id + `,"n":"1"}}]`
	for _, tt := range []struct {
		name, attributes, members, want string
		notes                           []NoteCode
	}{
		{"ID first", id + "," + values, "", id + "," + values, nil},
		{"ID last", values + "," + id, "", values + "," + id, nil},
		{"ID with spaces", values + `, "mlflow.traceRequestId" : "` + trTrace + `"`, "", values + "," + id, nil},
		{"ID with an escape in its key", values + `,"mlflow.trace\u0052equestId":"` + trTrace + `"`, "", values + "," + id, nil},
		{"ID of a UC location", `"a":"1","mlflow.traceRequestId":"trace:/c.s.p/` + hexTrace + `"`, "",
			`"a":"1","mlflow.traceRequestId":"trace:/c.s.p/` + hexTrace + `"`, nil},
		{"values that are no strings", id + `,"o":{"n":"1"},"l":["1",1],"n":1`, "", id + `,"o":{"n":"1"},"l":["1",1],"n":1`, nil},
		{"a lone surrogate", id + `,"s":"\ud800"`, "", id + `,"s":"` + "\ufffd" + `","tracemig.raw.s":"\"\\ud800\""`, []NoteCode{LoneSurrogate}},
		{"of Python, ID last", values + "," + quoted, "", decoded + "," + id, []NoteCode{InvalidJSON, NonFinite}},
		{"of Python, with the ID as a value of an event", quoted + `,"a":"1"`, inEvent, id + `,"a":1`, nil},
		{"of Python, with the ID in a text", `"p":` + lit(`{`+id+`}`) + "," + quoted + `,"a":"1"`, "", `"p":{` + id + `},` + id + `,"a":1`, nil},
		{"without ID", values, "", decoded, []NoteCode{InvalidJSON, NonFinite}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := convert(t, Input{Info: info(trTrace), Spans: spanDoc("{"+tt.attributes+"}", tt.members)})
			if diff := cmp.Diff("{"+tt.want+"}", string(res.Trace.Spans[0].Attributes)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.notes, codes(res.Notes)); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStringsOfBothForms has spans of both forms in one document, which no SDK writes. Each is read in its own form.
func TestStringsOfBothForms(t *testing.T) {
	span := func(id, attributes string) string {
		return fmt.Sprintf(`{"trace_id":"LcnjBBsToukvJIJwL/WIXQ==","span_id":%q,"name":"s","start_time_unix_nano":1,`+
			`"odd":1,"attributes":{"v":"1",%s}}`, id, attributes)
	}
	python, typescript := `"mlflow.traceRequestId":`+lit(lit(trTrace)), `"mlflow.traceRequestId":"`+trTrace+`"`
	for _, forms := range [][]string{{python, typescript, python}, {typescript, python, typescript}} {
		var spans []string
		for i, form := range forms {
			spans = append(spans, span(fmt.Sprintf("%016x", i+1), form))
		}
		res := convert(t, Input{Info: info(trTrace), Spans: []byte("[" + strings.Join(spans, ",") + "]")})
		for i, s := range res.Trace.Spans {
			value := map[string]string{python: "1", typescript: `"1"`}[forms[i]]
			if want := `{"v":` + value + "," + typescript + `,"tracemig.raw.span.odd":"1"}`; string(s.Attributes) != want {
				t.Errorf("%s, want %s", s.Attributes, want)
			}
		}
		if len(res.Notes) != 3 {
			t.Errorf("%+v, want a note for each unknown field", res.Notes)
		}
	}
}

// TestSpanFields gives members of a span beside its attributes, and what the row or the notes show.
func TestSpanFields(t *testing.T) {
	for _, tt := range []struct {
		name, attributes, members string
		notes                     []NoteCode
		check                     func(s uctables.Span) string
		want                      string
	}{
		{"duplicate attribute", `{"a":"1","b":"2","a":"3"}`, "", []NoteCode{DuplicateKey}, attributes, `{"b":2,"a":3,"tracemig.raw.a":"1"}`},
		{"three times, and the user's own raw key", `{"a":"1","a":"2","a":"3","tracemig.raw.a":"\"mine\""}`, "",
			[]NoteCode{DuplicateKey, DuplicateKey}, attributes,
			`{"a":3,"tracemig.raw.a":"mine","tracemig.raw.a.2":"1","tracemig.raw.a.3":"2"}`},
		{"NUL in an attribute key", `{"a\u0000":"1"}`, "", []NoteCode{NULInKey}, attributes,
			`{"a` + "\uFFFD" + `":1,"tracemig.raw.a` + "\uFFFD" + `.key":"\"a\\u0000\""}`},
		{"NUL in the key of a plain text", `{"a\u0000":"text"}`, "", []NoteCode{NULInKey}, attributes,
			`{"a` + "\uFFFD" + `":"text","tracemig.raw.a` + "\uFFFD" + `.key":"\"a\\u0000\""}`},
		{"attributes null", `null`, "", nil, attributes, `{}`},
		{"attributes text", `"x"`, "", []NoteCode{BadValue}, attributes, `{"tracemig.raw.span.attributes":"\"x\""}`},
		{"unknown field", `{}`, `,"color":{"a":1}`, []NoteCode{UnknownField}, attributes, `{"tracemig.raw.span.color":"{\"a\":1}"}`},
		{"NaN in the document", `{"a":NaN}`, "", []NoteCode{NonFinite, NonFinite}, attributes, `{"a":"NaN"}`},
		{"end null", `{}`, `,"end_time":null`, []NoteCode{DuplicateKey},
			func(s uctables.Span) string { return fmt.Sprint(s.EndTimeUnixNano == nil) }, "true"},
		{"times as strings", `{}`, `,"start_time":"1794740511220414690"`, []NoteCode{DuplicateKey},
			func(s uctables.Span) string { return fmt.Sprint(s.StartTimeUnixNano, s.TimeMicros) }, "1794740511220414690 1794740511220414"},
		{"time as float", `{}`, `,"start_time":1794740511220414690.0`, []NoteCode{DuplicateKey, BadTime},
			func(s uctables.Span) string { return fmt.Sprint(s.StartTimeUnixNano) }, "1794740511220414720"},
		{"no time", `{}`, `,"start_time":"yesterday"`, []NoteCode{DuplicateKey, BadTime, BadTime},
			func(s uctables.Span) string { return fmt.Sprint(s.StartTimeUnixNano) }, "1794897423444000000"},
		{"short span ID", `{}`, `,"parent_id":"ff"`, []NoteCode{DuplicateKey, BadID}, func(s uctables.Span) string { return *s.ParentSpanID },
			"00000000000000ff"},
		{"unknown status", `{}`, `,"status":{"code":"FINE","message":"m"}`, []NoteCode{BadValue},
			func(s uctables.Span) string { return fmt.Sprint(s.StatusCode) + *s.StatusMessage }, "<nil>m"},
		{"kind", `{}`, `,"kind":"SPAN_KIND_SERVER"`, nil, func(s uctables.Span) string { return s.Kind }, "SPAN_KIND_SERVER"},
		{"unspecified kind", `{}`, `,"kind":0`, nil, func(s uctables.Span) string { return s.Kind }, "SPAN_KIND_INTERNAL"},
		{"lone surrogate in name", `{}`, `,"name":"a\ud800"`, []NoteCode{DuplicateKey, LoneSurrogate},
			func(s uctables.Span) string { return s.Name }, "a\uFFFD"},
		{"counts", `{}`, `,"flags":4294967295,"dropped_links_count":"2","droppedEventsCount":3`, nil,
			func(s uctables.Span) string { return fmt.Sprint(s.Flags, s.DroppedLinksCount, s.DroppedEventsCount) }, "-1 2 3"},
		{"event without time", `{}`, `,"events":[{"name":"e"}]`, []NoteCode{BadTime}, func(s uctables.Span) string {
			return fmt.Sprint(s.Events[0].TimeUnixNano == s.StartTimeUnixNano) + string(s.Events[0].Attributes)
		}, "true{}"},
		{"event attributes are no JSON texts", `{}`, `,"events":[{"name":"e","timestamp":1,"attributes":{"a":"[1]","b":-0.0}}]`, nil,
			func(s uctables.Span) string { return string(s.Events[0].Attributes) }, `{"a":"[1]","b":-0.0E0}`},
		{"event that is none", `{}`, `,"events":[5]`, []NoteCode{BadValue}, attributes, `{"tracemig.raw.span.events[0]":"5"}`},
		{"link to a custom trace", `{}`, `,"links":[{"trace_id":"tr-mine","span_id":"1"}]`, nil,
			func(s uctables.Span) string { return s.Links[0].TraceID + " " + s.Links[0].SpanID }, "tr-mine 1"},
		{"link into a location", `{}`, `,"links":[{"trace_id":"trace:/a.b.c/` + hexTrace + `","span_id":"1","attributes":{}}]`, nil,
			func(s uctables.Span) string {
				return s.Links[0].TraceID + fmt.Sprint(s.Links[0].Attributes == nil)
			}, "trace:/a.b.c/" + hexTrace + "true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := convert(t, Input{Info: info(trTrace), Spans: spanDoc(tt.attributes, tt.members)})
			got := codes(res.Notes)
			// no_root follows from a parent and is not what these cases are about.
			got = slices.DeleteFunc(got, func(c NoteCode) bool { return c == NoRoot })
			if d := cmp.Diff(tt.notes, got); d != "" && !(len(got) == 0 && len(tt.notes) == 0) {
				t.Errorf("notes (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.want, tt.check(res.Trace.Spans[0])); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func attributes(s uctables.Span) string { return string(s.Attributes) }

func TestSpanIDs(t *testing.T) {
	span := func(id, parent, name string) string {
		return fmt.Sprintf(`{"context":{"trace_id":%q,"span_id":%s},"parent_id":%s,"name":%q,"start_time":1,"end_time":2,`+
			`"attributes":{}}`, hexTrace, id, parent, name)
	}
	doc := func(spans ...string) []byte { return []byte("[" + strings.Join(spans, ",") + "]") }
	ids := func(res Result) (out []string) {
		for _, s := range res.Trace.Spans {
			parent := "-"
			if s.ParentSpanID != nil {
				parent = *s.ParentSpanID
			}
			out = append(out, s.Name+" "+s.SpanID+" "+parent)
		}
		return out
	}
	const one, two = `"0000000000000001"`, `"0000000000000002"`
	for _, tt := range []struct {
		name  string
		doc   []byte
		want  []string
		notes []NoteCode
	}{
		{"roots last, else the source's order", doc(span(one, "null", "root"), span(two, one, "b"), span(`"0000000000000003"`, one, "a")),
			[]string{"b 0000000000000002 0000000000000001", "a 0000000000000003 0000000000000001", "root 0000000000000001 -"}, nil},
		{"identical twice", doc(span(one, "null", "a"), span(one, "null", "a")), []string{"a 0000000000000001 -"}, []NoteCode{DuplicateSpan}},
		{"another with the same ID", doc(span(one, "null", "a"), span(one, "null", "b"), span(one, "null", "b")),
			[]string{"a 0000000000000001 -", "b " + deriveSpanID(hexTrace, "0000000000000001", "2") + " -"},
			[]NoteCode{DuplicateSpan, DuplicateSpan}},
		{"custom IDs keep the tree", doc(span(`"root!"`, "null", "a"), span(two, `"root!"`, "b")),
			[]string{"b 0000000000000002 " + deriveSpanID("root!"), "a " + deriveSpanID("root!") + " -"}, []NoteCode{BadID, BadID}},
		{"no ID", doc(span("null", `"0000000000000000"`, "a")), []string{"a " + deriveSpanID(trTrace, "index", "0") + " -"}, []NoteCode{BadID}},
		{"parent missing", doc(span(one, two, "a")), []string{"a 0000000000000001 0000000000000002"}, []NoteCode{NoRoot}},
		{"no spans", []byte("[]"), nil, []NoteCode{NoRoot}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := convert(t, Input{Info: info(trTrace), Spans: tt.doc})
			if d := cmp.Diff(tt.want, ids(res)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.notes, codes(res.Notes)); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
		})
	}
}

func TestTraceID(t *testing.T) {
	const other = "a26ebcbd843ba969754525ee16c62a48"
	spans := []byte(`{"spans":[{"trace_id":"om68vYQ7qWl1RSXuFsYqSA==","span_id":"AAAAAAAAAAE=","name":"s","start_time_unix_nano":1},` +
		`{"trace_id":"tr-` + hexTrace + `","span_id":"AAAAAAAAAAI=","name":"s","start_time_unix_nano":1}]}`)
	for _, tt := range []struct {
		id    string
		spans []byte
		want  string
	}{
		{trTrace, spans, hexTrace},
		{"tr-" + strings.ToUpper(hexTrace), nil, hexTrace},
		{"trace:/cat.sch.pre/" + hexTrace, spans, hexTrace},
		{hexTrace, nil, hexTrace},
		{"tr-custom", spans, other},
		{"tr-" + strings.Repeat("0", 32), spans, other},
		{"tr-custom", nil, strings.ReplaceAll(derive("trace", "tr-custom").String(), "-", "")},
	} {
		res := convert(t, Input{Info: info(tt.id), Spans: tt.spans})
		want := tt.want
		if res.Trace.TraceID != want {
			t.Errorf("%s: got %s, want %s", tt.id, res.Trace.TraceID, want)
		}
		for _, s := range res.Trace.Spans {
			if s.TraceID != want {
				t.Errorf("%s: a row has %s", tt.id, s.TraceID)
			}
		}
		var meta map[string]any
		last := res.Trace.Annotations[len(res.Trace.Annotations)-1]
		if err := json.Unmarshal(last.Metadata, &meta); err != nil {
			t.Fatal(err)
		}
		if meta[uctables.KeySourceTraceID] != tt.id {
			t.Errorf("%s: provenance names %v", tt.id, meta[uctables.KeySourceTraceID])
		}
		if own := meta[KeyOTelTraceID]; tt.spans != nil && want != other && own != other {
			t.Errorf("%s: the spans' own trace ID is lost: %v", tt.id, own)
		}
		if tt.spans != nil && !slices.Contains(codes(res.Notes), OtherTraceID) {
			t.Errorf("%s: no note on the second span's trace ID", tt.id)
		}
	}
}

// TestPinnedIDs wants the derived IDs to stay what they are: with others, a run would write every annotation a second
// time.
func TestPinnedIDs(t *testing.T) {
	got := []string{
		Namespace.String(), derive("tag", hexTrace, "k").String(), deriveSpanID("x"),
		uctables.RecordID(1794740511220414689, hexTrace, "11fcc7409c15504d"), uctables.RecordID(-5, hexTrace, ""),
	}
	want := []string{
		"d165335f-ee3a-5d32-a2cb-3fa194200868", "83d99799-fa2a-5a55-bb22-2eed9e23b130", "06856c90fcab51bf",
		"01a1dede-e1f4-7bd7-a757-75819c4f7e2a", "00000000-0000-7c33-bceb-882845fc846c",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestAnnotations(t *testing.T) {
	ti := info(trTrace)
	ti.Metadata = map[string]string{"mlflow.user": "ann", "mlflow.sourceRun": "run2", "k": `"quoted"`, uctables.SourceExperimentID: "before"}
	ti.Tags = map[string]string{
		"b": "", "a": "x",
		"mlflow.artifactLocation": "dbfs:/t", "mlflow.trace.spansLocation": "ARTIFACT_REPO", "mlflow.trace.archiveLocation": "s3://a",
	}
	ti.ClientRequestID, ti.RequestPreview, ti.ExecutionDuration = new("req"), new(""), new("0.030s")
	at := requestTime
	base := mlflow.Assessment{SourceType: "HUMAN", SourceID: "bob", CreateTime: at, LastUpdateTime: at}
	with := func(id string, f func(*mlflow.Assessment)) mlflow.Assessment {
		a := base
		a.ID, a.Name = id, "n-"+id
		f(&a)
		return a
	}
	ti.Assessments = []mlflow.Assessment{
		with("f", func(a *mlflow.Assessment) {
			a.Feedback = &mlflow.Feedback{
				Value: jsontext.Value(`{"a": [1, -0.0, 12345678901234567890]}`),
				Error: &mlflow.AssessmentError{Code: new("E"), Message: new("m\n")},
			}
			a.Rationale, a.Valid, a.Overrides, a.SpanID = new("because"), new(false), new("older"), new("11fcc7409c15504d")
			a.Metadata = map[string]string{"mine": "1", uctables.AssessmentValid: "theirs", "mlflow.assessment.judgeCost": "0.1"}
		}),
		with("e", func(a *mlflow.Assessment) { a.Expectation = &mlflow.Expectation{Value: jsontext.Value("null")} }),
		with("s", func(a *mlflow.Assessment) {
			a.Expectation = &mlflow.Expectation{Serialized: &mlflow.SerializedValue{Format: "JSON_FORMAT", Value: `["x", {"b": 1, "a": 2}]`}}
		}),
		with("l", func(a *mlflow.Assessment) { a.Expectation = &mlflow.Expectation{Value: jsontext.Value("[1]")} }),
		with("p", func(a *mlflow.Assessment) {
			a.Expectation = &mlflow.Expectation{Serialized: &mlflow.SerializedValue{Format: "JSON_FORMAT", Value: `{no json`}}
		}),
		with("v", func(a *mlflow.Assessment) { a.Expectation = &mlflow.Expectation{} }),
		with("o", func(a *mlflow.Assessment) {
			a.Expectation = &mlflow.Expectation{Serialized: &mlflow.SerializedValue{Format: "OTHER", Value: `{"a":1}`}}
		}),
		with("i", func(a *mlflow.Assessment) { a.Issue = new("slow") }),
		with("n", func(a *mlflow.Assessment) { a.Feedback = &mlflow.Feedback{Error: &mlflow.AssessmentError{}} }),
		with("", func(a *mlflow.Assessment) {}),
		with("e", func(a *mlflow.Assessment) { a.Feedback = &mlflow.Feedback{Value: jsontext.Value("1")} }),
		with("e", func(a *mlflow.Assessment) { a.Expectation = &mlflow.Expectation{Value: jsontext.Value("null")} }),
	}
	res := convert(t, Input{Info: ti, SpansMissing: "gone", Runs: []string{"run2", "run1", "run2"}})
	var got bytes.Buffer
	for _, a := range res.Trace.Annotations {
		deref := func(s *string) string {
			if s == nil {
				return "NULL"
			}
			return *s
		}
		value, metadata := string(a.Value), string(a.Metadata)
		if a.Value == nil {
			value = "NULL"
		}
		metadata = strings.NewReplacer(ti.Digest(), "DIGEST", fmt.Sprint(at.UnixMicro()), "AT").Replace(metadata)
		fmt.Fprintf(&got, "%s %s %s value=%s comment=%s by=%s metadata=%s\n", a.Type, strings.TrimPrefix(a.TargetID, hexTrace), a.Name,
			value, deref(a.Comment), deref(a.CreatedBy), metadata)
		if a.CreatedAtMicros != at.UnixMicro() || a.UpdatedAtMicros != at.UnixMicro() || deref(a.UpdatedBy) != deref(a.CreatedBy) {
			t.Errorf("%s: created at %d by %s, updated at %d by %s, want both at %d by the same",
				a.Name, a.CreatedAtMicros, deref(a.CreatedBy), a.UpdatedAtMicros, deref(a.UpdatedBy), at.UnixMicro())
		}
	}
	internal := `"mlflow.source.source_type":"HUMAN","mlflow.source.source_id":"bob"`
	want := `TAG  a value="x" comment=NULL by=NULL metadata=
TAG  b value="" comment=NULL by=NULL metadata=
FEEDBACK  n-f value={"a":[1,-0.0E0,12345678901234567890]} comment=because by=bob metadata={"mine":"1",` +
		`"mlflow.assessment.judgeCost":"0.1","tracemig.raw.mlflow.valid":"theirs",` + internal +
		`,"mlflow.overrides":"older","mlflow.valid":"false","mlflow.span_id":"11fcc7409c15504d",` +
		`"mlflow.error.error_code":"E","mlflow.error.error_message":"m\n"}
EXPECTATION  n-e value=null comment=NULL by=bob metadata={` + internal + `}
EXPECTATION  n-s value=["x",{"b":1,"a":2}] comment=NULL by=bob metadata={` + internal +
		`,"mlflow.expectation.serialization_format":"JSON_FORMAT"}
EXPECTATION  n-l value=[1] comment=NULL by=bob metadata={` + internal + `,"mlflow.expectation.serialization_format":"JSON_FORMAT"}
EXPECTATION  n-p value="{no json" comment=NULL by=bob metadata={` + internal + `,"tracemig.serialization_format":"JSON_FORMAT"}
EXPECTATION  n-v value=NULL comment=NULL by=bob metadata={` + internal + `}
EXPECTATION  n-o value="{\"a\":1}" comment=NULL by=bob metadata={` + internal + `,"mlflow.expectation.serialization_format":"OTHER"}
FEEDBACK  n-i value="slow" comment=NULL by=bob metadata={` + internal + `,"tracemig.issue_name":"slow"}
FEEDBACK  n-n value=NULL comment=NULL by=bob metadata={` + internal + `,"mlflow.error.error_code":""}
FEEDBACK  n- value=NULL comment=NULL by=bob metadata={` + internal + `}
FEEDBACK  n-e value=1 comment=NULL by=bob metadata={` + internal + `}
RUN_LINK  run_link value="run1" comment=NULL by=NULL metadata=
RUN_LINK  run_link value="run2" comment=NULL by=NULL metadata=
METADATA  metadata value={"client_request_id":"req","trace_metadata":{"k":"\"quoted\"",` +
		`"tracemig.raw.mlflow.migration.sourceExperimentId":"before","mlflow.sourceRun":"run2","mlflow.user":"ann",` +
		`"mlflow.migration.sourceExperimentId":"1"},"request_preview":"","response_preview":null} comment=NULL by=NULL ` +
		`metadata={"tracemig.source":"test#1","tracemig.source_trace_id":"` + trTrace + `","tracemig.digest":"DIGEST",` +
		`"tracemig.spans":0,"tracemig.spans_missing":"gone","tracemig.source_experiment_id":"1","tracemig.source_state":"OK",` +
		`"tracemig.source_execution_duration":"0.030s","tracemig.source_tags":{"mlflow.artifactLocation":"dbfs:/t",` +
		`"mlflow.trace.spansLocation":"ARTIFACT_REPO","mlflow.trace.archiveLocation":"s3://a"},` +
		`"tracemig.versions":[["f",AT],["e",AT],["s",AT],["l",AT],["p",AT],["v",AT],["o",AT],["i",AT],["n",AT],["THIRD",AT],["DERIVED",AT]]}
`
	third, derived := derive("assessment", hexTrace, "n-", "9"), derive("assessment", hexTrace, "e", "10")
	want = strings.NewReplacer("THIRD", third.String(), "DERIVED", derived.String()).Replace(want)
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	notes := []NoteCode{
		KeyCollision, InvalidJSON, IssueLink, BadAssessment, BadAssessment, BadAssessment, BadAssessment, KeyCollision,
	}
	if d := cmp.Diff(notes, codes(res.Notes)); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
}

// TestHugeValues checks that every column fits and that the parts give the source's text again.
func TestHugeValues(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("megabytes")
	}
	big := `{"text": "` + strings.Repeat("größer ", 2_500_000) + `", "n": 1}`
	doc := spanDoc(`{"small":"1","big":`+lit(big)+`}`,
		`,"events":[{"name":"e","timestamp":1,"attributes":{"huge":"`+strings.Repeat("y", 15<<20)+`"}}]`)
	ti := info(trTrace)
	ti.RequestPreview = new(strings.Repeat("p", 15<<20))
	ti.Tags = map[string]string{"t": strings.Repeat("q", 15<<20)}
	res := convert(t, Input{Info: ti, Spans: doc})
	s := res.Trace.Spans[0]
	want := fmt.Sprintf(`{"small":1,"big":"[tracemig.overflow: %d bytes of JSON text]"}`, len(big))
	if got := string(s.Attributes); got != want {
		t.Errorf("attributes %.200s, want %s", got, want)
	}
	parts := map[string]string{}
	type part struct {
		Of, Key, Text string
		Part, Parts   int
		AnnotationID  string `json:"annotation_id"`
	}
	for _, e := range s.Events {
		if e.Name != OverflowName {
			continue
		}
		var p part
		if err := json.Unmarshal(e.Attributes, &p); err != nil {
			t.Fatal(err)
		}
		parts[p.Of+" "+p.Key] += p.Text
		if variantBound(e.Attributes) > maxVariant {
			t.Errorf("a part takes %d bytes, want at most %d", variantBound(e.Attributes), maxVariant)
		}
	}
	if parts["attributes big"] != big {
		t.Error("the parts are not the source's text")
	}
	if parts["events[0].attributes huge"] != `"`+strings.Repeat("y", 15<<20)+`"` {
		t.Error("the parts are not the event's text")
	}
	for _, a := range res.Trace.Annotations {
		if variantBound(a.Value) > maxVariant {
			t.Errorf("%s takes %d bytes, want at most %d", a.Name, variantBound(a.Value), maxVariant)
		}
		if strings.HasPrefix(a.Name, OverflowName) {
			var p part
			var text string
			if err := json.Unmarshal(a.Metadata, &p); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(a.Value, &text); err != nil {
				t.Fatal(err)
			}
			parts[p.AnnotationID+p.Key] += text
		}
	}
	if want := lit(*ti.RequestPreview); parts[uctables.MetadataID(hexTrace)+"request_preview"] != want {
		t.Error("the parts are not the preview")
	}
	if want := lit(ti.Tags["t"]); parts[uctables.TagID(hexTrace, "t")] != want {
		t.Error("the parts are not the tag")
	}
	if last := res.Trace.Annotations[len(res.Trace.Annotations)-1]; last.Type != uctables.Metadata {
		t.Errorf("the last row is %s, want METADATA", last.Type)
	}
	if d := cmp.Diff([]NoteCode{TooLarge, TooLarge, TooLarge, TooLarge}, codes(res.Notes)); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
}

// TestHugeNumberOfAttributes exceeds the limit without one large value.
func TestHugeNumberOfAttributes(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("megabytes")
	}
	var b strings.Builder
	for i := range 600_000 {
		fmt.Fprintf(&b, `,"key%07d":"%d"`, i, i)
	}
	attrs := "{" + b.String()[1:] + "}"
	res := convert(t, Input{Info: info(trTrace), Spans: spanDoc(attrs, "")})
	s := res.Trace.Spans[0]
	if len(s.Attributes) > 1000 || len(s.Events) < 2 {
		t.Fatalf("attributes of %d bytes, %d events, want at most 1000 bytes and several events", len(s.Attributes), len(s.Events))
	}
	text := ""
	for _, e := range s.Events {
		var p struct{ Text string }
		if err := json.Unmarshal(e.Attributes, &p); err != nil {
			t.Fatal(err)
		}
		text += p.Text
	}
	// The values were JSON texts of numbers.
	if want := strings.NewReplacer(`":"`, `":`, `",`, `,`, `"}`, `}`).Replace(attrs); text != want {
		t.Errorf("the parts hold %d bytes that are not the %d bytes of the attributes", len(text), len(want))
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Input
		want Reason
	}{
		{"no info", Input{}, NoTrace},
		{"no ID", Input{Info: &mlflow.TraceInfo{}}, NoTrace},
		{"truncated", Input{Info: info(trTrace), Spans: []byte(`{"spans":[{"name":`)}, SpansNotJSON},
		{"empty", Input{Info: info(trTrace), Spans: []byte{}}, SpansNotJSON},
		{"text after it", Input{Info: info(trTrace), Spans: []byte(`[] x`)}, SpansNotJSON},
		{"NaN and truncated", Input{Info: info(trTrace), Spans: []byte(`[{"a":NaN`)}, SpansNotJSON},
		{"number", Input{Info: info(trTrace), Spans: []byte(`5`)}, SpansForm},
		{"no spans", Input{Info: info(trTrace), Spans: []byte(`{"a":1}`)}, SpansForm},
		{"null", Input{Info: info(trTrace), Spans: []byte(`{"spans":null}`)}, SpansForm},
		{"a span that is none", Input{Info: info(trTrace), Spans: []byte(`[5]`)}, SpansForm},
	} {
		_, err := Convert(tt.in, Options{})
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Reason != tt.want || e.Unwrap() == nil {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestServiceName(t *testing.T) {
	tagged := map[string]string{mlflow.TagServiceName: "of the tag"}
	for name, c := range map[string]struct {
		flag       string
		tags       map[string]string
		attributes string
		want       string
	}{
		"none":                  {want: ""},
		"flag":                  {flag: `my "svc"`, tags: tagged, want: `my "svc"`},
		"tag":                   {tags: tagged, attributes: `{"service.name":"\"of the root\""}`, want: "of the tag"},
		"root, as JSON text":    {attributes: `{"service.name":"\"of the root\""}`, want: "of the root"},
		"root, as it is":        {attributes: `{"service.name":"of the root"}`, want: "of the root"},
		"root, with no service": {attributes: `{"service.name":7}`, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			ti := info(trTrace)
			ti.Tags = c.tags
			res, err := Convert(Input{Info: ti, Spans: spanDoc(orEmpty(c.attributes), "")}, Options{ServiceName: c.flag})
			if err != nil {
				t.Fatal(err)
			}
			s := res.Trace.Spans[0]
			if want := fmt.Sprintf(`{"service.name":%q}`, c.want); *s.ServiceName != c.want || string(s.ResourceAttributes) != want {
				t.Errorf("got %s, %s, want %s", *s.ServiceName, s.ResourceAttributes, want)
			}
		})
	}
}

// TestUserAndSession wants user and session on root spans, as MLflow's own exporter sets them, unless they have them
// already.
func TestUserAndSession(t *testing.T) {
	ti := info(trTrace)
	ti.Metadata = map[string]string{mlflow.MetadataUser: "ann", mlflow.MetadataSession: "s-1"}
	doc := []byte(`[{"name":"root","span_id":"0000000000000001","start_time_unix_nano":1,"attributes":{"a":"1"}},
		{"name":"other root","span_id":"0000000000000002","start_time_unix_nano":1,"attributes":{"user.id":"\"bob\""}},
		{"name":"child","span_id":"0000000000000003","parent_span_id":"0000000000000001","start_time_unix_nano":1}]`)
	got := map[string]string{}
	for _, s := range convert(t, Input{Info: ti, Spans: doc}).Trace.Spans {
		got[s.Name] = string(s.Attributes)
	}
	want := map[string]string{
		"root":       `{"a":1,"user.id":"ann","session.id":"s-1"}`,
		"other root": `{"user.id":"bob","session.id":"s-1"}`,
		"child":      `{}`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func orEmpty(attributes string) string {
	if attributes == "" {
		return "{}"
	}
	return attributes
}

func TestInvalidUTF8(t *testing.T) {
	ti := info(trTrace)
	ti.Tags = map[string]string{"k": "a\xff"}
	res := convert(t, Input{Info: ti, Spans: spanDoc("{\"a\":\"b\xff\"}", "")})
	if got, want := attributes(res.Trace.Spans[0]), `{"a":"b`+"\uFFFD"+`"}`; got != want {
		t.Errorf("attributes %s, want %s", got, want)
	}
	if got, want := string(res.Trace.Annotations[0].Value), `"a`+"\uFFFD"+`"`; got != want {
		t.Errorf("the tag is %s, want %s", got, want)
	}
	if d := cmp.Diff([]NoteCode{InvalidUTF8, InvalidUTF8}, codes(res.Notes)); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
}

// A document that has to be read a second time, with its NaN in quotes, still gives the trace its ID.
func TestRepairedDocumentKeepsItsTraceID(t *testing.T) {
	spans := `[{"trace_id":"2dc9e3041b13a2e92f2482702ff5885d","span_id":"00000000000000a1","name":"a","attributes":{"x":1}},` +
		`{"trace_id":"2dc9e3041b13a2e92f2482702ff5885d","span_id":"00000000000000a2","name":"b","attributes":{"x":NaN}}]`
	res, err := Convert(Input{Info: info("my own"), Spans: []byte(spans)}, Options{Source: "s"})
	if err != nil || res.Trace.TraceID != hexTrace {
		t.Errorf("trace ID %q, error %v, want %s", res.Trace.TraceID, err, hexTrace)
	}
}
