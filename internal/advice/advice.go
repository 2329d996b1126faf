// Package advice carries the next step of an error, which is what its reader can do about it, beside the words that say
// what is wrong. A run prints both as one text; check prints them apart.
package advice

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Adviser is an error that says what to do about it.
type Adviser interface {
	error
	// NextStep is a sentence, or a clause that begins in lower case; empty where nothing can be said. The text of the
	// error ends with it.
	NextStep() string
}

// With adds a next step to err: a sentence without its full stop, or a clause that begins in lower case.
func With(err error, next string) error { return &advised{err, next} }

type advised struct {
	err  error
	next string
}

func (e *advised) Error() string    { return Join(e.err.Error(), e.next) }
func (e *advised) Unwrap() error    { return e.err }
func (e *advised) NextStep() string { return e.next }

// Join makes one text of a problem and its next step, which may be empty.
func Join(problem, next string) string {
	if next == "" {
		return problem
	}
	return problem + separator(next) + next
}

// separator is what stands between a problem and a next step: a sentence of its own follows a full stop, a clause a
// semicolon.
func separator(next string) string {
	if first, _ := utf8.DecodeRuneInString(next); unicode.IsUpper(first) {
		return ". "
	}
	return "; "
}

// Split parts the text of err into the problem and the next step of the outermost error in its chain that has one. next is
// empty where none has.
func Split(err error) (problem, next string) {
	text := err.Error()
	for e := err; e != nil; {
		a, ok := errors.AsType[Adviser](e)
		if !ok {
			break
		}
		if next = a.NextStep(); next == "" {
			e = errors.Unwrap(a)
			continue
		}
		for _, sep := range []string{". ", "; "} {
			if before, ok := strings.CutSuffix(text, sep+next); ok {
				return before, next
			}
		}
		return text, next
	}
	return text, ""
}
