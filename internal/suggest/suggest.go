// Package suggest finds the name that was meant where another was written.
package suggest

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Nearest is the name that is most like word: a few letters differ, in number or in order, or the name begins with it. Case,
// dashes and underscores don't count. It is empty where no name is like word.
func Nearest(word string, names ...string) string {
	typed := letters(word)
	best, least := "", max(len(typed)/3, 1)+1
	for _, name := range names {
		if d := levenshtein.ComputeDistance(typed, letters(name)); d < least {
			best, least = name, d
		}
	}
	if best != "" || len(typed) < 3 {
		return best
	}
	for _, name := range names {
		if strings.HasPrefix(letters(name), typed) && (best == "" || len(name) < len(best)) {
			best = name
		}
	}
	return best
}

var separators = strings.NewReplacer("-", "", "_", "")

func letters(s string) string { return separators.Replace(strings.ToLower(s)) }
