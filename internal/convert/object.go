package convert

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Names that tracemig adds to a trace where a value does not fit as it was.
const (
	// RawPrefix begins the key of an attribute that keeps, as a string, the JSON text of a source value
	// that the target holds only in part: tracemig.raw.<key>.
	RawPrefix = "tracemig.raw."
	// OverflowName names the events (and begins the names of the tags) that hold values over the size
	// limit of a VARIANT in parts.
	OverflowName = "tracemig.overflow"
	// longKeyPrefix begins the key that stands for one longer than maxName.
	longKeyPrefix = "tracemig.long_key."
)

// chunkBytes is the most text in one part of a value over the size limit.
const chunkBytes = 4 << 20

// object builds one VARIANT object from members: an attributes column, METADATA's value.
// Keys are unique at the end: the last of duplicates wins, as in Python's json.loads.
type object struct {
	buf     []byte // members as "key":value, joined by commas
	members []member
	index   map[string]int // from key to member, once there are many
	dead    int            // superseded members
	raws    []raw
}

type member struct {
	key         []byte // unquoted
	lo, val, hi int    // "key":value and value in buf
	lit         []byte // JSON of the value at the source; nil: as in buf
	text        bool   // lit is a string literal whose text is the JSON
	dead        bool
}

// raw is a source text to be kept beside the members.
type raw struct {
	key  string
	text []byte // JSON
}

// overflow is one value taken out of an object for its size.
type overflow struct {
	of   string // the column it was taken from
	key  []byte // nil: the whole object
	text []byte // JSON
}

func (o *object) reset() {
	clear(o.members)
	clear(o.raws)
	o.buf, o.members, o.raws, o.index, o.dead = o.buf[:0], o.members[:0], o.raws[:0], nil, 0
}

// restart is reset, but for the first n of the texts that are kept beside the members.
func (o *object) restart(n int) {
	kept := o.raws[:n]
	o.raws = nil // reset clears them
	o.reset()
	o.raws = kept
}

const indexFrom = 16

func (o *object) find(key []byte) int {
	if o.index != nil {
		if i, ok := o.index[string(key)]; ok {
			return i
		}
		return -1
	}
	for i := range o.members {
		if !o.members[i].dead && bytes.Equal(o.members[i].key, key) {
			return i
		}
	}
	return -1
}

// begin starts a member; the caller appends its value to o.buf and calls end. It says whether the key
// was there before; then the earlier text is kept aside.
func (o *object) begin(key []byte, clean bool) (duplicate bool) {
	if i := o.find(key); i >= 0 {
		m := &o.members[i]
		m.dead, duplicate = true, true
		o.dead++
		o.raws = append(o.raws, raw{string(key), o.source(m)})
	}
	if len(o.buf) > 0 {
		o.buf = append(o.buf, ',')
	}
	m := member{key: key, lo: len(o.buf)}
	if clean {
		o.buf = append(o.buf, '"')
		o.buf = append(o.buf, key...)
		o.buf = append(o.buf, '"')
	} else {
		o.buf = quote(o.buf, key)
	}
	o.buf = append(o.buf, ':')
	m.val = len(o.buf)
	o.members = append(o.members, m)
	switch n := len(o.members); {
	case o.index != nil:
		o.index[string(key)] = n - 1
	case n == indexFrom:
		o.index = make(map[string]int, 2*indexFrom)
		for i := range o.members {
			if !o.members[i].dead {
				o.index[string(o.members[i].key)] = i
			}
		}
	}
	return duplicate
}

func (o *object) end(lit []byte, text bool) {
	m := &o.members[len(o.members)-1]
	m.hi, m.lit, m.text = len(o.buf), lit, text
}

// literal adds a member whose value is the JSON text given.
func (o *object) literal(key string, value []byte) {
	o.begin([]byte(key), true)
	o.buf = append(o.buf, value...)
	o.end(nil, false)
}

// source gives the JSON text of a member's value as the source had it.
func (o *object) source(m *member) []byte {
	switch {
	case m.lit == nil:
		return bytes.Clone(o.buf[m.val:m.hi])
	case m.text:
		text, err := jsontext.AppendUnquote(nil, m.lit)
		if err != nil {
			text, _ = jsontext.AppendUnquote(nil, keepLone(m.lit))
		}
		return text
	default:
		return m.lit
	}
}

