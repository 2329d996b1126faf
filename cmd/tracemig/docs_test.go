package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/metrics"
)

// docRoot is the root of the repository, seen from this package.
const docRoot = "../.."

// documents are README.md and its like, and all of docs.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(docRoot, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v; want documents", pattern, found, err)
		}
		all = append(all, found...)
	}
	return all
}

var (
	docLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	docHeading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	docNotSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are those that GitHub gives the headings of a document.
func anchors(text string) []string {
	var all []string
	for _, m := range docHeading.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(docNotSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

// TestDocsLinks holds that every link inside of the repository leads to a file, and to a heading of it.
func TestDocsLinks(t *testing.T) {
	links := 0
	for _, path := range documents(t) {
		text := readDoc(t, path)
		for _, m := range docLink.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			file, anchor, _ := strings.Cut(m[1], "#")
			to := filepath.Join(filepath.Dir(path), file)
			if file == "" {
				to = path
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(readDoc(t, to)), anchor) {
				t.Errorf("%s links to %s, which has no such heading", path, m[1])
			}
		}
	}
	if links < 50 {
		t.Errorf("%d links in all documents, want at least 50", links)
	}
}

func readDoc(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	docQuoted = regexp.MustCompile("`([^`]+)`")
	docName   = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$`)
)

// TestDocsDesign holds that what docs/design.md names is there: files and folders, and each name behind a file in the same
// line among what that file declares.
func TestDocsDesign(t *testing.T) {
	names := 0
	for line := range strings.Lines(readDoc(t, filepath.Join(docRoot, "docs", "design.md"))) {
		var file string
		var declared map[string]bool
		for _, m := range docQuoted.FindAllStringSubmatch(line, -1) {
			switch path := filepath.Join(docRoot, m[1]); {
			case strings.HasPrefix(m[1], "internal/"), strings.HasPrefix(m[1], "cmd/"), strings.HasPrefix(m[1], "testdata/"):
				if _, err := os.Stat(path); err != nil {
					t.Errorf("design.md names %s: %v", m[1], err)
					continue
				}
				if file = m[1]; strings.HasSuffix(file, ".go") {
					declared = declarations(t, path)
				}
			case declared != nil && docName.MatchString(m[1]):
				names++
				if !declared[m[1]] {
					t.Errorf("design.md names %s, which %s does not declare", m[1], file)
				}
			}
		}
	}
	if names < 20 {
		t.Errorf("design.md names %d functions, want at least 20", names)
	}
}

// declarations are the names that a file declares at its top level, methods as Type.Method.
func declarations(t *testing.T, path string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			names[receiver(d)+d.Name.Name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names[n.Name] = true
					}
				}
			}
		}
	}
	return names
}

// receiver is "Type." of a method and nothing of a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	if p, ok := typ.(*ast.StarExpr); ok {
		typ = p.X
	}
	if g, ok := typ.(*ast.IndexExpr); ok {
		typ = g.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "."
	}
	return ""
}

// TestDocsMetrics holds docs/operations.md against the metrics that there are.
func TestDocsMetrics(t *testing.T) {
	text := readDoc(t, filepath.Join(docRoot, "docs", "operations.md"))
	for name := range metrics.Help {
		if !strings.Contains(text, "\n| `"+name+"` | ") {
			t.Errorf("operations.md has no row for %s", name)
		}
	}
	for _, name := range metricName.FindAllString(text, -1) {
		if metrics.Help[name] == "" {
			t.Errorf("operations.md names %s, which there is not", name)
		}
	}
}

// metricName matches the names of tracemig's metrics.
var metricName = regexp.MustCompile(`\btracemig_[a-z_]+\b`)
