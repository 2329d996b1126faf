package deltalake

import (
	"fmt"

	"github.com/tracemig/tracemig/internal/uctables"
)

// sampleTime is 2026-01-02T03:04:05.678901Z.
const sampleTime = 1_767_323_045_678_901

// sampleSpans are spans of one trace in which every column takes every kind of value it can.
func sampleSpans() []uctables.Span {
	trace := "0123456789abcdef0123456789abcdef"
	return []uctables.Span{
		{
			RecordID: "019b7c9e-0000-7000-8000-000000000001", TimeMicros: sampleTime, Date: uctables.Day(sampleTime), ServiceName: new("shop"),
			TraceID: trace, SpanID: "0000000000000002", TraceState: new("a=b"), ParentSpanID: new("0000000000000001"),
			Flags: 257, Name: "child \u2713 \U0001f600", Kind: "SPAN_KIND_INTERNAL",
			StartTimeUnixNano: sampleTime*1000 + 234, EndTimeUnixNano: new(int64(sampleTime*1000 + 999)),
			Attributes: uctables.JSON(`{"big":9007199254740993,"max":9223372036854775807,"huge":12345678901234567890,` +
				`"pi":3.14,"tiny":1.5e-7,"s":"é😀\n\"","n":null,"b":[true,false],"o":{"x":{"y":1}},"e":"","a":[],"oo":{}}`),
			DroppedAttributesCount: 1,
			Events: []uctables.Event{
				{TimeUnixNano: 1, Name: "first", Attributes: uctables.JSON(`{"exception.type":"ValueError"}`), DroppedAttributesCount: 2},
				{TimeUnixNano: -1, Name: ""},
				{TimeUnixNano: 3, Name: "third", Attributes: uctables.JSON(`{"k":[1,2,3]}`)},
			},
			DroppedEventsCount: 3,
			Links: []uctables.Link{
				{
					TraceID: "fedcba9876543210fedcba9876543210", SpanID: "1111111111111111", TraceState: new(""),
					Attributes: uctables.JSON(`{"l":1.50}`), DroppedAttributesCount: 4, Flags: 5,
				},
				{TraceID: "x", SpanID: ""},
			},
			DroppedLinksCount: 6, StatusMessage: new("boom"), StatusCode: new("STATUS_CODE_ERROR"),
			ResourceAttributes: uctables.JSON(`{"service.name":"shop"}`), ScopeName: new("mlflow"),
		},
		{
			RecordID: "019b7c9e-0000-7000-8000-000000000002", TimeMicros: sampleTime + 1, Date: uctables.NoDate,
			TraceID: trace, SpanID: "0000000000000003",
			ParentSpanID: new(""), Name: "", Kind: "SPAN_KIND_UNSPECIFIED", StartTimeUnixNano: 0, Attributes: uctables.JSON(`null`),
			StatusMessage: new(""),
		},
		{
			RecordID: "019b7c9e-0000-7000-8000-000000000003", TimeMicros: -1, Date: -1, TraceID: trace, SpanID: "0000000000000001",
			Name: "root", Kind: "SPAN_KIND_SERVER", StartTimeUnixNano: -1, StatusCode: new("STATUS_CODE_OK"),
			Events: []uctables.Event{{Name: "only"}},
		},
	}
}

func sampleAnnotations() []uctables.Annotation {
	trace := "0123456789abcdef0123456789abcdef"
	return []uctables.Annotation{
		{
			AnnotationID: "a-1", TargetType: uctables.TargetSpan, TargetID: trace + ":0000000000000001", Type: uctables.Feedback, Name: "ok",
			Value: uctables.JSON(`{"v":0.1,"w":1e300}`), Comment: new("because"), Metadata: uctables.JSON(`{"k":"v"}`),
			CreatedAtMicros: sampleTime, CreatedBy: new("me"), UpdatedAtMicros: sampleTime + 1, UpdatedBy: new("you"),
			DeletedAtMicros: new(int64(sampleTime + 2)), DeletedBy: new("they"),
		},
		metadataRow("s", trace, 3),
		{
			AnnotationID: "a-2", TargetType: uctables.TargetTrace, TargetID: trace, Type: uctables.Tag, Name: "", Value: uctables.JSON(`""`),
			CreatedAtMicros: -62_135_596_800_000_000, UpdatedAtMicros: 0,
		},
	}
}

// metadataRow is the METADATA annotation of a trace from the source.
func metadataRow(source, trace string, spans int) uctables.Annotation {
	return uctables.Annotation{
		AnnotationID: "meta-" + trace, TargetType: uctables.TargetTrace, TargetID: trace, Type: uctables.Metadata, Name: "metadata",
		Value: uctables.JSON(`{"trace_metadata":{}}`),
		Metadata: fmt.Appendf(nil, `{"%s":%q,"%s":"tr-%s","%s":"digest","%s":%d}`,
			uctables.KeySource, source, uctables.KeySourceTraceID, trace, uctables.KeyDigest, uctables.KeySpans, spans),
		CreatedAtMicros: sampleTime, UpdatedAtMicros: sampleTime,
	}
}
