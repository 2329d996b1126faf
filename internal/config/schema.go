package config

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/pflag"
)

// Schema is the JSON Schema of a file, for editors: what f says of the flags that keys names, and the values of those that have only
// a few.
func Schema(f *pflag.FlagSet, keys Keys, values map[string][]string) ([]byte, error) {
	definitions, ofDefaults := map[string]any{}, map[string]any{}
	ofPair := map[string]any{"name": map[string]any{
		"type": "string", "pattern": nameForm.String(), "description": "name of the pair, for --only, logs and metrics",
	}}
	for flag, place := range keys {
		key := Key(flag)
		definition, err := describe(f.Lookup(flag), values[flag])
		if err != nil {
			return nil, err
		}
		definitions[key] = definition
		ref := map[string]any{"$ref": "#/definitions/" + key}
		if place != OfPair {
			ofDefaults[key] = ref
		}
		if place != OfDefaults {
			ofPair[key] = ref
		}
	}
	object := func(description string, properties map[string]any, required ...string) map[string]any {
		o := map[string]any{"type": "object", "description": description, "properties": properties, "additionalProperties": false}
		if len(required) > 0 {
			o["required"] = required
		}
		return o
	}
	pairs := map[string]any{
		"type": "array", "minItems": 1, "maxItems": maxPairs,
		"items": object("a source and a target; a key that it has beats the default", ofPair, "name"),
	}
	defaults := object("what holds for all pairs, unless they say otherwise", ofDefaults)
	defaults["type"] = []string{"object", "null"}
	schema := object("pairs of a source and a target that tracemig works on with --config", map[string]any{
		"defaults": defaults, "pairs": pairs,
	}, "pairs")
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	schema["title"] = "tracemig.yaml"
	schema["definitions"] = definitions
	text, err := json.MarshalIndent(schema, "", "  ")
	return append(text, '\n'), err
}

// describe is the schema of a flag's value in a file.
func describe(f *pflag.Flag, values []string) (map[string]any, error) {
	_, usage := pflag.UnquoteUsage(f)
	d := map[string]any{"description": usage}
	switch kind := f.Value.Type(); kind {
	case "bool":
		d["type"] = "boolean"
	case "int", "int64":
		d["type"] = "integer"
	case "float":
		d["type"], d["exclusiveMinimum"] = "number", 0
	case "size", "duration":
		d["type"] = []string{"string", "number"}
	case "string", "": // "" are texts with a form of their own
		d["type"] = []string{"string", "number"} // an experiment's ID needs no quotes
	default:
		return nil, fmt.Errorf("--%s has values of the type %q, which the schema does not know", f.Name, kind)
	}
	if len(values) > 0 {
		d["type"], d["enum"] = "string", values
	}
	return d, nil
}
