package convert

import (
	"bytes"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/jsonscan"
)

// parser reads JSON as Python's json.loads does: it takes NaN, Infinity, lone surrogate escapes and duplicate
// keys, but no control characters in strings. Its methods return false at what they do not take.
type parser struct {
	src  []byte
	i    int
	out  []byte
	loss loss
}

func (p *parser) space() { p.i = jsonscan.SkipSpace(p.src, p.i) }

func (p *parser) peek() byte {
	if p.i < len(p.src) {
		return p.src[p.i]
	}
	return 0
}

// word takes the word w, and writes it as another.
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
	n, ok := jsonscan.ScanNumber(p.src, p.i)
	if !ok {
		return false
	}
	tok := p.src[p.i:n.End]
	p.i = n.End
	switch spellNumber(tok, n) {
	case numberAsIs:
		p.out = append(p.out, tok...)
	case numberNegZero:
		p.out = append(p.out, "-0.0E0"...)
	case numberAsString:
		p.out = append(append(append(p.out, '"'), tok...), '"')
		p.loss |= lostNumber
	}
	return true
}

// str takes a string literal and gives it as it is to be written.
func (p *parser) str() ([]byte, bool) {
	start, lone := p.i, false
	for i := start + 1; ; {
		i += jsonscan.PlainLen(p.src[i:])
		if i == len(p.src) {
			return nil, false
		}
		switch c := p.src[i]; {
		case c == '"':
			p.i = i + 1
			if lone {
				p.loss |= lostSurrogate
			}
			return canonical(p.src[start:p.i]), true
		case c < ' ':
			return nil, false
		case c != '\\':
			i++
		case i+1 < len(p.src) && jsonscan.Unescape(p.src[i+1]) != 0:
			i += 2
		default:
			r, n := jsonscan.UnicodeEscape(p.src[i:])
			if n == 0 {
				return nil, false
			}
			lone = lone || utf16.IsSurrogate(r)
			i += n
		}
	}
}

// open takes the bracket that begins an array or object of the given depth. empty says that the closing bracket
// follows, which is taken too.
func (p *parser) open(bracket, closing byte, depth int) (empty, ok bool) {
	if depth > maxDepth {
		p.loss |= lostDepth
		return false, false
	}
	p.i++
	p.out = append(p.out, bracket)
	p.space()
	if p.peek() == closing {
		p.i++
		p.out = append(p.out, closing)
		return true, true
	}
	return false, true
}

// separator takes what follows an element or member: a comma, or the closing bracket, which it does not write.
func (p *parser) separator(closing byte) (more, ok bool) {
	p.space()
	switch p.peek() {
	case ',':
		p.i++
		p.out = append(p.out, ',')
		p.space()
		return true, true
	case closing:
		p.i++
		return false, true
	}
	return false, false
}

func (p *parser) array(depth int) bool {
	empty, ok := p.open('[', ']', depth)
	if empty || !ok {
		return ok
	}
	for more := true; more; {
		if !p.value(depth) {
			return false
		}
		if more, ok = p.separator(']'); !ok {
			return false
		}
	}
	p.out = append(p.out, ']')
	return true
}

// memberRange is where in parser.out a member of an object stands. It is empty for one that another of the same
// name supersedes.
type memberRange struct{ lo, hi int }

func (p *parser) object(depth int) bool {
	start := len(p.out)
	empty, ok := p.open('{', '}', depth)
	if empty || !ok {
		return ok
	}
	var members []memberRange
	last := map[string]int{}
	duplicates := false
	for more := true; more; {
		lo := len(p.out)
		name, ok := p.member(depth)
		if !ok {
			return false
		}
		if i, ok := last[name]; ok {
			duplicates = true
			members[i].hi = members[i].lo
		}
		last[name] = len(members)
		members = append(members, memberRange{lo, len(p.out)})
		if more, ok = p.separator('}'); !ok {
			return false
		}
	}
	if duplicates {
		p.loss |= lostDuplicate
		p.dropSuperseded(start+1, members)
	}
	p.out = append(p.out, '}')
	return true
}

// member takes one member of an object and gives its name.
func (p *parser) member(depth int) (name string, ok bool) {
	if p.peek() != '"' {
		return "", false
	}
	lit, ok := p.str()
	if !ok {
		return "", false
	}
	lit, name, l := objectName(lit)
	p.loss |= l
	if len(lit) > maxName {
		p.loss |= lostName
		return "", false
	}
	p.out = append(p.out, lit...)
	p.space()
	if p.peek() != ':' {
		return "", false
	}
	p.i++
	p.out = append(p.out, ':')
	p.space()
	return name, p.value(depth)
}

// dropSuperseded moves together the members of the object whose first one stands at p.out[start].
func (p *parser) dropSuperseded(start int, members []memberRange) {
	at := start
	for _, m := range members {
		if m.hi == m.lo {
			continue
		}
		if at > start {
			p.out[at] = ','
			at++
		}
		at += copy(p.out[at:], p.out[m.lo:m.hi])
	}
	p.out = p.out[:at]
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
