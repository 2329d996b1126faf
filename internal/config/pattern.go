package config

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/tracemig/tracemig/internal/advice"
)

// nameMark stands in a target for the name of the experiment.
const nameMark = "{name}"

// IsPattern says whether a source stands for all experiments with such a name. Its * is any text without a slash. An experiment with
// a star in its name can be named by its ID.
func IsPattern(source string) bool { return strings.Contains(source, "*") }

// Matches says whether an experiment's name is one of a pattern.
func Matches(pattern, name string) bool { return compiled(pattern).MatchString(name) }

func compiled(pattern string) *regexp.Regexp {
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, `[^/]*`) + `$`)
}

// TargetOf is target without its {name}, for a source that names one experiment. For a pattern it is an example.
func TargetOf(target, source string) (string, error) {
	switch {
	case IsPattern(source):
		return strings.ReplaceAll(target, nameMark, "name"), nil
	case strings.Contains(target, nameMark) && strings.Trim(source, "0123456789") == "":
		return "", advice.With(fmt.Errorf("--target has %s, and --source %q has none: it is an ID", nameMark, source),
			"name the experiment, or write the target without it")
	}
	return TargetFor(target, source, source)
}

// Part is the name of an experiment from that part of its path on in which those that match the source differ. Of a source that names
// one experiment it is the last part.
func Part(source, name string) string {
	name = strings.TrimRight(name, "/")
	fixed := name
	if IsPattern(source) {
		fixed, _, _ = strings.Cut(source, "*")
	}
	return name[min(len(name), strings.LastIndexByte(fixed, '/')+1):]
}

// TargetFor is target for the experiment of a name that matches source, or is source: {name} is the name's Part, as a table prefix.
func TargetFor(target, source, name string) (string, error) {
	if !strings.Contains(target, nameMark) {
		return target, nil
	}
	prefix := Prefix(Part(source, name))
	if prefix == "" {
		return "", advice.With(fmt.Errorf("the name of the experiment %q has no letter of the English alphabet and no digit, of which "+
			"a table prefix could be made", name), "give it a pair of its own, with a --target without "+nameMark)
	}
	return strings.ReplaceAll(target, nameMark, prefix), nil
}

// Prefix makes a table prefix of a name: lower-case letters of ASCII, digits, and one underscore for all else between two of them.
// Names of tables don't tell upper and lower case apart.
func Prefix(name string) string {
	parts := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return strings.Join(parts, "_")
}
