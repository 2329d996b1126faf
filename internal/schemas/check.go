package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// root is the folder of the module.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Folder is where the schemas of what commands print are, one of each kind of line.
func Folder() string { return filepath.Join(root(), "docs", "schemas", "output") }

// byType are the schemas of Folder by the type of the lines that they describe.
var byType = sync.OnceValues(func() (map[string][]*jsonschema.Schema, error) {
	paths, err := filepath.Glob(filepath.Join(Folder(), "*.json"))
	if err != nil {
		return nil, err
	}
	schemas := map[string][]*jsonschema.Schema{}
	for _, path := range paths {
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		s, err := c.Compile(path)
		if err != nil {
			return nil, err
		}
		of := s.Properties["type"]
		if of == nil || of.Const == nil {
			return nil, fmt.Errorf("%s does not say of which type of lines it is", path)
		}
		name := fmt.Sprint(*of.Const)
		schemas[name] = append(schemas[name], s)
	}
	return schemas, nil
})

// Lines holds what a command has printed against the schemas: each line that begins like an object has to be as one of its
// type describes it. Other lines are for people.
func Lines(printed string) error {
	schemas, err := byType()
	if err != nil {
		return err
	}
	for line := range strings.Lines(printed) {
		if !strings.HasPrefix(line, `{"`) {
			continue
		}
		if err := Unique(line); err != nil {
			return err
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			return fmt.Errorf("%w in %s", err, line)
		}
		name, _ := v.(map[string]any)["type"].(string)
		if len(schemas[name]) == 0 {
			return fmt.Errorf("docs/schemas/output has no schema for lines of type %q: %s", name, line)
		}
		var wrong []error
		for _, s := range schemas[name] {
			wrong = append(wrong, s.Validate(v))
		}
		if all := errors.Join(wrong...); all != nil && len(all.(interface{ Unwrap() []error }).Unwrap()) == len(wrong) {
			return fmt.Errorf("a line is not as its schema says: %w\n%s", all, line)
		}
	}
	return nil
}

// Unique says which key is there twice in a line of JSON: readers differ in which of them they take.
func Unique(line string) error {
	d := jsontext.NewDecoder(bytes.NewReader([]byte(line)), jsontext.AllowDuplicateNames(false))
	if err := d.SkipValue(); err != nil {
		return fmt.Errorf("%w in %s", err, line)
	}
	return nil
}
