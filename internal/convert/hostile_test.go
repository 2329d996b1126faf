package convert

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/mlflow"
	"github.com/tracemig/tracemig/internal/uctables"
)

// hostileSpan is a span in MLflow 3's form; members beside its IDs are JSON.
func hostileSpan(id, parent, members string) string {
	return fmt.Sprintf(`{"trace_id":"LcnjBBsToukvJIJwL/WIXQ==","span_id":%q,"parent_span_id":%s,"name":"s","attributes":{}%s}`,
		id, parent, members)
}

// TestHostileTrees has spans whose parents make no tree. Every span stays, with the parent that it names.
func TestHostileTrees(t *testing.T) {
	const a, b, c = "000000000000000a", "000000000000000b", "000000000000000c"
	quoted := func(s string) string { return `"` + s + `"` }
	for _, tt := range []struct {
		name  string
		spans []string
		want  string // span<parent
		notes []NoteCode
	}{
		{"a parent that is not there", []string{hostileSpan(a, "null", ""), hostileSpan(b, quoted("00000000000000ff"), "")}, "b<ff a<", nil},
		{"no root", []string{hostileSpan(b, quoted("00000000000000ff"), "")}, "b<ff", []NoteCode{NoRoot}},
		{"its own parent", []string{hostileSpan(a, quoted(a), "")}, "a<a", []NoteCode{NoRoot}},
		{"a cycle", []string{hostileSpan(a, quoted(b), ""), hostileSpan(b, quoted(c), ""), hostileSpan(c, quoted(a), "")}, "a<b b<c c<a",
			[]NoteCode{NoRoot}},
		{"a cycle beside a root", []string{hostileSpan(a, "null", ""), hostileSpan(b, quoted(c), ""), hostileSpan(c, quoted(b), "")},
			"b<c c<b a<", nil},
		{"two roots", []string{hostileSpan(a, "null", ""), hostileSpan(b, `""`, ""), hostileSpan(c, quoted(b), "")}, "c<b a< b<", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := convert(t, Input{Info: info(trTrace), Spans: []byte("[" + strings.Join(tt.spans, ",") + "]")})
			var got []string
			for _, s := range res.Trace.Spans {
				parent := ""
				if s.ParentSpanID != nil {
					parent = strings.TrimLeft(*s.ParentSpanID, "0")
				}
				got = append(got, strings.TrimLeft(s.SpanID, "0")+"<"+parent)
			}
			if d := cmp.Diff(tt.want, strings.Join(got, " ")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			// They have no times, which this test is not about.
			var notes []NoteCode
			for _, code := range codes(res.Notes) {
				if code != BadTime {
					notes = append(notes, code)
				}
			}
			if d := cmp.Diff(tt.notes, notes); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
		})
	}
}

