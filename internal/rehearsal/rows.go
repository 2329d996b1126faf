package rehearsal

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// at is the time of the rows of a rehearsal, 2026-01-02T03:04:05.678901Z.
const at = 1_767_323_045_678_901

// traceID is the ID of the nth trace of a step.
func traceID(step string, n int) string {
	sum := sha256.Sum256(fmt.Append(nil, step, " ", n))
	return hex.EncodeToString(sum[:16])
}

// plainTrace is the nth trace of a step. Each of its spans, of which the root is the last, has a text of so many bytes that does not
// compress.
func plainTrace(step string, n, spans, bytes int) *uctables.Trace {
	t := &uctables.Trace{TraceID: traceID(step, n)}
	random := rand.New(rand.NewPCG(uint64(n), uint64(spans)))
	for i := range spans {
		start := int64(at + i)
		s := uctables.Span{
			RecordID: fmt.Sprintf("%s-%d", t.TraceID, i), TimeMicros: start, Date: uctables.Day(start), TraceID: t.TraceID,
			SpanID: fmt.Sprintf("%016x", spans-i), Name: "rehearsal", Kind: "SPAN_KIND_INTERNAL", StartTimeUnixNano: start * 1000,
			EndTimeUnixNano: new(start*1000 + 1), StatusCode: new("STATUS_CODE_OK"), ScopeName: new("tracemig"),
			Attributes: uctables.JSON(`{"text":"` + noise(random, bytes) + `"}`),
		}
		if i < spans-1 {
			s.ParentSpanID = new(fmt.Sprintf("%016x", 1))
		}
		t.Spans = append(t.Spans, s)
	}
	t.Annotations = annotations(t.TraceID, spans)
	return t
}

// noise is a text of random hexadecimal digits.
func noise(random *rand.Rand, bytes int) string {
	text := make([]byte, 0, bytes+16)
	for len(text) < bytes {
		text = hex.AppendEncode(text, binary.BigEndian.AppendUint64(nil, random.Uint64()))
	}
	return string(text[:bytes])
}

// annotations are one annotation of each type, METADATA last.
func annotations(traceID string, spans int) []uctables.Annotation {
	row := func(typ uctables.AnnotationType, name, value string) uctables.Annotation {
		return uctables.Annotation{
			AnnotationID: string(typ) + "-" + traceID, TargetType: uctables.TargetTrace, TargetID: traceID, Type: typ, Name: name,
			Value: uctables.JSON(value), CreatedAtMicros: at, UpdatedAtMicros: at,
		}
	}
	feedback := row(uctables.Feedback, "correct", `{"score":0.1,"large":1e300}`)
	feedback.Comment, feedback.CreatedBy = new("because it’s 🙂"), new("me@example.com")
	feedback.Metadata = uctables.JSON(`{"mlflow.source.source_type":"HUMAN","note":""}`)
	ofSpan := row(uctables.Expectation, "expected", `["a",null,{"b":[]}]`)
	ofSpan.TargetType, ofSpan.TargetID = uctables.TargetSpan, traceID+":0000000000000001"
	metadata := row(uctables.Metadata, "metadata", `{"client_request_id":null,"request_preview":"","trace_metadata":{"mlflow.user":"é"}}`)
	metadata.Metadata = fmt.Appendf(nil, `{"%s":"rehearsal","%s":"tr-%s","%s":"d","%s":%d}`,
		uctables.KeySource, uctables.KeySourceTraceID, traceID, uctables.KeyDigest, uctables.KeySpans, spans)
	return []uctables.Annotation{
		row(uctables.Tag, "a tag ${x} ‘'\"", `""`), feedback, ofSpan,
		row(uctables.RunLink, "run_link", `"0123456789abcdef0123456789abcdef"`), metadata,
	}
}

// hardTrace is a trace in which each column has values of every kind that it can hold.
func hardTrace() *uctables.Trace {
	id := traceID("values", 0)
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	wide := make([]string, 2000)
	for i := range wide {
		wide[i] = fmt.Sprintf(`"key %04d":%d`, i, i)
	}
	span := func(n int64, parent *string, name, attributes string) uctables.Span {
		return uctables.Span{
			RecordID: fmt.Sprintf("%s-%d", id, n), TimeMicros: at + n, Date: uctables.Day(at + n), TraceID: id,
			SpanID: fmt.Sprintf("%016x", n), ParentSpanID: parent, Name: name, Kind: "SPAN_KIND_INTERNAL",
			StartTimeUnixNano: (at+n)*1000 + 234, Attributes: uctables.JSON(attributes),
		}
	}
	root := new("0000000000000001")
	full := span(2, root, "child ✓ 😀 ${x} \n\t\"'\\", `{"small":9007199254740993,"max":9223372036854775807,"min":-9223372036854775808,`+
		`"beyond":12345678901234567890,"digits":99999999999999999999999999999999999999,"third":0.3333333333333333,"tiny":1.5e-7,`+
		`"least":5e-324,"most":1.7976931348623157e308,"decimal":12.30,"text":"é😀\n\"\\ ${env:HOME} \u0000 \u2028","null":null,`+
		`"booleans":[true,false],"nested":{"z":{"a":1},"b":2},"empty":"","list":[],"object":{}}`)
	full.ServiceName, full.TraceState, full.Flags, full.Kind = new("shop"), new("a=b"), 257, "SPAN_KIND_CLIENT"
	full.EndTimeUnixNano = new(full.StartTimeUnixNano + 1)
	full.DroppedAttributesCount, full.DroppedEventsCount, full.DroppedLinksCount = 1, 2, 3
	full.StatusCode, full.StatusMessage = new("STATUS_CODE_ERROR"), new("boom\n")
	full.ResourceAttributes, full.ScopeName = uctables.JSON(`{"service.name":"shop"}`), new("mlflow")
	full.Events = []uctables.Event{
		{TimeUnixNano: 1, Name: "first", Attributes: uctables.JSON(`{"exception.type":"ValueError"}`), DroppedAttributesCount: 2},
		{TimeUnixNano: -1}, {TimeUnixNano: 3, Name: "third", Attributes: uctables.JSON(`{"k":[1,2,3]}`)},
	}
	full.Links = []uctables.Link{
		{TraceID: strings.Repeat("ab", 16), SpanID: "1111111111111111", TraceState: new(""), Attributes: uctables.JSON(`{"l":1.5}`),
			DroppedAttributesCount: 4, Flags: 5},
		{TraceID: "x"},
	}
	bare := span(3, new(""), "", `null`)
	bare.Kind, bare.StartTimeUnixNano, bare.StatusMessage = "SPAN_KIND_UNSPECIFIED", 0, new("")
	long := span(4, root, "long ago", `{"deep":`+deep+`}`)
	long.TimeMicros, long.Date = -1, -1
	last := span(1, nil, "root", `{`+strings.Join(wide, ",")+`}`)
	last.StatusCode = new("STATUS_CODE_OK")
	t := &uctables.Trace{TraceID: id, Spans: []uctables.Span{full, bare, long, last}}
	t.Annotations = annotations(id, len(t.Spans))
	return t
}
