//go:build rig

package variant_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/deltalake"
	"github.com/tracemig/tracemig/internal/rig"
	"github.com/tracemig/tracemig/internal/seed"
	"github.com/tracemig/tracemig/internal/uctables"
	"github.com/tracemig/tracemig/internal/variant"
)

func TestMain(m *testing.M) { rig.Main(m) }

// writeTexts writes a table with the texts, and beside each the VARIANT that Encode makes of it (NULL
// where it refuses the text), and returns the table's name for Spark.
func writeTexts(t *testing.T, texts []string) (table string, refused []error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "texts")
	l, err := deltalake.Open(path, deltalake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused = make([]error, len(texts))
	var enc variant.Encoder
	var rows []uctables.Annotation
	size := 0
	flush := func() {
		if _, err := l.WriteAnnotations(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
		rows, size = nil, 0
	}
	for i := range texts {
		a := uctables.Annotation{AnnotationID: strconv.Itoa(i), Comment: &texts[i]}
		if _, _, refused[i] = enc.Encode([]byte(texts[i])); refused[i] == nil {
			a.Value = uctables.JSON(texts[i])
		}
		rows = append(rows, a)
		if size += len(texts[i]); size > 16<<20 {
			flush()
		}
	}
	flush()
	return "delta.`" + path + "_otel_annotations`", refused
}

// differences are what Spark says of texts whose VARIANT differs from that of its own parse_json in
// what a function makes of it, and of texts that only one of the two refuses.
func differences(t *testing.T, table, function string) [][]any {
	t.Helper()
	return rig.SharedWarehouse(t).SQL(t, strings.ReplaceAll(`
SELECT annotation_id, left(comment, 200), left(f(value), 200), left(f(parsed), 200)
FROM (SELECT *, try_parse_json(comment) AS parsed FROM `+table+`)
WHERE NOT (f(value) <=> f(parsed)) LIMIT 20`, "f(", function+"("))
}

func TestSparkRandom(t *testing.T) {
	g := generator{seed.Rand(t)}
	texts := make([]string, 5000)
	for i := range texts {
		depth := 5
		switch {
		case i%100 == 0:
			depth = 60
		case i%10 == 0:
			depth = 0
		}
		texts[i] = g.document(depth)
	}
	table, refused := writeTexts(t, texts)
	for i, err := range refused {
		if err != nil {
			t.Errorf("refused: %v: %.200s", err, texts[i])
		}
	}
	for _, function := range []string{"to_json", "schema_of_variant"} {
		for _, row := range differences(t, table, function) {
			t.Errorf("%s: %q", function, row)
		}
	}
}

// generator makes random documents.
type generator struct{ *rand.Rand }

func (g generator) document(depth int) string {
	var b []byte
	b = g.value(b, depth, depth > 10)
	return string(b)
}

// value appends a value. In a deep document each array and object has one child that goes on.
func (g generator) value(b []byte, depth int, deep bool) []byte {
	space := func() {
		if g.IntN(8) == 0 {
			b = append(b, " \t\n\r"[g.IntN(4)])
		}
	}
	kind := g.IntN(10)
	if depth == 0 {
		kind = g.IntN(6)
	} else if deep {
		kind = 6 + g.IntN(4)
	}
	space()
	switch kind {
	case 0:
		return append(b, []string{"null", "true", "false"}[g.IntN(3)]...)
	case 1, 2, 3:
		return append(b, g.number()...)
	case 4, 5:
		return g.string(b)
	}
	n := g.IntN(5)
	if g.IntN(50) == 0 && !deep {
		n = 200 + g.IntN(400)
		depth = 1
	}
	if deep {
		n = 1
	}
	array := kind < 8
	b = append(b, "{["[b2i(array)])
	used := make(map[string]bool)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if !array {
			space()
			start := len(b)
			b = g.string(b)
			name, err := jsontext.AppendUnquote(nil, b[start:])
			for err != nil || used[string(name)] || strings.ContainsAny(string(name), "?\ufffd") {
				b = append(b[:start], strconv.Quote(fmt.Sprintf("%x", g.Int64()))...)
				name, err = jsontext.AppendUnquote(nil, b[start:])
			}
			used[string(name)] = true
			space()
			b = append(b, ':')
		}
		b = g.value(b, depth-1, deep && i == 0)
		space()
	}
	return append(b, "}]"[b2i(array)])
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (g generator) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0' + byte(g.IntN(10))
	}
	return string(b)
}

func (g generator) number() string {
	s := ""
	if g.IntN(3) == 0 {
		s = "-"
	}
	// Sizes at which the form changes come often.
	length := func() int { return []int{0, 1, 2, 3, 8, 9, 10, 17, 18, 19, 20, 37, 38, 39, 45, 400}[g.IntN(16)] }
	switch g.IntN(4) {
	case 0:
		n := uint64(1)<<[]int{0, 7, 8, 15, 16, 31, 32, 53, 63}[g.IntN(9)] + uint64(g.IntN(5)) - 2
		s += strconv.FormatUint(n, 10)
		return s
	case 1:
		s += "0"
	default:
		s += strconv.Itoa(1+g.IntN(9)) + g.digits(length())
	}
	if g.IntN(2) == 0 {
		s += "." + strings.Repeat("0", g.IntN(3)*g.IntN(3)) + g.digits(1+length()) + strings.Repeat("0", g.IntN(2)*g.IntN(10))
	}
	if g.IntN(4) == 0 {
		s += []string{"e", "E"}[g.IntN(2)] + []string{"", "+", "-"}[g.IntN(3)] + strconv.Itoa(g.IntN(340))
	}
	return s
}

