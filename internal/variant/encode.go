package variant

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tracemig/tracemig/internal/jsonscan"
)

// maxKnownKeys bounds the keys that an Encoder remembers between documents.
const maxKnownKeys = 1 << 14

// Encoder turns JSON documents into VARIANT, one after the other, and reuses its memory.
// The zero value is ready. It is not safe for concurrent use.
type Encoder struct {
	src    []byte
	pos    int
	depth  int
	value  []byte
	fields []field // of the objects that are open, innermost last
	elems  []int   // offsets of the elements of the arrays that are open
	text   []byte  // the last string with escapes, resolved

	known    map[string]*key
	dict     []*key // of this document
	dictSize int    // bytes of its names
	doc      uint64 // counts documents
	metadata []byte
}

// key is one object key that was seen; id is its place in the dictionary of document doc.
type key struct {
	name string
	id   int
	doc  uint64
}

type field struct {
	key    *key
	offset int
}

// Encode returns the VARIANT of one JSON document. Both results are valid until the next call.
//
// Errors: *SyntaxError, ErrDuplicateKey, ErrTooDeep and ErrTooLarge.
func (e *Encoder) Encode(json []byte) (value, metadata []byte, err error) {
	e.src, e.pos, e.depth = json, 0, 0
	e.value, e.fields, e.elems = e.value[:0], e.fields[:0], e.elems[:0]
	e.dict, e.dictSize = e.dict[:0], 0
	e.doc++
	if e.known == nil || len(e.known) > maxKnownKeys {
		e.known = make(map[string]*key)
	}
	e.space()
	if err := e.any(); err != nil {
		return nil, nil, err
	}
	e.space()
	if e.pos != len(e.src) {
		return nil, nil, e.syntax("text after the document")
	}
	if len(e.value) > MaxSize {
		return nil, nil, ErrTooLarge
	}
	if err := e.finishMetadata(); err != nil {
		return nil, nil, err
	}
	return e.value, e.metadata, nil
}

func (e *Encoder) syntax(problem string) error {
	if e.pos >= len(e.src) {
		problem = "it ends too early"
	}
	return &SyntaxError{Offset: min(e.pos, len(e.src)), Problem: problem}
}

// space skips white space.
func (e *Encoder) space() { e.pos = jsonscan.SkipSpace(e.src, e.pos) }

// next is the byte at the position, or 0 at the end: no token begins with 0.
func (e *Encoder) next() byte {
	if e.pos < len(e.src) {
		return e.src[e.pos]
	}
	return 0
}

// any encodes the value that begins at the position.
func (e *Encoder) any() error {
	// Checked at each value, this bounds the memory for a text of any size.
	if len(e.value) > MaxSize {
		return ErrTooLarge
	}
	switch c := e.next(); {
	case c == '{':
		return e.nested(e.object)
	case c == '[':
		return e.nested(e.array)
	case c == '"':
		s, err := e.string()
		if err != nil {
			return err
		}
		e.appendString(s)
		return nil
	case c == '-' || c >= '0' && c <= '9':
		return e.number()
	case c == 't':
		return e.literal("true", typeTrue)
	case c == 'f':
		return e.literal("false", typeFalse)
	case c == 'n':
		return e.literal("null", typeNull)
	}
	return e.syntax("no value")
}

func (e *Encoder) nested(encode func() error) error {
	if e.depth++; e.depth > MaxDepth {
		return ErrTooDeep
	}
	err := encode()
	e.depth--
	return err
}

func (e *Encoder) literal(text string, typ byte) error {
	if rest := e.src[e.pos:]; len(rest) < len(text) || string(rest[:len(text)]) != text {
		return e.syntax("an unknown word")
	}
	e.pos += len(text)
	e.value = append(e.value, typ<<2)
	return nil
}

func (e *Encoder) appendString(s []byte) {
	if len(s) <= maxShortStr {
		e.value = append(e.value, byte(len(s))<<2|basicShortStr)
	} else {
		e.value = append(e.value, typeString<<2)
		e.value = binary.LittleEndian.AppendUint32(e.value, uint32(len(s)))
	}
	e.value = append(e.value, s...)
}

