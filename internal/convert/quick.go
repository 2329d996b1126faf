package convert

import (
	"bytes"
	"slices"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tracemig/tracemig/internal/jsonscan"
)

// quick does what compact does, in one pass, for texts in which only white space is to be left out: nearly all. ok
// is false, and nothing is appended, for a text that may need more.
func quick(dst, src []byte, depth int) (out []byte, ok bool) {
	q := quickParsers.Get().(*quickParser)
	defer quickParsers.Put(q)
	out, end, ok := q.parse(dst, src, 0, depth, false)
	if !ok || jsonscan.SkipSpace(src, end) != len(src) || !utf8.Valid(src) {
		return dst, false
	}
	return out, true
}

var quickParsers = sync.Pool{New: func() any { return new(quickParser) }}

// quickParser checks a text and copies it to out. It can be used for one text after the other.
type quickParser struct {
	src    []byte
	i      int
	quoted bool // the text is in a string of src, which escapes its quotes and backslashes
	out    []byte
	names  []nameRange // keys of the objects around the position

	// For measure: when out has more than window bytes, they are dropped, and size counts them as variantBound does.
	window int    // 0 for no measuring
	keys   []byte // what names refers to instead of out
	size   int
	textAt int // where in out the text of the string begins that is being read; 0 for a key, which is not dropped
}

// measure gives the size, as variantBound has it, of what parse would append, of which it holds about window bytes at a
// time.
func (q *quickParser) measure(src []byte, i, depth int, quoted bool, window int) (size int, ok bool) {
	q.window, q.size = window, 0
	out, _, ok := q.parse(nil, src, i, depth, quoted)
	q.window = 0
	return q.size + variantBound(out), ok
}

// parse is quick for the value that begins at src[i], of which end is the end. src is UTF-8. With quoted the value must
// be a string, and the text is the JSON in it: unquoting takes no pass of its own.
func (q *quickParser) parse(dst, src []byte, i, depth int, quoted bool) (out []byte, end int, ok bool) {
	q.src, q.i, q.quoted, q.out, q.names, q.keys = src, i, quoted, dst, q.names[:0], q.keys[:0]
	if quoted {
		q.i++
	}
	ok = q.value(depth)
	if ok && quoted {
		ok = q.next() == 0 && q.i < len(src) && src[q.i] == '"'
		q.i++
	}
	if ok {
		dst = q.out
	}
	q.src, q.out = nil, nil
	return dst, q.i, ok
}

// maxQuickNames is how many keys the objects around a position may have. A map, as the other parsers have it, is better
// at more.
const maxQuickNames = 32

// nameRange is where in out a key stands.
type nameRange struct{ from, to int }

// next skips white space and gives the byte after it. In a string that may be a quote in the form \", whose backslash
// is at the position. It gives 0 at the end of the text, and for any other escape.
func (q *quickParser) next() byte {
	for q.i < len(q.src) {
		switch c := q.src[q.i]; c {
		case ' ':
			q.i++
		case '\n', '\t', '\r':
			if q.quoted {
				return 0
			}
			q.i++
		case '"':
			if q.quoted {
				return 0
			}
			return c
		case '\\':
			if !q.quoted || q.i+1 == len(q.src) {
				return 0
			}
			switch q.src[q.i+1] {
			case '"':
				return '"'
			case 'n', 't', 'r':
				q.i += 2
			default:
				return 0
			}
		default:
			return c
		}
	}
	return 0
}

// take copies the byte c that next gave, other than a quote.
func (q *quickParser) take(c byte) {
	q.i++
	q.out = append(q.out, c)
}

func (q *quickParser) value(depth int) bool {
	if q.window > 0 && len(q.out) > q.window {
		q.size += variantBound(q.out)
		q.out = q.out[:0]
	}
	switch c := q.next(); c {
	case '{', '[':
		if depth++; depth > maxDepth {
			return false
		}
		q.take(c)
		if c == '[' {
			return q.array(depth)
		}
		return q.object(depth)
	case '"':
		q.textAt = len(q.out) + len(`"`)
		return q.text()
	case 't':
		return q.word("true")
	case 'f':
		return q.word("false")
	case 'n':
		return q.word("null")
	default:
		return q.number()
	}
}

func (q *quickParser) word(w string) bool {
	if !bytes.HasPrefix(q.src[q.i:], []byte(w)) {
		return false
	}
	q.i += len(w)
	q.out = append(q.out, w...)
	return true
}

func (q *quickParser) number() bool {
	n, ok := jsonscan.ScanNumber(q.src, q.i)
	if !ok || spellNumber(q.src[q.i:n.End], n) != numberAsIs {
		return false
	}
	for q.i < n.End { // A number is short, and append of a slice would store a pointer, at the cost of a write barrier.
		q.take(q.src[q.i])
	}
	return true
}

