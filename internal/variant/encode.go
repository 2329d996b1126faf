package variant

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
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
func (e *Encoder) space() {
	for e.pos < len(e.src) {
		switch e.src[e.pos] {
		case ' ', '\t', '\n', '\r':
			e.pos++
		default:
			return
		}
	}
}

// next is the byte at the position, or 0 at the end: no token begins with 0.
func (e *Encoder) next() byte {
	if e.pos < len(e.src) {
		return e.src[e.pos]
	}
	return 0
}

// any encodes the value that begins at the position.
func (e *Encoder) any() error {
	// A value grows with its text, so this keeps the memory for a text of any size bounded.
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
	for e.pos < len(e.src) {
		switch c := e.src[e.pos]; {
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
		case c >= utf8.RuneSelf:
			ascii = false
		}
		e.pos++
	}
	return nil, e.syntax("")
}

// escaped goes on reading a string that began at start; the position is at its first escape.
func (e *Encoder) escaped(start int) ([]byte, error) {
	b := append(e.text[:0], e.src[start:e.pos]...)
	for e.pos < len(e.src) {
		c := e.src[e.pos]
		switch {
		case c == '"':
			e.text = b
			if !utf8.Valid(b) {
				return nil, &SyntaxError{start, "a string that is not UTF-8"}
			}
			e.pos++
			return b, nil
		case c < ' ':
			return nil, e.syntax("a control character in a string")
		case c != '\\':
			b = append(b, c)
			e.pos++
			continue
		}
		e.pos++
		c = e.next()
		switch c {
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
		case 'u':
			e.pos++
			r, ok := hex4(e.src[e.pos:])
			if !ok {
				return nil, e.syntax("a wrong \\u escape")
			}
			e.pos += 4
			if utf16.IsSurrogate(r) {
				r = e.lowSurrogate(r)
			}
			b = utf8.AppendRune(b, r)
			continue
		default:
			return nil, e.syntax("an unknown escape")
		}
		b = append(b, c)
		e.pos++
	}
	return nil, e.syntax("")
}

// lowSurrogate joins a surrogate with the escape that follows; one without its other half becomes
// a question mark, which is what Java's UTF-8 encoder makes of it in parse_json.
func (e *Encoder) lowSurrogate(high rune) rune {
	if rest := e.src[e.pos:]; len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
		if low, ok := hex4(rest[2:]); ok {
			if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
				e.pos += 6
				return r
			}
		}
	}
	return '?'
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
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

// number encodes the number that begins at the position.
func (e *Encoder) number() error {
	start := e.pos
	digits := func() int {
		n := e.pos
		for c := e.next(); c >= '0' && c <= '9'; c = e.next() {
			e.pos++
		}
		return e.pos - n
	}
	if e.next() == '-' {
		e.pos++
	}
	leading := e.next()
	if n := digits(); n == 0 || n > 1 && leading == '0' {
		return e.syntax("a wrong number")
	}
	integer, plain := true, true
	places := 0
	if e.next() == '.' {
		e.pos++
		integer = false
		if places = digits(); places == 0 {
			return e.syntax("a wrong number")
		}
	}
	if c := e.next(); c == 'e' || c == 'E' {
		e.pos++
		plain = false
		if c := e.next(); c == '+' || c == '-' {
			e.pos++
		}
		if digits() == 0 {
			return e.syntax("a wrong number")
		}
	}
	text := e.src[start:e.pos]
	if integer && plain {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			e.appendInt(n)
			return nil
		}
	}
	if plain && e.appendDecimal(text, places) {
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
	scale := byte(places)
	if wide := max(n, places); wide <= 18 {
		var u int64
		for _, c := range digits[:n] {
			u = u*10 + int64(c-'0')
		}
		if negative {
			u = -u
		}
		if wide <= 9 {
			e.value = append(e.value, typeDecimal4<<2, scale)
			e.value = binary.LittleEndian.AppendUint32(e.value, uint32(u))
		} else {
			e.value = append(e.value, typeDecimal8<<2, scale)
			e.value = binary.LittleEndian.AppendUint64(e.value, uint64(u))
		}
		return true
	}
	var u big.Int
	if n > 0 {
		u.SetString(string(digits[:n]), 10)
	}
	var b [16]byte
	u.FillBytes(b[:])
	slices.Reverse(b[:])
	if negative {
		carry := true
		for i := range b {
			b[i] = ^b[i]
			if carry {
				b[i]++
				carry = b[i] == 0
			}
		}
	}
	e.value = append(e.value, typeDecimal16<<2, scale)
	e.value = append(e.value, b[:]...)
	return true
}

// compareUTF16 orders two UTF-8 strings by their UTF-16 code units. That differs from the order of
// their bytes only where a character beyond U+FFFF meets one from U+E000 to U+FFFF.
func compareUTF16(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) {
		return len(a) - len(b)
	}
	x, y := a[i], b[i]
	// 0xee and 0xef lead U+E000 to U+FFFF, 0xf0 and above lead what UTF-16 writes as surrogates,
	// which are smaller. Where two characters share their lead, the bytes' order holds.
	if x >= 0xee && y >= 0xee && (x >= 0xf0) != (y >= 0xf0) {
		return int(y) - int(x)
	}
	return int(x) - int(y)
}
