package tablesql

import (
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// key is one of the columns by which a table is written idempotently, and the condition under which a row that the table has
// keeps an incoming one out.
type key struct{ column, keepsOut string }

var (
	spanKey       = []key{equal("trace_id"), equal("span_id")}
	annotationKey = []key{equal("annotation_id"), {"updated_at", "present.updated_at = timestamp_micros(incoming.r.updated_at)"}}
	runKey        = []key{equal("run_id")}
	newerKey      = []key{equal("annotation_id"), {"updated_at", "unix_micros(present.updated_at) > incoming.r.replaces"}}
)

func equal(column string) key { return key{column, "present." + column + " = incoming.r." + column} }

// match is the condition under which a row that the table has keeps an incoming one out.
func match(keys []key) string {
	var conds []string
	for _, k := range keys {
		conds = append(conds, k.keepsOut)
	}
	return strings.Join(conds, " AND ")
}

// existing are the keys that the table has within [ParamLow, ParamHigh].
func existing(l uctables.Location, t uctables.Table, timeColumn string, keys []key) string {
	var names []string
	for _, k := range keys {
		names = append(names, k.column)
	}
	return fmt.Sprintf(`SELECT %s FROM %s
  WHERE %s BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)`,
		strings.Join(names, ", "), l.Quoted(t.Suffix), timeColumn, ParamLow, ParamHigh)
}

// CountSpans is the query for how many keys of ParamRows (see AppendSpanKey) the table has: column found.
func CountSpans(l uctables.Location) string { return countKeys(l, uctables.Spans, "time", spanKey) }

// CountAnnotations is the query for how many keys of ParamRows (see AppendAnnotationKey) the table has: column found.
func CountAnnotations(l uctables.Location) string {
	return countKeys(l, uctables.Annotations, "created_at", annotationKey)
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

// CountDuplicateSpans is the query for how many keys of spans the table has more than once within [ParamLow, ParamHigh] of time:
// column duplicates (BIGINT).
func CountDuplicateSpans(l uctables.Location) string {
	return countDuplicates(l, uctables.Spans, "time", spanKey)
}

// CountDuplicateAnnotations is the query for how many keys of annotations the table has more than once within
// [ParamLow, ParamHigh] of created_at: column duplicates (BIGINT).
func CountDuplicateAnnotations(l uctables.Location) string {
	return countDuplicates(l, uctables.Annotations, "created_at", annotationKey)
}

func countDuplicates(l uctables.Location, t uctables.Table, timeColumn string, keys []key) string {
	return fmt.Sprintf(`SELECT count(*) AS duplicates
FROM (
  %s
  GROUP BY 1, 2 HAVING count(*) > 1
)`, existing(l, t, timeColumn, keys))
}
