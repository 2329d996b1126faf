package convert

import (
	"bytes"
	"sync"
	"unicode/utf8"

	"github.com/tracemig/tracemig/internal/jsonscan"
)

// quick does what compact does, in one pass, for texts in which only white space is to be left out: nearly all. ok
// is false, and nothing is appended, for a text that may need more.
func quick(dst, src []byte, depth int) (out []byte, ok bool) {
	q := quickParsers.Get().(*quickParser)
	*q = quickParser{src: src, out: dst, names: q.names[:0]}
	if ok = q.value(depth) && q.next() == 0 && q.i == len(src) && (!q.nonASCII || utf8.Valid(src)); ok {
		dst = append(q.out, src[q.from:q.to]...)
	}
	q.src, q.out = nil, nil
	quickParsers.Put(q)
	return dst, ok
}

var quickParsers = sync.Pool{New: func() any { return &quickParser{names: make([]nameRange, 0, 32)} }}

// quickParser checks a text and copies it. Parts of src that follow each other are appended to out together.
type quickParser struct {
	src      []byte
	i        int
	from, to int // the part of src that is still to be appended
	out      []byte
	names    []nameRange // keys of the objects around the position
	nonASCII bool        // src has such a byte, and may not be UTF-8
}

// nameRange is where in src a key stands.
type nameRange struct{ from, to int }

// next skips white space and gives the byte after it, 0 at the end.
func (q *quickParser) next() byte {
	q.i = jsonscan.SkipSpace(q.src, q.i)
	if q.i < len(q.src) {
		return q.src[q.i]
	}
	return 0
}

// copyFrom copies the text from start to the position.
func (q *quickParser) copyFrom(start int) {
	if start != q.to {
		q.out = append(q.out, q.src[q.from:q.to]...)
		q.from = start
	}
	q.to = q.i
}

// copyByte copies the byte at the position.
func (q *quickParser) copyByte() {
	q.i++
	q.copyFrom(q.i - 1)
}

func (q *quickParser) value(depth int) bool {
	switch c := q.next(); c {
	case '{', '[':
		if depth++; depth > maxDepth {
			return false
		}
		q.copyByte()
		if c == '[' {
			return q.array(depth)
		}
		return q.object(depth)
	case '"':
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
	start := q.i
	if !bytes.HasPrefix(q.src[start:], []byte(w)) {
		return false
	}
	q.i += len(w)
	q.copyFrom(start)
	return true
}

func (q *quickParser) number() bool {
	start := q.i
	n, ok := jsonscan.ScanNumber(q.src, start)
	if !ok || spellNumber(q.src[start:n.End], n) != numberAsIs {
		return false
	}
	q.i = n.End
	q.copyFrom(start)
	return true
}

func (q *quickParser) array(depth int) bool {
	if q.next() == ']' {
		q.copyByte()
		return true
	}
	for q.value(depth) {
		switch q.next() {
		case ',':
			q.copyByte()
		case ']':
			q.copyByte()
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
		q.copyByte()
		return true
	}
	for q.next() == '"' {
		start := q.i
		if !q.text() || q.i-start > maxName || !q.unique(outer, start) || q.next() != ':' {
			return false
		}
		q.copyByte()
		if !q.value(depth) {
			return false
		}
		switch q.next() {
		case ',':
			q.copyByte()
		case '}':
			q.copyByte()
			q.names = q.names[:outer]
			return true
		default:
			return false
		}
	}
	return false
}

// unique says whether the key that begins at start is not among those of its object, which are names[outer:],
// and adds it to them. Two spellings are two keys: text takes only escapes that have no other spelling.
func (q *quickParser) unique(outer, start int) bool {
	if len(q.names) == cap(q.names) {
		return false // a map, as the other parsers have it, is better at many keys
	}
	key := q.src[start:q.i]
	for _, n := range q.names[outer:] {
		if bytes.Equal(q.src[n.from:n.to], key) {
			return false
		}
	}
	q.names = append(q.names, nameRange{start, q.i})
	return true
}

// text takes a string whose escapes, if any, are in their canonical spelling: one letter, and not the slash.
func (q *quickParser) text() bool {
	start := q.i
	for i := start + 1; ; {
		i += jsonscan.PlainLen(q.src[i:])
		if i >= len(q.src) {
			return false
		}
		switch c := q.src[i]; {
		case c == '"':
			q.i = i + 1
			q.copyFrom(start)
			return true
		case c >= utf8.RuneSelf:
			q.nonASCII = true
			i++
		case c != '\\' || i+1 == len(q.src):
			return false
		default:
			if letter := q.src[i+1]; letter == '/' || jsonscan.Unescape(letter) == 0 {
				return false
			}
			i += 2
		}
	}
}
