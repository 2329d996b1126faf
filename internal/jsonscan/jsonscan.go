// Package jsonscan finds the parts of a JSON text: where a string, a number or a value ends, and what an escape
// stands for. Its functions allocate nothing, keep nothing, and return indexes into what they are given.
//
// The standard decoders are too strict for what MLflow stores: Python writes NaN, Infinity and lone surrogates,
// for which package convert has a rule each. They are also too slow for the payloads of spans, which the rows keep as
// text. So the packages that read payloads scan them by hand, and share here what that takes.
//
// SkipSpace, SkipString, SkipValue, Members and Elements follow only white space, strings and brackets. They accept
// every JSON text, and many that are none. ScanValue, ScanString, ScanNumber, Unescape and UnicodeEscape accept what
// RFC 8259 does.
package jsonscan

import (
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrNotJSON says that brackets or separators are not where JSON has them.
var ErrNotJSON = errors.New("not a JSON object")

// SkipSpace returns the index of the first byte of b, from i on, that is not white space.
func SkipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// SkipString returns the index after the string that begins with the quote b[i]. If the string is not closed,
// that is len(b), and closed is false.
//
// In a string that holds JSON nearly every quote has a backslash before it. Only a quote without one, or with two,
// can be the end.
func SkipString(b []byte, i int) (end int, closed bool) {
	i++
	last := uint64(0) // the backslashes among the eight bytes before
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quotes, backslashes := equal(x, '"'), equal(x, '\\')
		one, two := backslashes<<8|last>>56, backslashes<<16|last>>48
		for marks := quotes&^one | quotes&two; marks != 0; marks &= marks - 1 {
			if at := i + bits.TrailingZeros64(marks)/8; !isEscaped(b, at) {
				return at + 1, true
			}
		}
		last = backslashes
	}
	for ; i < len(b); i++ {
		if b[i] == '"' && !isEscaped(b, i) {
			return i + 1, true
		}
	}
	return len(b), false
}

// isEscaped says whether b[i], in a string, stands after an odd number of backslashes.
func isEscaped(b []byte, i int) bool {
	n := 0
	for b[i-1-n] == '\\' { // stops at the opening quote at the latest
		n++
	}
	return n%2 == 1
}

// SkipValue returns the index after the value that begins at i. The error is io.ErrUnexpectedEOF if b ends before
// the value does, or ErrNotJSON.
func SkipValue(b []byte, i int) (end int, err error) {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			var closed bool
			if i, closed = SkipString(b, i); !closed {
				return 0, io.ErrUnexpectedEOF
			}
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return 0, ErrNotJSON
			}
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return 0, ErrNotJSON
			}
			i++
			continue
		default:
			i = skipWord(b, i)
		}
		if depth == 0 {
			return i, nil
		}
	}
	return 0, io.ErrUnexpectedEOF
}

// skipWord returns the index of the first byte that ends a number or a word such as true or NaN.
func skipWord(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch b[i] {
		case ',', ':', ']', '}', '[', '{', '"', ' ', '\n', '\t', '\r':
			return i
		}
	}
	return i
}

// Members calls f with each member of the object that b begins with, after white space, and returns the index after
// the object. name is a string literal. The errors are those of SkipValue and those of f.
func Members(b []byte, f func(name, value []byte) error) (end int, err error) {
	return MembersAt(b, func(name []byte, value int) (end int, err error) {
		if end, err = SkipValue(b, value); err != nil {
			return 0, err
		}
		return end, f(name, b[value:end])
	})
}

// MembersAt is Members for an f that gets the index of the value, and returns the index after it.
func MembersAt(b []byte, f func(name []byte, value int) (end int, err error)) (end int, err error) {
	i := SkipSpace(b, 0)
	if i == len(b) {
		return 0, io.ErrUnexpectedEOF
	}
	if b[i] != '{' {
		return 0, ErrNotJSON
	}
	for i++; ; {
		if i = SkipSpace(b, i); i == len(b) {
			return 0, io.ErrUnexpectedEOF
		}
		switch b[i] {
		case '}':
			return i + 1, nil
		case ',':
			i++
			continue
		case '"':
		default:
			return 0, ErrNotJSON
		}
		nameEnd, value, err := skipName(b, i)
		if err != nil {
			return 0, err
		}
		if i, err = f(b[i:nameEnd], value); err != nil {
			return 0, err
		}
	}
}

