package targettest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/target"
	"github.com/tracemig/tracemig/internal/uctables"
)

const (
	traceID = "0123456789abcdef0123456789abcdef"
	day     = 24 * 60 * 60 * 1_000_000
)

func ptr[T any](v T) *T { return &v }

// span is a span of the trace in which most columns have a value.
func span(n int, at int64) uctables.Span {
	return uctables.Span{
		RecordID: fmt.Sprintf("r-%d-%d", n, at), TimeMicros: at, Date: uctables.Day(at), ServiceName: ptr("shop"), TraceID: traceID, SpanID: fmt.Sprintf("%016x", n),
		TraceState: ptr("a=b"), ParentSpanID: ptr("00000000000000ff"), Flags: 257, Name: "é \\ ${x} '\"\n", Kind: "SPAN_KIND_INTERNAL",
		StartTimeUnixNano: at * 1000, EndTimeUnixNano: ptr(at*1000 + 7),
		Attributes: uctables.JSON(`{"n":9007199254740993,"d":1.5e-7,"c":0.10,"s":"${env:HOME}\n","l":[1,{"z":null,"a":true}]}`),
		Events: []uctables.Event{
			{TimeUnixNano: 1, Name: "first", Attributes: uctables.JSON(`{"k":[1,2]}`)}, {TimeUnixNano: 2, Name: "second", DroppedAttributesCount: 2},
		},
		Links:         []uctables.Link{{TraceID: strings.Repeat("b", 32), SpanID: strings.Repeat("c", 16), Attributes: uctables.JSON(`{"l":1}`), Flags: 5}},
		StatusMessage: ptr("boom"), StatusCode: ptr("STATUS_CODE_ERROR"), ResourceAttributes: uctables.JSON(`{"service.name":"shop"}`), ScopeName: ptr("mlflow"),
	}
}

