package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/tracemig/tracemig/internal/suggest"
)

// suggest is what to do about a key of a pair or of the defaults that no flag has.
func (p *parser) suggest(key string) string {
	known := []string{"name"}
	for _, flag := range slices.Sorted(maps.Keys(p.keys)) {
		known = append(known, Key(flag))
	}
	if near := suggest.Nearest(fmt.Sprintf("%.100s", key), known...); near != "" {
		return "did you mean " + near + "?"
	}
	return "keys are the flags of tracemig run, with underscores"
}

func (p *parser) suggestTop(key string) string {
	if near := suggest.Nearest(fmt.Sprintf("%.100s", key), "defaults", "pairs"); near != "" {
		return "did you mean " + near + "?"
	}
	if _, ok := p.keys[strings.ReplaceAll(key, "_", "-")]; ok {
		return "write it below defaults:, or in a pair"
	}
	return "the file has defaults: and pairs:"
}

// control says whether r would disturb a terminal, or end a line.
func control(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }

// printable is a text of the file as an error may quote it.
func printable(s string) string {
	if len(s) > 100 {
		s = fmt.Sprintf("%.100s…", s)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return control(r) || !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