// finish gives the object, its raws included, and what had to be taken out of it.
func (o *object) finish(of string) (uctables.JSON, []overflow) {
	for _, r := range o.raws {
		key := RawPrefix + r.key
		for n := 2; o.find([]byte(key)) >= 0; n++ {
			key = RawPrefix + r.key + "." + strconv.Itoa(n)
		}
		o.begin([]byte(key), false)
		o.buf = quote(o.buf, r.text)
		o.end(nil, false)
	}
	var over []overflow
	if len(o.buf) > maxVariant/variantFactor {
		over = o.shrink(of)
	}
	if o.dead == 0 {
		out := make([]byte, 0, len(o.buf)+2)
		out = append(out, '{')
		out = append(out, o.buf...)
		return append(out, '}'), over
	}
	out := o.live()
	if over != nil {
		o.buf = nil // large, and needed no more
	}
	return out, over
}

// live gives the object of the members that are not superseded.
func (o *object) live() []byte {
	size := len("{}")
	for i := range o.members {
		if m := &o.members[i]; !m.dead {
			size += len(",") + m.hi - m.lo
		}
	}
	out := append(make([]byte, 0, size), '{')
	for i := range o.members {
		if m := &o.members[i]; !m.dead {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(out, o.buf[m.lo:m.hi]...)
		}
	}
	return append(out, '}')
}

// shrink replaces the largest values by a marker until the object fits a VARIANT. An object that many
// small members make too large is taken out as a whole.
func (o *object) shrink(of string) []overflow {
	total := 0
	type sized struct{ i, size int }
	var all []sized
	for i := range o.members {
		if m := &o.members[i]; !m.dead {
			size := variantBound(o.buf[m.lo:m.hi]) + 8
			total += size
			all = append(all, sized{i, size})
		}
	}
	if total <= maxVariant {
		return nil
	}
	slices.SortStableFunc(all, func(a, b sized) int { return cmp.Compare(b.size, a.size) })
	var over []overflow
	for _, s := range all {
		if total <= maxVariant {
			return over
		}
		if s.size < 4096 {
			break
		}
		old := o.members[s.i]
		ov := overflow{of: of, key: old.key, text: o.source(&old)}
		over = append(over, ov)
		o.members[s.i].dead = true
		o.dead++
		m := member{key: old.key, lo: len(o.buf) + 1}
		o.buf = append(o.buf, ',')
		o.buf = quote(o.buf, old.key)
		o.buf = append(o.buf, ':')
		m.val = len(o.buf)
		o.buf = quote(o.buf, ov.marker())
		m.hi = len(o.buf)
		o.members = append(o.members, m)
		total += variantBound(o.buf[m.lo:m.hi]) + 8 - s.size
	}
	if total <= maxVariant {
		return over
	}
	ov := overflow{of: of, text: o.live()}
	o.reset()
	o.begin([]byte(OverflowName), true)
	o.buf = quote(o.buf, ov.marker())
	o.end(nil, false)
	return append(over, ov)
}

// marker is what stands in the place of the value.
func (ov *overflow) marker() string {
	return "[" + OverflowName + ": " + strconv.Itoa(len(ov.text)) + " bytes of JSON text]"
}

// chunks gives the text in parts of at most chunkBytes, none of which breaks a character.
func (ov *overflow) chunks() [][]byte {
	var out [][]byte
	for t := ov.text; ; {
		n := min(len(t), chunkBytes)
		for n < len(t) && n > 0 && !utf8.RuneStart(t[n]) {
			n--
		}
		out = append(out, t[:n])
		if t = t[n:]; len(t) == 0 {
			return out
		}
	}
}

// describe gives the members that name part i (from 1) of n of an overflow.
func (ov *overflow) describe(i, n int) []byte {
	b := quote([]byte(`{"of":`), ov.of)
	if ov.key != nil {
		b = quote(append(b, `,"key":`...), ov.key)
	}
	b = strconv.AppendInt(append(b, `,"part":`...), int64(i), 10)
	return strconv.AppendInt(append(b, `,"parts":`...), int64(n), 10)
}
