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

// CountDuplicates is the query for how many keys of spans, and how many of annotations, the tables have more than once within
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
)`, keys(uctables.Spans, "span", "time", "trace_id", "span_id"),
		keys(uctables.Annotations, "annotation", "created_at", "annotation_id", "CAST(updated_at AS STRING)"))
}
