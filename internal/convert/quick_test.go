package convert

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// drawJSON appends a JSON text; now and then it isn't one.
func drawJSON(t *rapid.T, b []byte, depth int) []byte {
	roll := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "roll") }
	pick := func(of ...string) { b = append(b, of[roll(len(of))]...) }
	space := func() { pick("", "", "", " ", "\n\t") }
	text := func() {
		if roll(20) == 0 {
			pick(`"a\/b"`, `"\u0041"`, `"\u0000"`, `"1234567`+"\x01"+`"`, "\"\xff\"", `"\x"`)
		} else {
			pick(`"a"`, `"b"`, `"c"`, `""`, `"twelve bytes and a quote \""`, `"\\"`, `"é"`, `"\n\b\f\r\t"`, `"12345678é\\"`)
		}
	}
	kind := roll(4)
	if depth == 0 {
		kind = 3
	}
	space()
	switch {
	case depth == 3 || kind == 0:
		if roll(20) == 0 {
			pick("-0.0", "1e5", "01", "1.", "1e400", "nul", "NaN", "-")
		} else {
			pick("1", "-1", "0", "12345678901234567890", "0.1", "true", "false", "null")
		}
	case kind == 1:
		text()
	case kind == 2:
		b = append(b, '[')
		for i := range roll(4) {
			if i > 0 {
				b = append(b, ',')
			}
			b = drawJSON(t, b, depth+1)
		}
		space()
		b = append(b, ']')
	default:
		b = append(b, '{')
		for i := range roll(40) {
			if i > 0 {
				b = append(b, ',')
			}
			space()
			if roll(15) > 0 {
				b = append(b, '"', 'k', byte('0'+i/10), byte('0'+i%10), '"')
			} else {
				text()
			}
			space()
			b = append(b, ':')
			if roll(5) == 0 {
				b = drawJSON(t, b, depth+1)
			} else {
				b = append(b, '1')
			}
		}
		space()
		b = append(b, '}')
	}
	space()
	return b
}

// For every text that quick takes, the other parsers give the same, without a loss.
func TestQuick(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		src := drawJSON(t, nil, 0)
		got, ok := quick([]byte("prefix"), src, 1)
		if !ok {
			if string(got) != "prefix" {
				t.Fatalf("refused, and gives %q, want the prefix alone", got)
			}
			return
		}
		taken++
		size, ok := new(quickParser).measure(src, 0, 1, false, rapid.IntRange(1, 30).Draw(t, "window"))
		if want := variantBound(got[len("prefix"):]); !ok || size != want {
			t.Fatalf("%q: its size is %d, taken: %t, want %d", src, size, ok, want)
		}
		want, l, ok := compactAny([]byte("prefix"), src, 1)
		if !ok || l != 0 || !bytes.Equal(got, want) {
			t.Fatalf("%q: quick gives %q, compactAny %q, loss %b, %t", src, got, want, l, ok)
		}
	})
	if taken == 0 {
		t.Error("quick takes nothing")
	}
}

// spell appends a string literal of text, or of part of it, with escapes that are not always the shortest, or are none.
func spell(t *rapid.T, dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, r := range string(text) {
		lit, _ := jsontext.AppendQuote(nil, string(r))
		lit = lit[1 : len(lit)-1]
		switch rapid.IntRange(0, 99).Draw(t, "spelling") {
		case 0:
			lit = fmt.Appendf(nil, `\u%04X`, r)
		case 1:
			if r >= utf8.RuneSelf && r < 0x10000 {
				lit = fmt.Appendf(nil, `\u%04x`, r)
			}
		case 2:
			lit = lit[:len(lit)-1]
		case 3:
			lit = append(lit, rapid.SampledFrom([]string{`\`, `"`, `\"`, `\\`, `\n`, `\\\n`, ` `, `é`, `\ud83d\ude00`, `\ud83d`}).Draw(t, "more")...)
		}
		dst = append(dst, lit...)
	}
	return append(dst, '"')
}

// For every string whose text the reader takes together with the string, package jsontext has the same string, and the
// other parsers give the same for its text.
func TestQuickText(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		lit := spell(t, []byte("  "), drawJSON(t, nil, 0))
		src := append(lit, rapid.SampledFrom([]string{"", `"`, `,"a"`, `\`}).Draw(t, "after")...)
		got, end, ok := new(quickParser).parse([]byte("prefix"), src, 2, 1, true)
		if !ok {
			if string(got) != "prefix" {
				t.Fatalf("refused, and gives %q, want the prefix alone", got)
			}
			return
		}
		taken++
		size, ok := new(quickParser).measure(src, 2, 1, true, rapid.IntRange(1, 30).Draw(t, "window"))
		if want := variantBound(got[len("prefix"):]); !ok || size != want {
			t.Fatalf("%s: its size is %d, taken: %t, want %d", src, size, ok, want)
		}
		v, err := jsontext.NewDecoder(bytes.NewReader(src)).ReadValue()
		if err != nil || end != 2+len(v) {
			t.Fatalf("%s: ends at %d, want %d, error %v", src, end, 2+len(v), err)
		}
		text, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			t.Fatalf("%s: taken, want it refused: %v", src, err)
		}
		want, l, ok := compactAny([]byte("prefix"), text, 1)
		if !ok || l != 0 || !bytes.Equal(got, want) {
			t.Fatalf("%s: gives %q, compactAny %q, loss %b, %t", src, got, want, l, ok)
		}
	})
	if taken == 0 {
		t.Error("nothing is taken")
	}
}

func TestQuickRefuses(t *testing.T) {
	for _, src := range []string{
		"", "\"\xff\"", `"\ud800"`, `"\/"`, `1e400`, `-0.0`, `01`, `{"a":1,"a":1}`, `[1]]`, `[1,]`, `{"a":1,}`, `"a`, "\"\n\"",
	} {
		if out, ok := quick(nil, []byte(src), 1); ok {
			t.Errorf("%q gives %q, want it to be refused", src, out)
		}
	}
	for depth, want := range map[int]bool{maxDepth: true, maxDepth + 1: false} {
		src := append(bytes.Repeat([]byte("["), depth), bytes.Repeat([]byte("]"), depth)...)
		if _, ok := quick(nil, src, 0); ok != want {
			t.Errorf("depth %d: taken %t, want %t", depth, ok, want)
		}
	}
}
