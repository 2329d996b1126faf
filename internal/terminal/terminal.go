// Package terminal writes to standard error. Log lines and a status block that is redrawn in place share it without
// mixing. All of the program's output to standard error goes through this package.
package terminal

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// Terminal is standard error, as a person's terminal or as a pipe.
type Terminal struct {
	mu    sync.Mutex
	out   io.Writer
	fd    int
	tty   bool
	color bool
	block []Line // on screen
}

// Line is a line of the status block.
type Line struct {
	Name  string // stands before the text; empty for none
	Text  string
	Style Style // of the name: not every color can be read on every ground
}

// New makes a Terminal of f. It shows a status block if f is a terminal and TERM is not dumb.
func New(f *os.File, getenv func(string) string) *Terminal {
	t := &Terminal{out: f, fd: int(f.Fd())}
	t.tty = term.IsTerminal(t.fd) && getenv("TERM") != "dumb"
	t.color = Colored(f, getenv)
	return t
}

// Interactive says whether a status block can be shown.
func (t *Terminal) Interactive() bool { return t.tty }

// Write prints above the status block.
func (t *Terminal) Write(p []byte) (int, error) {
	if err := t.above(Printable(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Say prints a line above the status block: lead, which may be empty, in a style, and then the rest.
func (t *Terminal) Say(style Style, lead, rest string) error {
	lead, rest = string(Printable([]byte(lead))), string(Printable([]byte(rest)))
	if lead != "" {
		lead = t.paint(style, lead) + " "
	}
	said := lead + rest
	if t.tty {
		said = Wrap(said, 0, t.width())
	}
	return t.above([]byte(said + "\n"))
}

// width is how many columns the terminal has.
func (t *Terminal) width() int {
	width, _, err := term.GetSize(t.fd)
	if err != nil || width < 20 {
		return 80
	}
	return width
}

func (t *Terminal) paint(style Style, s string) string {
	if !t.color {
		return s
	}
	return style.Paint(s)
}

// above prints p above the status block.
func (t *Terminal) above(p []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b bytes.Buffer
	t.clear(&b)
	b.Write(p)
	t.draw(&b)
	_, err := t.out.Write(b.Bytes())
	return err
}

// Printable writes control and bidi characters of a text, but for line ends and tabs, as \u escapes. Names and
// messages come from servers, and must not control the terminal that shows them.
func Printable(p []byte) []byte {
	unsafe := func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
	}
	if utf8.Valid(p) && !bytes.ContainsFunc(p, unsafe) {
		return p
	}
	var b bytes.Buffer
	for _, r := range string(p) {
		if unsafe(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}

// Block shows lines as the status block in place of the one before. Without lines it removes the block. It does nothing where
// none can be shown.
func (t *Terminal) Block(lines ...Line) {
	if !t.tty {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var b bytes.Buffer
	t.clear(&b)
	t.block = lines
	t.draw(&b)
	_, _ = t.out.Write(b.Bytes()) // a terminal that is gone shows nothing more
}

// clear removes the block from the screen.
func (t *Terminal) clear(b *bytes.Buffer) {
	for range t.block {
		b.WriteString("\x1b[1A\x1b[2K")
	}
}

// nameWidth is how wide the names before the lines of a block are.
const nameWidth = 11

// draw writes the block. It cuts lines at the terminal's width, because clear could not remove a wrapped line.
func (t *Terminal) draw(b *bytes.Buffer) {
	width := t.width()
	for _, l := range t.block {
		name, room := "", width-1
		if l.Name != "" {
			name, room = t.paint(l.Style, text.Pad(l.Name, nameWidth, ' ')), room-nameWidth
		}
		b.WriteString(name + text.Snip(oneLine(l.Text), room, "…") + "\n")
	}
}

// oneLine is s without what would move the cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, string(Printable([]byte(s))))
}

// Logger returns a logger that writes records of level and above to t: in format json as JSON lines, in format text as lines
// of keys and values, and at a person's terminal as sentences.
func (t *Terminal) Logger(format string, level slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	switch {
	case format == "json":
		return slog.New(slog.NewJSONHandler(t, opts))
	case t.tty:
		return slog.New(&sentences{to: t, level: level})
	}
	return slog.New(slog.NewTextHandler(t, opts))
}