// rows reads the spans of the trace back, sorted by span_id and time.
func rows(t *testing.T, w target.Writer) (found []uctables.Span) {
	t.Helper()
	if err := w.ReadSpans(t.Context(), []string{traceID}, target.AllTimes, func(s *uctables.Span) error {
		found = append(found, *s)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(found, func(a, b uctables.Span) int {
		return cmp.Or(strings.Compare(a.SpanID, b.SpanID), cmp.Compare(a.TimeMicros, b.TimeMicros))
	})
	return found
}

// sameRows says whether the table holds these spans of the trace, in the order of their IDs, and no other.
func sameRows(t *testing.T, w target.Writer, step string, want ...uctables.Span) {
	t.Helper()
	got := rows(t, w)
	if !slices.EqualFunc(want, got, func(a, b uctables.Span) bool {
		return a.RecordID == b.RecordID && uctables.SameSpan(&a, &b)
	}) {
		var texts []string
		for _, rows := range [][]uctables.Span{want, got} {
			text := ""
			for i := range rows {
				text += string(uctables.AppendSpan(nil, &rows[i])) + "\n"
			}
			texts = append(texts, text)
		}
		t.Errorf("%s: want\n%sgot\n%s", step, texts[0], texts[1])
	}
}

// ReplaceSpans tests Writer.ReplaceSpans.
func ReplaceSpans(t *testing.T, w target.Writer) {
	t.Helper()
	write := func(rows ...uctables.Span) {
		t.Helper()
		if done, err := w.WriteSpans(t.Context(), rows); err != nil || done.Inserted != len(rows) {
			t.Fatalf("%+v, error %v", done, err)
		}
	}
	replace := func(step string, inserted int, times target.Times, rows ...uctables.Span) {
		t.Helper()
		done, err := w.ReplaceSpans(t.Context(), rows, times)
		if err != nil || done.Inserted != inserted || done.Present != len(rows)-inserted {
			t.Errorf("%s: %+v, error %v, want %d inserted", step, done, err, inserted)
		}
	}
	a, b, c := span(1, base), span(2, base+1), span(3, base+2)
	write(a, b, c)
	one := target.Times{Low: base, High: base}
	replace("nothing", 0, one)
	replace("the same", 0, one, a, b)
	sameRows(t, w, "the same", a, b, c)

	// Every column changes, and some become NULL; its neighbours stay. With no times the rows' own count.
	b2 := uctables.Span{RecordID: "r-new", TimeMicros: b.TimeMicros, Date: uctables.NoDate, TraceID: b.TraceID, SpanID: b.SpanID, Name: "new", Kind: "SPAN_KIND_SERVER",
		StartTimeUnixNano: b.StartTimeUnixNano + 1, Attributes: uctables.JSON(`{}`), DroppedAttributesCount: 1, DroppedEventsCount: 2, DroppedLinksCount: 3}
	replace("other values", 1, target.NoTimes, b2, b2)
	sameRows(t, w, "other values", a, b2, c)
	replace("again", 0, one, b2)
	replace("back", 1, one, b, c)
	sameRows(t, w, "back", a, b, c)

	// One value each: whatever a value is, a change of it alone is seen.
	var many, changed []uctables.Span
	for i, change := range []func(s *uctables.Span){
		func(s *uctables.Span) { s.RecordID += "x" },
		func(s *uctables.Span) { s.Date++ },
		func(s *uctables.Span) { s.EndTimeUnixNano = nil },
		func(s *uctables.Span) { *s.EndTimeUnixNano++ },
		func(s *uctables.Span) { s.ParentSpanID = nil },
		func(s *uctables.Span) { s.ParentSpanID = ptr("") },
		func(s *uctables.Span) { s.Attributes = uctables.JSON(`{"n":9007199254740992,"s":"x"}`) },
		func(s *uctables.Span) { s.Attributes = uctables.JSON(`{"n":"9007199254740993","s":"x"}`) },
		func(s *uctables.Span) { s.Events[0].Attributes = uctables.JSON(`{"k":[2,1]}`) },
		func(s *uctables.Span) { s.Events = s.Events[:1] },
		func(s *uctables.Span) { s.Events = nil },
		func(s *uctables.Span) { s.Links[0].Flags++ },
		func(s *uctables.Span) { s.StatusMessage = nil },
		func(s *uctables.Span) { s.StatusCode = ptr("STATUS_CODE_OK") },
		func(s *uctables.Span) { s.ResourceAttributes = nil },
		func(s *uctables.Span) { s.ScopeName = nil },
	} {
		row := func() uctables.Span {
			s := span(100+i, base+200)
			s.Attributes = uctables.JSON(`{"n":9007199254740993,"s":"x"}`)
			return s
		}
		many, changed = append(many, row()), append(changed, row())
		change(&changed[i])
	}
	write(many...)
	with := func(rows ...uctables.Span) []uctables.Span { return append(rows, changed...) }
	replace("changes", len(changed), one, append(changed, c)...)
	sameRows(t, w, "changes", with(a, b, c)...)
	replace("changes again", 0, one, append(changed, c)...)

	// To another time, and a span that the table lacks in the same batch.
	moved, d := c, span(4, base+5)
	moved.TimeMicros, moved.Date, moved.StartTimeUnixNano = c.TimeMicros-40*day, uctables.Day(c.TimeMicros-40*day), c.StartTimeUnixNano-40*day*1000
	replace("moved and new", 2, target.Times{Low: c.TimeMicros, High: c.TimeMicros}, moved, d, a)
	sameRows(t, w, "moved and new", with(a, b, moved, d)...)

	// Copies become one, also where all are as they should be.
	twice := b
	twice.TimeMicros += 40 * day
	write(twice) // which finds no row at its time
	sameRows(t, w, "twice", with(a, b, twice, moved, d)...)
	both := target.Times{Low: b.TimeMicros, High: twice.TimeMicros}
	replace("one of two", 1, both, b)
	sameRows(t, w, "one of two", with(a, b, moved, d)...)

	bad := d
	bad.Attributes = uctables.JSON(`{"a":1,"a":2}`)
	var row *target.RowError
	if _, err := w.ReplaceSpans(t.Context(), []uctables.Span{b2, bad}, both); !errors.As(err, &row) {
		t.Errorf("a row that VARIANT does not hold: error %v", err)
	}
	sameRows(t, w, "refused", with(a, b, moved, d)...)
}
