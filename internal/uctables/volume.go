package uctables

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/tracemig/tracemig/internal/advice"
)

// Volume is a Unity Catalog volume. Rows can be put into its files, from which a statement reads them.
type Volume struct{ Catalog, Schema, Name string }

// ParseVolume reads "/Volumes/catalog/schema/volume". The error says what is wrong with the text and what to write instead.
func ParseVolume(s string) (Volume, error) {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(s, "/"), "/Volumes/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return Volume{}, fmt.Errorf("volume %q: write /Volumes/<catalog>/<schema>/<volume>, such as /Volumes/main/agents/staging", s)
	}
	v := Volume{parts[0], parts[1], parts[2]}
	if err := v.Validate(); err != nil {
		return Volume{}, fmt.Errorf("volume %q: %w", s, err)
	}
	return v, nil
}

// Validate says whether the names can be part of a path in the text of a statement, where no parameter can be used: many other
// characters have a special meaning in SQL and Spark.
func (v Volume) Validate() error {
	for _, n := range []struct{ what, name string }{{"catalog", v.Catalog}, {"schema", v.Schema}, {"volume", v.Name}} {
		switch {
		case n.name == "":
			return advice.With(fmt.Errorf("the %s is empty", n.what), "write /Volumes/<catalog>/<schema>/<volume>")
		case len(n.name) > 255:
			return fmt.Errorf("the %s has more than 255 characters; Unity Catalog takes no longer names", n.what)
		case strings.ContainsFunc(n.name, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' || r == unicode.ReplacementChar
		}):
			return advice.With(fmt.Errorf("the %s %q holds other characters than letters, digits, underscores and hyphens", n.what, n.name),
				"name another volume")
		}
	}
	return nil
}

// StagingVolume is the location's own volume, in the schema of its tables.
func (l Location) StagingVolume() (Volume, error) {
	v := Volume{l.Catalog, l.Schema, l.Prefix + "_staging"}
	return v, v.Validate()
}

// Path is /Volumes/catalog/schema/volume.
func (v Volume) Path() string { return "/Volumes/" + v.Catalog + "/" + v.Schema + "/" + v.Name }

// FullName is catalog.schema.volume, as the REST API takes it.
func (v Volume) FullName() string { return v.Catalog + "." + v.Schema + "." + v.Name }

// Quoted is the full name in SQL.
func (v Volume) Quoted() string {
	return QuoteName(v.Catalog) + "." + QuoteName(v.Schema) + "." + QuoteName(v.Name)
}

// StagedFolder is the path of the folder for all files that are put into the volume.
func (v Volume) StagedFolder() string { return v.Path() + "/tracemig" }
