package htmlpage

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longest is how many characters of a text are shown.
const longest = 1000

// marks is how many combining marks may follow each other: more of them would be painted over the lines around.
const marks = 4

// clean writes what can't be seen, and what would turn the order of the text around it, as \u escapes, and leaves out combining marks
// beyond a few.
func clean(s string) string {
	var b strings.Builder
	combining := 0
	for _, r := range s {
		if combining++; !unicode.Is(unicode.M, r) {
			combining = 0
		}
		switch {
		case combining > marks:
		case r == '\n', r == '\t':
			b.WriteByte(' ')
		case !unicode.IsPrint(r) && !unicode.Is(unicode.M, r) && r != '\u00a0' && r != utf8.RuneError, unicode.Is(unicode.Bidi_Control, r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// shorten cuts a text after n characters.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + " …"
}
