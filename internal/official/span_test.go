package official

import (
	"testing"

	"github.com/tracemig/tracemig/internal/uctables"
)

func TestSameSpan(t *testing.T) {
	want := func() *uctables.Span {
		return &uctables.Span{
			TraceID: "t", SpanID: "s", Name: "call", Kind: "SPAN_KIND_INTERNAL", TimeMicros: 1,
			StartTimeUnixNano: 1000, EndTimeUnixNano: new(int64(2000)),
			ServiceName: new(""), ScopeName: new("mlflow"), StatusCode: new("STATUS_CODE_ERROR"), StatusMessage: new("no"),
			Attributes: uctables.JSON(`{"n":9007199254740993,"d":1e2,"o":{"a":[1,null]},"s":"7","tracemig.raw.n":"x"}`),
			Events:     []uctables.Event{{Name: "e", TimeUnixNano: 5, Attributes: uctables.JSON(`{}`)}},
			Links:      []uctables.Link{{TraceID: "u", SpanID: "v"}},
		}
	}
	official := func() *uctables.Span {
		s := want()
		s.Kind, s.StatusCode, s.ParentSpanID, s.TraceState, s.Links, s.ScopeName = "LLM", new("ERROR"), new(""), new(""), nil, nil
		s.Attributes = uctables.JSON(`{"n":9007199254740993,"d":100.0,"o":"{\"a\": [1, null]}","s":"7"}`)
		s.Events[0].Attributes = nil
		return s
	}
	if !SameSpan(want(), official()) {
		t.Error("a span of the migration is not recognized")
	}
	if SameSpan(want(), want()) {
		t.Error("a span of tracemig is taken for one of the migration")
	}
	unset := want()
	unset.StatusCode = nil
	if o := official(); SameSpan(unset, o) {
		t.Error("status ERROR is taken for unset")
	} else if o.StatusCode = new("UNSET"); !SameSpan(unset, o) {
		t.Error("status UNSET is not taken for unset")
	}
	for name, change := range map[string]func(*uctables.Span){
		"name":         func(s *uctables.Span) { s.Name = "other" },
		"kind":         func(s *uctables.Span) { s.Kind = "SPAN_KIND_SERVER" },
		"status":       func(s *uctables.Span) { s.StatusCode = new("OK") },
		"message":      func(s *uctables.Span) { s.StatusMessage = nil },
		"parent":       func(s *uctables.Span) { s.ParentSpanID = new("p") },
		"trace state":  func(s *uctables.Span) { s.TraceState = new("a=b") },
		"end":          func(s *uctables.Span) { s.EndTimeUnixNano = nil },
		"no event":     func(s *uctables.Span) { s.Events = nil },
		"event's time": func(s *uctables.Span) { s.Events[0].TimeUnixNano++ },
		"a link":       func(s *uctables.Span) { s.Links = []uctables.Link{{TraceID: "u", SpanID: "v"}} },
		"integer": func(s *uctables.Span) {
			s.Attributes = uctables.JSON(`{"n":9007199254740992,"d":100.0,"o":{"a":[1,null]},"s":"7"}`)
		},
		"no attribute": func(s *uctables.Span) {
			s.Attributes = uctables.JSON(`{"n":9007199254740993,"d":100.0,"o":{"a":[1,null]}}`)
		},
		"one more": func(s *uctables.Span) {
			s.Attributes = uctables.JSON(`{"n":9007199254740993,"d":100.0,"o":{"a":[1,null]},"s":"7","x":1}`)
		},
		"another text": func(s *uctables.Span) {
			s.Attributes = uctables.JSON(`{"n":9007199254740993,"d":100.0,"o":{"a":[1,null]},"s":7}`)
		},
		"order": func(s *uctables.Span) {
			s.Attributes = uctables.JSON(`{"n":9007199254740993,"d":100.0,"o":{"a":[null,1]},"s":"7"}`)
		},
	} {
		got := official()
		change(got)
		if SameSpan(want(), got) {
			t.Errorf("%s: a span that differs is taken for the same", name)
		}
	}
}
