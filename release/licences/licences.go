// Package licences finds the licences of all that is in the binary, and says which of them may not be there.
package licences

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// Module is a module of which the binary has code, and what its authors say of its use.
type Module struct {
	Path, Version string
	Files         map[string][]byte // licences and notices, by their paths within the module
	IDs           []string          // SPDX identifiers of the licences that were recognized in them
}

// allowed are the licences that code of the binary may have, by their SPDX identifiers. They ask for no more than that their text comes
// along, which it does.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "Unlicense", "Zlib"}

// exceptions are further licences that one module may have, with what was thought about it.
var exceptions = map[string]map[string]string{
	"github.com/hashicorp/go-cleanhttp": {
		"MPL-2.0": "copyleft for its own files alone; they are unchanged, and the README of the folder says where their source is",
	},
	"github.com/hashicorp/go-retryablehttp": {"MPL-2.0": "as go-cleanhttp"},
	"github.com/go-sql-driver/mysql":        {"MPL-2.0": "as go-cleanhttp"},
	"github.com/apache/arrow/go/v12": {
		"HPND":    "its file names the licences of all of Arrow; this is of C++ code, which the Go module does not have",
		"NCSA":    "as HPND",
		"OpenSSL": "as HPND",
	},
}

var (
	licenceFile = regexp.MustCompile(`(?i)^(un)?(licen[sc]e|copying)\b`)
	noticeFile  = regexp.MustCompile(`(?i)^(notice|copyright|patents|third.?party)\b`)
	codeFile    = regexp.MustCompile(`\.(go|s|c|h)$`)
)

// Collect finds the modules whose code is in the binary of any of some platforms, such as linux/amd64, and the standard library.
func Collect(root, command string, platforms []string) ([]*Module, error) {
	found := map[string]*Module{}
	for _, p := range platforms {
		goos, goarch, _ := strings.Cut(p, "/")
		list := exec.Command("go", "list", "-deps", "-f",
			"{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}} {{$.Dir}}{{end}}{{end}}", command)
		list.Dir = root
		list.Env = append(list.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0", "GOWORK=off")
		list.Stderr = os.Stderr
		out, err := list.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", p, err)
		}
		for line := range strings.Lines(string(out)) {
			words := strings.Fields(line)
			if len(words) != 4 {
				continue // of the standard library, or our own
			}
			m := found[words[0]]
			if m == nil {
				m = &Module{Path: words[0], Version: words[1], Files: map[string][]byte{}}
				found[m.Path] = m
			}
			if err := m.read(words[2], words[3]); err != nil {
				return nil, err
			}
		}
	}
	std, err := standardLibrary()
	if err != nil {
		return nil, err
	}
	found[std.Path] = std
	modules := slices.SortedFunc(maps.Values(found), func(a, b *Module) int { return cmp.Compare(a.Path, b.Path) })
	for _, m := range modules {
		m.recognize()
	}
	return modules, nil
}

func standardLibrary() (*Module, error) {
	out, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	words := strings.Fields(string(out))
	m := &Module{Path: "std", Version: words[1], Files: map[string][]byte{}}
	return m, m.read(words[0], words[0])
}

// read takes the licences and notices of a package's folder, and of all above it in the module: some packages have one of their own.
func (m *Module) read(moduleDir, packageDir string) error {
	for dir := packageDir; ; dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() || codeFile.MatchString(e.Name()) || !licenceFile.MatchString(e.Name()) && !noticeFile.MatchString(e.Name()) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			name, err := filepath.Rel(moduleDir, filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			m.Files[filepath.ToSlash(name)] = text
		}
		if len(dir) <= len(moduleDir) {
			return nil
		}
	}
}

// recognize finds the identifiers of the licences.
func (m *Module) recognize() {
	ids := map[string]bool{}
	for name, text := range m.Files {
		if licenceFile.MatchString(path.Base(name)) {
			for _, match := range licensecheck.Scan(text).Match {
				if !match.IsURL {
					ids[match.ID] = true
				}
			}
		}
	}
	m.IDs = slices.Sorted(maps.Keys(ids))
}

// Check says which modules have no licence, one that nobody has recognized, or one that is not allowed.
func Check(modules []*Module) error {
	var wrong error
	for _, m := range modules {
		if len(m.IDs) == 0 {
			wrong = errors.Join(wrong, fmt.Errorf("%s %s has no licence that is known: look at it before its code gets into a release",
				m.Path, m.Version))
		}
		for _, id := range m.IDs {
			if !slices.Contains(allowed, id) && exceptions[m.Path][id] == "" {
				wrong = errors.Join(wrong, fmt.Errorf("%s %s has the licence %s, which is not among those that release/licences allows",
					m.Path, m.Version, id))
			}
		}
	}
	return wrong
}

// Write writes all licences into a folder, with a list of the modules. It writes nothing where Check finds something wrong.
func Write(folder string, modules []*Module) error {
	if err := Check(modules); err != nil {
		return err
	}
	var list strings.Builder
	list.WriteString("tracemig contains code of these modules, unchanged. Their licences and notices are in the folders beside this file.\n" +
		"go mod download MODULE@VERSION fetches the source of each; that of std, Go's standard library, comes with Go.\n\n")
	for _, m := range modules {
		fmt.Fprintf(&list, "%s %s: %s\n", m.Path, m.Version, strings.Join(m.IDs, ", "))
		for name, text := range m.Files {
			if err := write(filepath.Join(folder, m.Path, filepath.FromSlash(name)), text); err != nil {
				return err
			}
		}
	}
	return write(filepath.Join(folder, "README.txt"), []byte(list.String()))
}

func write(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}
