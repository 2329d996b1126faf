package convert

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of the engine that reads the rows, measured with Spark 4.0.2 (parse_json; from_json of a struct
// with a VARIANT field, in FAILFAST mode; to_json; schema_of_variant). Without FAILFAST, from_json gives a
// row of NULLs for what is beyond them.
const (
	// maxDepth bounds the nesting of one VARIANT column, the column's own object included. Measured: 998
	// levels in a row pass and 1,000 do not (Jackson's limit, the row counted), but schema_of_variant of
	// 900 nested objects overflows the driver's stack and ends the session; 510 pass everywhere.
	maxDepth = 256
	// maxVariant bounds the estimated binary size of one VARIANT (see variantBound). 16 MiB is the
	// documented limit; Spark 4.0.2 itself takes 20 MB, and its JSON reader strings of 20,000,000 characters.
	maxVariant = 15 << 20
	// maxNumber bounds the spelling of a number in bytes. Measured: an integer of 1,001 digits is refused.
	maxNumber = 256
	// maxName bounds an object key in bytes, as spelled. Measured: 50,000 characters pass, 50,001 do not.
	maxName = 32 << 10
	// decimalDigits is the precision and the largest scale of a decimal in a VARIANT.
	decimalDigits = 38
	// doubleDigits is the most that a double's shortest spelling needs.
	doubleDigits = 17
)

// loss says in what way a VARIANT value differs from the JSON text it was made of.
type loss uint16

const (
	lostNonFinite loss = 1 << iota
	lostNumber
	lostSurrogate
	lostDuplicate
	lostNUL
	lostDepth
	lostName
)

// keepsRaw are the losses that leave no trace in the value: the original text is kept beside it.
const keepsRaw = lostSurrogate | lostDuplicate | lostNUL

// compact appends the JSON text src as one compact value that a VARIANT holds exactly, or as nearly as
// the package documentation says. depth is the nesting around the value. ok is false, and nothing is
// appended, when src is no JSON even as Python's json.loads reads it, or is nested or named beyond the
// limits (l tells).
//
// Nearly all texts are strict JSON without surprises, which one pass shows. For most others the library's
// formatter and one scan over its output suffice. Everything else goes through a lenient parser.
func compact(dst, src []byte, depth int) (out []byte, l loss, ok bool) {
	if out, ok := quick(dst, src, depth); ok {
		return out, 0, true
	}
	return compactAny(dst, src, depth)
}

func compactAny(dst, src []byte, depth int) (out []byte, l loss, ok bool) {
	start := len(dst)
	out, err := jsontext.AppendFormat(dst, src)
	if err == nil && plain(out[start:], depth) {
		return out, 0, true
	}
	p := parser{src: src, out: out[:start]}
	p.space()
	if !p.value(depth) {
		return p.out[:start], p.loss & (lostDepth | lostName), false
	}
	p.space()
	if p.i != len(src) {
		return p.out[:start], 0, false
	}
	return p.out, p.loss, true
}

// plain says whether compact, strictly valid JSON needs no further work.
func plain(b []byte, depth int) bool {
	if bytes.Contains(b, []byte(`\u0000`)) {
		return false
	}
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			end := stringEnd(b, i)
			if end-i > maxName && end < len(b) && b[end] == ':' {
				return false
			}
			i = end
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
			i++
		case c == '}' || c == ']':
			depth--
			i++
		case c == '-' || c >= '0' && c <= '9':
			end := numberEnd(b, i)
			if end-i > 15 || c == '-' || bytes.IndexByte(b[i:end], 'e') >= 0 || bytes.IndexByte(b[i:end], 'E') >= 0 {
				if spellNumber(b[i:end]) != numberAsIs {
					return false
				}
			}
			i = end
		default:
			i++
		}
	}
	return true
}

// stringEnd gives the index after the string literal that begins at b[i].
func stringEnd(b []byte, i int) int {
	for j := i + 1; ; {
		k := bytes.IndexByte(b[j:], '"')
		if k < 0 {
			return len(b)
		}
		j += k
		n := 0
		for b[j-1-n] == '\\' {
			n++
		}
		j++
		if n%2 == 0 {
			return j
		}
	}
}

