package jsonscan

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

func TestSkipSpace(t *testing.T) {
	for text, want := range map[string]int{"": 0, "a": 0, " \t\r\n": 4, " \na ": 2, "\v": 0, "\u00a0": 0} {
		if got := SkipSpace([]byte(text), 0); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestSkipString(t *testing.T) {
	for _, tt := range []struct {
		text   string
		end    int
		closed bool
	}{
		{`""`, 2, true},
		{`"a" "b"`, 3, true},
		{`"\""x`, 4, true},
		{`"\\"x`, 4, true},
		{`"\\\""x`, 6, true},
		{`"`, 1, false},
		{`"a\"`, 4, false},
		{`"a\`, 3, false},
	} {
		if end, closed := SkipString([]byte(tt.text), 0); end != tt.end || closed != tt.closed {
			t.Errorf("%s: %d, closed %t, want %d, %t", tt.text, end, closed, tt.end, tt.closed)
		}
	}
}

func TestSkipValue(t *testing.T) {
	for _, tt := range []struct {
		text string
		end  int
		err  error
	}{
		{`1,2`, 1, nil},
		{`true}`, 4, nil},
		{`-Infinity]`, 9, nil},
		{`"a,]" `, 5, nil},
		{`{"a": [1, "]"]},`, 15, nil},
		{`[]]`, 2, nil},
		{``, 0, io.ErrUnexpectedEOF},
		{`[1, 2`, 0, io.ErrUnexpectedEOF},
		{`{"a`, 0, io.ErrUnexpectedEOF},
		{`,`, 0, ErrNotJSON},
		{`]`, 0, ErrNotJSON},
		{` 1`, 0, ErrNotJSON},
	} {
		if end, err := SkipValue([]byte(tt.text), 0); end != tt.end || !errors.Is(err, tt.err) {
			t.Errorf("%s: %d, error %v, want %d, %v", tt.text, end, err, tt.end, tt.err)
		}
	}
}

func TestMembers(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string // names and values, in turn
		end  int
		err  error
	}{
		{` { "a" : 1 , "b\"" : [ {"c":2} ] } x`, []string{`"a"`, `1`, `"b\""`, `[ {"c":2} ]`}, 34, nil},
		{`{}`, nil, 2, nil},
		{``, nil, 0, io.ErrUnexpectedEOF},
		{`{`, nil, 0, io.ErrUnexpectedEOF},
		{`{"a`, nil, 0, io.ErrUnexpectedEOF},
		{`{"a"`, nil, 0, io.ErrUnexpectedEOF},
		{`{"a":`, nil, 0, io.ErrUnexpectedEOF},
		{`{"a":1`, []string{`"a"`, `1`}, 0, io.ErrUnexpectedEOF},
		{`[]`, nil, 0, ErrNotJSON},
		{`{1:2}`, nil, 0, ErrNotJSON},
		{`{"a" 1}`, nil, 0, ErrNotJSON},
	} {
		var got []string
		end, err := Members([]byte(tt.text), func(name, value []byte) error {
			got = append(got, string(name), string(value))
			return nil
		})
		if !slices.Equal(got, tt.want) || end != tt.end || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %d, error %v, want %q, %d, %v", tt.text, got, end, err, tt.want, tt.end, tt.err)
		}
	}
	stop := errors.New("stop")
	if _, err := Members([]byte(`{"a":1}`), func(_, _ []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want that of the function", err)
	}
}

func TestElements(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
		err  error
	}{
		{`[ 1 , [2,3], "]" ]`, []string{`1`, `[2,3]`, `"]"`}, nil},
		{`[]`, nil, nil},
		{`null`, nil, nil},
		{``, nil, ErrNotJSON},
		{`{}`, nil, ErrNotJSON},
		{`[}`, nil, ErrNotJSON},
		{`[1`, []string{`1`}, io.ErrUnexpectedEOF},
	} {
		var got []string
		err := Elements([]byte(tt.text), func(element []byte) error {
			got = append(got, string(element))
			return nil
		})
		if !slices.Equal(got, tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, error %v, want %q, %v", tt.text, got, err, tt.want, tt.err)
		}
	}
	stop := errors.New("stop")
	if err := Elements([]byte(`[1]`), func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want that of the function", err)
	}
}