func (g generator) string(b []byte) []byte {
	b = append(b, '"')
	n := g.IntN(12)
	switch g.IntN(20) {
	case 0:
		n = 55 + g.IntN(20)
	case 1:
		n = g.IntN(3000)
	}
	for range n {
		switch g.IntN(14) {
		case 0:
			b = append(b, []string{`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`, `\u0000`, `\u001f`}[g.IntN(10)]...)
		case 1:
			b = append(b, []string{`\u00e9`, `\ud83d\ude00`, `\uD83D\uDE00`, `\uffff`, `\ud800`, `\udc00x`, `\udc00\ud800`}[g.IntN(7)]...)
		case 2:
			b = append(b, []string{"é", "\u2028", "\ufffd", "\U0001f600", "\u007f", "\ue000", "\U0010ffff"}[g.IntN(7)]...)
		default:
			b = append(b, ' '+byte(g.IntN(95)))
			if c := b[len(b)-1]; c == '"' || c == '\\' {
				b[len(b)-1] = '.'
			}
		}
	}
	return append(b, '"')
}

func nest(open, shut string, n int) string {
	return strings.Repeat(open, n) + "1" + strings.Repeat(shut, n)
}

// TestSparkLimits compares what Encode and parse_json refuse, and the values where both take a text.
func TestSparkLimits(t *testing.T) {
	texts := []string{
		`{"a":1,"a":2}`, `{"\u0061":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"":1}`, `{"":1,"":2}`, `{"\u0000":1}`, `{"a\u0000b":"\u0000"}`,
		`{"é":1,"\U00010000":2}`,
		"{\"\ufffd\":1,\"\U00010000\":2}", `{"\ud800":1}`, `NaN`, `[NaN]`, `Infinity`, `-Infinity`, `1e400`, `-1e400`, `1e-400`,
		`-0`, `-0.0`, `-0e0`, `-0.00000000000000000000000000000000000000`,
		strings.Repeat("9", 38), strings.Repeat("9", 39), strings.Repeat("9", 400), strings.Repeat("9", 1000),
		"0." + strings.Repeat("9", 38), "0." + strings.Repeat("9", 39),
		"0." + strings.Repeat("0", 37) + "1", "0." + strings.Repeat("0", 40), "1." + strings.Repeat("0", 37), "1." + strings.Repeat("0", 38),
		`1.`, `.1`, `01`, `+1`, `0x1`, `1e`, ``, ` `, `nul`, `'a'`, `{a:1}`, `[1,]`, `{"a":1,}`, `// c` + "\n1", `/**/1`,
		"\"a\nb\"", "\"a\tb\"", `"\x"`, `"\u12"`, `[`, `{`, `"`, "\ufeff1", "\u00a01", "\x001",
		nest("[", "]", 500), nest("[", "]", 999), nest("[", "]", 1000), nest("[", "]", 1001), nest(`{"a":`, "}", 1000), nest(`{"a":`, "}", 1001),
	}
	table, _ := writeTexts(t, texts)
	// Not schema_of_variant, whose stack ends long before parse_json refuses.
	for _, row := range differences(t, table, "to_json") {
		t.Errorf("%q", row)
	}
}

// TestSparkKeys looks up fields by name in an object that is large enough for Spark to use
// binary search, which fails if the fields are not in Spark's order.
func TestSparkKeys(t *testing.T) {
	keys := []string{"", " ", "é", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"}
	for i := range 40 {
		keys = append(keys, fmt.Sprintf("%c%d", []rune{'a', '\ue001', '\U0001f600', 'é'}[i%4], i))
	}
	var text []byte
	for i, k := range keys {
		text = append(text, ",{"[b2i(i == 0)])
		var err error
		if text, err = jsontext.AppendQuote(text, k); err != nil {
			t.Fatal(err)
		}
		text = fmt.Appendf(text, ":%d", i)
	}
	table, _ := writeTexts(t, []string{string(text) + "}"})
	var fields []string
	for _, k := range keys[1:] { // variant_get has no path for the empty one
		fields = append(fields, fmt.Sprintf(`variant_get(value, '$["%s"]', 'INT')`, k))
	}
	rows := rig.SharedWarehouse(t).SQL(t, "SELECT "+strings.Join(fields, ", ")+" FROM "+table)
	if len(rows) != 1 {
		t.Fatalf("%d rows, want 1", len(rows))
	}
	for i, k := range keys[1:] {
		if rows[0][i] != int64(i+1) {
			t.Errorf("key %q: %v, want %d", k, rows[0][i], i+1)
		}
	}
}
