package tablesql

import (
	"fmt"

	"github.com/tracemig/tracemig/internal/uctables"
)

// SelectMigrated is the query for the next traces of ParamSource that are complete, at most so many rows, in the order of their
// times and IDs after ParamLow and ParamAfter: columns source_trace_id, trace_id, digest, spans (BIGINT), spans_missing,
// request_micros (BIGINT) and attachments (JSON).
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
    `+NewestFirst+`
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
		uctables.KeySource, uctables.KeySourceTraceID, uctables.KeyDigest, uctables.KeySpans, uctables.KeySpansMissing,
		uctables.KeyAttachments,
		l.Quoted(uctables.Annotations.Suffix), l.Quoted(uctables.Spans.Suffix), ParamSource, ParamLow, ParamAfter, rows)
}

// SelectOfficial is the query for the next traces that Databricks' own migration wrote from ParamExperiment, at most so many rows,
// in the order of their IDs after ParamAfter: column target_id.
func SelectOfficial(l uctables.Location, rows int) string {
	return fmt.Sprintf(`SELECT target_id
FROM (
  SELECT target_id,
    try_variant_get(value, '$.trace_metadata["%s"]', 'STRING') AS experiment,
    try_variant_get(metadata, '$["%s"]', 'STRING') AS source,
    deleted_at,
    `+NewestFirst+`
  FROM %s
  WHERE annotation_type = 'METADATA'
)
WHERE age = 1 AND deleted_at IS NULL AND source IS NULL AND experiment = :%s AND target_id > :%s
ORDER BY target_id
LIMIT %d`,
		uctables.SourceExperimentID, uctables.KeySource, l.Quoted(uctables.Annotations.Suffix), ParamExperiment, ParamAfter, rows)
}

// OfficialSkippedTable is the table of a schema in which Databricks' own migration notes the traces that it skips.
const OfficialSkippedTable = "_migration_skipped"

// CountOfficialSkips is the query for how many traces of ParamExperiment Databricks' own migration has skipped on their way to
// the location ParamLocation, its name without quotes: columns reason and traces.
func CountOfficialSkips(l uctables.Location) string {
	return fmt.Sprintf(`SELECT coalesce(skip_reason, 'unknown') AS reason, count(DISTINCT trace_id) AS traces
FROM %s.%s.%s
WHERE source_experiment_id = :%s AND lower(target_uc_location) = lower(:%s)
GROUP BY 1`, uctables.QuoteName(l.Catalog), uctables.QuoteName(l.Schema), uctables.QuoteName(OfficialSkippedTable),
		ParamExperiment, ParamLocation)
}
