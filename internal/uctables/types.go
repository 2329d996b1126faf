package uctables

import (
	"errors"
	"fmt"
	"strings"
)

// Type is a column's type.
type Type struct {
	Name   string  // lower case: struct, array, map, or the name of a primitive type with its parameters, such as decimal(10,2)
	Fields []Field // of a struct
	Elems  []Type  // of an array the type of its elements, of a map those of its keys and its values
}

// Field is one field of a struct.
type Field struct {
	Name string
	Type Type
}

// ErrCut says that the text of a type leaves out fields. Spark prints long structs so, unless its setting
// spark.sql.debug.maxToStringFields is raised.
var ErrCut = errors.New("its type is cut short (“… more fields”), so its fields can't be known")

// ParseType reads a type as a Column has it, or as DESCRIBE prints it, where a name may hold anything without quotes. The error is
// ErrCut, or says that the text is not a type.
func ParseType(text string) (Type, error) {
	p := typeParser{rest: text}
	t, err := p.typ()
	if p.space(); err == nil && p.rest != "" {
		err = fmt.Errorf("%q is left over", p.rest)
	}
	if err != nil && !errors.Is(err, ErrCut) {
		err = fmt.Errorf("its type %q can't be read: %w", text, err)
	}
	return t, err
}

type typeParser struct{ rest string }

func (p *typeParser) space() { p.rest = strings.TrimLeft(p.rest, " ") }

// take skips spaces and then token, in upper or lower case, and says whether the text went on with it.
func (p *typeParser) take(token string) bool {
	p.space()
	if len(p.rest) < len(token) || !strings.EqualFold(p.rest[:len(token)], token) {
		return false
	}
	p.rest = p.rest[len(token):]
	return true
}

func (p *typeParser) typ() (t Type, err error) {
	switch {
	case p.take("struct<>"):
		return Type{Name: "struct"}, nil
	case p.take("struct<"):
		t.Name = "struct"
		err = p.list(func() error {
			f, err := p.field()
			t.Fields = append(t.Fields, f)
			return err
		})
	case p.take("array<"), p.take("map<"):
		elem := func() error {
			e, err := p.typ()
			t.Elems = append(t.Elems, e)
			return err
		}
		if err = p.list(elem); len(t.Elems) == 1 {
			t.Name = "array"
		} else {
			t.Name = "map"
		}
	default:
		return p.primitive()
	}
	return t, err
}

// list reads elements with commas between them, up to the closing bracket.
func (p *typeParser) list(element func() error) error {
	for {
		if err := element(); err != nil {
			return err
		}
		switch {
		case p.take(">"):
			return nil
		case !p.take(","):
			return errors.New("a bracket is not closed")
		}
	}
}

func (p *typeParser) field() (f Field, err error) {
	if f.Name, err = p.name(); err != nil {
		return f, err
	}
	f.Type, err = p.typ()
	return f, err
}

// name reads a field's name and the colon behind it. Spark doubles the backquotes inside of quoted ones.
func (p *typeParser) name() (string, error) {
	if p.space(); strings.HasPrefix(p.rest, "... ") && strings.Contains(p.rest, "more fields") {
		return "", ErrCut
	}
	if quoted, ok := strings.CutPrefix(p.rest, "`"); ok {
		var name strings.Builder
		for {
			part, rest, ok := strings.Cut(quoted, "`")
			name.WriteString(part)
			if p.rest = rest; !ok {
				return "", errors.New("a backquote is not closed")
			}
			if !strings.HasPrefix(rest, "`") {
				break
			}
			name.WriteByte('`')
			quoted = rest[1:]
		}
		if !p.take(":") {
			return "", errors.New("a field has no type")
		}
		return name.String(), nil
	}
	name, rest, ok := strings.Cut(p.rest, ":")
	if name = strings.TrimRight(name, " "); !ok || name == "" {
		return "", errors.New("a field has no name or no type")
	}
	p.rest = rest
	return name, nil
}

// primitive reads a type other than a struct, an array or a map, up to the end of the element that it is in.
func (p *typeParser) primitive() (Type, error) {
	p.space()
	depth, end := 0, len(p.rest)
scan:
	for i, r := range p.rest {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case depth == 0 && (r == ',' || r == '>'):
			end = i
			break scan
		case (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("_ ,-", r):
			return Type{}, fmt.Errorf("%q is no name of a type", p.rest)
		}
	}
	name := strings.ToLower(strings.TrimRight(p.rest[:end], " "))
	if name == "" {
		return Type{}, errors.New("a type is missing")
	}
	p.rest = p.rest[end:]
	return Type{Name: name}, nil
}

// MustType is ParseType for constants of this program.
func MustType(text string) Type {
	t, err := ParseType(text)
	if err != nil {
		panic(err)
	}
	return t
}

// SQL is the type in the form of a Column: a statement can name it, outside of string literals.
func (t Type) SQL() string { return t.text(strings.ToUpper, ": ", ", ", nameInType) }

// String is the type as DESCRIBE prints it.
func (t Type) String() string {
	return t.text(strings.ToLower, ":", ",", func(name string) string { return name })
}

func (t Type) text(word func(string) string, colon, comma string, quote func(string) string) string {
	var parts []string
	for _, f := range t.Fields {
		parts = append(parts, quote(f.Name)+colon+f.Type.text(word, colon, comma, quote))
	}
	for _, e := range t.Elems {
		parts = append(parts, e.text(word, colon, comma, quote))
	}
	if parts == nil && t.Name != "struct" {
		return word(t.Name)
	}
	return word(t.Name) + "<" + strings.Join(parts, comma) + ">"
}

// nameInType is the name of a field inside of a type, with quotes unless it can only be a name.
func nameInType(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || strings.Trim(name, "0123456789") == "" {
		return QuoteName(name)
	}
	return name
}

// differences says in clauses why have, the type of the column or field at path, can't hold the values of t: it lacks fields, or has
// them with another type. Further fields stay NULL.
func (t Type) differences(path string, have Type) (clauses []string) {
	if t.Name != have.Name || len(t.Elems) != len(have.Elems) {
		return []string{"has column " + path + " of type " + have.String() + ", not " + t.String()}
	}
	for i, e := range t.Elems {
		clauses = append(clauses, e.differences(path, have.Elems[i])...)
	}
	for _, f := range t.Fields {
		if h, ok := have.Field(f.Name); ok {
			clauses = append(clauses, f.Type.differences(path+"."+f.Name, h)...)
		} else {
			clauses = append(clauses, "has no field "+path+"."+f.Name)
		}
	}
	return clauses
}

// Field is the type of the field of that name of a struct, and whether it has one.
func (t Type) Field(name string) (Type, bool) {
	for _, f := range t.Fields {
		if f.Name == name {
			return f.Type, true
		}
	}
	return Type{}, false
}

// Equal says whether the types are the same, fields in the same order.
func (t Type) Equal(o Type) bool { return t.SQL() == o.SQL() }
