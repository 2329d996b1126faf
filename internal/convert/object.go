package convert

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Names that tracemig adds to a trace in which a value does not fit as it was.
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

// object builds one VARIANT object from members: an attributes column, METADATA's value.
// Keys are unique at the end: the last of duplicates wins, as in Python's json.loads.
//
// It copies what it is given, except for the texts of the source, which must not change until it is reset. What it gives
// is its caller's, except for the texts of an overflow.
type object struct {
	buf        []byte // the opening brace, and members as "key":value, joined by commas
	members    []member
	index      map[string]int // from key literal to member, once there are many
	superseded int            // number of members that a later one supersedes
	large      bool           // a member has a size
	raw        []byte         // texts of kept, one after the other
	kept       []keptText
}

type member struct {
	lo, val, hi int // "key":value and value in buf
	source      source
	size        int // of a value that buf does not have, as variantBound has it
	superseded  bool
}

// keptText is a text of the source, raw[from:to], that is to be kept beside the members.
type keptText struct {
	name     string
	from, to int
}

func (o *object) reset() {
	o.restart(0)
	if cap(o.raw) > chunkBytes {
		o.raw = nil
	}
	o.raw = o.raw[:0]
}

// restart is reset, except that the first n of the texts that are kept beside the members stay.
func (o *object) restart(n int) {
	clear(o.kept[n:])
	o.buf = append(o.buf[:0], '{')
	o.members, o.kept, o.index, o.superseded, o.large = o.members[:0], o.kept[:n], nil, 0, false
}

// indexFrom is the number of members from which an index finds a key sooner than a look at each.
const indexFrom = 16

// find gives the place of the member with this key, a canonical literal, or -1.
func (o *object) find(key []byte) int {
	if o.index != nil {
		if i, ok := o.index[string(key)]; ok {
			return i
		}
		return -1
	}
	for i := range o.members {
		if m := &o.members[i]; !m.superseded && bytes.Equal(o.key(m), key) {
			return i
		}
	}
	return -1
}

func (o *object) has(key string) bool { return o.find(quote(nil, key)) >= 0 }

// key is the literal of a member's key.
func (o *object) key(m *member) []byte { return o.buf[m.lo : m.val-len(":")] }

// begin starts a member with this key, a canonical literal. The caller appends the value to o.buf and calls end. If
// the key was there before, duplicate is true, and the text of the earlier value is kept beside the members.
func (o *object) begin(key []byte) (duplicate bool) {
	if i := o.find(key); i >= 0 {
		m := &o.members[i]
		m.superseded, duplicate = true, true
		o.superseded++
		name, _ := unquote(key)
		o.keep(name, o.sourceOf(m).text())
	}
	if len(o.buf) > len("{") {
		o.buf = append(o.buf, ',')
	}
	m := member{lo: len(o.buf)}
	o.buf = append(append(o.buf, key...), ':')
	m.val = len(o.buf)
	o.members = append(o.members, m)
	switch n := len(o.members); {
	case o.index != nil:
		o.index[string(key)] = n - 1
	case n == indexFrom:
		o.index = make(map[string]int, 2*indexFrom)
		for i := range o.members {
			if m := &o.members[i]; !m.superseded {
				o.index[string(o.key(m))] = i
			}
		}
	}
	return duplicate
}

// last is the member that was begun last.
func (o *object) last() *member { return &o.members[len(o.members)-1] }

// end ends a member, for whose value the source has the JSON text given.
func (o *object) end(from source) {
	m := o.last()
	m.hi, m.source = len(o.buf), from
}

// endLarge ends a member whose value is over the size limit, and so will be taken out. buf never has it.
func (o *object) endLarge(from source, size int) {
	o.buf = append(o.buf, "null"...)
	o.end(from)
	o.last().size = size
	o.large = true
}

// variantBound is that of a member.
func (o *object) variantBound(m *member) int {
	n := variantBound(o.buf[m.lo:m.hi])
	if m.size > 0 {
		n += m.size - variantBound(o.buf[m.val:m.hi])
	}
	return n
}

// literal adds a member whose value is the JSON text given.
func (o *object) literal(key string, value []byte) {
	o.begin(quote(nil, key))
	o.buf = append(o.buf, value...)
	o.end(source{})
}

// keep keeps a JSON text of the source beside the members, under a name that begins with RawPrefix.
func (o *object) keep(name string, text []byte) {
	from := len(o.raw)
	o.raw = append(o.raw, text...)
	o.kept = append(o.kept, keptText{name, from, len(o.raw)})
}

// sourceOf gives what the source has in the place of a member's value, until something is added to the object.
func (o *object) sourceOf(m *member) source {
	if m.source.lit == nil {
		return source{lit: o.buf[m.val:m.hi]}
	}
	return m.source
}

// finish gives the object, with the texts that are kept beside the members, and the values that had to be taken
// out of it.
func (o *object) finish(of string) (uctables.JSON, []overflow) {
	for _, k := range o.kept {
		key := RawPrefix + k.name
		for n := 2; o.has(key); n++ {
			key = RawPrefix + k.name + "." + strconv.Itoa(n)
		}
		o.begin(quote(nil, key))
		o.buf = quote(o.buf, o.raw[k.from:k.to])
		o.end(source{})
	}
	var over []overflow
	if len(o.buf) > maxVariant/variantFactor || o.large {
		over = o.shrink(of)
	}
	if o.superseded == 0 {
		o.buf = append(o.buf, '}')
		return bytes.Clone(o.buf), over
	}
	out := o.live()
	if over != nil {
		o.buf = nil // The values in over are parts of it, and it is large.
	}
	return out, over
}

// live gives the object of the members that are not superseded.
func (o *object) live() []byte {
	size := len("{}")
	for i := range o.members {
		if m := &o.members[i]; !m.superseded {
			size += len(",") + m.hi - m.lo
		}
	}
	out := append(make([]byte, 0, size), '{')
	for i := range o.members {
		if m := &o.members[i]; !m.superseded {
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
		if m := &o.members[i]; !m.superseded {
			size := o.variantBound(m) + 8
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
		ov, size := o.takeOut(s.i, of)
		over = append(over, ov)
		total += size - s.size
	}
	if total <= maxVariant {
		return over
	}
	ov := newOverflow(of, source{lit: o.live()})
	ov.whole = true
	o.buf = nil // The values in over are parts of it.
	o.reset()
	o.literal(OverflowName, quote(nil, ov.marker()))
	return append(over, ov)
}

// takeOut replaces member i by one with a marker as its value, and gives that one's size as shrink counts it.
func (o *object) takeOut(i int, of string) (ov overflow, size int) {
	old := &o.members[i]
	key := o.key(old)
	name, _ := unquote(key)
	ov = newOverflow(of, o.sourceOf(old))
	ov.key = name
	old.superseded = true
	o.superseded++
	m := member{lo: len(o.buf) + len(",")}
	o.buf = append(append(append(o.buf, ','), key...), ':')
	m.val = len(o.buf)
	o.buf = quote(o.buf, ov.marker())
	m.hi = len(o.buf)
	o.members = append(o.members, m)
	return ov, variantBound(o.buf[m.lo:m.hi]) + 8
}
