package terminal

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// screen returns the lines of a terminal to which out was written.
func screen(out string) []string {
	lines := []string{""}
	for len(out) > 0 {
		switch {
		case strings.HasPrefix(out, "\x1b[1A\x1b[2K"):
			// The cursor stands at the start of an empty last line.
			lines = lines[:len(lines)-1]
			lines[len(lines)-1] = ""
			out = out[len("\x1b[1A\x1b[2K"):]
		case out[0] == '\n':
			lines = append(lines, "")
			out = out[1:]
		default:
			lines[len(lines)-1] += out[:1]
			out = out[1:]
		}
	}
	return lines
}

func TestLogLinesStandAboveTheBlock(t *testing.T) {
	var b bytes.Buffer
	term := &Terminal{out: &b, fd: -1, tty: true}
	log := func(s string) { term.Write([]byte(s + "\n")) }
	log("one")
	term.Block("a\nb")
	log("two")
	term.Block("c\nd\ne\n")
	log("three")
	if d := cmp.Diff([]string{"one", "two", "three", "c", "d", "e", ""}, screen(b.String())); d != "" {
		t.Error(d)
	}
	term.Block(strings.Repeat("ü", 200))
	if got := screen(b.String()); len([]rune(got[3])) != 79 {
		t.Errorf("long line %q, want 79 characters", got[3])
	}
	term.Block("")
	log("four")
	if d := cmp.Diff([]string{"one", "two", "three", "four", ""}, screen(b.String())); d != "" {
		t.Error(d)
	}
}

func TestPipeGetsNoBlock(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	term := New(f, func(string) string { return "" })
	term.Block("block")
	term.Logger("json", slog.LevelInfo).Info("line", "n", 1)
	got, _ := os.ReadFile(f.Name())
	if term.Interactive() || strings.Contains(string(got), "block") || !strings.Contains(string(got), `"msg":"line","n":1`) {
		t.Errorf("wrote %q, want the log line and no block", got)
	}
}

// Control characters that a server has put into a name are shown and have no effect.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain, naïve, 日本\n\t":  "plain, naïve, 日本\n\t",
		"\x1b[2Jgone\r\a":       `\u001b[2Jgone\u000d\u0007`,
		"\u202egpj.exe\u2069":   `\u202egpj.exe\u2069`,
		"\u009b31m\x7f\u200f":   `\u009b31m\u007f\u200f`,
		"half a rune \xe6\x9b!": "half a rune \ufffd\ufffd!",
	} {
		var b bytes.Buffer
		term := &Terminal{out: &b, fd: -1}
		if n, err := term.Write([]byte(in)); n != len(in) || err != nil || b.String() != want {
			t.Errorf("%q: got %q, want %q (%d, %v)", in, b.String(), want, n, err)
		}
	}
	var b bytes.Buffer
	term := &Terminal{out: &b, fd: -1, tty: true}
	term.Block("\x1b[2Jname")
	if got, want := screen(b.String())[0], `\u001b[2Jname`; got != want {
		t.Errorf("the block shows %q, want %q", got, want)
	}
}
