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

	"golang.org/x/term"
)

// Terminal is standard error, as a person's terminal or as a pipe.
type Terminal struct {
	mu    sync.Mutex
	out   io.Writer
	fd    int
	tty   bool
	color bool
	block string // the status block on screen, without colors
	lines int    // how many lines it takes
}

// New makes a Terminal of f. It shows a status block if f is a terminal and TERM is not dumb. The block has colors unless
// NO_COLOR (https://no-color.org) is set.
func New(f *os.File, getenv func(string) string) *Terminal {
	t := &Terminal{out: f, fd: int(f.Fd())}
	t.tty = term.IsTerminal(t.fd) && getenv("TERM") != "dumb"
	t.color = t.tty && getenv("NO_COLOR") == ""
	return t
}

// Interactive says whether a status block can be shown.
func (t *Terminal) Interactive() bool { return t.tty }

// Write prints above the status block. Log handlers write to it.
func (t *Terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	safe := Printable(p)
	if t.lines == 0 {
		if _, err := t.out.Write(safe); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	var b bytes.Buffer
	t.clear(&b)
	b.Write(safe)
	t.draw(&b)
	if _, err := t.out.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
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

// Block shows text as the status block in place of the one before. Empty text removes the block. Block does nothing where
// none can be shown.
func (t *Terminal) Block(text string) {
	if !t.tty {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var b bytes.Buffer
	t.clear(&b)
	t.block = t.fit(text)
	t.draw(&b)
	_, _ = t.out.Write(b.Bytes()) // a terminal that is gone shows nothing more
}

// fit cuts lines at the terminal's width, because clear could not remove a wrapped line.
func (t *Terminal) fit(text string) string {
	text = strings.TrimRight(string(Printable([]byte(text))), "\n")
	width, _, err := term.GetSize(t.fd)
	if err != nil || width < 20 {
		width = 80
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if r := []rune(l); len(r) >= width {
			lines[i] = string(r[:width-1])
		}
	}
	return strings.Join(lines, "\n")
}

// clear removes the block from the screen.
func (t *Terminal) clear(b *bytes.Buffer) {
	for range t.lines {
		b.WriteString("\x1b[1A\x1b[2K")
	}
	t.lines = 0
}

// draw writes the block.
func (t *Terminal) draw(b *bytes.Buffer) {
	if t.block == "" {
		return
	}
	t.lines = 1 + strings.Count(t.block, "\n")
	text := t.block
	if t.color {
		text = "\x1b[36m" + strings.ReplaceAll(text, "\n", "\x1b[0m\n\x1b[36m") + "\x1b[0m"
	}
	b.WriteString(text + "\n")
}

// Logger returns a logger that writes records of level and above to t, in format "text" or "json".
func (t *Terminal) Logger(format string, level slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(t, opts))
	}
	return slog.New(slog.NewTextHandler(t, opts))
}