func (e *Encoder) array() error {
	e.pos++
	start, first := len(e.value), len(e.elems)
	e.space()
	for more := e.next() != ']'; more; {
		e.elems = append(e.elems, len(e.value)-start)
		if err := e.any(); err != nil {
			return err
		}
		e.space()
		switch e.next() {
		case ',':
			e.pos++
			e.space()
		case ']':
			more = false
		default:
			return e.syntax("no comma or bracket after an element")
		}
	}
	e.pos++
	return e.finishArray(start, first)
}

// finishArray is finishObject for an array and its elements.
func (e *Encoder) finishArray(start, first int) error {
	elems := e.elems[first:]
	n, size := len(elems), len(e.value)-start
	width := byteWidth(size)
	count := 1
	header := byte(width-1)<<2 | basicArray
	if n > math.MaxUint8 {
		count = 4
		header |= 1 << 4
	}
	b, err := e.insert(start, 1+count+(n+1)*width)
	if err != nil {
		return err
	}
	b[0] = header
	putUint(b[1:], n, count)
	b = b[1+count:]
	for i, offset := range elems {
		putUint(b[i*width:], offset, width)
	}
	putUint(b[n*width:], size, width)
	e.elems = e.elems[:first]
	return nil
}

func (e *Encoder) object() error {
	e.pos++
	start, first := len(e.value), len(e.fields)
	e.space()
	for more := e.next() != '}'; more; {
		if e.next() != '"' {
			return e.syntax("no key")
		}
		name, err := e.string()
		if err != nil {
			return err
		}
		e.fields = append(e.fields, field{e.intern(name), len(e.value) - start})
		e.space()
		if e.next() != ':' {
			return e.syntax("no colon after a key")
		}
		e.pos++
		e.space()
		if err := e.any(); err != nil {
			return err
		}
		e.space()
		switch e.next() {
		case ',':
			e.pos++
			e.space()
		case '}':
			more = false
		default:
			return e.syntax("no comma or brace after a field")
		}
	}
	e.pos++
	return e.finishObject(start, first)
}

// finishObject writes the header of an object whose values begin at e.value[start], and whose fields are those from
// the given one on.
func (e *Encoder) finishObject(start, first int) error {
	fields := e.fields[first:]
	slices.SortFunc(fields, func(a, b field) int { return compareUTF16(a.key.name, b.key.name) })
	maxID := 0
	for i, f := range fields {
		if i > 0 && f.key == fields[i-1].key {
			return ErrDuplicateKey
		}
		maxID = max(maxID, f.key.id)
	}
	n, size := len(fields), len(e.value)-start
	width, idWidth := byteWidth(size), byteWidth(maxID)
	count := 1
	header := byte(idWidth-1)<<4 | byte(width-1)<<2 | basicObject
	if n > math.MaxUint8 {
		count = 4
		header |= 1 << 6
	}
	b, err := e.insert(start, 1+count+n*idWidth+(n+1)*width)
	if err != nil {
		return err
	}
	b[0] = header
	putUint(b[1:], n, count)
	ids := b[1+count:]
	offsets := ids[n*idWidth:]
	for i, f := range fields {
		putUint(ids[i*idWidth:], f.key.id, idWidth)
		putUint(offsets[i*width:], f.offset, width)
	}
	putUint(offsets[n*width:], size, width)
	clear(fields)
	e.fields = e.fields[:first]
	return nil
}

// insert makes room for n bytes at start, before the data that is there, and returns that room.
func (e *Encoder) insert(start, n int) ([]byte, error) {
	size := len(e.value)
	if size+n > MaxSize {
		return nil, ErrTooLarge
	}
	e.value = slices.Grow(e.value, n)[:size+n]
	copy(e.value[start+n:], e.value[start:size])
	return e.value[start : start+n], nil
}

