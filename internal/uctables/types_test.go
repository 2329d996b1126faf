package uctables

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawType(t *rapid.T, depth int) Type {
	kinds := []string{"string", "decimal(10,2)", "string collate utf8_lcase", "struct", "array", "map"}
	switch kind := rapid.SampledFrom(kinds[:min(len(kinds), 3+3*depth)]).Draw(t, "kind"); kind {
	case "struct":
		typ := Type{Name: kind}
		for range rapid.IntRange(0, 3).Draw(t, "fields") {
			typ.Fields = append(typ.Fields, Field{rapid.StringN(1, 8, 20).Draw(t, "name"), drawType(t, depth-1)})
		}
		return typ
	case "array":
		return Type{Name: kind, Elems: []Type{drawType(t, depth-1)}}
	case "map":
		return Type{Name: kind, Elems: []Type{drawType(t, depth-1), drawType(t, depth-1)}}
	default:
		return Type{Name: kind}
	}
}

func TestTypeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawType(t, 3)
		got, err := ParseType(want.SQL())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", want.SQL(), diff)
		}
	})
}

func TestParseType(t *testing.T) {
	for text, want := range map[string]string{
		"STRUCT< a : int , b:Array<Map<string,BIGINT>> >": "STRUCT<a: INT, b: ARRAY<MAP<STRING, BIGINT>>>",
		"struct<a b:int,c,d>:string>":                     "STRUCT<`a b`: INT, `c,d>`: STRING>",
		"struct<1:int,from:int>":                          "STRUCT<`1`: INT, from: INT>",
		"struct<>":                                        "STRUCT<>",
		"decimal(10, 2)":                                  "DECIMAL(10, 2)",
	} {
		got, err := ParseType(text)
		if err != nil || got.SQL() != want {
			t.Errorf("%q is %s, error %v, want %s", text, got.SQL(), err, want)
		}
	}
	for _, text := range []string{
		"", "struct<a:int", "struct<a>", "struct<:int>", "array<>", "array<int>>", "int,int",
		"struct<`a:int>", "struct<a:b:int>", "struct<a:int;>",
	} {
		if got, err := ParseType(text); err == nil || errors.Is(err, ErrCut) {
			t.Errorf("%q is %+v, error %v, want another error than %v", text, got, err, ErrCut)
		}
	}
	if _, err := ParseType("array<struct<a:int,... 3 more fields>>"); !errors.Is(err, ErrCut) {
		t.Errorf("%v, want %v", err, ErrCut)
	}
}

func TestActual(t *testing.T) {
	withType := func(column int, typ string) func([]Column) []Column {
		return func(c []Column) []Column {
			c[column].Type = typ
			return c
		}
	}
	for name, c := range map[string]struct {
		change func(columns []Column) []Column
		want   string // of the clauses
	}{
		"as it is":   {func(c []Column) []Column { return c }, ""},
		"no column":  {func(c []Column) []Column { return c[1:] }, "has no column record_id"},
		"other type": {withType(1, "timestamp_ntz"), "has column time of type timestamp_ntz, not timestamp"},
		"no struct":  {withType(19, "string"), "has column status of type string, not struct<message:string,code:string>"},
		"no array":   {withType(15, "array"), "has column events of type array, not array<struct<"},
		"no field": {withType(15, "array<struct<name:string,attributes:variant,dropped_attributes_count:bigint>>"),
			"has no field events.time_unix_nano; has column events.dropped_attributes_count of type bigint, not int"},
		"cut": {withType(19, "struct<message:string,... 9 more fields>"),
			"has column status of which nothing is known: its type is cut short"},
		"unknown cut": {func(c []Column) []Column { return append(c, Column{"more", "struct<a:int,... 9 more fields>"}) }, ""},
	} {
		_, clauses := Spans.Actual(c.change(slices.Clone(Spans.Columns)))
		if got := strings.Join(clauses, "; "); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if narrow, clauses := Annotations.Actual(Annotations.Columns[:14]); narrow.Has(ChangeType) || len(clauses) > 0 {
		t.Errorf("without an optional column: has it %t, differences %v; want false and none", narrow.Has(ChangeType), clauses)
	}
}