func TestScanNumber(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Number
		ok   bool
	}{
		{"0", Number{1, 1, 0, false}, true},
		{"-0", Number{2, 1, 0, false}, true},
		{"120,", Number{3, 3, 0, false}, true},
		{"0.050", Number{5, 1, 3, false}, true},
		{"-1.5e-10]", Number{8, 1, 1, true}, true},
		{"1E5", Number{3, 1, 0, true}, true},
		{"1e+5", Number{4, 1, 0, true}, true},
		{"1.2.3", Number{3, 1, 1, false}, true},
		{"", Number{0, 0, 0, false}, false},
		{"-", Number{1, 0, 0, false}, false},
		{"+1", Number{0, 0, 0, false}, false},
		{".5", Number{0, 0, 0, false}, false},
		{"012", Number{3, 3, 0, false}, false},
		{"1.", Number{2, 1, 0, false}, false},
		{"1.e5", Number{2, 1, 0, false}, false},
		{"1e", Number{2, 1, 0, true}, false},
		{"1e+", Number{3, 1, 0, true}, false},
		{"NaN", Number{0, 0, 0, false}, false},
	} {
		if got, ok := ScanNumber([]byte(tt.text), 0); got != tt.want || ok != tt.ok {
			t.Errorf("%q: %+v, %t, want %+v, %t", tt.text, got, ok, tt.want, tt.ok)
		}
		if got, want := IsNumber([]byte(tt.text)), tt.ok && tt.want.End == len(tt.text); got != want {
			t.Errorf("IsNumber(%q) = %t, want %t", tt.text, got, want)
		}
	}
}

func TestUnescape(t *testing.T) {
	for letter := range 256 {
		var want byte
		if text, err := jsontext.AppendUnquote(nil, []byte{'"', '\\', byte(letter), '"'}); err == nil && len(text) == 1 {
			want = text[0]
		}
		if got := Unescape(byte(letter)); got != want {
			t.Errorf("letter %#x: %#x, want %#x", letter, got, want)
		}
	}
}

func TestUnicodeEscape(t *testing.T) {
	for _, tt := range []struct {
		text string
		r    rune
		n    int
	}{
		{`\u0041b`, 'A', 6},
		{`\u00e9`, 'é', 6},
		{`\uD83D\uDE00x`, '😀', 12},
		{`\ud83d`, 0xd83d, 6},
		{`\ud83dx`, 0xd83d, 6},
		{`\ud83d\u0041`, 0xd83d, 6},
		{`\ud83d\ud83d`, 0xd83d, 6},
		{`\ude00\ud83d`, 0xde00, 6},
		{`\u12`, 0, 0},
		{`\u12g4`, 0, 0},
		{`\n1234`, 0, 0},
		{`u12345`, 0, 0},
		{``, 0, 0},
	} {
		if r, n := UnicodeEscape([]byte(tt.text)); r != tt.r || n != tt.n {
			t.Errorf("%s: %x, %d bytes, want %x, %d", tt.text, r, n, tt.r, tt.n)
		}
	}
}

func TestPlainLen(t *testing.T) {
	for at := range 20 {
		for c := range 256 {
			b := bytes.Repeat([]byte("~"), 20)
			b[at] = byte(c)
			want := 20
			if c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
				want = at
			}
			if got := PlainLen(b); got != want {
				t.Fatalf("byte %#x at %d: %d, want %d", c, at, got, want)
			}
		}
	}
}

func TestAppendUnquoted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab\"\\\n\t\b\f\r/é\x00\x1f😀"))).Draw(t, "text")
		literal, err := jsontext.AppendQuote(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		want, wantOK := "prefix"+text, !bytes.Contains(literal, []byte(`\u00`))
		if !wantOK {
			want = "prefix"
		}
		if got, ok := AppendUnquoted([]byte("prefix"), literal); ok != wantOK || string(got) != want {
			t.Fatalf("%s: %q, %t, want %q, %t", literal, got, ok, want, wantOK)
		}
	})
	if got, ok := AppendUnquoted(nil, []byte(`"a\/b"`)); string(got) != "a/b" || !ok {
		t.Errorf("%q, %t, want a/b, true", got, ok)
	}
}

