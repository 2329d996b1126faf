package targettest

import (
	"errors"
	"testing"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

// ReplaceSpans tests target.Writer.ReplaceSpans. It is a part of Run, and exported for tables of other forms.
func ReplaceSpans(t *testing.T, w target.Writer) {
	t.Helper()
	trace := traceID(t, 0)
	replace := func(step string, inserted int, times target.Times, rows ...uctables.Span) {
		t.Helper()
		got, err := w.ReplaceSpans(t.Context(), rows, times)
		wrote(t, step, got, err, inserted, len(rows)-inserted)
	}
	holds := func(step string, want ...uctables.Span) {
		t.Helper()
		sameSpans(t, step, spansOf(t, w, target.AllTimes, trace), want...)
	}
	a, b, c := span(trace, 1, base), span(trace, 2, base+1), span(trace, 3, base+2)
	mustWriteSpans(t, w, a, b, c)
	one := target.Times{Low: base, High: base}
	replace("nothing", 0, one)
	other := a // the order of its keys is no part of a document
	other.Attributes = uctables.JSON(`{"l":[1,{"a":true,"z":null}],"s":"${env:HOME}\n","n":9007199254740993,"c":0.10,"d":1.5e-7}`)
	replace("the same", 0, one, other, b)

	// Every column changes, and some become NULL; the other rows stay. With NoTimes, the times of the rows count.
	b2 := uctables.Span{
		RecordID: "r-new", TimeMicros: b.TimeMicros, Date: uctables.NoDate, TraceID: b.TraceID, SpanID: b.SpanID, Name: "new",
		Kind: "SPAN_KIND_SERVER", StartTimeUnixNano: b.StartTimeUnixNano + 1, Attributes: uctables.JSON(`{}`),
		DroppedAttributesCount: 1, DroppedEventsCount: 2, DroppedLinksCount: 3,
	}
	replace("other values, the key twice", 1, target.NoTimes, b2, named("the second", b2)[0])
	holds("other values", a, b2, c)

	many, changed := changedSpans(trace)
	mustWriteSpans(t, w, many...)
	with := func(rows ...uctables.Span) []uctables.Span { return append(rows, changed...) }
	replace("one value each, and back", len(changed)+1, one, append(changed, b, c)...)
	holds("one value each", with(a, b, c)...)
	replace("one value each, again", 0, one, append(changed, c)...)

	// To another time, and a span that the table lacks in the same batch.
	moved, d := c, span(trace, 4, base+5)
	moved.TimeMicros, moved.Date = c.TimeMicros-40*day, uctables.Day(c.TimeMicros-40*day)
	moved.StartTimeUnixNano = c.StartTimeUnixNano - 40*day*1000
	replace("moved and new", 2, target.Times{Low: c.TimeMicros, High: c.TimeMicros}, moved, d, a)
	holds("moved and new", with(a, b, moved, d)...)

	// Copies become one, also where all are as they should be.
	twice := b
	twice.TimeMicros += 40 * day
	mustWriteSpans(t, w, twice) // which does not find the row, for its other time
	holds("twice", with(a, b, twice, moved, d)...)
	both := target.Times{Low: b.TimeMicros, High: twice.TimeMicros}
	replace("one of two", 1, both, b)

	bad := d
	bad.Attributes = uctables.JSON(`{"a":1,"a":2}`)
	_, err := w.ReplaceSpans(t.Context(), []uctables.Span{b2, bad}, both)
	if _, ok := errors.AsType[*target.RowError](err); !ok {
		t.Errorf("a row that VARIANT does not hold: error %v, want a RowError", err)
	}
	holds("one of two, and after a refused write", with(a, b, moved, d)...)
}

// changedSpans are spans of a trace, and the same with one value changed in each: whatever a value is, a change
// of it alone is seen.
func changedSpans(trace string) (spans, changed []uctables.Span) {
	for i, change := range []func(s *uctables.Span){
		func(s *uctables.Span) { s.RecordID += "x" },
		func(s *uctables.Span) { s.Date++ },
		func(s *uctables.Span) { s.EndTimeUnixNano = nil },
		func(s *uctables.Span) { *s.EndTimeUnixNano++ },
		func(s *uctables.Span) { s.ParentSpanID = nil },
		func(s *uctables.Span) { s.ParentSpanID = new("") },
		func(s *uctables.Span) { s.Attributes = uctables.JSON(`{"n":9007199254740992,"s":"x"}`) },
		func(s *uctables.Span) { s.Attributes = uctables.JSON(`{"n":"9007199254740993","s":"x"}`) },
		func(s *uctables.Span) { s.Events[0].Attributes = uctables.JSON(`{"k":[2,1]}`) },
		func(s *uctables.Span) { s.Events = s.Events[:1] },
		func(s *uctables.Span) { s.Events = nil },
		func(s *uctables.Span) { s.Links[0].Flags++ },
		func(s *uctables.Span) { s.StatusMessage = nil },
		func(s *uctables.Span) { s.StatusCode = new("STATUS_CODE_OK") },
		func(s *uctables.Span) { s.ResourceAttributes = nil },
		func(s *uctables.Span) { s.ScopeName = nil },
	} {
		row := func() uctables.Span {
			s := span(trace, 100+i, base+200)
			s.Attributes = uctables.JSON(`{"n":9007199254740993,"s":"x"}`)
			return s
		}
		spans, changed = append(spans, row()), append(changed, row())
		change(&changed[i])
	}
	return spans, changed
}
