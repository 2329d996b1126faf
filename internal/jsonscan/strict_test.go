package jsonscan

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// checkScanValue compares ScanValue and ScanName with package jsontext, for the value or member with which b begins.
func checkScanValue(t interface{ Fatalf(string, ...any) }, b []byte) {
	start := SkipSpace(b, 0)
	want, err := jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)).ReadValue()
	end, ok := ScanValue(b, start, 0)
	if ok != (err == nil) || ok && end != start+len(want) {
		t.Fatalf("%.1000q: ends at %d, %t, want %q, error %v", b, end, ok, want, err)
	}
	end, value, ok := ScanName(b, start)
	d := jsontext.NewDecoder(bytes.NewReader(slices.Concat([]byte("{"), b)), jsontext.AllowInvalidUTF8(true))
	_, _ = d.ReadToken()
	name, err := d.ReadValue()
	if ok && (err != nil || end != start+len(name) || b[SkipSpace(b, end)] != ':' || SkipSpace(b, SkipSpace(b, end)+1) != value) {
		t.Fatalf("%.1000q: a name up to %d and a value at %d, want %q, error %v", b, end, value, name, err)
	}
	if after := SkipSpace(b, start+len(name)); !ok && err == nil && len(name) > 0 && after < len(b) && b[after] == ':' {
		t.Fatalf("%.1000q: no name, want %q", b, name)
	}
}

// checkCount compares CountElements at b[i] with SkipValue and Elements.
func checkCount(t interface{ Fatalf(string, ...any) }, b []byte, i int) {
	want := 0
	wantEnd, wantErr := SkipValue(b, i)
	if wantErr == nil {
		if wantErr = Elements(b[i:wantEnd], func([]byte) error { want++; return nil }); wantErr != nil {
			want = 0
		}
	}
	n, end, err := CountElements(b, i)
	if err != wantErr || err == nil && (n != want || end != wantEnd) {
		t.Fatalf("%.1000q: %d elements up to %d, error %v, want %d, %d, %v", b, n, end, err, want, wantEnd, wantErr)
	}
}

func TestScanValue(t *testing.T) {
	for _, text := range []string{
		``, ` `, `1`, `01`, `00`, `-01`, `10.`, `-00.`, `1.`, `1.5e`,
		`-`, `"`, `"a`, `"\`, `"\u12`, `"\u12g4"`, `"\x"`, `"\ud800"`, "\"\n\"", "\"\x7f\"", `tru`, `true`, `nul`, `null1`,
		`[`, `[]`, `[ ]`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `[1}`,
		`{`, `{}`, `{ }`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `{"a":1]`, `{1:2}`, `{"a" : 1 , "b":[{}]} x`,
		`"a":1`, `"a" : [`, `"a"`, `"a" 1`, "NaN", `{"a":NaN}`,
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1),
	} {
		checkScanValue(t, []byte(text))
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{
			"{", "}", "[", "]", ",", ":", `"a"`, `"\"\\"`, `"\u00e9"`, `"\`, "1", "0", "-2.5e3", "true", "null", " ", "\n", `"é`, `"`,
		})).Draw(t, "parts")
		checkScanValue(t, []byte(strings.Join(parts, "")))
		checkCount(t, []byte(strings.Join(parts, "")), 0)
		checkCount(t, []byte("["+strings.Join(parts, "")), 0)
	})
}

func TestCopyPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.SampledFrom([]byte("abcdefgh~ \x7f\x1f\"\\\x80\xff"))).Draw(t, "b")
		dst := make([]byte, rapid.IntRange(0, len(b)+1).Draw(t, "room"))
		want := min(PlainLen(b), len(dst))
		if n := CopyPlain(dst, b); n != want || !bytes.Equal(dst[:n], b[:want]) {
			t.Fatalf("%q: %d bytes, %q, want %d", b, n, dst[:n], want)
		}
	})
}
