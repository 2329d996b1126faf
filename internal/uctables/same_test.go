package uctables

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestSame(t *testing.T) {
	for _, c := range []struct {
		want, got string
		same      bool
	}{
		{`1`, `1`, true}, {`1`, `2`, false}, {`1`, `1.0`, false}, {`1`, `1E0`, false}, {`1.0`, `1`, true}, {`1.50`, `1.5`, true},
		{`1e2`, `100`, false}, {`1e2`, `1E2`, true}, {`1e2`, `100.0`, true}, {`1e2`, `100.00000000000001`, false},
		{`2e-3`, `0.0020000000000000000`, true}, {`1e10`, `1.0E10`, true},
		{`0.1e0`, `0.10000000000000000555`, true}, {`0.1`, `0.10000000000000000555`, false},
		{`9007199254740993`, `9007199254740992`, false}, {`9007199254740993`, `9.007199254740992E15`, false}, {`1`, `"1"`, false},
		{`"a"`, `"\u0061"`, true}, {`"a"`, `"b"`, false},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, true}, {`{"a":1}`, `{"b":1}`, false}, {`{"a":1}`, `{"a":1,"b":1}`, false},
		{`[1,2]`, `[2,1]`, false}, {`[]`, `{}`, false}, {`null`, `null`, true}, {`[1]`, `[1,1]`, false}, {`true`, `false`, false},
	} {
		a, b := Span{Attributes: JSON(c.want)}, Span{Attributes: JSON(c.got), RecordID: "r"}
		if SameSpan(&a, &b) != c.same {
			t.Errorf("%s read back as %s: same %t, want %t", c.want, c.got, !c.same, c.same)
		}
	}
	null := JSON("null")
	for _, s := range []Span{{Attributes: null}, {Events: []Event{{}}}, {Name: "a"}} {
		if SameSpan(&s, &Span{}) {
			t.Errorf("%+v is the same as an empty span, want another", s)
		}
	}
	day, otherDay, none := Span{Date: 1}, Span{Date: 2}, Span{Date: NoDate}
	scope, otherScope, noScope := Span{ScopeName: new("mlflow")}, Span{ScopeName: new("x")}, Span{}
	for _, pair := range [][2]*Span{{&day, &otherDay}, {&day, &none}, {&scope, &otherScope}, {&scope, &noScope}} {
		var d Digester
		x, errX := d.Spans([]Span{*pair[0]}, true)
		y, errY := d.Spans([]Span{*pair[1]}, true)
		if SameSpan(pair[0], pair[1]) || !SameSpan(pair[0], pair[0]) || x == y || errX != nil || errY != nil {
			t.Errorf("%+v and %+v: the same, or with equal digests, or errors %v, %v; want them to differ", *pair[0], *pair[1], errX, errY)
		}
	}
	a := Annotation{Type: Metadata, Value: null, UpdatedAtMicros: 1, Metadata: null}
	b := Annotation{Type: Metadata, Value: null, UpdatedAtMicros: 2}
	if !SameAnnotation(&a, &b) {
		t.Error("annotations that differ in version and provenance only are different, want the same")
	}
	if b.Value = nil; SameAnnotation(&a, &b) {
		t.Error("a value null and no value are the same, want different")
	}
}

// Rows with equal digests are the same, and a digest does not depend on the order of the spans.
func TestDigestsAndRowsAgree(t *testing.T) {
	values := rapid.SampledFrom([]string{
		`1`, `1.50`, `1.5`, `1e0`, `"1"`, `{"a":1,"b":[]}`, `{"b":[],"a":1}`, `{"a":2}`, `null`, `[0.5]`, `[5e-1]`, `"\u0001"`,
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := Span{SpanID: "1", Attributes: JSON(values.Draw(t, "a"))}, Span{SpanID: "1", Attributes: JSON(values.Draw(t, "b"))}
		other := Span{SpanID: "2"}
		var d Digester
		x, err := d.Spans([]Span{a, other}, true)
		if err != nil {
			t.Fatal(err)
		}
		y, err := d.Spans([]Span{other, b}, true)
		if err != nil {
			t.Fatal(err)
		}
		if x == y && !SameSpan(&a, &b) {
			t.Fatalf("equal digests of %s and %s", a.Attributes, b.Attributes)
		}
	})
	var d Digester
	shallow := func(ids ...string) string {
		var rows []Span
		for _, id := range ids {
			rows = append(rows, Span{SpanID: id, Name: fmt.Sprint(len(rows))})
		}
		s, err := d.Spans(rows, false)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if shallow("1", "2") != shallow("2", "1") || shallow("1", "2") == shallow("1", "3") || shallow("12") == shallow("1", "2") {
		t.Error("the digest of IDs is not that of their set")
	}
}
