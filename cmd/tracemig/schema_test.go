package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// compiledConfigSchema holds docs/schemas/tracemig-config.json against the flags (go test -run TestConfigSchema -update writes it), and
// reads it as editors do.
func compiledConfigSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	path := filepath.Join(docRoot, "docs", "schemas", "tracemig-config.json")
	want, err := configSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(want), readDoc(t, path)); diff != "" {
		t.Fatalf("%s is not what the flags say (go test -run TestConfigSchema ./cmd/tracemig -update writes it): -want +got\n%s", path, diff)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("config.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validates says what the schema has against a text.
func validates(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(v) // a time, which JSON does not have, becomes a text, as editors take it
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(doc)
}

func TestConfigSchema(t *testing.T) {
	schema := compiledConfigSchema(t)
	examples := 0
	for _, path := range documents(t) {
		for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readDoc(t, path), -1) {
			if !strings.Contains(m[1], "\npairs:") && !strings.HasPrefix(m[1], "pairs:") {
				continue
			}
			examples++
			if err := validates(t, schema, m[1]); err != nil {
				t.Errorf("an example of %s is not what the schema describes: %v\n%s", path, err, m[1])
			}
			a, file := configApp(t, m[1], nil)
			if _, problems, err := checkConfig(a, file); err != nil || len(problems) > 0 {
				t.Errorf("an example of %s is wrong: %v%v\n%s", path, err, problems, m[1])
			}
		}
	}
	if examples < 3 {
		t.Errorf("%d examples in the documents, want at least 3", examples)
	}
	const head = "pairs:\n- name: a\n  source: 123456789012345678\n  target: m.a.p\n"
	for name, c := range map[string]struct {
		text  string
		right bool
	}{
		"a pair":               {head, true},
		"values of all kinds":  {head + "  create: true\n  concurrency: 4\n  search_rate: 2.5\n  lock_wait: 600\n  read: fast\n", true},
		"no pairs":             {"defaults: {create: true}\n", false},
		"an empty list":        {"pairs: []\n", false},
		"no name":              {"pairs:\n- source: x\n", false},
		"a bad name":           {"pairs:\n- name: a b\n", false},
		"an unknown key":       {head + "  warehouse: x\n", false},
		"an unknown top key":   {head + "pears: x\n", false},
		"a flag's own name":    {head + "  warehouse-id: x\n", false},
		"a list":               {head + "  stage: [auto]\n", false},
		"no value":             {head + "  stage:\n", false},
		"no switch":            {head + "  create: always\n", false},
		"no number":            {head + "  concurrency: many\n", false},
		"no rate":              {head + "  search_rate: 0\n", false},
		"none of the values":   {head + "  read: quick\n", false},
		"the process's":        {head + "  output: json\n", false},
		"a checkpoint for all": {"defaults: {checkpoint: c.db}\n" + head, false},
		"a flag of no file":    {head + "  dry_run: true\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := validates(t, schema, c.text); (err == nil) != c.right {
				t.Errorf("the schema says %v of it, want right: %v\n%s", err, c.right, c.text)
			}
			a, file := configApp(t, c.text, nil)
			if _, problems, err := checkConfig(a, file); err != nil || (len(problems) == 0) != c.right {
				t.Errorf("tracemig says %v%v of it, want right: %v\n%s", err, problems, c.right, c.text)
			}
		})
	}
}

// Each value that is listed is one that its flag takes, and the rules with it; another is none.
func TestEnumerations(t *testing.T) {
	set := func(flag, value string) []error {
		c := &cobra.Command{}
		o := newRunOptions(c)
		o.source, o.target, o.trackingURI = "x", "m.a.p", "http://127.0.0.1:1"
		if err := c.Flags().Set(flag, value); err != nil {
			return []error{err}
		}
		a, _ := configApp(t, "", nil)
		return o.problems(a)
	}
	for flag, values := range enumerations {
		for _, value := range values {
			if problems := set(flag, value); len(problems) > 0 {
				t.Errorf("--%s %s: %v, want no problem", flag, value, problems)
			}
		}
		if problems := set(flag, "other"); len(problems) != 1 {
			t.Errorf("--%s other: %v, want one problem", flag, problems)
		}
	}
}
