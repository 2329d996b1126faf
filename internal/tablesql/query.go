package tablesql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// newestFirst numbers the versions of each annotation from the newest on, in column age. Of two with one updated_at
// the deleted one counts.
const newestFirst = "row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age"

// SelectMigrated is the query for the next rows, at most so many, of the traces of ParamSource that are complete, in the order of their
// times and IDs after ParamLow and ParamAfter: columns source_trace_id, trace_id, digest, spans (BIGINT),
// spans_missing, request_micros (BIGINT) and attachments (JSON).
func SelectMigrated(l uctables.Location, rows int) string {
	return fmt.Sprintf(`SELECT m.source_trace_id, m.trace_id, m.digest, m.spans, m.spans_missing, m.request_micros, m.attachments
FROM (
  SELECT target_id AS trace_id,
    try_variant_get(metadata, '$["%s"]', 'STRING') AS source,
    try_variant_get(metadata, '$["%s"]', 'STRING') AS source_trace_id,
    try_variant_get(metadata, '$["%s"]', 'STRING') AS digest,
    try_variant_get(metadata, '$["%s"]', 'BIGINT') AS spans,
    try_variant_get(metadata, '$["%s"]', 'STRING') AS spans_missing,
    to_json(try_variant_get(metadata, '$["%s"]', 'VARIANT')) AS attachments,
    deleted_at,
    unix_micros(created_at) AS request_micros,
    `+newestFirst+`
  FROM %s
  WHERE annotation_type = 'METADATA'
) AS m
LEFT JOIN (
  SELECT trace_id, count(DISTINCT span_id) AS spans FROM %s GROUP BY trace_id
) AS s ON s.trace_id = m.trace_id
WHERE m.age = 1 AND m.deleted_at IS NULL AND m.source = :%s AND coalesce(s.spans, 0) >= m.spans
  AND (m.request_micros > :%[10]s OR (m.request_micros = :%[10]s AND m.trace_id > :%[11]s))
ORDER BY m.request_micros, m.trace_id
LIMIT %[12]d`,
		uctables.KeySource, uctables.KeySourceTraceID, uctables.KeyDigest, uctables.KeySpans, uctables.KeySpansMissing, uctables.KeyAttachments,
		l.Quoted(uctables.Annotations.Suffix), l.Quoted(uctables.Spans.Suffix), ParamSource, ParamLow, ParamAfter, rows)
}

// SelectOfficial is the query for the next rows, at most so many, of the traces that Official yields of ParamExperiment, in the order of
// their IDs after ParamAfter: column target_id.
func SelectOfficial(l uctables.Location, rows int) string {
	return fmt.Sprintf(`SELECT target_id
FROM (
  SELECT target_id,
    try_variant_get(value, '$.trace_metadata["%s"]', 'STRING') AS experiment,
    try_variant_get(metadata, '$["%s"]', 'STRING') AS source,
    deleted_at,
    `+newestFirst+`
  FROM %s
  WHERE annotation_type = 'METADATA'
)
WHERE age = 1 AND deleted_at IS NULL AND source IS NULL AND experiment = :%s AND target_id > :%s
ORDER BY target_id
LIMIT %d`,
		uctables.SourceExperimentID, uctables.KeySource, l.Quoted(uctables.Annotations.Suffix), ParamExperiment, ParamAfter, rows)
}

// OfficialSkippedTable is the table of a schema in which Databricks' own migration notes what it skips.
const OfficialSkippedTable = "_migration_skipped"

// CountOfficialSkips is the query for how many traces of ParamExperiment Databricks' own migration has
// skipped on their way to the location ParamLocation, its name without quotes: columns reason and traces.
func CountOfficialSkips(l uctables.Location) string {
	return fmt.Sprintf(`SELECT coalesce(skip_reason, 'unknown') AS reason, count(DISTINCT trace_id) AS traces
FROM %s.%s.%s
WHERE source_experiment_id = :%s AND lower(target_uc_location) = lower(:%s)
GROUP BY 1`, uctables.QuoteName(l.Catalog), uctables.QuoteName(l.Schema), uctables.QuoteName(OfficialSkippedTable), ParamExperiment, ParamLocation)
}

// lineText is a row as AppendSpan or AppendAnnotation writes it, with some columns replaced.
func lineText(t uctables.Table, replaced map[string]string) string {
	var fields []string
	names := written(t)
	for _, known := range known(t).Columns {
		at := slices.IndexFunc(t.Columns, func(c uctables.Column) bool { return c.Name == known.Name })
		if at < 0 || !slices.Contains(names, known.Name) {
			continue
		}
		v, other := replaced[known.Name]
		if !other {
			if v = wireNumber(known.Name, known.Type); v == known.Name {
				v = knownFields(v, uctables.MustType(known.Type), uctables.MustType(t.Columns[at].Type), 0)
			}
		}
		if v != known.Name {
			v += " AS " + known.Name
		}
		fields = append(fields, v)
	}
	return "to_json(struct(" + strings.Join(fields, ", ") + "))"
}

