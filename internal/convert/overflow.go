package convert

import (
	"iter"
	"strconv"
	"unicode/utf8"

	"github.com/tracemig/tracemig/internal/jsonscan"
)

// chunkBytes is the most text in one part of a value over the size limit.
const chunkBytes = 4 << 20

// overflow is one value taken out of an object for its size.
type overflow struct {
	of    string // the column it was taken from
	whole bool   // the value is the whole object, and key has no meaning
	key   string
	text  source // JSON
	bytes int    // of the text
	parts int    // in which it is to be kept
}

// newOverflow is the overflow of a text, whose size it measures.
func newOverflow(of string, text source) overflow {
	ov := overflow{of: of, text: text}
	for chunk := range text.chunks(chunkBytes) {
		ov.bytes += len(chunk)
		ov.parts++
	}
	return ov
}

// marker is the text in the place of the value.
func (ov *overflow) marker() string {
	return "[" + OverflowName + ": " + strconv.Itoa(ov.bytes) + " bytes of JSON text]"
}

// describe gives the members that name part i, from 1.
func (ov *overflow) describe(i int) []byte {
	b := quote([]byte(`{"of":`), ov.of)
	if !ov.whole {
		b = quote(append(b, `,"key":`...), ov.key)
	}
	b = strconv.AppendInt(append(b, `,"part":`...), int64(i), 10)
	return strconv.AppendInt(append(b, `,"parts":`...), int64(ov.parts), 10)
}

// source is what the source has in the place of a value. The zero value says that it has the value itself.
type source struct {
	lit    []byte // JSON
	quoted bool   // lit is a string without lone surrogates, and the JSON text in it is what the source has
}

// text is the JSON text that the source has.
func (s source) text() []byte {
	if !s.quoted {
		return s.lit
	}
	text, _ := unquoteText(nil, s.lit)
	return text
}

// chunks gives the text in parts of at most so many bytes, none of which breaks a character, each with the index in lit up
// to which lit is needed no more. A part is valid until the next one. A text in a string is unquoted part by part, because
// all of it may be large.
func (s source) chunks(most int) iter.Seq2[[]byte, int] {
	return func(yield func([]byte, int) bool) {
		text, rest := s.lit, []byte(nil)
		if s.quoted {
			rest = s.lit[len(`"`) : len(s.lit)-len(`"`)]
			text = make([]byte, 0, min(most, len(rest))+utf8.UTFMax)
		}
		for read := 0; ; {
			if len(rest) > 0 {
				text, rest = unquoteSome(text, rest, most+1)
			}
			n := min(len(text), most)
			for n < len(text) && n > 0 && !utf8.RuneStart(text[n]) {
				n--
			}
			if read += n; s.quoted {
				read = len(s.lit) - len(`"`) - len(rest)
			}
			if !yield(text[:n], read) || n == len(text) && len(rest) == 0 {
				return
			}
			if s.quoted {
				text = append(text[:0], text[n:]...)
			} else {
				text = text[n:]
			}
		}
	}
}

// unquoteSome appends to text what a part of a string stands for, until it has least bytes or more. rest is what is
// left of the part.
func unquoteSome(text, part []byte, least int) (_, rest []byte) {
	for len(part) > 0 && len(text) < least {
		n := jsonscan.PlainLen(part[:min(len(part), least-len(text))])
		text = append(text, part[:n]...)
		if part = part[n:]; len(part) == 0 || len(text) >= least {
			break
		}
		n = 1
		if part[0] != '\\' {
			text = append(text, part[0])
		} else if c := jsonscan.Unescape(part[1]); c != 0 {
			text, n = append(text, c), 2
		} else {
			var r rune
			r, n = jsonscan.UnicodeEscape(part)
			text = utf8.AppendRune(text, r)
		}
		part = part[n:]
	}
	return text, part
}
