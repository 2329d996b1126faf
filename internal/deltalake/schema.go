package deltalake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/tracemig/tracemig/internal/uctables"
)

// deltaNames are the names in a Delta schema of the primitive types that have another name in SQL.
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

// deltaType is a type in the form of a schemaString.
func deltaType(t uctables.Type) any {
	switch t.Name {
	case "struct":
		s := deltaStruct{Type: "struct"}
		for _, f := range t.Fields {
			s.Fields = append(s.Fields, deltaField{f.Name, mustJSON(deltaType(f.Type)), true, map[string]any{}})
		}
		return s
	case "array":
		return deltaArray{"array", mustJSON(deltaType(t.Elems[0])), true}
	}
	if name, ok := deltaNames[t.Name]; ok {
		return name
	}
	return t.Name
}

// schemaOf is the schemaString of a table that is made, with comments on its columns.
func schemaOf(t uctables.Table) deltaStruct {
	s := deltaStruct{Type: "struct"}
	for _, c := range t.Columns {
		f := deltaField{c.Name, mustJSON(deltaType(uctables.MustType(c.Type))), true, map[string]any{}}
		if about := c.About(t); about != "" {
			f.Metadata["comment"] = about
		}
		s.Fields = append(s.Fields, f)
	}
	return s
}

// mustJSON is for values that always have a JSON form.
func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// typeOf reads a type of a schemaString, without the fields that want, which is the type to be written there, lacks.
// It refuses what binds writers beyond the type: NOT NULL, invariants, generated and mapped columns.
func typeOf(raw json.RawMessage, want uctables.Type) (t uctables.Type, err error) {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		for sql, delta := range deltaNames {
			if name == delta {
				name = sql
			}
		}
		return uctables.Type{Name: name}, nil
	}
	if err := json.Unmarshal(raw, &struct {
		Type *string `json:"type"`
	}{&t.Name}); err != nil {
		return t, err
	}
	if t.Name != want.Name {
		return t, nil
	}
	switch t.Name {
	case "array":
		var a deltaArray
		if err := json.Unmarshal(raw, &a); err != nil {
			return t, err
		}
		elem, err := typeOf(a.ElementType, want.Elems[0])
		if err == nil && !a.ContainsNull {
			err = fmt.Errorf("an array of it is NOT NULL inside")
		}
		t.Elems = []uctables.Type{elem}
		return t, err
	case "struct":
		t.Fields, err = structFields(raw, want)
	}
	return t, err
}

// structFields reads the fields of a struct that want has too. Other fields will be NULL, so they must be nullable.
func structFields(raw json.RawMessage, want uctables.Type) (fields []uctables.Field, err error) {
	var s deltaStruct
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("its schema is not readable: %w", err)
	}
	for _, f := range s.Fields {
		if !f.Nullable {
			return nil, fmt.Errorf("column %s is NOT NULL", f.Name)
		}
		for key := range f.Metadata {
			if strings.HasPrefix(key, "delta.") {
				return nil, fmt.Errorf("column %s has %s", f.Name, key)
			}
		}
		at := slices.IndexFunc(want.Fields, func(w uctables.Field) bool { return w.Name == f.Name })
		if at < 0 {
			continue
		}
		t, err := typeOf(f.Type, want.Fields[at].Type)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.Name, err)
		}
		fields = append(fields, uctables.Field{Name: f.Name, Type: t})
	}
	return fields, nil
}

// partOf is the part of want that a table with the schemaString has. It is what files hold, with fields in the order
// of want, since readers find fields by their names. clause says why the table can't be written; empty where it can.
func partOf(schemaString string, want uctables.Table) (part uctables.Table, clause string) {
	fields, err := structFields(json.RawMessage(schemaString), want.Struct())
	if err != nil {
		return part, "cannot be written: " + err.Error()
	}
	var have []uctables.Column
	for _, f := range fields {
		have = append(have, uctables.Column{Name: f.Name, Type: f.Type.SQL()})
	}
	actual, clauses := want.Actual(have)
	part = want
	part.Columns = slices.DeleteFunc(slices.Clone(want.Columns), func(c uctables.Column) bool { return !actual.Has(c.Name) })
	return part, strings.Join(clauses, "; ")
}

// parquetNode is a column or field as Spark writes it: everything is optional, a list has three levels, and a VARIANT
// is a plain group of two blobs. The group lacks the VARIANT annotation on purpose: Spark 4.0 and polars can't open a
// file that has one, and Spark, delta-rs and DuckDB read the plain group.
func parquetNode(name string, t uctables.Type) schema.Node {
	const noID = -1
	optional, required := parquet.Repetitions.Optional, parquet.Repetitions.Required
	leaf := func(logical schema.LogicalType, physical parquet.Type) schema.Node {
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, optional, logical, physical, 0, noID))
	}
	switch t.Name {
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
		return schema.MustGroup(schema.ListOfWithName(name, parquetNode("element", t.Elems[0]), optional, noID))
	case "struct":
		return schema.MustGroup(schema.NewGroupNode(name, optional, parquetNodes(t), noID))
	}
	panic("deltalake: no Parquet form for " + t.Name)
}

func parquetNodes(t uctables.Type) schema.FieldList {
	var list schema.FieldList
	for _, f := range t.Fields {
		list = append(list, parquetNode(f.Name, f.Type))
	}
	return list
}
