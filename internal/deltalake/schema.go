package deltalake

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/tracemig/tracemig/internal/uctables"
)

// sqlType is a parsed column type. Name is lower case: a primitive's own name, "struct" or "array".
type sqlType struct {
	name   string
	fields []sqlField // of a struct
	elem   *sqlType   // of an array
}

type sqlField struct {
	name string
	typ  sqlType
}

// parseType reads the text of uctables.Column.TypeText. The texts are constants of this program, so
// a wrong one is a mistake in it.
func parseType(text string) sqlType {
	t, rest := parseTypePrefix(text)
	if rest != "" {
		panic("deltalake: column type " + text)
	}
	return t
}

func parseTypePrefix(text string) (sqlType, string) {
	if rest, ok := strings.CutPrefix(text, "array<"); ok {
		elem, rest := parseTypePrefix(rest)
		return sqlType{name: "array", elem: &elem}, rest[1:]
	}
	if rest, ok := strings.CutPrefix(text, "struct<"); ok {
		t := sqlType{name: "struct"}
		for {
			name, after, _ := strings.Cut(rest, ":")
			var f sqlType
			f, rest = parseTypePrefix(after)
			t.fields = append(t.fields, sqlField{name, f})
			end := rest[0]
			rest = rest[1:]
			if end == '>' {
				return t, rest
			}
		}
	}
	n := strings.IndexAny(text, ",>")
	if n < 0 {
		n = len(text)
	}
	return sqlType{name: text[:n]}, text[n:]
}

// deltaNames are the primitives whose name in a Delta schema differs from SQL's.
var deltaNames = map[string]string{"int": "integer", "bigint": "long"}

// deltaField is a field of a schemaString (Delta protocol, "Schema Serialization Format").
type deltaField struct {
	Name     string          `json:"name"`
	Type     json.RawMessage `json:"type"`
	Nullable bool            `json:"nullable"`
	Metadata map[string]any  `json:"metadata"`
}

type deltaStruct struct {
	Type   string       `json:"type"`
	Fields []deltaField `json:"fields"`
}

type deltaArray struct {
	Type         string          `json:"type"`
	ElementType  json.RawMessage `json:"elementType"`
	ContainsNull bool            `json:"containsNull"`
}

func (t sqlType) delta() any {
	switch t.name {
	case "struct":
		s := deltaStruct{Type: "struct"}
		for _, f := range t.fields {
			s.Fields = append(s.Fields, deltaField{f.name, mustJSON(f.typ.delta()), true, map[string]any{}})
		}
		return s
	case "array":
		return deltaArray{"array", mustJSON(t.elem.delta()), true}
	}
	if name, ok := deltaNames[t.name]; ok {
		return name
	}
	return t.name
}

// mustJSON is for values that always have a JSON form.
func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// tableType is the table's columns as one struct.
func tableType(t uctables.Table) sqlType {
	s := sqlType{name: "struct"}
	for _, c := range t.Columns {
		s.fields = append(s.fields, sqlField{c.Name, parseType(c.TypeText())})
	}
	return s
}

// typeText gives a type of a schemaString in the form of uctables.Column.TypeText. It refuses
// what binds writers beyond the type: NOT NULL, invariants, generated and mapped columns.
func typeText(raw json.RawMessage) (string, error) {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		for sql, delta := range deltaNames {
			if name == delta {
				return sql, nil
			}
		}
		return name, nil
	}
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return "", err
	}
	switch kind.Type {
	case "array":
		var a deltaArray
		if err := json.Unmarshal(raw, &a); err != nil {
			return "", err
		}
		elem, err := typeText(a.ElementType)
		if err == nil && !a.ContainsNull {
			err = fmt.Errorf("an array of it is NOT NULL inside")
		}
		return "array<" + elem + ">", err
	case "struct":
		fields, err := structFields(raw)
		if err != nil {
			return "", err
		}
		var parts []string
		for _, f := range fields {
			parts = append(parts, f.Name+":"+f.Type)
		}
		return "struct<" + strings.Join(parts, ",") + ">", nil
	}
	return kind.Type, nil
}

// structFields gives the fields of a struct as columns, types as typeText gives them.
func structFields(raw json.RawMessage) ([]uctables.Column, error) {
	var s deltaStruct
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("its schema is not readable: %w", err)
	}
	var cols []uctables.Column
	for _, f := range s.Fields {
		if !f.Nullable {
			return nil, fmt.Errorf("column %s is NOT NULL", f.Name)
		}
		for key := range f.Metadata {
			if strings.HasPrefix(key, "delta.") {
				return nil, fmt.Errorf("column %s has %s", f.Name, key)
			}
		}
		text, err := typeText(f.Type)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.Name, err)
		}
		cols = append(cols, uctables.Column{Name: f.Name, Type: text})
	}
	return cols, nil
}

// compareColumns says in clauses how the schemaString differs from the table, or nothing.
func compareColumns(schemaString string, want uctables.Table) string {
	have, err := structFields(json.RawMessage(schemaString))
	if err != nil {
		return "cannot be written: " + err.Error()
	}
	types, wanted := map[string]string{}, map[string]bool{}
	for _, h := range have {
		types[h.Name] = h.Type
	}
	clauses := want.Differences(types)
	for _, w := range want.Columns {
		wanted[w.Name] = true
	}
	for _, h := range have {
		if !wanted[h.Name] {
			clauses = append(clauses, fmt.Sprintf("has column %s %s, which schema version %s lacks", h.Name, h.Type, uctables.SchemaVersion))
		}
	}
	for i := 0; len(clauses) == 0 && i < min(len(have), len(want.Columns)); i++ {
		if h, w := have[i].Name, want.Columns[i].Name; h != w {
			clauses = []string{fmt.Sprintf("has column %s where %s belongs", h, w)}
		}
	}
	return strings.Join(clauses, "; ")
}

// parquetNode is the type as Spark writes it: everything optional, lists in three levels, and VARIANT
// as a plain group of two blobs. The group has no VARIANT annotation on purpose: Spark 4.0 and
// polars cannot open a file that has one, and Spark, delta-rs and DuckDB read the plain group.
func (t sqlType) parquetNode(name string) schema.Node {
	const noID = -1
	optional, required := parquet.Repetitions.Optional, parquet.Repetitions.Required
	leaf := func(logical schema.LogicalType, physical parquet.Type) schema.Node {
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, optional, logical, physical, 0, noID))
	}
	switch t.name {
	case "string":
		return leaf(schema.StringLogicalType{}, parquet.Types.ByteArray)
	case "timestamp":
		return leaf(schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64)
	case "date":
		return leaf(schema.DateLogicalType{}, parquet.Types.Int32)
	case "int":
		return schema.NewInt32Node(name, optional, noID)
	case "bigint":
		return schema.NewInt64Node(name, optional, noID)
	case "variant":
		return schema.MustGroup(schema.NewGroupNode(name, optional, schema.FieldList{
			schema.NewByteArrayNode("value", required, noID),
			schema.NewByteArrayNode("metadata", required, noID),
		}, noID))
	case "array":
		return schema.MustGroup(schema.ListOfWithName(name, t.elem.parquetNode("element"), optional, noID))
	case "struct":
		return schema.MustGroup(schema.NewGroupNode(name, optional, t.nodes(), noID))
	}
	panic("deltalake: no Parquet form for " + t.name)
}

func (t sqlType) nodes() schema.FieldList {
	var list schema.FieldList
	for _, f := range t.fields {
		list = append(list, f.typ.parquetNode(f.name))
	}
	return list
}
