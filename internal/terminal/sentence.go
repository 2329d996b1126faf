package terminal

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// sentences is a slog.Handler for people at a terminal. A record becomes a sentence: the message, then its attributes.
type sentences struct {
	to    *Terminal
	level slog.Leveler
	attrs []slog.Attr
	group string // before the keys of attributes, with a full stop
}

func (h *sentences) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *sentences) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = append(slices.Clip(with.attrs), h.grouped(attrs)...)
	return &with
}

func (h *sentences) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.group += name + "."
	return &with
}

func (h *sentences) grouped(attrs []slog.Attr) []slog.Attr {
	if h.group == "" {
		return attrs
	}
	named := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		named[i] = slog.Attr{Key: h.group + a.Key, Value: a.Value}
	}
	return named
}

func (h *sentences) Handle(_ context.Context, r slog.Record) error {
	attrs := append([]slog.Attr(nil), h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, h.grouped([]slog.Attr{a})...)
		return true
	})
	style, lead := Plain, ""
	switch {
	case r.Level >= slog.LevelError:
		style, lead = Failed, "Error:"
	case r.Level >= slog.LevelWarn:
		style, lead = Warning, "Warning:"
	case r.Level < slog.LevelInfo:
		style, lead = Faint, "Debug:"
	}
	return h.to.Say(style, lead, sentence(r.Message, attrs))
}

// sentence makes a sentence of a record. The pair that it is about stands before it. An attribute that the last word of the
// message names follows it; an error follows a colon, what to do next is a sentence of its own, and the others stand in
// parentheses.
func sentence(message string, attrs []slog.Attr) string {
	var pair, named, problem, next string
	var others []string
	last := message[strings.LastIndexByte(message, ' ')+1:]
	for _, a := range attrs {
		value := valueText(a.Value)
		switch {
		case value == "":
		case a.Key == "pair":
			pair = value + ": "
		case a.Key == last && named == "":
			named = " " + value
		case a.Key == "error":
			problem = ": " + strings.TrimRight(value, ".")
		case a.Key == "next":
			next = " " + strings.TrimRight(upperFirst(value), ".") + "."
		default:
			others = append(others, strings.ReplaceAll(a.Key, "_", " ")+" "+value)
		}
	}
	s := strings.TrimRight(message, ".")
	if pair == "" {
		s = upperFirst(s)
	}
	s = pair + s + named
	if len(others) > 0 {
		s += " (" + strings.Join(others, ", ") + ")"
	}
	return s + problem + "." + next
}

func valueText(v slog.Value) string {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindDuration:
		return v.Duration().Round(time.Millisecond).String()
	case slog.KindTime:
		return v.Time().Format(time.RFC3339)
	}
	return fmt.Sprint(v.Any())
}

// upperFirst begins a sentence with an upper-case letter, unless its first word is an address or another name.
func upperFirst(s string) string {
	if first, _, _ := strings.Cut(s, " "); strings.ContainsAny(strings.TrimRight(first, ":,"), "./:_0123456789") {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}
