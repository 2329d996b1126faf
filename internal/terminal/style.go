package terminal

import (
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// Style is how a text looks where colors can be shown.
type Style int

// The styles. Their colors are those that the terminal's user has chosen for green, yellow and red, so they can be read on dark
// and on light ground.
const (
	Plain Style = iota
	OK
	Warning
	Failed
	Strong
	Faint
)

var colors = map[Style]text.Colors{
	OK:      {text.FgGreen},
	Warning: {text.FgYellow},
	Failed:  {text.FgRed},
	Strong:  {text.Bold},
	Faint:   {text.Faint},
}

// Paint is s in the style.
func (style Style) Paint(s string) string {
	if style == Plain || s == "" {
		return s
	}
	return text.Escape(s, colors[style].EscapeSeq())
}

// Wrap breaks s between words so that it fits into a column of a screen that is so wide, behind an indent. A word that is
// longer is left whole. It leaves s as it is where width is 0, or too little for a column.
func Wrap(s string, indent, width int) string {
	room := width - indent
	if width == 0 || room < 20 || text.StringWidthWithoutEscSequences(s) <= room {
		return s
	}
	var b strings.Builder
	at := 0
	for i, word := range strings.Split(s, " ") {
		w := text.StringWidthWithoutEscSequences(word)
		switch {
		case i == 0:
		case at+1+w > room:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += w
	}
	return b.String()
}

// Colored says whether what is written to f is shown with colors: f is a terminal, TERM is not dumb, and NO_COLOR
// (https://no-color.org) is not set.
func Colored(f *os.File, getenv func(string) string) bool {
	return term.IsTerminal(int(f.Fd())) && getenv("TERM") != "dumb" && getenv("NO_COLOR") == ""
}
