package tablesql

import (
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// paramLines reads the lines of ParamRows. Staged replaces it. The literal '\n' is a newline in SQL; the lines hold no other.
const paramLines = `SELECT explode(split(:` + ParamRows + `, '\n')) AS line`

// parsed is a relation of the rows of ParamRows, with one column r: a struct of the named columns and of more fields.
func parsed(t uctables.Table, names []string, more ...string) string {
	var fields []string
	for _, name := range names {
		for _, c := range t.Columns {
			if c.Name == name {
				fields = append(fields, c.Name+": "+wireType(c.Type))
			}
		}
	}
	return fmt.Sprintf(`(
  SELECT from_json(line,
    'STRUCT<%s>',
    %s) AS r
  FROM (%s)
)`, inLiteral.Replace(strings.Join(append(fields, more...), ", ")), jsonOptions, paramLines)
}

// jsonOptions has a malformed row fail the statement (by default from_json makes it NULL), and lets strings be as long as a
// VARIANT takes. The parser's limit of 1,000 digits for numbers stays: beyond it an engine would silently store Infinity. A
// document may nest up to the parser's 1,000 levels, although a row wraps it in three more.
const jsonOptions = `map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')`

// inLiteral writes a text inside of an SQL string. The names of fields may hold anything, and Spark would substitute ${…}.
var inLiteral = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `$`, `\u0024`)

// Parse is the query that reads the rows of ParamRows whole and writes nothing: where an INSERT fails without saying why, it
// says whether the rows are the cause. It answers how many rows it read.
func Parse(t uctables.Table) string {
	// to_json needs every field, so Spark parses every part of a row.
	return "SELECT count(to_json(r)) AS parsed\nFROM " + parsed(t, written(t))
}

// written are the columns that the line of a row holds. MLflow has no values for the others, and the change type is the same in
// all rows.
func written(t uctables.Table) []string {
	var names []string
	for _, c := range t.Columns {
		switch c.Name {
		case "resource_schema_url", "span_schema_url", uctables.ChangeType:
		default:
			names = append(names, c.Name)
		}
	}
	return names
}

// wireType is the type in which a line holds a column.
func wireType(sqlType string) string {
	switch sqlType {
	case "TIMESTAMP":
		return "BIGINT"
	case "DATE":
		return "INT"
	}
	return sqlType
}

// wireNumber is the number that a line holds for a time or a date, and expr itself for other types.
func wireNumber(expr, sqlType string) string {
	switch sqlType {
	case "TIMESTAMP":
		return "unix_micros(" + expr + ")"
	case "DATE":
		return "unix_date(" + expr + ")"
	}
	return expr
}

// Staged is a statement of this package, changed so that it reads the rows from column line of the Parquet files in a folder of
// StagedFolder, in place of ParamRows. Nothing else about the statement changes.
func Staged(v uctables.Volume, statement, folder string) string {
	from := "SELECT line FROM parquet." + uctables.QuoteName(v.StagedFolder()+"/"+folder)
	return strings.Replace(statement, paramLines, from, 1)
}
