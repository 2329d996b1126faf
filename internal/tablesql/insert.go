package tablesql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// jsonOptions: a malformed row fails the statement (the default would make it NULL), and strings
// may be as long as a VARIANT takes. Numbers keep the parser's limit of 1,000 digits, beyond which
// an engine would silently store Infinity; a document may nest up to that parser's 1,000 levels
// although a row wraps it in three more.
const jsonOptions = `map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')`

// key is one of the columns by which a table is written idempotently, and the condition under which a
// row already there keeps an incoming one out.
type key struct{ column, keepsOut string }

var (
	spanKey       = []key{equal("trace_id"), equal("span_id")}
	annotationKey = []key{equal("annotation_id"), {"updated_at", "present.updated_at = timestamp_micros(incoming.r.updated_at)"}}
	newerKey      = []key{equal("annotation_id"), {"updated_at", "unix_micros(present.updated_at) > incoming.r.replaces"}}
)

func equal(column string) key { return key{column, "present." + column + " = incoming.r." + column} }

// replacesField is what a replacement's line has besides the columns.
const replacesField = "replaces: BIGINT"

// The statements are built for a table as it is (Table.Actual): a struct that they write needs all the
// fields that it has there, and columns and fields that tracemig does not know stay NULL.

// InsertSpans is the statement that adds the spans of ParamRows that the table lacks.
//
// It reads the keys of the rows already there within [ParamLow, ParamHigh] of time, so that Delta
// prunes files, and writes the others. Because it reads the table that it writes, Delta makes two
// such statements at once conflict instead of adding a row twice.
func InsertSpans(l uctables.Location, spans uctables.Table) string {
	return insert(l, spans, "time", spanKey)
}

// InsertAnnotations is the statement that adds the annotations of ParamRows that the table lacks,
// as InsertSpans does, within a range of created_at.
func InsertAnnotations(l uctables.Location, annotations uctables.Table) string {
	return insert(l, annotations, "created_at", annotationKey)
}

// ReplaceAnnotations is the statement that adds the replacements of ParamRows (see AppendReplacement)
// whose replaced versions are the newest that the table has within a range of created_at. Of two such
// statements at once, the later finds the version of the other.
func ReplaceAnnotations(l uctables.Location, annotations uctables.Table) string {
	return insert(l, annotations, "created_at", newerKey, replacesField)
}

// ReplaceSpans is the statement that puts the spans of ParamRows in the place of all rows that the table
// has under their keys within [ParamLow, ParamHigh] of time.
//
// Each span that the table has not, or has otherwise, or more than once, is there twice in what is merged:
// one takes the rows of its key out, the other, which matches none, adds it. An update would leave a key
// as often as it is there. The rows are compared as JSON, since VARIANT values can't be compared, and only
// where the keys are equal, since making the texts of all rows of the range would take long.
func ReplaceSpans(l uctables.Location, spans uctables.Table) string {
	names := written(spans)
	into, values := columnValues(spans, names, "incoming.r", spanKey)
	there := fmt.Sprintf("%s AND present.time BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)", match(spanKey), ParamLow, ParamHigh)
	const ofKey = "OVER (PARTITION BY incoming.r.trace_id, incoming.r.span_id"
	return fmt.Sprintf(`MERGE INTO %[1]s AS present
USING (
  SELECT r, explode(array(false, true)) AS adds
  FROM (
    SELECT incoming.r,
      row_number() %[2]s ORDER BY present.time) AS nth,
      count(present.span_id) %[2]s) AS copies,
      to_json(incoming.r) = to_json(%[3]s) AS same
    FROM %[4]s AS incoming
    LEFT JOIN %[1]s AS present
    ON %[5]s
  )
  WHERE nth = 1 AND NOT (copies = 1 AND same)
) AS incoming
ON NOT incoming.adds AND %[5]s
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED AND incoming.adds THEN INSERT (
  %[6]s
)
VALUES (
  %[7]s
)`, l.Quoted(spans.Suffix), ofKey, asParsed(spans, names, "present"), parsed(spans, names), there,
		strings.Join(into, ",\n  "), strings.Join(values, ",\n  "))
}

// CountSpans counts the keys of ParamRows (see AppendSpanKey) that the table holds.
func CountSpans(l uctables.Location) string { return countKeys(l, uctables.Spans, "time", spanKey) }

// CountAnnotations counts the keys of ParamRows (see AppendAnnotationKey) that the table holds.
func CountAnnotations(l uctables.Location) string {
	return countKeys(l, uctables.Annotations, "created_at", annotationKey)
}

// CountDuplicates counts the keys of spans and those of annotations that the tables hold more than once within
// [ParamLow, ParamHigh] of time: columns spans and annotations (BIGINT).
func CountDuplicates(l uctables.Location) string {
	keys := func(t uctables.Table, kind, timeColumn, id, part string) string {
		return fmt.Sprintf(`SELECT '%s' AS kind, %s AS id, %s AS part FROM %s
    WHERE %s BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)`, kind, id, part, l.Quoted(t.Suffix), timeColumn, ParamLow, ParamHigh)
	}
	return fmt.Sprintf(`SELECT count_if(kind = 'span') AS spans, count_if(kind = 'annotation') AS annotations
FROM (
  SELECT kind FROM (
    %s
    UNION ALL
    %s
  )
  GROUP BY kind, id, part HAVING count(*) > 1
)`, keys(uctables.Spans, "span", "time", "trace_id", "span_id"), keys(uctables.Annotations, "annotation", "created_at", "annotation_id", "CAST(updated_at AS STRING)"))
}

