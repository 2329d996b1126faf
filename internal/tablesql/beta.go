package tablesql

import (
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// The statements about tables of the beta form (schema version v1), which only are read. Their parameters ParamLow and ParamHigh
// are times of spans in nanoseconds, but for those of CopySpans. A NULL start counts as 0.

// BetaSpread is how many nanoseconds the starts of a trace's spans lie apart, at most, in a trace that BetaTraces lists.
const BetaSpread = 24 * 60 * 60 * 1_000_000_000

// ParamAfterMillis (BIGINT) is the request time, in milliseconds, with which the page before ended. ParamAfter has the trace ID.
const ParamAfterMillis = "after_ms"

// betaRoot says whether a row is a root span, and betaStart is its start.
const (
	betaRoot  = `(parent_span_id IS NULL OR translate(parent_span_id, '0', '') IN ('', 'AAAAAAAAAAA='))`
	betaStart = "coalesce(start_time_unix_nano, 0)"
)

// betaBetween says whether a span starts between two times, so that Delta can skip files.
func betaBetween(low, high string) string {
	return fmt.Sprintf("(start_time_unix_nano BETWEEN %[1]s AND %[2]s OR (start_time_unix_nano IS NULL AND %[1]s <= 0))", low, high)
}

// BetaHours is the query for how many traces each hour has whose request times, in nanoseconds, are at least ParamLow and below
// ParamHigh: columns hour (BIGINT, since the Unix epoch), traces (BIGINT) and odd, a JSON array of [request time in milliseconds,
// trace ID] of those whose spans lie further apart than BetaSpread.
func BetaHours(from uctables.Location) string {
	return fmt.Sprintf(`SELECT request DIV 3600000000000 AS hour, count(*) AS traces,
  to_json(collect_list(CASE WHEN last - first > %d THEN named_struct('ms', request DIV 1000000, 'id', trace_id) END)) AS odd
FROM (
  SELECT trace_id, coalesce(min(CASE WHEN %s THEN start END), min(start)) AS request, min(start) AS first, max(start) AS last
  FROM (SELECT *, %s AS start FROM %s WHERE trace_id IS NOT NULL)
  GROUP BY trace_id
)
WHERE request >= :%s AND request < :%s
GROUP BY 1
ORDER BY 1`, BetaSpread, betaRoot, betaStart, from.Quoted(uctables.BetaSpans.Suffix), ParamLow, ParamHigh)
}

// BetaTraces is the query for the next traces whose request times are at least ParamLow and below ParamHigh, in the order of
// request times in milliseconds and IDs, after ParamAfterMillis and ParamAfter, at most so many. It has the columns of
// BetaTracesNamed. Traces with spans further apart than BetaSpread may be there with wrong values.
func BetaTraces(from uctables.Location, rows int) string {
	return betaTraces(from, betaBetween(fmt.Sprintf(":%s - %d", ParamLow, BetaSpread), fmt.Sprintf(":%s + %d", ParamHigh, BetaSpread)),
		fmt.Sprintf(`
  WHERE request >= :%[1]s AND request < :%[2]s
    AND (request DIV 1000000 > :%[3]s OR (request DIV 1000000 = :%[3]s AND trace_id > :%[4]s))
  ORDER BY request DIV 1000000, trace_id
  LIMIT %[5]d`, ParamLow, ParamHigh, ParamAfterMillis, ParamAfter, rows))
}

// BetaTracesNamed is the query for the traces of ParamTraces: columns trace_id, request_ms (BIGINT), spans (BIGINT), rooted
// (BOOLEAN), nanos (BIGINT: from the start to the end of the root span), code (of its status) and logs (a JSON array of the rows
// about the trace).
func BetaTracesNamed(from uctables.Location) string { return betaTraces(from, betaNamed, "") }

// betaNamed says whether a row is of a trace of ParamTraces.
const betaNamed = `trace_id IN (SELECT explode(split(:` + ParamTraces + `, '\n')))`

// BetaEvents are the events of rows that say something of a trace.
var BetaEvents = []string{"genai.trace.metadata", "genai.trace.tag", "genai.assessments.snapshot", "genai.run.link"}

func betaTraces(from uctables.Location, of, page string) string {
	return fmt.Sprintf(`WITH found AS (
  SELECT * FROM (
    SELECT trace_id, coalesce(min(CASE WHEN root THEN start END), min(start)) AS request, count(*) AS spans,
      min(CASE WHEN root THEN struct(start, span_id, end_time_unix_nano, code) END) AS r
    FROM (
      SELECT trace_id, span_id, %s AS start, end_time_unix_nano, status.code AS code, %s AS root
      FROM %s
      WHERE trace_id IS NOT NULL AND %s
    )
    GROUP BY trace_id
  )%s
)
SELECT found.trace_id, request DIV 1000000 AS request_ms, spans, r IS NOT NULL AS rooted, r.end_time_unix_nano - r.start AS nanos,
  r.code AS code, l.logs
FROM found
LEFT JOIN (
  SELECT trace_id, to_json(collect_list(struct(event_name, span_id, time_unix_nano, attributes, body))) AS logs
  FROM %s
  WHERE event_name IN ('%s') AND trace_id IN (SELECT trace_id FROM found)
  GROUP BY trace_id
) AS l ON l.trace_id = found.trace_id
ORDER BY request_ms, found.trace_id`,
		betaStart, betaRoot, from.Quoted(uctables.BetaSpans.Suffix), of, page,
		from.Quoted(uctables.BetaLogs.Suffix), strings.Join(BetaEvents, "', '"))
}

// BetaSpans is the query for the spans of ParamTraces that start between ParamLow and ParamHigh: columns trace_id, span_id and span
// (JSON, with the names of the columns as keys, and a string for each value of a map), in the order of trace and span IDs. Of
// several rows of one span the one that ends last comes first.
func BetaSpans(from uctables.Location) string {
	return fmt.Sprintf(`SELECT trace_id, span_id, span
FROM (
  SELECT trace_id, coalesce(span_id, '') AS span_id, %s AS start, end_time_unix_nano AS ended,
    to_json(struct(trace_id, span_id, nullif(trace_state, '') AS trace_state, parent_span_id, flags, name, nullif(kind, '') AS kind,
      %[1]s AS start_time_unix_nano, end_time_unix_nano, attributes, dropped_attributes_count, events, dropped_events_count,
      links, dropped_links_count, struct(status.message, nullif(status.code, '') AS code) AS status,
      struct(resource.attributes) AS resource, struct(instrumentation_scope.name) AS instrumentation_scope)) AS span
  FROM %[2]s
  WHERE %[3]s AND %[4]s
)
ORDER BY trace_id, span_id, ended DESC NULLS LAST, start, span`,
		betaStart, from.Quoted(uctables.BetaSpans.Suffix), betaNamed, betaBetween(":"+ParamLow, ":"+ParamHigh))
}
