package tablesql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// ReplaceSpans is the statement that puts the spans of ParamRows in the place of all rows that the table has under their keys
// within [ParamLow, ParamHigh] of time.
//
// A span that the table lacks, or has with other values, or more than once, is there twice in the source of the MERGE: one row
// matches the rows of its key, which are deleted, and the other matches none, so that it is inserted. An update would leave a
// key as often as the table has it. The rows are compared as JSON, since VARIANT values can't be compared, and only where the
// keys are equal, since making the texts of all rows of the range would take long.
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

// asParsed is a row of the table in the form that parsed gives an incoming one: a struct whose to_json is the same text where the
// values are the same.
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
