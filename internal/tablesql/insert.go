package tablesql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// The statements are made for a table as it really is (Table.Actual): a struct that they write needs all the fields that it has
// in the table. Columns and fields that tracemig does not know stay NULL.

// InsertSpans is the statement that adds those spans of ParamRows that the table lacks.
//
// It reads the keys of the rows that the table has within [ParamLow, ParamHigh] of time, so that Delta prunes files, and writes
// the other rows. Because it reads the table that it writes, two such statements at the same time conflict in Delta, instead of
// adding a row twice.
func InsertSpans(l uctables.Location, spans uctables.Table) string {
	return insert(l, spans, "time", spanKey)
}

// InsertAnnotations is the statement that adds those annotations of ParamRows that the table lacks, as InsertSpans does, within
// a range of created_at.
func InsertAnnotations(l uctables.Location, annotations uctables.Table) string {
	return insert(l, annotations, "created_at", annotationKey)
}

// ReplaceAnnotations is the statement that adds those replacements of ParamRows (see AppendReplacement) whose replaced versions
// are the newest that the table has within a range of created_at. Of two such statements at the same time, the later one finds
// the version of the other.
func ReplaceAnnotations(l uctables.Location, annotations uctables.Table) string {
	return insert(l, annotations, "created_at", newerKey, replacesField)
}

// replacesField is the field that the line of a replacement has besides the columns.
const replacesField = "replaces: BIGINT"

// insert is the statement that adds those rows of ParamRows that no row of the table keeps out by keys.
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

// columnValues are the columns that a statement writes of a row, the struct r, and their values.
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
			// from_json makes NULL of an empty line. Without an error the row would be dropped silently.
			v = "coalesce(" + v + ", raise_error('a row has no " + c.Name + "'))"
		}
		into, values = append(into, c.Name), append(values, v)
	}
	if t.Has(uctables.ChangeType) {
		into, values = append(into, uctables.ChangeType), append(values, "'"+uctables.Insert+"'")
	}
	return into, values
}