func (q *quickParser) array(depth int) bool {
	if q.next() == ']' {
		q.take(']')
		return true
	}
	for q.value(depth) {
		switch q.next() {
		case ',':
			q.take(',')
		case ']':
			q.take(']')
			return true
		default:
			return false
		}
	}
	return false
}

func (q *quickParser) object(depth int) bool {
	outer := len(q.names)
	if q.next() == '}' {
		q.take('}')
		return true
	}
	for q.next() == '"' {
		start := len(q.out)
		q.textAt = 0 // A key is compared with others, and bounded.
		if !q.text() || len(q.out)-start > maxName || !q.unique(outer, start) || q.next() != ':' {
			return false
		}
		q.take(':')
		if !q.value(depth) {
			return false
		}
		switch q.next() {
		case ',':
			q.take(',')
		case '}':
			q.take('}')
			if q.window > 0 {
				q.keys = q.keys[:q.names[outer].from]
			}
			q.names = q.names[:outer]
			return true
		default:
			return false
		}
	}
	return false
}

// unique says whether the key that begins at out[start] is not among those of its object, which are names[outer:],
// and adds it to them. A key has one spelling in out.
func (q *quickParser) unique(outer, start int) bool {
	if len(q.names) == maxQuickNames {
		return false
	}
	key, keys := q.out[start:], q.out
	if q.window > 0 {
		keys = q.keys
	}
	for _, n := range q.names[outer:] {
		if bytes.Equal(keys[n.from:n.to], key) {
			return false
		}
	}
	if q.window > 0 {
		start = len(keys)
		q.keys = append(keys, key...)
	}
	q.names = append(q.names, nameRange{start, start + len(key)})
	return true
}

// plain copies the bytes that stand for themselves in a string.
func (q *quickParser) plain() {
	const least = 64 // less room would have to be asked for more often
	for {
		if q.window > 0 && q.textAt > 0 && len(q.out)-q.textAt > q.window {
			q.size += len(q.out) - q.textAt
			q.out = q.out[:q.textAt]
		}
		if cap(q.out)-len(q.out) < least {
			q.out = slices.Grow(q.out, least)
		}
		room := q.out[len(q.out):cap(q.out)]
		n := jsonscan.CopyPlain(room, q.src[q.i:])
		q.i += n
		if q.out = q.out[:len(q.out)+n]; n < len(room) {
			return
		}
	}
}

// text takes a string, in which escapes become what they stand for, or are in their shortest spelling: one letter, and
// not the slash. The position is at its quote, or the quote's backslash.
func (q *quickParser) text() bool {
	if q.quoted {
		q.i++
	}
	q.take('"')
	for {
		q.plain()
		if q.i == len(q.src) {
			return false
		}
		switch c := q.src[q.i]; {
		case c == '"' && !q.quoted:
			q.take(c)
			return true
		case c == '\\' && q.quoted && q.i+1 < len(q.src) && q.src[q.i+1] == '"':
			q.i++
			q.take('"')
			return true
		case c == '\\':
			if !q.escape() {
				return false
			}
		case c >= utf8.RuneSelf:
			q.take(c)
		default:
			return false
		}
	}
}

// escape takes the escape at the position, of the text or of the string that the text is in, if it is within a string of
// the text.
func (q *quickParser) escape() bool {
	rest := q.src[q.i:]
	if !q.quoted || len(rest) < 3 {
		return !q.quoted && q.ownEscape(rest)
	}
	switch rest[1] {
	case 'u':
		return q.unicode(rest)
	case '\\':
		q.i++ // It stands for a backslash of the text. What the text escapes with it follows.
		switch rest = rest[1:]; {
		case rest[1] == '\\' && len(rest) > 2 && (rest[2] == '"' || rest[2] == '\\'):
			q.i++
			return q.ownEscape(rest[1:])
		case rest[1] != '\\' && rest[1] != '"':
			return q.ownEscape(rest)
		}
	}
	return false
}

// ownEscape takes an escape of the text, with which rest begins, if it is one letter but not the slash, or stands for a
// character beyond ASCII. Each character has one spelling in out, so keys can be compared there.
func (q *quickParser) ownEscape(rest []byte) bool {
	if len(rest) < 2 {
		return false
	}
	switch letter := rest[1]; letter {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		q.i += 2
		q.out = append(q.out, '\\', letter)
		return true
	case 'u':
		return q.unicode(rest)
	}
	return false
}

// unicode takes an escape \uXXXX at the position, with which rest begins, if it stands for a character beyond ASCII.
func (q *quickParser) unicode(rest []byte) bool {
	r, n := jsonscan.UnicodeEscape(rest)
	if r < utf8.RuneSelf || utf16.IsSurrogate(r) {
		return false
	}
	q.out = utf8.AppendRune(q.out, r)
	q.i += n
	return true
}
