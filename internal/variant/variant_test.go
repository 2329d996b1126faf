package variant

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestEncodeBytes holds the blobs of some documents, which were checked against Spark's parse_json.
func TestEncodeBytes(t *testing.T) {
	for _, tt := range []struct{ json, value, metadata string }{
		{`null`, "00", "010000"},
		{`true`, "04", "010000"},
		{`-0`, "0c00", "010000"},
		{`300`, "102c01", "010000"},
		{`-0.0`, "200100000000", "010000"},
		{`1.50`, "200296000000", "010000"},
		{`"ab"`, "096162", "010000"},
		{`[]`, "030000", "010000"},
		{`{}`, "020000", "010000"},
		{`{"b":1,"a":2}`, "02020100020004" + "0c01" + "0c02", "01020001026261"},
	} {
		var e Encoder
		value, metadata, err := e.Encode([]byte(tt.json))
		if err != nil {
			t.Errorf("%s: %v", tt.json, err)
			continue
		}
		if got := hex.EncodeToString(value); got != tt.value {
			t.Errorf("%s: value %s, want %s", tt.json, got, tt.value)
		}
		if got := hex.EncodeToString(metadata); got != tt.metadata {
			t.Errorf("%s: metadata %s, want %s", tt.json, got, tt.metadata)
		}
	}
}

// decoded is what AppendJSON makes of what Encode makes of a text.
func decoded(e *Encoder, text string) (string, error) {
	value, metadata, err := e.Encode([]byte(text))
	if err != nil {
		return "", err
	}
	out, err := AppendJSON(nil, value, metadata)
	return string(out), err
}

func TestRoundTrip(t *testing.T) {
	var e Encoder // one for all, so that nothing of a document stays in it
	long := strings.Repeat("é", 40)
	for _, tt := range []struct{ json, want string }{
		{` {"a" : [1, 2.50, -3e2], "b":{"":null}} `, `{"a":[1,2.50,-3E+02],"b":{"":null}}`},
		{`9007199254740993`, `9007199254740993`},
		{`-9223372036854775808`, `-9223372036854775808`},
		{`9223372036854775808`, `9223372036854775808`},
		{`-12345678901234567890123456789012345678`, `-12345678901234567890123456789012345678`},
		{`123456789012345678901234567890123456789`, `1.2345678901234568E+38`},
		{`0.00000000000000000000000000000000000001`, `0.00000000000000000000000000000000000001`},
		{`0.000000000000000000000000000000000000001`, `1E-39`},
		{`-0.1234567890`, `-0.1234567890`},
		{`000`, ``},
		{`1e400`, `"Infinity"`},
		{`-1e400`, `"-Infinity"`},
		{`-0e0`, `-0E+00`},
		{`5e-324`, `5E-324`},
		{`"\u00e9\ud83d\ude00\ud83d \ud83d\u0041\\\/\"\b\f\n\r\t"`, "\"é😀? ?A\\\\/\\\"\\b\\f\\n\\r\\t\""},
		{`"` + long + `"`, `"` + long + `"`},
		{`{"a\u0000b":"\u0000"}`, `{"a\u0000b":"\u0000"}`},
		{`{"` + long + `":1,"é":2}`, `{"é":2,"` + long + `":1}`},
		// U+10000 is d800 dc00 in UTF-16, before U+FFFD; their UTF-8 bytes are in the other order.
		{"{\"\ufffd\":1,\"\U00010000\":2}", "{\"\U00010000\":2,\"\ufffd\":1}"},
		{`[[],{},[{}]]`, `[[],{},[{}]]`},
	} {
		got, err := decoded(&e, tt.json)
		if tt.want == "" {
			if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Errorf("%s: error %v, want a SyntaxError", tt.json, err)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: got %s, error %v, want %s", tt.json, got, err, tt.want)
		}
	}
}

// TestSizes crosses each width of counts, field IDs and offsets.
func TestSizes(t *testing.T) {
	var e Encoder
	for _, n := range []int{1, 255, 256, 65535, 65536, 70000} {
		var array, object strings.Builder
		for i := range n {
			sep := ","
			if i == 0 {
				sep = ""
			}
			fmt.Fprintf(&array, "%s%d", sep, i)
			fmt.Fprintf(&object, "%s\"%06d\":%d", sep, i, i)
		}
		for _, text := range []string{"[" + array.String() + "]", "{" + object.String() + "}"} {
			if got, err := decoded(&e, text); err != nil || got != text {
				t.Errorf("%d elements: error %v, %d bytes, want %d", n, err, len(got), len(text))
			}
		}
	}
	for _, n := range []int{63, 64, 255, 65535, 1 << 24 / 2} {
		text := `["` + strings.Repeat("x", n) + `"]`
		if got, err := decoded(&e, text); err != nil || got != text {
			t.Errorf("string of %d: error %v, %d bytes, want %d", n, err, len(got), len(text))
		}
	}
}