// FuzzScan scans any bytes: indexes stay within the text, and where the text is JSON, the parts are those that
// another decoder finds.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		` {"a" : [1, 2.50, -3e2], "b\\":{"":null}} `, `["\ud83d\ude00\ud800", NaN, -Infinity]`, `"\u00e9\/\n"`, `[1,`, `{"a"`, `01`, `1e+`, `"\`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		start := SkipSpace(b, 0)
		end, err := SkipValue(b, start)
		if start < 0 || end < 0 || start > len(b) || end > len(b) {
			t.Fatalf("value from %d to %d of %d bytes", start, end, len(b))
		}
		for i := range b {
			checkParts(t, b[i:])
		}
		checkScanValue(t, b)
		checkCount(t, b, start)
		if !jsontext.Value(b).IsValid(jsontext.AllowDuplicateNames(true)) {
			return
		}
		if err != nil || SkipSpace(b, end) != len(b) {
			t.Fatalf("a value from %d to %d, error %v, want all of %q", start, end, err, b)
		}
		checkValue(t, b, start, end)
	})
}

// checkValue compares the JSON value b[start:end], and what it holds, with what another decoder reads.
func checkValue(t *testing.T, b []byte, start, end int) {
	d := jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowDuplicateNames(true))
	switch d.PeekKind() {
	case '{':
		checkMembers(t, b, d)
	case '[':
		checkElements(t, b[start:], d)
	case '0':
		if !IsNumber(b[start:end]) {
			t.Fatalf("%q is a number", b)
		}
	case '"':
		want, err := jsontext.AppendUnquote(nil, b[start:end])
		if got, ok := AppendUnquoted(nil, b[start:end]); ok && (err != nil || !bytes.Equal(got, want)) {
			t.Fatalf("%q unquotes to %q, want %q, error %v", b, got, want, err)
		}
	}
}

// checkParts calls the functions that take any bytes.
func checkParts(t *testing.T, b []byte) {
	if b[0] == '"' {
		if end, closed := SkipString(b, 0); end > len(b) || closed && (end < 2 || b[end-1] != '"') {
			t.Fatalf("%q: a string up to %d", b, end)
		}
	}
	if n, ok := ScanNumber(b, 0); n.End > len(b) || ok && !jsontext.Value(b[:n.End]).IsValid() {
		t.Fatalf("%q: number %+v", b, n)
	}
	if n := PlainLen(b); n > len(b) {
		t.Fatalf("%q: %d plain bytes", b, n)
	}
	r, n := UnicodeEscape(b)
	if n == 0 {
		return
	}
	_, err := jsontext.AppendUnquote(nil, slices.Concat([]byte{'"'}, b[:n], []byte{'"'}))
	if lone := utf16.IsSurrogate(r); lone != (err != nil) {
		t.Fatalf("%q: a lone surrogate: %t, error of the other decoder: %v", b[:n], lone, err)
	}
}

func checkMembers(t *testing.T, b []byte, d *jsontext.Decoder) {
	next := func() []byte {
		v, err := d.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if _, err := d.ReadToken(); err != nil {
		t.Fatal(err)
	}
	_, err := Members(b, func(name, value []byte) error {
		if want := next(); !bytes.Equal(name, want) {
			t.Fatalf("name %q, want %q", name, want)
		}
		if want := next(); !bytes.Equal(value, want) {
			t.Fatalf("value %q, want %q", value, want)
		}
		return nil
	})
	if k := d.PeekKind(); err != nil || k != '}' {
		t.Fatalf("error %v, and the object goes on with %v", err, k)
	}
}

func checkElements(t *testing.T, b []byte, d *jsontext.Decoder) {
	if _, err := d.ReadToken(); err != nil {
		t.Fatal(err)
	}
	err := Elements(b, func(element []byte) error {
		want, err := d.ReadValue()
		if err != nil || !bytes.Equal(element, want) {
			t.Fatalf("element %q, want %q, error %v", element, want, err)
		}
		return nil
	})
	if k := d.PeekKind(); err != nil || k != ']' {
		t.Fatalf("error %v, and the array goes on with %v", err, k)
	}
}