func numberEnd(b []byte, i int) int {
	for i < len(b) {
		switch c := b[i]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			i++
		default:
			return i
		}
	}
	return i
}

type spelling int

const (
	numberAsIs     spelling = iota
	numberNegZero           // a plain decimal of value -0: a decimal has no sign of zero
	numberAsString          // no VARIANT number holds it
)

// spellNumber says how a valid JSON number is to be written so that parse_json keeps its value.
// parse_json makes integers and plain decimals of up to 38 digits exact numbers; anything else becomes
// the nearest double.
func spellNumber(tok []byte) spelling {
	if len(tok) > maxNumber {
		return numberAsString
	}
	var sig [maxNumber]byte // digits without leading zeros
	n, scale, zeros := 0, 0, 0
	dot, exp := false, false
	for _, c := range tok {
		if c == 'e' || c == 'E' {
			exp = true
			break
		}
		switch {
		case c == '.':
			dot = true
		case c >= '0' && c <= '9':
			if dot {
				scale++
			}
			if c == '0' && n == 0 {
				continue
			}
			if c == '0' {
				zeros++
			} else {
				zeros = 0
			}
			sig[n] = c
			n++
		}
	}
	switch {
	case n == 0 && dot && !exp && tok[0] == '-':
		return numberNegZero
	case !exp && n <= decimalDigits && scale <= decimalDigits, n == 0:
		return numberAsIs
	case !exp && !dot:
		return numberAsString
	}
	n -= zeros
	if n > doubleDigits {
		return numberAsString
	}
	f, err := strconv.ParseFloat(string(tok), 64)
	if err != nil {
		return numberAsString
	}
	var buf [32]byte
	got := strconv.AppendFloat(buf[:0], f, 'e', n-1, 64)
	j := 0
	for _, c := range got {
		if c == 'e' {
			break
		}
		if c < '0' || c > '9' {
			continue
		}
		if j >= n || sig[j] != c {
			return numberAsString
		}
		j++
	}
	return numberAsIs
}

// parser reads JSON as Python's json.loads does: NaN, Infinity, lone surrogate escapes and duplicate
// keys are taken, control characters in strings are not.
type parser struct {
	src  []byte
	i    int
	out  []byte
	loss loss
}

