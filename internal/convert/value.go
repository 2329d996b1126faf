package convert

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/jsonscan"
)

// Limits of the engine that reads the rows, measured with Spark 4.0.2 (parse_json; from_json of a struct
// with a VARIANT field, in FAILFAST mode; to_json; schema_of_variant). Without FAILFAST, from_json gives a
// row of NULLs for a value beyond a limit.
const (
	// maxDepth bounds the nesting of one VARIANT column, the column's own object included. Measured: 998
	// levels in a row pass and 1,000 do not (Jackson's limit, which counts the row too), but schema_of_variant of
	// 900 nested objects overflows the driver's stack and ends the session; 510 pass everywhere.
	maxDepth = 256
	// maxVariant bounds the estimated binary size of one VARIANT (see variantBound). 16 MiB is the
	// documented limit; Spark 4.0.2 itself takes 20 MB, and its JSON reader strings of 20,000,000 characters.
	maxVariant = 15 << 20
	// maxName bounds an object key in bytes, as spelled. Measured: 50,000 characters pass, 50,001 do not.
	maxName = 32 << 10
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

// keepsRaw are the losses that the value itself does not show: the original text is kept beside it.
const keepsRaw = lostSurrogate | lostDuplicate | lostNUL

// compact appends the JSON text src as one compact value that a VARIANT holds exactly, or as nearly as
// the package documentation says. depth is the nesting around the value. ok is false, and nothing is
// appended, when src is no JSON even as Python's json.loads reads it, or when it is nested or has keys beyond
// the limits (l tells which).
//
// Nearly all texts are strict JSON without surprises, which one pass shows. For most others the library's
// formatter and one scan over its output suffice. All others go through a lenient parser.
func compact(dst, src []byte, depth int) (out []byte, l loss, ok bool) {
	if out, ok := quick(dst, src, depth); ok {
		return out, 0, true
	}
	return compactAny(dst, src, depth)
}

func compactAny(dst, src []byte, depth int) (out []byte, l loss, ok bool) {
	start := len(dst)
	out, err := jsontext.AppendFormat(dst, src)
	if err == nil && fitsAsIs(out[start:], depth) {
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

// fitsAsIs says whether a VARIANT holds b, compact and strictly valid JSON, as it is.
func fitsAsIs(b []byte, depth int) bool {
	if bytes.Contains(b, []byte(`\u0000`)) {
		return false
	}
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			end, _ := jsonscan.SkipString(b, i)
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
		case beginsNumber(c):
			n, _ := jsonscan.ScanNumber(b, i)
			if spellNumber(b[i:n.End], n) != numberAsIs {
				return false
			}
			i = n.End
		default:
			i++
		}
	}
	return true
}

func beginsNumber(c byte) bool { return c == '-' || c >= '0' && c <= '9' }

// quote appends text as a JSON string. Invalid UTF-8 becomes U+FFFD.
func quote[T ~[]byte | ~string](dst []byte, text T) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}

// unquote gives the text of a string literal, or the JSON of any other value. Lone surrogates become U+FFFD, and
// then clean is false.
func unquote(lit []byte) (text string, clean bool) {
	b, clean := unquoted(lit)
	return string(b), clean
}

// unquoted is unquote for callers that only look at the text: it is a part of lit if it can be.
func unquoted(lit []byte) (text []byte, clean bool) {
	if len(lit) == 0 || lit[0] != '"' {
		return lit, true
	}
	if bytes.IndexByte(lit, '\\') < 0 {
		return lit[1 : len(lit)-1], true
	}
	text, err := jsontext.AppendUnquote(nil, lit)
	return text, err == nil
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

// keepLone puts a backslash before the lone surrogate escapes of a valid string literal, so that the
// unquoted text holds the escape itself, and is still JSON if it was JSON. After an odd number of
// backslashes the escape would mean something else there, and it becomes U+FFFD.
func keepLone(lit []byte) []byte {
	out := make([]byte, 0, len(lit)+8)
	odd := false // whether the unquoted text so far ends with an odd number of backslashes
	for i := 0; i < len(lit); {
		if lit[i] != '\\' {
			out = append(out, lit[i])
			i++
			odd = false
			continue
		}
		r, n := jsonscan.UnicodeEscape(lit[i:])
		switch {
		case n == 0:
			n = 2
			out = append(out, lit[i:i+n]...)
			odd = lit[i+1] == '\\' && !odd
		case !utf16.IsSurrogate(r):
			out = append(out, lit[i:i+n]...)
			odd = r == '\\' && !odd
		case odd:
			out = utf8.AppendRune(out, utf8.RuneError)
			odd = false
		default:
			out = append(out, '\\')
			out = append(out, lit[i:i+n]...)
		}
		i += n
	}
	return out
}

// variantBound is an upper bound of the binary size of compact JSON as a VARIANT: value and dictionary.
// Offsets and dictionary IDs are counted with four bytes, and every occurrence of a key with all of its bytes.
func variantBound(b []byte) int {
	n := 0
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			end, _ := jsonscan.SkipString(b, i)
			n += 9 + end - i
			if end < len(b) && b[end] == ':' {
				n += 8
			}
			i = end
		case c == '{' || c == '[':
			n += 17
			i++
		case beginsNumber(c):
			number, _ := jsonscan.ScanNumber(b, i)
			n += 22
			i = number.End
		case c == 't' || c == 'f' || c == 'n':
			n += 5
			i += 4
		default:
			i++
		}
	}
	return n
}

// variantFactor times its length is never less than the size of compact JSON as a VARIANT. The worst case is
// an array of doubles such as 0e0, which take 13 bytes for 4.
const variantFactor = 4

// repairNonFinite puts the tokens NaN, Infinity and -Infinity of a document into quotes, because the
// streaming decoder takes only JSON. It says how many there were.
func repairNonFinite(doc []byte) ([]byte, int) {
	out := make([]byte, 0, len(doc)+64)
	count := 0
	for i := 0; i < len(doc); {
		if doc[i] == '"' {
			end, _ := jsonscan.SkipString(doc, i)
			out = append(out, doc[i:end]...)
			i = end
		} else if word := nonFinite(doc[i:]); word != "" {
			out = append(append(append(out, '"'), word...), '"')
			i += len(word)
			count++
		} else {
			out = append(out, doc[i])
			i++
		}
	}
	return out, count
}

// nonFinite is the word for a number that JSON does not have, with which b begins, or "".
func nonFinite(b []byte) string {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if len(b) >= len(word) && string(b[:len(word)]) == word {
			return word
		}
	}
	return ""
}
