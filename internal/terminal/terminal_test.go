package terminal

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"
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
	term.Block(Line{Text: "a"}, Line{Name: "b", Text: "c"})
	log("two")
	term.Block(Line{Text: "c"}, Line{Text: "d\nd"}, Line{Name: "e", Text: "e", Style: Warning})
	log("three")
	if d := cmp.Diff([]string{"one", "two", "three", "c", "d d", "e          e", ""}, screen(b.String())); d != "" {
		t.Error(d)
	}
	for _, wide := range []string{"ü", "日"} { // a character, and one as wide as two
		term.Block(Line{Name: "wide", Text: strings.Repeat(wide, 200)})
		got := screen(b.String())[3]
		if w := text.StringWidthWithoutEscSequences(got); w < 77 || w > 79 || !strings.HasSuffix(got, "…") {
			t.Errorf("long line %q of width %d, want 79 with an ellipsis", got, w)
		}
	}
	term.Block()
	log("four")
	if d := cmp.Diff([]string{"one", "two", "three", "four", ""}, screen(b.String())); d != "" {
		t.Error(d)
	}
}

// Records are sentences at a terminal. Colors come from tracemig alone, never from what a server says.
func TestSentences(t *testing.T) {
	for _, test := range []struct {
		color bool
		log   func(*slog.Logger)
		want  string
	}{
		{false, func(l *slog.Logger) { l.Info("made the target's tables", "tables", "file:/lake/agent") },
			"Made the target's tables file:/lake/agent.\n"},
		{false, func(l *slog.Logger) {
			l.Info("the source is the experiment", "experiment", "1", "name", "/a", "user_name", 7)
		},
			"The source is the experiment 1 (name /a, user name 7).\n"},
		{false, func(l *slog.Logger) {
			l.Warn("it could not be noted", "error", errors.New("disk full."), "next", "make room")
		},
			"Warning: It could not be noted: disk full. Make room.\n"},
		{true, func(l *slog.Logger) { l.Warn("ends with a full stop.", "in", 1500*time.Millisecond) },
			"\x1b[33mWarning:\x1b[0m Ends with a full stop (in 1.5s).\n"},
		{true, func(l *slog.Logger) { l.Error("\x1b[31mred") }, "\x1b[31mError:\x1b[0m \\u001b[31mred.\n"},
		{true, func(l *slog.Logger) { l.With("run_id", 1).WithGroup("g").With("a", "b").Info("with more", "c", 2) },
			"With more (run id 1, g.a b, g.c 2).\n"},
		{true, func(l *slog.Logger) { l.Debug("not shown") }, ""},
		{false, func(l *slog.Logger) { l.Info("nothing", "nothing", "") }, "Nothing.\n"},
		{false, func(l *slog.Logger) { l.With("pair", "agents/a").Info("the run has begun", "id", 1) },
			"agents/a: the run has begun (id 1).\n"},
		{false, func(l *slog.Logger) { l.Error("http://host has no experiment 1") }, "Error: http://host has no experiment 1.\n"},
		{false, func(l *slog.Logger) { l.Info(strings.Repeat("word ", 17) + "end") },
			"Word " + strings.TrimSuffix(strings.Repeat("word ", 15), " ") + "\nword end.\n"},
	} {
		var b bytes.Buffer
		test.log((&Terminal{out: &b, fd: -1, tty: true, color: test.color}).Logger("text", slog.LevelInfo))
		if d := cmp.Diff(test.want, b.String()); d != "" {
			t.Error(d)
		}
	}
	var b bytes.Buffer
	(&Terminal{out: &b, fd: -1}).Logger("text", slog.LevelInfo).Info("made tables", "tables", 1)
	if !strings.HasSuffix(b.String(), "level=INFO msg=\"made tables\" tables=1\n") {
		t.Errorf("in a pipe: %q, want keys and values", b.String())
	}
}

func TestPipeGetsNoBlock(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	term := New(f, func(string) string { return "" })
	term.Block(Line{Text: "block"})
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
	term.Block(Line{Text: "\x1b[2Jname"})
	if got, want := screen(b.String())[0], `\u001b[2Jname`; got != want {
		t.Errorf("the block shows %q, want %q", got, want)
	}
}

// A text goes on in its column, between words.
func TestWrap(t *testing.T) {
	const long = "a sentence of some words that is longer than its column, /a/path/that/is/longer/than/all, 日本語 日本語"
	want := "a sentence of some\n" +
		"   words that is longer\n" +
		"   than its column,\n" +
		"   /a/path/that/is/longer/than/all,\n" +
		"   日本語 日本語"
	if d := cmp.Diff(want, Wrap(long, 3, 24)); d != "" {
		t.Error(d)
	}
	for _, width := range []int{0, 22, 1000} { // no terminal, one that has no room for a column, and one with room for all
		if got := Wrap(long, 3, width); got != long {
			t.Errorf("width %d: %q, want it as it was", width, got)
		}
	}
}