// skipName returns the index after a name that begins at i, and the index of its value.
func skipName(b []byte, i int) (end, value int, err error) {
	end, closed := SkipString(b, i)
	if !closed {
		return 0, 0, io.ErrUnexpectedEOF
	}
	if i = SkipSpace(b, end); i == len(b) {
		return 0, 0, io.ErrUnexpectedEOF
	}
	if b[i] != ':' {
		return 0, 0, ErrNotJSON
	}
	return end, SkipSpace(b, i+1), nil
}

// Elements calls f with each element of the array b, which has no white space before it. null counts as an empty
// array. The errors are those of SkipValue and those of f.
func Elements(b []byte, f func(element []byte) error) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) == 0 || b[0] != '[' {
		return ErrNotJSON
	}
	for i := 1; ; {
		if i = SkipSpace(b, i); i == len(b) {
			return io.ErrUnexpectedEOF
		}
		switch b[i] {
		case ']':
			return nil
		case ',':
			i++
			continue
		}
		end, err := SkipValue(b, i)
		if err != nil {
			return err
		}
		if err := f(b[i:end]); err != nil {
			return err
		}
		i = end
	}
}

// CountElements counts the elements of the array that begins at i, as Elements has them, and returns the index after it,
// as SkipValue has it: in one pass, where these two take two. Its errors are those of SkipValue, and then those of
// Elements.
func CountElements(b []byte, i int) (n, end int, err error) {
	if i >= len(b) || b[i] != '[' {
		if end, err = SkipValue(b, i); err == nil && string(b[i:end]) != "null" {
			err = ErrNotJSON
		}
		return 0, end, err
	}
	for i++; ; {
		if i = SkipSpace(b, i); i == len(b) {
			return 0, 0, io.ErrUnexpectedEOF
		}
		switch b[i] {
		case ']', '}':
			if b[i] == '}' {
				err = ErrNotJSON
			}
			return n, i + 1, err
		case ',':
			i++
		case ':':
			i++
			err = ErrNotJSON
		default:
			var early error
			if i, early = SkipValue(b, i); early != nil {
				return 0, 0, early
			}
			n++
		}
	}
}

// Number is the form of a number.
type Number struct {
	End      int  // index after the number; where the number is wrong, index of the byte that is not expected
	Digits   int  // number of digits before the decimal point
	Places   int  // number of digits after it
	Exponent bool // whether it has an exponent
}

// ScanNumber reads the number that begins at i. ok is false if there is none.
func ScanNumber(b []byte, i int) (n Number, ok bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	first := i
	i = skipDigits(b, i)
	if n.Digits = i - first; n.Digits == 0 || n.Digits > 1 && b[first] == '0' {
		n.End = i
		return n, false
	}
	if i < len(b) && b[i] == '.' {
		first = i + 1
		i = skipDigits(b, first)
		if n.Places = i - first; n.Places == 0 {
			n.End = i
			return n, false
		}
	}
	ok = true
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		n.Exponent = true
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		first = i
		i = skipDigits(b, i)
		ok = i > first
	}
	n.End = i
	return n, ok
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

// IsNumber says whether all of b is one number.
func IsNumber(b []byte) bool {
	n, ok := ScanNumber(b, 0)
	return ok && n.End == len(b)
}

// escapes are the bytes that the escapes of one letter stand for, by letter.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// Unescape returns the byte that a backslash and the letter stand for, or 0 if they are no escape. The letter u is
// for UnicodeEscape.
func Unescape(letter byte) byte { return escapes[letter] }