func (p *parser) space() {
	for p.i < len(p.src) {
		switch p.src[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *parser) peek() byte {
	if p.i < len(p.src) {
		return p.src[p.i]
	}
	return 0
}

func (p *parser) word(w string, as string, l loss) bool {
	if !bytes.HasPrefix(p.src[p.i:], []byte(w)) {
		return false
	}
	p.i += len(w)
	p.out = append(p.out, as...)
	p.loss |= l
	return true
}

func (p *parser) value(depth int) bool {
	switch c := p.peek(); c {
	case '{':
		return p.object(depth + 1)
	case '[':
		return p.array(depth + 1)
	case '"':
		lit, ok := p.str()
		if ok {
			p.out = append(p.out, lit...)
		}
		return ok
	case 't':
		return p.word("true", "true", 0)
	case 'f':
		return p.word("false", "false", 0)
	case 'n':
		return p.word("null", "null", 0)
	case 'N':
		return p.word("NaN", `"NaN"`, lostNonFinite)
	case 'I':
		return p.word("Infinity", `"Infinity"`, lostNonFinite)
	default:
		if c == '-' && p.word("-Infinity", `"-Infinity"`, lostNonFinite) {
			return true
		}
		return p.number()
	}
}

func (p *parser) number() bool {
	end := numberEnd(p.src, p.i)
	tok := p.src[p.i:end]
	if !validNumber(tok) {
		return false
	}
	p.i = end
	switch spellNumber(tok) {
	case numberAsIs:
		p.out = append(p.out, tok...)
	case numberNegZero:
		p.out = append(p.out, "-0.0E0"...)
	case numberAsString:
		p.out = append(p.out, '"')
		p.out = append(p.out, tok...)
		p.out = append(p.out, '"')
		p.loss |= lostNumber
	}
	return true
}

func validNumber(b []byte) bool {
	i := 0
	digits := func() bool {
		n := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > n
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return false
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(b)
}

// str reads a string literal and gives it as it is to be written.
func (p *parser) str() ([]byte, bool) {
	start := p.i
	lone := false
	for i := p.i + 1; i < len(p.src); {
		switch c := p.src[i]; {
		case c == '"':
			p.i = i + 1
			lit := p.src[start:p.i]
			if lone {
				p.loss |= lostSurrogate
			}
			return canonical(lit), true
		case c < 0x20:
			return nil, false
		case c != '\\':
			i++
		case i+1 >= len(p.src):
			return nil, false
		case p.src[i+1] == 'u':
			r, ok := hex4(p.src[i:])
			if !ok {
				return nil, false
			}
			i += 6
			switch {
			case r >= 0xdc00 && r < 0xe000:
				lone = true
			case r >= 0xd800 && r < 0xdc00:
				if lo, ok := hex4(p.src[i:]); ok && lo >= 0xdc00 && lo < 0xe000 {
					i += 6
				} else {
					lone = true
				}
			}
		case bytes.IndexByte([]byte(`"\/bfnrt`), p.src[i+1]) >= 0:
			i += 2
		default:
			return nil, false
		}
	}
	return nil, false
}

// canonical gives a string literal in its shortest spelling, with lone surrogates as U+FFFD, so that
// a text gives the same row whichever way the source spelled it.
func canonical(lit []byte) []byte {
	if !bytes.Contains(lit, []byte(`\u`)) && !bytes.Contains(lit, []byte(`\/`)) {
		return lit
	}
	text, _ := jsontext.AppendUnquote(nil, lit)
	return quote(make([]byte, 0, len(text)+2), text)
}

// hex4 reads an escape of the form \uXXXX at the beginning of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// keepLone puts a backslash before the lone surrogate escapes of a valid string literal, so that the
// unquoted text holds the escape itself, and is still JSON where it was JSON. Behind an odd number of
// backslashes it would mean something else, and becomes U+FFFD.
func keepLone(lit []byte) []byte {
	out := make([]byte, 0, len(lit)+8)
	backslashes := 0 // at the end of the unquoted text so far
	for i := 0; i < len(lit); {
		if lit[i] != '\\' {
			out = append(out, lit[i])
			i++
			backslashes = 0
			continue
		}
		r, ok := hex4(lit[i:])
		if !ok {
			if lit[i+1] == '\\' {
				backslashes++
			} else {
				backslashes = 0
			}
			out = append(out, lit[i], lit[i+1])
			i += 2
			continue
		}
		if r >= 0xd800 && r < 0xdc00 {
			if lo, ok := hex4(lit[i+6:]); ok && lo >= 0xdc00 && lo < 0xe000 {
				out = append(out, lit[i:i+12]...)
				i += 12
				backslashes = 0
				continue
			}
		}
		switch lone := r >= 0xd800 && r < 0xe000; {
		case !lone:
			out = append(out, lit[i:i+6]...)
			if r == '\\' {
				backslashes++
			} else {
				backslashes = 0
			}
		case backslashes%2 == 0:
			out = append(out, '\\')
			out = append(out, lit[i:i+6]...)
			backslashes = 0
		default:
			out = utf8.AppendRune(out, utf8.RuneError)
			backslashes = 0
		}
		i += 6
	}
	return out
}

func (p *parser) array(depth int) bool {
	if depth > maxDepth {
		p.loss |= lostDepth
		return false
	}
	p.i++
	p.out = append(p.out, '[')
	p.space()
	if p.peek() == ']' {
		p.i++
		p.out = append(p.out, ']')
		return true
	}
	for {
		if !p.value(depth) {
			return false
		}
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.out = append(p.out, ',')
			p.space()
		case ']':
			p.i++
			p.out = append(p.out, ']')
			return true
		default:
			return false
		}
	}
}

func (p *parser) object(depth int) bool {
	if depth > maxDepth {
		p.loss |= lostDepth
		return false
	}
	p.i++
	start := len(p.out)
	p.out = append(p.out, '{')
	p.space()
	if p.peek() == '}' {
		p.i++
		p.out = append(p.out, '}')
		return true
	}
	type span struct{ lo, hi int } // one member in p.out
	var members []span
	last := map[string]int{}
	duplicates := false
	for {
		if p.peek() != '"' {
			return false
		}
		lit, ok := p.str()
		if !ok {
			return false
		}
		lit, name, l := objectName(lit)
		p.loss |= l
		if len(lit) > maxName {
			p.loss |= lostName
			return false
		}
		lo := len(p.out)
		p.out = append(p.out, lit...)
		p.space()
		if p.peek() != ':' {
			return false
		}
		p.i++
		p.out = append(p.out, ':')
		p.space()
		if !p.value(depth) {
			return false
		}
		if i, ok := last[name]; ok {
			duplicates = true
			members[i].hi = members[i].lo
		}
		last[name] = len(members)
		members = append(members, span{lo, len(p.out)})
		p.space()
		switch p.peek() {
		case ',':
			p.i++
			p.out = append(p.out, ',')
			p.space()
			continue
		case '}':
			p.i++
		default:
			return false
		}
		break
	}
	if duplicates {
		p.loss |= lostDuplicate
		at := start + 1
		for _, m := range members {
			if m.hi == m.lo {
				continue
			}
			if at > start+1 {
				p.out[at] = ','
				at++
			}
			at += copy(p.out[at:], p.out[m.lo:m.hi])
		}
		p.out = p.out[:at]
	}
	p.out = append(p.out, '}')
	return true
}

// objectName gives the literal and the text of an object key, both with U+FFFD for NUL.
func objectName(lit []byte) ([]byte, string, loss) {
	if bytes.IndexByte(lit, '\\') < 0 {
		return lit, string(lit[1 : len(lit)-1]), 0
	}
	name, err := jsontext.AppendUnquote(nil, lit)
	var l loss
	if err != nil {
		l |= lostSurrogate
	}
	if bytes.IndexByte(name, 0) >= 0 {
		l |= lostNUL
		name = bytes.ReplaceAll(name, []byte{0}, []byte("\uFFFD"))
	}
	if l != 0 {
		lit = quote(nil, name)
	}
	return lit, string(name), l
}

// quote appends text as a JSON string. Invalid UTF-8 becomes U+FFFD.
func quote[T ~[]byte | ~string](dst []byte, text T) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}

// variantBound is an upper bound of the binary size of compact JSON as a VARIANT: value and dictionary.
// Offsets and dictionary IDs are counted with four bytes, every key as if it stood alone.
func variantBound(b []byte) int {
	n := 0
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			end := stringEnd(b, i)
			n += 9 + end - i
			if end < len(b) && b[end] == ':' {
				n += 8
			}
			i = end
		case c == '{' || c == '[':
			n += 17
			i++
		case c == '-' || c >= '0' && c <= '9':
			end := numberEnd(b, i)
			n += 22
			i = end
		case c == 't' || c == 'f' || c == 'n':
			n += 5
			i += 4
		default:
			i++
		}
	}
	return n
}

// variantFactor times its length is never less than the size of compact JSON as a VARIANT:
// the worst is an array of doubles such as 0e0, with 13 bytes for 4.
const variantFactor = 4

// repairNonFinite puts the tokens NaN, Infinity and -Infinity of a document into quotes, because the
// streaming decoder takes only JSON. It says how many there were.
func repairNonFinite(doc []byte) ([]byte, int) {
	out := make([]byte, 0, len(doc)+64)
	count := 0
scan:
	for i := 0; i < len(doc); {
		switch doc[i] {
		case '"':
			end := stringEnd(doc, i)
			out = append(out, doc[i:end]...)
			i = end
			continue scan
		case 'N', 'I', '-':
			for _, w := range []string{"NaN", "Infinity", "-Infinity"} {
				if bytes.HasPrefix(doc[i:], []byte(w)) {
					out = append(out, '"')
					out = append(out, w...)
					out = append(out, '"')
					i += len(w)
					count++
					continue scan
				}
			}
		}
		out = append(out, doc[i])
		i++
	}
	return out, count
}