// known is the table with the columns that tracemig knows, as schema version v2 has them.
func known(t uctables.Table) uctables.Table {
	return uctables.Tables[slices.IndexFunc(uctables.Tables, func(k uctables.Table) bool { return k.Suffix == t.Suffix })]
}

// knownFields is an expression of type have without the fields that want has not, and in want's order.
func knownFields(expr string, want, have uctables.Type, depth int) string {
	switch {
	case want.Equal(have):
		return expr
	case want.Name == "array":
		e := fmt.Sprintf("e%d", depth)
		return fmt.Sprintf("transform(%s, %s -> %s)", expr, e, knownFields(e, want.Elems[0], have.Elems[0], depth+1))
	}
	var fields []string
	for _, f := range want.Fields {
		typ, _ := have.Field(f.Name)
		fields = append(fields, knownFields(expr+"."+f.Name, f.Type, typ, depth)+" AS "+f.Name)
	}
	return fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN struct(%s) END", expr, strings.Join(fields, ", "))
}

// ofTraces restricts a query to the traces of ParamTraces and to [ParamLow, ParamHigh].
func ofTraces(traceID, timeColumn string) string {
	return fmt.Sprintf(`%s IN (SELECT explode(split(:%s, '\n')))
  AND %s BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)`, traceID, ParamTraces, timeColumn, ParamLow, ParamHigh)
}

// annotatedTrace is the trace ID of an annotation's target.
const annotatedTrace = "substring_index(target_id, ':', 1)"

// SumSpans is the query for SpanSum: trace_id, rows, spans, record_ids (BIGINT) and digest.
func SumSpans(l uctables.Location, spans uctables.Table, deep bool) string {
	text := "span_id"
	if deep {
		text = lineText(spans, map[string]string{"record_id": "''"})
	}
	return fmt.Sprintf(`SELECT trace_id, count(*) AS rows, count(DISTINCT span_id) AS spans, count(DISTINCT record_id) AS record_ids,
  sha2(array_join(array_sort(collect_list(sha2(%s, 256))), ''), 256) AS digest
FROM %s
WHERE %s
GROUP BY trace_id`, text, l.Quoted(uctables.Spans.Suffix), ofTraces("trace_id", "time"))
}

// SumAnnotations is the query for AnnotationSum: trace_id, annotation_id, annotation_type, name,
// updated_at (BIGINT, microseconds), deleted (BOOLEAN), copies (BIGINT) and digest.
func SumAnnotations(l uctables.Location, annotations uctables.Table, deep bool) string {
	digest := "''"
	if deep {
		digest = "sha2(" + lineText(annotations, map[string]string{
			"metadata":   "CASE WHEN annotation_type <> '" + string(uctables.Metadata) + "' THEN metadata END",
			"updated_at": "0", "updated_by": "NULL", "deleted_at": "NULL", "deleted_by": "NULL",
		}) + ", 256)"
	}
	return fmt.Sprintf(`SELECT %s AS trace_id, annotation_id, annotation_type, name, unix_micros(updated_at) AS updated_at,
  deleted_at IS NOT NULL AS deleted, copies,
  %s AS digest
FROM %s`, annotatedTrace, digest, newest(l))
}

// annotationColumns are named one by one: a column that tracemig does not know may have a name that a
// query gives to something of its own.
var annotationColumns = strings.Join(written(uctables.Annotations), ", ")

// newest is the relation of the newest versions of the annotations of some traces.
func newest(l uctables.Location) string {
	return fmt.Sprintf(`(
  SELECT %s,
    `+newestFirst+`,
    count(*) OVER (PARTITION BY annotation_id, updated_at) AS copies
  FROM %s
  WHERE %s
)
WHERE age = 1`, annotationColumns, l.Quoted(uctables.Annotations.Suffix), ofTraces(annotatedTrace, "created_at"))
}

// ReadSpans is the query for the spans of some traces, each as the line that AppendSpan writes.
func ReadSpans(l uctables.Location, spans uctables.Table) string {
	return fmt.Sprintf("SELECT %s AS line\nFROM %s\nWHERE %s", lineText(spans, nil), l.Quoted(uctables.Spans.Suffix), ofTraces("trace_id", "time"))
}

// ReadAnnotations is the query for the newest versions of the annotations of some traces, each as the
// line that AppendAnnotation writes.
func ReadAnnotations(l uctables.Location, annotations uctables.Table) string {
	return fmt.Sprintf("SELECT %s AS line\nFROM %s", lineText(annotations, nil), newest(l))
}