// ParseSpans reads the spans of ParamRows whole and writes nothing: where an insert fails without
// saying why, it says whether the rows are to blame. It answers how many rows it read.
func ParseSpans(l uctables.Location, spans uctables.Table) string { return parse(spans) }

// ParseAnnotations reads the annotations of ParamRows as ParseSpans does spans.
func ParseAnnotations(l uctables.Location, annotations uctables.Table) string {
	return parse(annotations)
}

func parse(t uctables.Table) string {
	// to_json needs every field, so that no part of a row is left unparsed.
	return "SELECT count(to_json(r)) AS parsed\nFROM " + parsed(t, written(t))
}

// written are the columns that a row's line holds: MLflow keeps nothing that belongs in the others, and
// the change type is the same in all rows.
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

func insert(l uctables.Location, t uctables.Table, timeColumn string, keys []key, more ...string) string {
	names := written(t)
	into, values := columnValues(t, names, "r", keys)
	return fmt.Sprintf(`INSERT INTO %s (
  %s
)
SELECT
  %s
FROM %s AS incoming
LEFT ANTI JOIN (
  %s
) AS present
ON %s`,
		l.Quoted(t.Suffix), strings.Join(into, ",\n  "), strings.Join(values, ",\n  "),
		parsed(t, names, more...), existing(l, t, timeColumn, keys), match(keys))
}

// columnValues are the columns that a statement writes of a row, the struct r, and their values from it.
func columnValues(t uctables.Table, names []string, r string, keys []key) (into, values []string) {
	for _, c := range t.Columns {
		if !slices.Contains(names, c.Name) {
			continue
		}
		v := r + "." + c.Name
		switch {
		case c.Type == "TIMESTAMP":
			v = "timestamp_micros(" + v + ")"
		case c.Type == "DATE":
			v = "date_from_unix_date(" + v + ")"
		case c.Name == keys[0].column:
			// from_json gives NULL for an empty line: nothing may be dropped silently.
			v = "coalesce(" + v + ", raise_error('a row has no " + c.Name + "'))"
		}
		into, values = append(into, c.Name), append(values, v)
	}
	if t.Has(uctables.ChangeType) {
		into, values = append(into, uctables.ChangeType), append(values, "'"+uctables.Insert+"'")
	}
	return into, values
}

// asParsed is a row of the table in the form that parsed gives the one that was written there: a struct
// whose to_json is the same text where the values are the same.
func asParsed(t uctables.Table, names []string, row string) string {
	var fields []string
	for _, c := range t.Columns {
		if !slices.Contains(names, c.Name) {
			continue
		}
		v := row + "." + c.Name
		if number := wireNumber(v, c.Type); number != v {
			v = number + " AS " + c.Name
		}
		fields = append(fields, v)
	}
	return "struct(" + strings.Join(fields, ", ") + ")"
}

// wireNumber is the number by which rows are sent for a time or a date; expr itself for other types.
func wireNumber(expr, sqlType string) string {
	switch sqlType {
	case "TIMESTAMP":
		return "unix_micros(" + expr + ")"
	case "DATE":
		return "unix_date(" + expr + ")"
	}
	return expr
}

func countKeys(l uctables.Location, t uctables.Table, timeColumn string, keys []key) string {
	var names []string
	for _, k := range keys {
		names = append(names, k.column)
	}
	return fmt.Sprintf(`SELECT count(*) AS found
FROM %s AS incoming
LEFT SEMI JOIN (
  %s
) AS present
ON %s`, parsed(t, names), existing(l, t, timeColumn, keys), match(keys))
}

// parsed is a relation with one column r, the struct of the named columns and more fields, from
// ParamRows. A literal '\n' in SQL is a newline; JSON lines hold no other.
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

// inLiteral writes a text inside of an SQL string: names of fields may hold anything. Spark would
// substitute ${…}.
var inLiteral = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `$`, `\u0024`)

// paramLines reads the lines of ParamRows. Volume.Staged has them come from elsewhere.
const paramLines = `SELECT explode(split(:` + ParamRows + `, '\n')) AS line`

// wireType is the type in which a column stands in a JSON line.
func wireType(sqlType string) string {
	switch sqlType {
	case "TIMESTAMP":
		return "BIGINT"
	case "DATE":
		return "INT"
	}
	return sqlType
}

func existing(l uctables.Location, t uctables.Table, timeColumn string, keys []key) string {
	var names []string
	for _, k := range keys {
		names = append(names, k.column)
	}
	return fmt.Sprintf(`SELECT %s FROM %s
  WHERE %s BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)`,
		strings.Join(names, ", "), l.Quoted(t.Suffix), timeColumn, ParamLow, ParamHigh)
}

func match(keys []key) string {
	var conds []string
	for _, k := range keys {
		conds = append(conds, k.keepsOut)
	}
	return strings.Join(conds, " AND ")
}
