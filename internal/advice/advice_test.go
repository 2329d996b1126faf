package advice

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestSplit(t *testing.T) {
	full := With(io.ErrShortWrite, "Make room, and run again")
	for name, c := range map[string]struct {
		err           error
		text          string
		problem, next string
	}{
		"no next step": {errors.New("broken. It is"), "broken. It is", "broken. It is", ""},
		"a sentence":   {full, "short write. Make room, and run again", "short write", "Make room, and run again"},
		"a clause":     {With(errors.New("broken"), "try again"), "broken; try again", "broken", "try again"},
		"wrapped": {
			fmt.Errorf("write: %w", full), "write: short write. Make room, and run again", "write: short write", "Make room, and run again",
		},
		"the outermost counts": {
			With(fmt.Errorf("write: %w", full), "Ask"), "write: short write. Make room, and run again. Ask",
			"write: short write. Make room, and run again", "Ask",
		},
		"an outermost without one": {With(full, ""), "short write. Make room, and run again", "short write", "Make room, and run again"},
		"more words follow": {
			fmt.Errorf("%w (twice)", full), "short write. Make room, and run again (twice)",
			"short write. Make room, and run again (twice)", "Make room, and run again",
		},
		"one of several": {
			errors.Join(errors.New("a"), full), "a\nshort write. Make room, and run again", "a\nshort write", "Make room, and run again",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.err.Error(); got != c.text {
				t.Errorf("the text is %q, want %q", got, c.text)
			}
			if problem, next := Split(c.err); problem != c.problem || next != c.next {
				t.Errorf("problem %q and next step %q, want %q and %q", problem, next, c.problem, c.next)
			}
		})
	}
	if !errors.Is(full, io.ErrShortWrite) {
		t.Errorf("%v does not wrap %v", full, io.ErrShortWrite)
	}
}
