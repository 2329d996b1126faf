// Package schemas makes JSON Schemas of what commands print as JSON from the Go types that they print, with descriptions from
// the comments of these, and holds printed lines against them. Only tests import it.
package schemas

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Schema is the part of JSON Schema 2020-12 that is needed.
type Schema struct {
	Version              string     `json:"$schema,omitempty"`
	Title                string     `json:"title,omitempty"`
	Description          string     `json:"description,omitempty"`
	Type                 any        `json:"type,omitempty"` // a name, or several
	Const                string     `json:"const,omitempty"`
	Enum                 []string   `json:"enum,omitempty"`
	Pattern              string     `json:"pattern,omitempty"`
	Format               string     `json:"format,omitempty"`
	Items                *Schema    `json:"items,omitempty"`
	Properties           Properties `json:"properties,omitempty"`
	PropertyNames        *Schema    `json:"propertyNames,omitempty"`
	AdditionalProperties any        `json:"additionalProperties,omitempty"` // false, or a schema
	Required             []string   `json:"required,omitempty"`
}

// Property is a key of an object.
type Property struct {
	Name   string
	Schema *Schema
}

// Properties are the keys of an object, in the order in which they are printed.
type Properties []Property

// MarshalJSON writes an object.
func (p Properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, property := range p {
		b.WriteByte("{,"[min(i, 1)])
		name, _ := json.Marshal(property.Name) // a text
		b.Write(append(name, ':'))
		value, err := json.Marshal(property.Schema)
		if err != nil {
			return nil, err
		}
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Generator makes schemas.
type Generator struct {
	Comments Comments
	Values   map[reflect.Type][]string // the values of types that have only a few; none for those that may have any
	Stands   map[string]reflect.Type   // by Type.Field: what the text of a json.RawMessage is
	Words    map[string]string         // by key: what it means wherever a field has no comment
}

// Of is the schema of values of a struct. Keys that it does not name are refused.
func (g *Generator) Of(t reflect.Type) (*Schema, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s is no struct", t)
	}
	return g.of(t)
}

func (g *Generator) of(t reflect.Type) (*Schema, error) {
	if values := g.Values[t]; len(values) > 0 {
		return &Schema{Type: "string", Enum: values}, nil
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &Schema{Type: "string", Format: "date-time"}, nil
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return &Schema{Type: "string"}, nil
	case t == reflect.TypeFor[json.RawMessage](), t.Implements(reflect.TypeFor[json.Marshaler]()):
		return nil, fmt.Errorf("nothing is known of the JSON of %s", t)
	}
	if name, ok := simple[t.Kind()]; ok {
		return &Schema{Type: name}, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem())
	case reflect.Slice:
		items, err := g.of(t.Elem())
		return &Schema{Type: "array", Items: items}, err
	case reflect.Map:
		return g.mapping(t)
	case reflect.Struct:
		return g.object(t)
	case reflect.Interface:
		return &Schema{}, nil
	}
	return nil, fmt.Errorf("there is no schema for %s", t)
}

// simple are the types of JSON by those of Go.
var simple = map[reflect.Kind]string{
	reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer", reflect.Float64: "number",
}

func (g *Generator) mapping(t reflect.Type) (*Schema, error) {
	values, err := g.of(t.Elem())
	s := &Schema{Type: "object", AdditionalProperties: values, PropertyNames: &Schema{Pattern: snakeCase.String()}}
	switch names, ok := g.Values[t.Key()]; {
	case len(names) > 0:
		s.PropertyNames = &Schema{Enum: names}
	case ok:
		s.PropertyNames = nil
	}
	return s, err
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// key is a field as encoding/json prints it.
type key struct {
	of    reflect.Type // the struct that declares it
	field reflect.StructField
	name  string
	depth int
	omits bool // it is left out when it is empty
}

// keys are the keys of a struct. Of several with the same name the one that is embedded least counts, as for encoding/json.
func keys(t reflect.Type) []key {
	var all []key
	var walk func(t reflect.Type, depth int)
	walk = func(t reflect.Type, depth int) {
		for f := range t.Fields() {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case name == "-", !f.IsExported() && !f.Anonymous:
				continue
			case f.Anonymous && name == "":
				walk(f.Type, depth+1)
				continue
			}
			omits := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
			all = append(all, key{t, f, name, depth, omits})
		}
	}
	walk(t, 0)
	return slices.DeleteFunc(slices.Clone(all), func(k key) bool {
		return slices.ContainsFunc(all, func(other key) bool { return other.name == k.name && other.depth < k.depth })
	})
}

func (g *Generator) object(t reflect.Type) (*Schema, error) {
	s := &Schema{Type: "object", AdditionalProperties: false}
	var wrong []error
	for _, k := range keys(t) {
		of := k.field.Type
		if stands, ok := g.Stands[k.of.Name()+"."+k.field.Name]; ok {
			of = stands
		}
		p, err := g.of(of)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		if !k.omits {
			s.Required = append(s.Required, k.name)
			if of.Kind() == reflect.Pointer {
				p.Type = []any{p.Type, "null"}
			}
		}
		if !snakeCase.MatchString(k.name) {
			wrong = append(wrong, fmt.Errorf("%s.%s is printed as %q, want snake_case", k.of, k.field.Name, k.name))
		}
		comment, err := g.Comments.Field(k.of, k.field.Name)
		if err != nil {
			return nil, err
		}
		if p.Description = cmp.Or(inJSON(comment, k), g.Words[k.name]); p.Description == "" {
			wrong = append(wrong, fmt.Errorf("%s.%s, which is printed as %q, has no comment", k.of, k.field.Name, k.name))
		}
		s.Properties = append(s.Properties, Property{k.name, p})
	}
	return s, errors.Join(wrong...)
}

// Add adds a key that may be there, unless the object has one of that name.
func (s *Schema) Add(name string, value *Schema) {
	if !slices.ContainsFunc(s.Properties, func(p Property) bool { return p.Name == name }) {
		s.Properties = append(s.Properties, Property{name, value})
	}
}
