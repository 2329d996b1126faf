package tablesql

import (
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// Rows are removed by MERGE, since DELETE of open source Delta takes no relation of IDs in its condition. A person who does the same
// by hand gets DELETE statements, with the IDs in them (DeleteSpans, DeleteAnnotations).

// RemoveSpans is the statement that removes those spans of the traces of ParamRows (see AppendTrace) that tracemig has written,
// within [ParamLow, ParamHigh] of time.
func RemoveSpans(l uctables.Location, spans uctables.Table) string {
	return fmt.Sprintf(`MERGE INTO %s AS present
USING (
  SELECT DISTINCT incoming.r.trace_id FROM %s AS incoming
) AS gone
ON present.trace_id = gone.trace_id
  AND present.time BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)
  AND %s
WHEN MATCHED THEN DELETE`, l.Quoted(spans.Suffix), parsed(spans, []string{"trace_id"}), ParamLow, ParamHigh, ownSpan("present."))
}

// RemoveAnnotations is the statement that removes the versions of ParamRows (see AppendVersion), within [ParamLow, ParamHigh] of
// created_at.
func RemoveAnnotations(l uctables.Location, annotations uctables.Table) string {
	names := []string{"annotation_id", "target_id", "updated_at"}
	return fmt.Sprintf(`MERGE INTO %s AS present
USING (
  SELECT DISTINCT incoming.r.annotation_id, incoming.r.target_id, incoming.r.updated_at FROM %s AS incoming
) AS gone
ON present.annotation_id = gone.annotation_id AND present.target_id = gone.target_id
  AND present.updated_at = timestamp_micros(gone.updated_at)
  AND present.created_at BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)
  AND %s
WHEN MATCHED THEN DELETE`, l.Quoted(annotations.Suffix), parsed(annotations, names), ParamLow, ParamHigh, notDeletedByOthers("present."))
}

// ownSpan is the condition for a span that tracemig has written: its record_id is uctables.RecordID.
func ownSpan(row string) string {
	hash := fmt.Sprintf("sha2(concat(CAST(%[1]strace_id AS BINARY), X'00', CAST(%[1]sspan_id AS BINARY)), 256)", row)
	ms := fmt.Sprintf("lpad(lower(hex(greatest(%sstart_time_unix_nano, 0L) DIV 1000000)), 12, '0')", row)
	return row + "record_id = " + recordID(ms, hash)
}

// recordID is the expression for uctables.RecordID, given expressions for the start in milliseconds as 12 hex digits and for the hash of
// the span's key.
func recordID(ms, hash string) string {
	return fmt.Sprintf(`concat_ws('-', substr(%[1]s, 1, 8), substr(%[1]s, 9, 4),
    concat('7', substr(%[2]s, 2, 3)),
    concat(translate(substr(%[2]s, 5, 1), '0123456789abcdef', '89ab89ab89ab89ab'), substr(%[2]s, 6, 3)),
    substr(%[2]s, 9, 12))`, ms, hash)
}

// notDeletedByOthers is the condition for a version that nobody else than tracemig has deleted.
func notDeletedByOthers(row string) string {
	return fmt.Sprintf("(%[1]sdeleted_at IS NULL OR %[1]sdeleted_by = '%[2]s')", row, uctables.DeletedBy)
}

// SelectMarked is the query for the next traces of ParamSource that tracemig has written, at most so many rows, in the order of their
// request times and IDs after ParamLow and ParamAfter up to ParamHigh: columns source_trace_id, trace_id, request_micros (BIGINT),
// attachments (JSON), own and others (BIGINT: rows of spans), and the first and last times of spans and of annotations (BIGINT, NULL
// where there are none). With named, only those whose ID of the source or target is in ParamTraces.
func SelectMarked(l uctables.Location, rows int, named bool) string {
	among := ""
	if named {
		ids := fmt.Sprintf("IN (SELECT explode(split(:%s, '\\n')))", ParamTraces)
		among = fmt.Sprintf("\n  AND (m.source_trace_id %[1]s OR m.trace_id %[1]s)", ids)
	}
	return fmt.Sprintf(`SELECT m.source_trace_id, m.trace_id, m.request_micros, m.attachments,
  coalesce(s.own, 0) AS own, coalesce(s.others, 0) AS others, s.low AS span_low, s.high AS span_high, a.low AS annotation_low,
  a.high AS annotation_high
FROM (
  SELECT target_id AS trace_id,
    try_variant_get(metadata, '$["%[1]s"]', 'STRING') AS source,
    try_variant_get(metadata, '$["%[2]s"]', 'STRING') AS source_trace_id,
    to_json(try_variant_get(metadata, '$["%[3]s"]', 'VARIANT')) AS attachments,
    unix_micros(created_at) AS request_micros,
    `+NewestFirst+`
  FROM %[4]s
  WHERE annotation_type = 'METADATA' AND try_variant_get(metadata, '$["%[1]s"]', 'STRING') IS NOT NULL
) AS m
LEFT JOIN (
  SELECT trace_id, count_if(own) AS own, count_if(NOT own) AS others, unix_micros(min(time)) AS low, unix_micros(max(time)) AS high
  FROM (SELECT trace_id, time, coalesce(%[5]s, false) AS own FROM %[6]s)
  GROUP BY trace_id
) AS s ON s.trace_id = m.trace_id
LEFT JOIN (
  SELECT `+annotatedTrace+` AS trace_id, unix_micros(min(created_at)) AS low, unix_micros(max(created_at)) AS high
  FROM %[4]s
  GROUP BY 1
) AS a ON a.trace_id = m.trace_id
WHERE m.age = 1 AND m.source = :%[7]s AND m.request_micros <= :%[8]s
  AND (m.request_micros > :%[9]s OR (m.request_micros = :%[9]s AND m.trace_id > :%[10]s))%[11]s
ORDER BY m.request_micros, m.trace_id
LIMIT %[12]d`,
		uctables.KeySource, uctables.KeySourceTraceID, uctables.KeyAttachments, l.Quoted(uctables.Annotations.Suffix),
		ownSpan(""), l.Quoted(uctables.Spans.Suffix), ParamSource, ParamHigh, ParamLow, ParamAfter, among, rows)
}

// ReadVersions is the query for all versions of the annotations of some traces, each as the line that AppendAnnotation writes, but
// only with what tells who wrote it: column line.
func ReadVersions(l uctables.Location, annotations uctables.Table) string {
	line := lineText(annotations, map[string]string{
		"value":    "CASE WHEN annotation_type IN ('METADATA', 'RUN_LINK') THEN value END",
		"metadata": "CASE WHEN annotation_type = 'METADATA' THEN metadata END", "comment": "CAST(NULL AS STRING)",
	})
	return fmt.Sprintf("SELECT %s AS line\nFROM %s\nWHERE %s", line, l.Quoted(annotations.Suffix), ofTraces(annotatedTrace, "created_at"))
}

// DeleteSpans is RemoveSpans with the traces in the text, for a person to run.
func DeleteSpans(l uctables.Location, traceIDs []string, low, high int64) string {
	return fmt.Sprintf("DELETE FROM %s\nWHERE time BETWEEN timestamp_micros(%d) AND timestamp_micros(%d)\n  AND %s\n  AND trace_id IN (%s)",
		l.Quoted(uctables.Spans.Suffix), low, high, ownSpan(""), literals(traceIDs))
}

// DeleteAnnotations is RemoveAnnotations with the versions in the text, for a person to run. There must be some.
func DeleteAnnotations(l uctables.Location, versions []uctables.Version) string {
	low, high := versions[0].CreatedAtMicros, versions[0].CreatedAtMicros
	keys := make([]string, len(versions))
	for i, v := range versions {
		low, high = min(low, v.CreatedAtMicros), max(high, v.CreatedAtMicros)
		keys[i] = fmt.Sprintf("%s %d %s", v.TargetID, v.UpdatedAtMicros, v.AnnotationID)
	}
	return fmt.Sprintf("DELETE FROM %s\nWHERE created_at BETWEEN timestamp_micros(%d) AND timestamp_micros(%d)\n  AND %s\n"+
		"  AND concat_ws(' ', target_id, CAST(unix_micros(updated_at) AS STRING), annotation_id) IN (%s)",
		l.Quoted(uctables.Annotations.Suffix), low, high, notDeletedByOthers(""), literals(keys))
}

// literals are SQL strings, a line each.
func literals(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = "\n    " + literal(text)
	}
	return strings.Join(quoted, ",")
}

// literal is a text as an SQL string, in printable ASCII where a character may be taken for something else.
func literal(text string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range text {
		switch {
		case r == '\\' || r == '\'':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case r < ' ' || r > '~' || r == '$' || r == ';': // Spark substitutes ${…}, and some programs end a statement at each semicolon
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}
