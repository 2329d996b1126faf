package convert

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
	"unicode/utf8"
)

// quick does what compact does, in one pass, for texts that come out as they went in but for white
// space: nearly all. ok is false, and nothing is appended, for a text that may need more.
func quick(dst, src []byte, depth int) (out []byte, ok bool) {
	q := quickParsers.Get().(*quickParser)
	*q = quickParser{src: src, out: dst, names: q.names[:0]}
	if ok = q.value(depth) && q.next() == 0 && q.i == len(src) && (!q.wide || utf8.Valid(src)); ok {
		dst = append(q.out, src[q.from:q.to]...)
	}
	q.src, q.out = nil, nil
	quickParsers.Put(q)
	return dst, ok
}

var quickParsers = sync.Pool{New: func() any { return &quickParser{names: make([]name, 0, 32)} }}

type quickParser struct {
	src      []byte
	i        int
	from, to int // what of src is still to be appended
	out      []byte
	names    []name // keys of the objects around the position
	wide     bool   // there was a byte beyond ASCII
}

// name is where in src a key stands.
type name struct{ from, to int }

// next skips white space and gives the byte behind it, 0 at the end.
func (q *quickParser) next() byte {
	for ; q.i < len(q.src); q.i++ {
		switch c := q.src[q.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// took has the text from start to the position appended.
func (q *quickParser) took(start int) {
	if start != q.to {
		q.out = append(q.out, q.src[q.from:q.to]...)
		q.from = start
	}
	q.to = q.i
}

func (q *quickParser) value(depth int) bool {
	switch c := q.next(); c {
	case '{', '[':
		if depth++; depth > maxDepth {
			return false
		}
		q.skip()
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

// skip takes one byte.
func (q *quickParser) skip() {
	q.i++
	q.took(q.i - 1)
}

func (q *quickParser) word(w string) bool {
	start := q.i
	if !bytes.HasPrefix(q.src[start:], []byte(w)) {
		return false
	}
	q.i += len(w)
	q.took(start)
	return true
}

func (q *quickParser) number() bool {
	start := q.i
	q.i = numberEnd(q.src, start)
	tok := q.src[start:q.i]
	if !validNumber(tok) || spellNumber(tok) != numberAsIs {
		return false
	}
	q.took(start)
	return true
}

func (q *quickParser) array(depth int) bool {
	if q.next() == ']' {
		q.skip()
		return true
	}
	for q.value(depth) {
		switch q.next() {
		case ',':
			q.skip()
		case ']':
			q.skip()
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
		q.skip()
		return true
	}
	for q.next() == '"' {
		start := q.i
		if !q.text() || q.i-start > maxName || !q.unique(outer, start) || q.next() != ':' {
			return false
		}
		q.skip()
		if !q.value(depth) {
			return false
		}
		switch q.next() {
		case ',':
			q.skip()
		case '}':
			q.skip()
			q.names = q.names[:outer]
			return true
		default:
			return false
		}
	}
	return false
}

// unique says whether the key that begins at start is not among those of its object, and keeps it. The
// escapes that text takes have one spelling each.
func (q *quickParser) unique(outer, start int) bool {
	if len(q.names) == cap(q.names) {
		return false // many keys are better looked up in a map
	}
	key := q.src[start:q.i]
	for _, n := range q.names[outer:] {
		if bytes.Equal(q.src[n.from:n.to], key) {
			return false
		}
	}
	q.names = append(q.names, name{start, q.i})
	return true
}

// text takes a string whose escapes are those of one letter that are always written so.
func (q *quickParser) text() bool {
	start := q.i
	for i := start + 1; ; {
		i += plainBytes(q.src[i:])
		if i >= len(q.src) {
			return false
		}
		switch c := q.src[i]; {
		case c == '"':
			q.i = i + 1
			q.took(start)
			return true
		case c >= utf8.RuneSelf:
			q.wide = true
			i++
		case c != '\\' || i+1 == len(q.src):
			return false
		default:
			switch q.src[i+1] {
			case '"', '\\', 'b', 'f', 'n', 'r', 't':
				i += 2
			default:
				return false
			}
		}
	}
}

// For looking at eight bytes in one number.
const ones, tops = 0x0101010101010101, 0x8080808080808080

// plainBytes counts the bytes at the beginning of b that mean themselves in a JSON string: ASCII without
// control characters, quotes and backslashes. It looks at eight bytes at once.
func plainBytes(b []byte) int {
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		x := binary.LittleEndian.Uint64(b[n:])
		quotes, slashes := x^('"'*ones), x^('\\'*ones)
		// The lowest mark is right; those above one may not be.
		marks := (x-' '*ones)&^x | (quotes-ones)&^quotes | (slashes-ones)&^slashes | x
		if marks &= tops; marks != 0 {
			return n + bits.TrailingZeros64(marks)/8
		}
	}
	for ; n < len(b); n++ {
		if c := b[n]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return n
}

// unquoteQuick appends the text of a valid string literal, if its escapes are of one letter. It copies
// eight bytes at once: in JSON within a string the next escape is seldom far.
func unquoteQuick(dst, lit []byte) (out []byte, ok bool) {
	start := len(dst)
	lit = lit[1 : len(lit)-1]
	dst = slices.Grow(dst, len(lit)+8)
	to := dst[start : start+len(lit)+8]
	n := 0
	for len(lit) > 0 {
		if len(lit) >= 8 {
			x := binary.LittleEndian.Uint64(lit)
			binary.LittleEndian.PutUint64(to[n:], x)
			slashes := x ^ '\\'*ones
			marks := (slashes - ones) &^ slashes & tops
			k := bits.TrailingZeros64(marks) / 8 // 8 for none
			n += k
			if lit = lit[k:]; marks == 0 {
				continue
			}
		}
		c := lit[0]
		if c != '\\' {
			to[n] = c
			n++
			lit = lit[1:]
			continue
		}
		switch c = lit[1]; c {
		case '"', '\\', '/':
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		default:
			return dst, false
		}
		to[n] = c
		n++
		lit = lit[2:]
	}
	return dst[:start+n], true
}
