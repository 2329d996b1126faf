package uctables

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/tracemig/tracemig/internal/advice"
)

// MaxPrefix is the longest table prefix, in characters, that a trace location takes.
const MaxPrefix = 238

// Location is a Unity Catalog trace location: it names the tables <prefix>_otel_….
type Location struct {
	Catalog string
	Schema  string
	Prefix  string
}

// ParseLocation reads "catalog.schema.prefix". Each part may be in backquotes. The error says what is wrong with the text and what
// to write instead.
func ParseLocation(s string) (Location, error) {
	parts, err := splitName(s)
	if err != nil {
		return Location{}, fmt.Errorf("target %q: %w", s, err)
	}
	if len(parts) != 3 {
		return Location{}, advice.With(fmt.Errorf("target %q has %s", s, count(len(parts), "part")),
			"name a trace location as catalog.schema.prefix, such as main.agents.prod")
	}
	l := Location{parts[0], parts[1], parts[2]}
	if err := l.Validate(); err != nil {
		return Location{}, fmt.Errorf("target %q: %w", s, err)
	}
	return l, nil
}

// Validate says whether the three names can be those of a trace location.
func (l Location) Validate() error {
	if err := validateName("catalog", l.Catalog); err != nil {
		return err
	}
	if err := validateName("schema", l.Schema); err != nil {
		return err
	}
	return validatePrefix(l.Prefix)
}

// validateName says whether name can be that of a catalog or a schema.
func validateName(what, name string) error {
	switch {
	case name == "":
		return advice.With(fmt.Errorf("the %s is empty", what), "write catalog.schema.prefix")
	case len(name) > 255:
		return fmt.Errorf("the %s has more than 255 characters; Unity Catalog takes no longer names", what)
	case strings.ContainsFunc(name, func(r rune) bool {
		return r == '.' || r == '/' || r == ' ' || r == unicode.ReplacementChar || unicode.IsControl(r)
	}):
		return fmt.Errorf("the %s %q holds a dot, slash, space or control character; Unity Catalog takes no such name", what, name)
	}
	return nil
}

// validatePrefix says whether p can be a table prefix.
func validatePrefix(p string) error {
	for _, t := range Tables {
		if strings.HasSuffix(p, t.Suffix) {
			return advice.With(fmt.Errorf("%s is a table, not a prefix", p), "leave "+t.Suffix+" off")
		}
	}
	switch {
	case p == "":
		return advice.With(errors.New("the table prefix is empty"), "write catalog.schema.prefix")
	case len(p) > MaxPrefix:
		return advice.With(fmt.Errorf("the table prefix has %d characters", len(p)),
			fmt.Sprintf("use at most %d", MaxPrefix))
	case strings.ContainsFunc(p, notInBareName):
		return advice.With(fmt.Errorf("the table prefix %q holds other characters than ASCII letters, digits and underscores", p),
			"choose one without")
	case strings.HasSuffix(p, "_"):
		return advice.With(errors.New("the table prefix ends in an underscore"),
			fmt.Sprintf("write %q, since the tables' names go on with _otel_… anyway", strings.TrimRight(p, "_")))
	}
	return nil
}

// String is catalog.schema.prefix, with backquotes where ParseLocation or SQL needs them.
func (l Location) String() string {
	return bare(l.Catalog) + "." + bare(l.Schema) + "." + bare(l.Prefix)
}

// Name is the full name of one of the location's tables for people and for the REST API.
func (l Location) Name(t Table) string {
	return l.Catalog + "." + l.Schema + "." + l.Prefix + t.Suffix
}

// Quoted is the full name of a table or view in SQL.
func (l Location) Quoted(suffix string) string {
	return QuoteName(l.Catalog) + "." + QuoteName(l.Schema) + "." + QuoteName(l.Prefix+suffix)
}

// QuoteName makes an SQL identifier of any name: it puts it in backquotes, and doubles those inside.
func QuoteName(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// bare is the name, with quotes only if it needs them.
func bare(name string) string {
	if strings.ContainsFunc(name, notInBareName) {
		return QuoteName(name)
	}
	return name
}

// notInBareName says whether a name with r needs quotes.
func notInBareName(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_'
}

// splitName splits a name at the dots outside of backquotes and removes the backquotes.
func splitName(s string) ([]string, error) {
	var parts []string
	for {
		part := ""
		if rest, quoted := strings.CutPrefix(s, "`"); quoted {
			for {
				i := strings.IndexByte(rest, '`')
				if i < 0 {
					return nil, advice.With(errors.New("a backquote is not closed"), "close it")
				}
				part += rest[:i]
				rest = rest[i+1:]
				if !strings.HasPrefix(rest, "`") {
					break
				}
				part += "`"
				rest = rest[1:]
			}
			if rest != "" && rest[0] != '.' {
				return nil, advice.With(errors.New("text follows a closing backquote"),
					"put the dot there or the backquotes around the whole part")
			}
			s = rest
		} else {
			i := strings.IndexByte(s, '.')
			if i < 0 {
				i = len(s)
			}
			part, s = s[:i], s[i:]
			if strings.Contains(part, "`") {
				return nil, advice.With(errors.New("a backquote stands inside a part"), "put backquotes around the whole part")
			}
		}
		parts = append(parts, part)
		if s == "" {
			return parts, nil
		}
		s = s[1:]
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// scratchMark is in the prefix of the tables that may be dropped.
const scratchMark = "_rehearsal_"

// Scratch is a location in the schema of l, for tables that are dropped after use.
func (l Location) Scratch(id string) Location {
	l.Prefix += scratchMark + id
	return l
}

// IsScratch says whether Scratch made the location. Tables of other locations are never dropped.
func (l Location) IsScratch() bool { return strings.Contains(l.Prefix, scratchMark) }