// UnicodeEscape reads the escape \uXXXX at the beginning of b, and with it the one that follows if the two are a
// surrogate pair. n is how many bytes that are: 6, 12, or 0 if there is no such escape. A lone surrogate is
// returned as it is, and utf16.IsSurrogate tells.
func UnicodeEscape(b []byte) (r rune, n int) {
	r, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) {
		if low, ok := hex4(b[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return r, 6
}

// hex4 reads one escape \uXXXX.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
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

// ones and tops have the lowest and the highest bit of each byte set. Functions that look at eight bytes as one number
// use them.
const ones, tops = 0x0101010101010101, 0x8080808080808080

// zeros marks, by its highest bit, the lowest byte of x that is zero. Marks above the lowest one can be wrong, because of
// the subtraction's borrows.
func zeros(x uint64) uint64 { return (x - ones) &^ x & tops }

// equal marks, by its highest bit, each of the eight bytes of x that is c, which is ASCII.
func equal(x uint64, c byte) uint64 {
	x ^= uint64(c) * ones
	return ^(x&^tops + ^uint64(tops) | x) & tops
}

// special marks, as zeros does, the lowest of eight bytes that does not stand for itself in a string. The differences mark
// bytes beyond ASCII, too, or do not; x marks them in any case.
func special(x uint64) uint64 {
	return ((x - ' '*ones) | ((x ^ '"'*ones) - ones) | ((x ^ '\\'*ones) - ones) | x) & tops
}

// isPlain says whether c stands for itself in a string: it is ASCII and no control character, quote or backslash.
func isPlain(c byte) bool { return c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf }

// PlainLen counts the bytes at the beginning of b that stand for themselves in a string: ASCII without control
// characters, quotes and backslashes.
func PlainLen(b []byte) int {
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		if marks := special(binary.LittleEndian.Uint64(b[n:])); marks != 0 {
			return n + bits.TrailingZeros64(marks)/8
		}
	}
	for n < len(b) && isPlain(b[n]) {
		n++
	}
	return n
}

// CopyPlain copies to dst the bytes of b that PlainLen counts, as far as dst has room, and counts them. It may change the
// rest of dst.
func CopyPlain(dst, b []byte) int {
	n := 0
	for ; len(b)-n >= 8 && len(dst)-n >= 8; n += 8 {
		x := binary.LittleEndian.Uint64(b[n:])
		binary.LittleEndian.PutUint64(dst[n:], x)
		if marks := special(x); marks != 0 {
			return n + bits.TrailingZeros64(marks)/8
		}
	}
	for n < len(b) && n < len(dst) && isPlain(b[n]) {
		dst[n] = b[n]
		n++
	}
	return n
}

// AppendUnquoted appends the text of a valid string literal. ok is false, and nothing is appended, if it has an
// escape \uXXXX.
//
// It copies eight bytes at a time up to the next backslash: in JSON within a string that is seldom far, so a
// search for it and a copy of what is before it would take longer.
func AppendUnquoted(dst, literal []byte) (out []byte, ok bool) {
	start := len(dst)
	literal = literal[1 : len(literal)-1]
	dst = slices.Grow(dst, len(literal)+8)
	to := dst[start : start+len(literal)+8]
	n := 0
	for len(literal) > 0 {
		if len(literal) >= 8 {
			x := binary.LittleEndian.Uint64(literal)
			binary.LittleEndian.PutUint64(to[n:], x)
			marks := zeros(x ^ '\\'*ones)
			k := bits.TrailingZeros64(marks) / 8 // 8 if there is none
			n += k
			if literal = literal[k:]; marks == 0 {
				continue
			}
		}
		c := literal[0]
		if c != '\\' {
			to[n] = c
			n++
			literal = literal[1:]
			continue
		}
		if c = Unescape(literal[1]); c == 0 {
			return dst, false
		}
		to[n] = c
		n++
		literal = literal[2:]
	}
	return dst[:start+n], true
}
