package schemas

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Comments finds the comments of fields in the sources of this module. The zero value is ready.
type Comments struct {
	byPackage map[string]map[string]string // by the package's path and Type.Field
}

// Module is the path of the module whose sources Comments reads.
const Module = "github.com/tracemig/tracemig"

// Field is the comment of a field: what stands above it, or behind it.
func (c *Comments) Field(t reflect.Type, field string) (string, error) {
	path := t.PkgPath()
	if path == "main" {
		path = Module + "/cmd/tracemig"
	}
	found, ok := c.byPackage[path]
	if !ok {
		var err error
		if found, err = read(filepath.Join(root(), strings.TrimPrefix(path, Module))); err != nil {
			return "", fmt.Errorf("comments of package %s: %w", path, err)
		}
		if c.byPackage == nil {
			c.byPackage = map[string]map[string]string{}
		}
		c.byPackage[path] = found
	}
	return found[t.Name()+"."+field], nil
}

// read reads the comments of the fields of all structs of the package in a folder.
func read(folder string) (map[string]string, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") {
			continue
		}
		path, mode := filepath.Join(folder, f.Name()), parser.ParseComments|parser.SkipObjectResolution
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, mode)
		if err != nil {
			return nil, err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.StructType); ok {
					fields(s, spec.Name.Name, found)
				}
			}
			return true
		})
	}
	return found, nil
}

func fields(s *ast.StructType, of string, found map[string]string) {
	for _, f := range s.Fields.List {
		comment := strings.TrimSpace(f.Comment.Text())
		if above := strings.TrimSpace(f.Doc.Text()); comment == "" {
			comment = above
		}
		for _, name := range f.Names {
			found[of+"."+name.Name] = strings.Join(strings.Fields(comment), " ")
		}
	}
}

var goName = regexp.MustCompile(`\b[A-Z]\w*\b`)

// inJSON is the comment of a field in words for who reads JSON: fields have their printed names, and it begins with an upper-case letter.
func inJSON(comment string, k key) string {
	comment = strings.TrimPrefix(strings.TrimPrefix(comment, k.field.Name+" "), "counts ")
	comment = strings.NewReplacer("is nil", "is absent", "nil for", "absent for").Replace(comment)
	printed := map[string]string{}
	for _, other := range keys(k.of) {
		printed[other.field.Name] = other.name
	}
	first := true
	comment = goName.ReplaceAllStringFunc(comment, func(word string) string {
		name, ok := printed[word]
		if ok && !(first && strings.HasPrefix(comment, word)) {
			return name
		}
		first = false
		return word
	})
	r, n := utf8.DecodeRuneInString(comment)
	if n == 0 {
		return ""
	}
	return string(unicode.ToUpper(r)) + strings.TrimSuffix(comment[n:], ".")
}