func TestRefusals(t *testing.T) {
	nest := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	var manyKeys strings.Builder
	manyKeys.WriteString(`{"":0`)
	for i := range 40 {
		fmt.Fprintf(&manyKeys, `,"%s%d":0`, strings.Repeat("k", 500_000), i)
	}
	manyKeys.WriteString("}")
	for name, tt := range map[string]struct {
		json string
		want error
	}{
		"duplicate":         {`{"a":1,"b":2,"a":1}`, ErrDuplicateKey},
		"escaped duplicate": {`{"a":1,"\u0061":1}`, ErrDuplicateKey},
		"two surrogates":    {`{"\ud800":1,"\ud801":1}`, ErrDuplicateKey},
		"deep":              {nest(MaxDepth + 1), ErrTooDeep},
		"not too deep":      {nest(MaxDepth), nil},
		"large":             {`"` + strings.Repeat("x", MaxSize) + `"`, ErrTooLarge},
		"not too large":     {`"` + strings.Repeat("x", MaxSize-5) + `"`, nil},
		"large array":       {"[" + strings.Repeat("100,", MaxSize/4) + "1]", ErrTooLarge},
		"large dictionary":  {manyKeys.String(), ErrTooLarge},
	} {
		var e Encoder
		if _, _, err := e.Encode([]byte(tt.json)); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", name, err, tt.want)
		}
	}
	for _, text := range []string{
		"", " ", "{", "[", "[1", "[1,", "[1,]", "{,}", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{a:1}`,
		"nul", "nulll", "NaN", "Infinity", "-", "+1", "01", "1.", ".1", "1e", "1e+", "1 2", "[1 2]", `{"a" 1}`, `{"a":1 "b":2}`,
		`"`, `"\`, `"\u12`, `"\u12g4"`, `"\x"`, "\"\n\"", "\"\\n\n\"", "\"\xff\"", "\"\\n\xff\"", "'a'", "\x00", "1\x00", "\ufeff1", "]",
	} {
		var e Encoder
		_, _, err := e.Encode([]byte(text))
		if _, ok := errors.AsType[*SyntaxError](err); !ok {
			t.Errorf("%q: error %v, want a SyntaxError", text, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	var e Encoder
	value, metadata, err := e.Encode([]byte(`{"a":[1,300,70000,5e9,1.5,12345678901.5,12345678901234567890.5,1e5],` +
		`"b":{"c":"` + strings.Repeat("x", 70) + `","d":"y"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for n := range value {
		if _, err := AppendJSON(nil, value[:n], metadata); !errors.Is(err, ErrMalformed) {
			t.Errorf("value cut at %d: error %v, want %v", n, err, ErrMalformed)
		}
	}
	for n := range metadata {
		if _, err := AppendJSON(nil, value, metadata[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("metadata cut at %d: error %v, want %v", n, err, ErrMalformed)
		}
	}
}

// TestOtherTypes decodes what other writers put into VARIANT.
func TestOtherTypes(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{"2c" + "01000000", `"1970-01-02"`},
		{"30" + "40420f0000000000", `"1970-01-01 00:00:01+00:00"`},
		{"34" + "41420f0000000000", `"1970-01-01 00:00:01.000001"`},
		{"38" + "0000c03f", `1.5E+00`},
		{"3c" + "02000000" + "0102", `"AQI="`},
		{"50" + "00112233445566778899aabbccddeeff", `"00112233-4455-6677-8899-aabbccddeeff"`},
		{"1c" + "000000000000f87f", `"NaN"`},
	} {
		value, err := hex.DecodeString(tt.value)
		if err != nil {
			t.Fatal(err)
		}
		got, err := AppendJSON(nil, value, []byte{1, 0, 0})
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %s, error %v, want %s", tt.value, got, err, tt.want)
		}
	}
}

func TestCompareUTF16(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom([]rune{'a', 'b', 'é', '\ud7ff', '\ue000', '\uffff', '\U00010000', '\U0010ffff', '\u0800', '\U00020000'})
		text := rapid.StringOfN(r, 0, 4, -1)
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		want := 0
		x, y := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
		for i := 0; i < len(x) && i < len(y) && want == 0; i++ {
			want = int(x[i]) - int(y[i])
		}
		if want == 0 {
			want = len(x) - len(y)
		}
		got := compareUTF16(a, b)
		if (got < 0) != (want < 0) || (got > 0) != (want > 0) {
			t.Fatalf("%q against %q: %d, want the sign of %d", a, b, got, want)
		}
	})
}

// FuzzEncode looks for a text whose VARIANT decodes to something else: the decoded text must give
// the same decoded text again, whatever it was.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5,"x\ud800",null,true],"b":{}}`, `-0.0`, `1e400`, `12345678901234567890`, `"\u0000"`, `{"":{"":[]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var e Encoder
		first, err := decoded(&e, string(text))
		if err != nil {
			_, syntax := errors.AsType[*SyntaxError](err)
			if !syntax && !errors.Is(err, ErrDuplicateKey) && !errors.Is(err, ErrTooDeep) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("error %v, want one of those that Encode documents", err)
			}
			return
		}
		second, err := decoded(&e, first)
		if err != nil {
			t.Fatalf("%s decodes to %s: %v", text, first, err)
		}
		if d := cmp.Diff(first, second); d != "" {
			t.Fatalf("decoded twice (-first +second):\n%s", d)
		}
	})
}

// FuzzDecode looks for bytes that make the decoder fail in another way than by ErrMalformed.
func FuzzDecode(f *testing.F) {
	var e Encoder
	value, metadata, err := e.Encode([]byte(`{"a":[1,2.5,"x",null,true,1e5],"b":{}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.Clone(value), bytes.Clone(metadata))
	f.Fuzz(func(t *testing.T, value, metadata []byte) {
		if _, err := AppendJSON(nil, value, metadata); err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("error %v, want %v", err, ErrMalformed)
		}
	})
}

var benchText = []byte(`{"mlflow.spanType":"LLM","mlflow.spanInputs":{"messages":[{"role":"user","content":"` +
	strings.Repeat("words and words ", 60) + `"}],"temperature":0.7,"n":1},` +
	`"mlflow.chat.tokenUsage":{"input_tokens":1234,"output_tokens":56,"total_tokens":1290}}`)

func TestEncodeAllocatesNothing(t *testing.T) {
	var e Encoder
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := e.Encode(benchText); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%g allocations for a value like the one before, want none", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	var e Encoder
	b.SetBytes(int64(len(benchText)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := e.Encode(benchText); err != nil {
			b.Fatal(err)
		}
	}
}
