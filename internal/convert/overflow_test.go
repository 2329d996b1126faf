package convert

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// TestChunks divides texts, plain and in strings, and wants the same parts, as long as can be, that make up the text.
func TestChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lit := spell(t, nil, []byte(rapid.StringOf(rapid.SampledFrom([]rune("ab\"\\\n/é\u2028😀"))).Draw(t, "text")))
		text, err := jsontext.AppendUnquote(nil, lit)
		if err != nil {
			t.Skip("no string, or one with lone surrogates")
		}
		most := rapid.IntRange(utf8.UTFMax, 20).Draw(t, "most")
		var parts [][]byte
		for part := range (source{lit: text}).chunks(most) {
			if len(part) > most || !utf8.Valid(part) {
				t.Fatalf("%q of %q, want up to %d bytes of UTF-8", part, text, most)
			}
			if n := len(parts); n > 0 && len(parts[n-1])+utf8.UTFMax <= most {
				t.Fatalf("%q is followed by %q, want more in the first of them", parts[n-1], part)
			}
			parts = append(parts, part)
		}
		if joined := bytes.Join(parts, nil); !bytes.Equal(joined, text) {
			t.Fatalf("%q, want %q", joined, text)
		}
		i := 0
		for part, read := range (source{lit: lit, quoted: true}).chunks(most) {
			clear(lit[:read])
			if i == len(parts) || !bytes.Equal(part, parts[i]) {
				t.Fatalf("part %d of %q is %q, want that of %q", i, text, part, parts)
			}
			i++
		}
		if i != len(parts) {
			t.Fatalf("%d parts of %q, want %q", i, text, parts)
		}
	})
}
