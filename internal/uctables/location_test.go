package uctables

import (
	"strings"
	"testing"
)

func TestParseLocation(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Location
		err  string // part of the message
	}{
		{in: "main.agents.prod", want: Location{"main", "agents", "prod"}},
		{in: "main.agents.prod_1", want: Location{"main", "agents", "prod_1"}},
		{in: "`my-cat`.`s``x`.p", want: Location{"my-cat", "s`x", "p"}},
		{in: "my-cat.s.p", want: Location{"my-cat", "s", "p"}},
		{in: "main.agents." + strings.Repeat("p", MaxPrefix), want: Location{"main", "agents", strings.Repeat("p", MaxPrefix)}},
		{in: "main.agents.prod_", err: `write "prod"`},
		{in: "main.agents.prod__", err: `write "prod"`},
		{in: "main.agents.prod_otel_spans", err: "leave _otel_spans off"},
		{in: "main.agents.prod_otel_annotations", err: "leave _otel_annotations off"},
		{in: "agents.prod", err: "has 2 parts"},
		{in: "prod", err: "has 1 part;"},
		{in: "", err: "has 1 part;"},
		{in: "a.b.c.d", err: "has 4 parts"},
		{in: "main.agents.", err: "prefix is empty"},
		{in: ".agents.p", err: "catalog is empty"},
		{in: "main..p", err: "schema is empty"},
		{in: "main.agents.my-prefix", err: "ASCII letters, digits and underscores"},
		{in: "main.agents.präfix", err: "ASCII letters, digits and underscores"},
		{in: "main.agents." + strings.Repeat("p", MaxPrefix+1), err: "has 239 characters; use at most 238"},
		{in: "`a.b`.s.p", err: "dot"},
		{in: "a b.s.p", err: "space"},
		{in: "`a.s.p", err: "not closed"},
		{in: "`a`b.s.p", err: "follows a closing backquote"},
		{in: "a`b.s.p", err: "inside a part"},
	} {
		got, err := ParseLocation(c.in)
		switch {
		case c.err == "" && err != nil:
			t.Errorf("%q: %v", c.in, err)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%q: error %v, want one with %q", c.in, err, c.err)
		case c.err == "" && got != c.want:
			t.Errorf("%q: %+v, want %+v", c.in, got, c.want)
		}
	}
}

func FuzzParseLocation(f *testing.F) {
	for _, s := range []string{"main.agents.prod", "`a-b`.`c``d`.e", "a.b.c.d", "`", "a.b.c_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLocation(s)
		if err != nil {
			return
		}
		again, err := ParseLocation(l.String())
		if err != nil || again != l {
			t.Errorf("%q: %+v is written %s and read as %+v, %v", s, l, l, again, err)
		}
		// The name in SQL is exactly three quoted names.
		parts, err := splitName(l.Quoted("_otel_spans"))
		if err != nil || len(parts) != 3 || parts[0] != l.Catalog || parts[1] != l.Schema || parts[2] != l.Prefix+"_otel_spans" {
			t.Errorf("%q: quoted as %s, which reads as %q, error %v", s, l.Quoted("_otel_spans"), parts, err)
		}
	})
}