// TestHostileTimes has times that no clock shows. A row has them as they are, as long as 64 bits of
// nanoseconds can hold them.
func TestHostileTimes(t *testing.T) {
	const asked = int64(1794897423444000000) // the trace's request time
	for _, tt := range []struct {
		name, start, end string
		wantStart        int64
		wantEnd          any // nil for NULL
		notes            []NoteCode
		kept             string // part of the attributes
	}{
		{"zero", "0", "0", 0, nil, nil, "{}"},
		{"negative", "-1500", "-1", -1500, int64(-1), nil, "{}"},
		{"the first that there is", "-9223372036854775808", "1", math.MinInt64, int64(1), nil, "{}"},
		{"the last that there is", "9223372036854775807", "9223372036854775807", math.MaxInt64, int64(math.MaxInt64), nil, "{}"},
		{"after 2262", "9223372036854775808", "99999999999999999999", asked, nil, []NoteCode{BadTime, BadTime, BadTime},
			`{"tracemig.raw.span.start_time_unix_nano":"9223372036854775808","tracemig.raw.span.end_time_unix_nano":"99999999999999999999"}`},
		{"before 1677", `"-9223372036854775809"`, "1e300", asked, nil, []NoteCode{BadTime, BadTime, BadTime},
			`"tracemig.raw.span.end_time_unix_nano":"1e300"`},
		{"infinite", "Infinity", "NaN", asked, nil, []NoteCode{NonFinite, BadTime, BadTime, BadTime}, "start_time_unix_nano"},
		{"end before start", "2000", "1000", 2000, int64(1000), nil, "{}"},
		{"a list", "[1]", "{}", asked, nil, []NoteCode{BadTime, BadTime, BadTime}, `"tracemig.raw.span.start_time_unix_nano":"[1]"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			span := hostileSpan("000000000000000a", "null", `,"start_time_unix_nano":`+tt.start+`,"end_time_unix_nano":`+tt.end)
			res := convert(t, Input{Info: info(trTrace), Spans: []byte("[" + span + "]")})
			s := res.Trace.Spans[0]
			var end any
			if s.EndTimeUnixNano != nil {
				end = *s.EndTimeUnixNano
			}
			if s.StartTimeUnixNano != tt.wantStart || end != tt.wantEnd || s.TimeMicros != time.Unix(0, tt.wantStart).UnixMicro() {
				t.Errorf("start %d (%d µs), end %v; want %d, %v", s.StartTimeUnixNano, s.TimeMicros, end, tt.wantStart, tt.wantEnd)
			}
			if d := cmp.Diff(tt.notes, codes(res.Notes)); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
			if !strings.Contains(string(s.Attributes), tt.kept) {
				t.Errorf("attributes %s lack %s", s.Attributes, tt.kept)
			}
			if len(s.RecordID) != 36 {
				t.Errorf("record ID %q has %d characters, want 36", s.RecordID, len(s.RecordID))
			}
		})
	}
	// The request time, which replaces a start that is no time, may itself be beyond 64 bits of nanoseconds.
	for year, want := range map[int]int64{1: -math.MaxInt64 / 1_000_000 * 1_000_000, 9999: math.MaxInt64 / 1_000_000 * 1_000_000} {
		ti := info(trTrace)
		ti.RequestTime = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		res := convert(t, Input{Info: ti, Spans: []byte("[" + hostileSpan("000000000000000a", "null", "") + "]")})
		if got := res.Trace.Spans[0].StartTimeUnixNano; got != want {
			t.Errorf("year %d: start %d, want %d", year, got, want)
		}
		for _, a := range res.Trace.Annotations {
			if a.CreatedAtMicros != ti.RequestTime.UnixMicro() {
				t.Errorf("year %d: created_at %d, want %d", year, a.CreatedAtMicros, ti.RequestTime.UnixMicro())
			}
		}
	}
}

// TestHostileIDs has span IDs of any length and sign. A span gets an OTEL ID, its children name that as their
// parent, and no span is lost.
func TestHostileIDs(t *testing.T) {
	for _, id := range []string{
		"f", "0", "-1", strings.Repeat("f", 15), strings.Repeat("f", 17), strings.Repeat("f", 400),
		"'; DROP TABLE x; --", "a\x00\x1b[2J", "\u202e", "AAAAAAAAAAA=", "日本",
	} {
		t.Run(fmt.Sprintf("%.20q", id), func(t *testing.T) {
			quoted := string(quote(nil, id))
			root := strings.Replace(hostileSpan("", "null", ""), `"span_id":""`, `"span_id":`+quoted, 1)
			res := convert(t, Input{Info: info(trTrace), Spans: []byte("[" + root + "," + hostileSpan("00000000000000cc", quoted, "") + "]")})
			if len(res.Trace.Spans) != 2 {
				t.Fatalf("%d spans, want 2", len(res.Trace.Spans))
			}
			ids := map[string]bool{}
			for _, s := range res.Trace.Spans {
				if id, exact := mlflow.ParseSpanID(s.SpanID); id != s.SpanID || !exact {
					t.Errorf("span ID %q, want 16 hex digits that are not all zero", s.SpanID)
				}
				ids[s.SpanID] = true
			}
			for _, s := range res.Trace.Spans {
				if s.ParentSpanID != nil && !ids[*s.ParentSpanID] {
					t.Errorf("parent %s is none of the spans %v", *s.ParentSpanID, ids)
				}
			}
			if len(ids) != 2 {
				t.Errorf("%d IDs, want 2", len(ids))
			}
		})
	}
}

// TestHostileTexts has names, keys and values that a terminal, SQL or a browser would act on. The rows hold
// them as they are, because they are data.
func TestHostileTexts(t *testing.T) {
	texts := []string{
		"'; DROP TABLE spans; --", `"`, "`", "${env:HOME}", "{{7*7}}", ":rows", "?", "\\", "\\u0000",
		"\r\n\t\v\x1b[2J\x07\x7f", "\u202egnp.exe\u2066\u2069",
		"\ufeff", "\u0000", "a\u0000b", "<script>", strings.Repeat("A", 1000), "\U0010ffff", "́́́",
	}
	for _, text := range texts {
		t.Run(fmt.Sprintf("%.30q", text), func(t *testing.T) {
			ti := info(trTrace)
			ti.Tags = map[string]string{text: text}
			ti.Metadata = map[string]string{text: text}
			ti.Assessments = []mlflow.Assessment{{
				ID: "a-1", Name: text, SourceType: text, SourceID: text, Rationale: &text,
				Feedback: &mlflow.Feedback{Value: quote(nil, text)},
			}}
			lit := string(quote(nil, text))
			members := `,"start_time_unix_nano":1,"status":{"code":"OK","message":` + lit + `}`
			span := strings.Replace(hostileSpan("000000000000000a", "null", members), `"name":"s"`, `"name":`+lit, 1)
			res := convert(t, Input{Info: ti, Spans: []byte("[" + span + "]")})
			s := res.Trace.Spans[0]
			if s.Name != text || *s.StatusMessage != text {
				t.Errorf("name %q, status %q, want both %q", s.Name, *s.StatusMessage, text)
			}
			found := 0
			for _, a := range res.Trace.Annotations {
				switch a.Type {
				case uctables.Tag:
					if a.Name == text && string(a.Value) == lit {
						found++
					}
				case uctables.Feedback:
					if a.Name == text && *a.Comment == text && *a.CreatedBy == text && string(a.Value) == lit {
						found++
					}
				}
			}
			if found != 2 {
				t.Errorf("%d of the tag and the feedback are as they were, want 2: %+v", found, res.Trace.Annotations)
			}
		})
	}
}

// TestOtherTracesDocument has documents of which no span is of the trace that was asked for: they
// are refused, whichever of the two IDs says so.
func TestOtherTracesDocument(t *testing.T) {
	const other = "a26ebcbd843ba969754525ee16c62a48"
	span := func(traceID, requestID string) string {
		attributes := "{}"
		if requestID != "" {
			attributes = `{"mlflow.traceRequestId":` + lit(lit(requestID)) + `}`
		}
		return fmt.Sprintf(`{"trace_id":%q,"span_id":"000000000000000a","name":"s","start_time_unix_nano":1,"attributes":%s}`,
			"tr-"+traceID, attributes)
	}
	v2 := func(requestID string) string {
		return fmt.Sprintf(`{"context":{"trace_id":%q,"span_id":"000000000000000a"},"name":"s","start_time":1,`+
			`"attributes":{"mlflow.traceRequestId":%s}}`, other, lit(lit(requestID)))
	}
	otlp := `{"traceId":"om68vYQ7qWl1RSXuFsYqSA==","spanId":"AAAAAAAAAAE=","startTimeUnixNano":"1",` +
		`"attributes":[{"key":"mlflow.traceRequestId","value":{"stringValue":"tr-` + other + `"}}]}`
	for _, tt := range []struct {
		name, id string
		spans    []string
		refused  bool
	}{
		{"its own", trTrace, []string{span(hexTrace, trTrace)}, false},
		{"its own without a request ID", trTrace, []string{span(hexTrace, "")}, false},
		{"another's", trTrace, []string{span(other, "tr-"+other)}, true},
		{"another's without a request ID", trTrace, []string{span(other, "")}, true},
		{"another's with two spans", trTrace, []string{span(other, "tr-"+other), span(other, "tr-"+other)}, true},
		{"another's in MLflow 2's form", trTrace, []string{v2("tr-" + other)}, true},
		{"another's in OTLP", trTrace, []string{otlp}, true},
		{"its own in MLflow 2's form, with an OTEL ID of its own", trTrace, []string{v2(trTrace)}, false},
		{"its own and a stranger", trTrace, []string{span(other, "tr-"+other), span(hexTrace, trTrace)}, false},
		{"a copy that kept the OTEL ID", trTrace, []string{span(other, trTrace)}, false},
		{"an ID of the user's own", "tr-mine", []string{span(other, "tr-mine")}, false},
		{"an ID of the user's own, no request ID", "tr-mine", []string{span(other, "")}, false},
		{"an ID of the user's own, another's", "tr-mine", []string{span(other, "tr-yours")}, true},
		{"no spans", trTrace, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Convert(Input{Info: info(tt.id), Spans: []byte(`{"spans":[` + strings.Join(tt.spans, ",") + `]}`)}, Options{})
			if !tt.refused {
				if err != nil {
					t.Errorf("error %v, want none", err)
				}
				return
			}
			if e, ok := errors.AsType[*Error](err); !ok || e.Reason != OtherTrace || e.TraceID != tt.id {
				t.Errorf("error %v, want one of reason %s for trace %s", err, OtherTrace, tt.id)
			}
		})
	}
}