// intern returns the key of this document's dictionary that has the name.
func (e *Encoder) intern(name []byte) *key {
	k := e.known[string(name)]
	if k == nil {
		k = &key{name: string(name)}
		e.known[k.name] = k
	}
	if k.doc != e.doc {
		k.doc, k.id = e.doc, len(e.dict)
		e.dict = append(e.dict, k)
		e.dictSize += len(k.name)
	}
	return k
}

// finishMetadata writes the dictionary: a header, the number of keys, their offsets, their names.
func (e *Encoder) finishMetadata() error {
	n := len(e.dict)
	largest := max(n, e.dictSize)
	width := byteWidth(largest)
	size := 1 + width + (n+1)*width + e.dictSize
	if largest > MaxSize || size > MaxSize {
		return ErrTooLarge
	}
	b := slices.Grow(e.metadata[:0], size)[:size]
	b[0] = byte(width-1)<<6 | metadataVersion
	putUint(b[1:], n, width)
	offsets := b[1+width:]
	names := offsets[(n+1)*width:]
	at := 0
	for i, k := range e.dict {
		putUint(offsets[i*width:], at, width)
		at += copy(names[at:], k.name)
	}
	putUint(offsets[n*width:], at, width)
	e.metadata = b
	return nil
}

// string reads the string that begins at the position. The result is valid until the next call.
func (e *Encoder) string() ([]byte, error) {
	e.pos++
	start := e.pos
	ascii := true
	for {
		e.pos += jsonscan.PlainLen(e.src[e.pos:])
		switch c := e.next(); {
		case c == '"':
			s := e.src[start:e.pos]
			if !ascii && !utf8.Valid(s) {
				return nil, &SyntaxError{start, "a string that is not UTF-8"}
			}
			e.pos++
			return s, nil
		case c == '\\':
			return e.escaped(start)
		case c < ' ':
			return nil, e.syntax("a control character in a string")
		}
		ascii = false
		e.skipNonASCII()
	}
}

// skipNonASCII skips the bytes beyond ASCII at the position.
func (e *Encoder) skipNonASCII() {
	for e.pos < len(e.src) && e.src[e.pos] >= utf8.RuneSelf {
		e.pos++
	}
}

// escaped goes on reading a string that began at start. The position is at its first escape.
func (e *Encoder) escaped(start int) ([]byte, error) {
	b := append(e.text[:0], e.src[start:e.pos]...)
	for {
		from := e.pos
		e.pos += jsonscan.PlainLen(e.src[e.pos:])
		e.skipNonASCII()
		b = append(b, e.src[from:e.pos]...)
		switch c := e.next(); {
		case c == '"':
			e.text = b
			if !utf8.Valid(b) {
				return nil, &SyntaxError{start, "a string that is not UTF-8"}
			}
			e.pos++
			return b, nil
		case c == '\\':
			var err error
			if b, err = e.escape(b); err != nil {
				return nil, err
			}
		case c < ' ':
			return nil, e.syntax("a control character in a string")
		}
	}
}

// escape appends what the escape at the position stands for. A lone surrogate becomes a question mark, which is
// what Java's UTF-8 encoder makes of it in parse_json.
func (e *Encoder) escape(b []byte) ([]byte, error) {
	escape := e.src[e.pos:]
	e.pos++
	letter := e.next()
	if letter == 'u' {
		e.pos++
		r, n := jsonscan.UnicodeEscape(escape)
		if n == 0 {
			return nil, e.syntax("a wrong \\u escape")
		}
		if utf16.IsSurrogate(r) {
			r = '?'
		}
		e.pos += n - len(`\u`)
		return utf8.AppendRune(b, r), nil
	}
	c := jsonscan.Unescape(letter)
	if c == 0 {
		return nil, e.syntax("an unknown escape")
	}
	e.pos++
	return append(b, c), nil
}

