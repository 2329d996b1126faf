package terminal

import (
	"os"

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

// Colored says whether what is written to f is shown with colors: f is a terminal, TERM is not dumb, and NO_COLOR
// (https://no-color.org) is not set.
func Colored(f *os.File, getenv func(string) string) bool {
	return term.IsTerminal(int(f.Fd())) && getenv("TERM") != "dumb" && getenv("NO_COLOR") == ""
}