// number encodes the number that begins at the position.
func (e *Encoder) number() error {
	n, ok := jsonscan.ScanNumber(e.src, e.pos)
	text := e.src[e.pos:n.End]
	e.pos = n.End
	if !ok {
		return e.syntax("a wrong number")
	}
	if n.Places == 0 && !n.Exponent {
		if i, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			e.appendInt(i)
			return nil
		}
	}
	if !n.Exponent && e.appendDecimal(text, n.Places) {
		return nil
	}
	// The only error left is a number out of range, whose result is infinite, as it is in Java.
	f, _ := strconv.ParseFloat(string(text), 64)
	e.value = append(e.value, typeDouble<<2)
	e.value = binary.LittleEndian.AppendUint64(e.value, math.Float64bits(f))
	return nil
}

func (e *Encoder) appendInt(n int64) {
	switch {
	case n == int64(int8(n)):
		e.value = append(e.value, typeInt8<<2, byte(n))
	case n == int64(int16(n)):
		e.value = binary.LittleEndian.AppendUint16(append(e.value, typeInt16<<2), uint16(n))
	case n == int64(int32(n)):
		e.value = binary.LittleEndian.AppendUint32(append(e.value, typeInt32<<2), uint32(n))
	default:
		e.value = binary.LittleEndian.AppendUint64(append(e.value, typeInt64<<2), uint64(n))
	}
}

const maxDecimalDigits = 38

// appendDecimal encodes text, [-]digits[.digits] with the given places after the point, if a
// decimal can hold it.
func (e *Encoder) appendDecimal(text []byte, places int) bool {
	if places > maxDecimalDigits {
		return false
	}
	negative := text[0] == '-'
	var digits [maxDecimalDigits]byte
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' || n == 0 && c == '0' {
			continue
		}
		if n == maxDecimalDigits {
			return false
		}
		digits[n] = c
		n++
	}
	if max(n, places) <= maxInt64Digits {
		e.appendSmallDecimal(digits[:n], negative, places)
	} else {
		e.appendLargeDecimal(digits[:n], negative, places)
	}
	return true
}

// The most digits of decimals in 4 and in 8 bytes.
const (
	maxInt32Digits = 9
	maxInt64Digits = 18
)

// appendSmallDecimal encodes a decimal in 4 or 8 bytes.
func (e *Encoder) appendSmallDecimal(digits []byte, negative bool, places int) {
	var u int64
	for _, c := range digits {
		u = u*10 + int64(c-'0')
	}
	if negative {
		u = -u
	}
	if max(len(digits), places) <= maxInt32Digits {
		e.value = append(e.value, typeDecimal4<<2, byte(places))
		e.value = binary.LittleEndian.AppendUint32(e.value, uint32(u))
	} else {
		e.value = append(e.value, typeDecimal8<<2, byte(places))
		e.value = binary.LittleEndian.AppendUint64(e.value, uint64(u))
	}
}

// appendLargeDecimal encodes a decimal in 16 bytes.
func (e *Encoder) appendLargeDecimal(digits []byte, negative bool, places int) {
	var u big.Int
	if len(digits) > 0 {
		u.SetString(string(digits), 10)
	}
	var b [16]byte
	u.FillBytes(b[:])
	slices.Reverse(b[:])
	if negative { // the two's complement
		carry := true
		for i := range b {
			b[i] = ^b[i]
			if carry {
				b[i]++
				carry = b[i] == 0
			}
		}
	}
	e.value = append(e.value, typeDecimal16<<2, byte(places))
	e.value = append(e.value, b[:]...)
}

// compareUTF16 orders two UTF-8 strings by their UTF-16 code units. That differs from the order of
// their bytes only where one has a character beyond U+FFFF and the other one from U+E000 to U+FFFF.
func compareUTF16(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) {
		return len(a) - len(b)
	}
	x, y := a[i], b[i]
	// U+E000 to U+FFFF begin with the byte 0xee or 0xef. Characters that begin with 0xf0 or above are surrogates
	// in UTF-16, which are smaller. Characters with the same first byte have the order of their bytes.
	if x >= 0xee && y >= 0xee && (x >= 0xf0) != (y >= 0xf0) {
		return int(y) - int(x)
	}
	return int(x) - int(y)
}
