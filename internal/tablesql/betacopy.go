package tablesql

import (
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// betaRow is the expression for all that is read of a span, as a text.
var betaRow = func() string {
	var names []string
	for _, c := range uctables.BetaSpans.Columns {
		names = append(names, c.Name)
	}
	return "to_json(struct(" + strings.Join(names, ", ") + "))"
}()

// SurveyBeta is the query for what a copy of the spans of ParamTraces that start between ParamLow and ParamHigh would be: columns
// trace_id, spans (BIGINT), sum, low and high (BIGINT: the earliest and the latest start), bytes (BIGINT) and hard (BOOLEAN). Of a
// hard trace, rows that CopySpans made would not be those that package convert makes. ParamEnd is any text that no row holds.
func SurveyBeta(from uctables.Location) string {
	return fmt.Sprintf(`SELECT trace_id, count(*) AS spans, concat(count(*), ':', bit_xor(xxhash64(line))) AS sum,
  min(start) AS low, max(start) AS high, sum(octet_length(line)) AS bytes,
  bool_or(hard) OR count(DISTINCT span_id) < count(*) OR NOT bool_or(root) AS hard
FROM (
  SELECT *, %s AS start, %s AS root, %s AS hard
  FROM (SELECT *, %s AS line FROM %s WHERE %s AND %s)
)
GROUP BY trace_id`, betaStart, betaRoot, betaHard(), betaRow, from.Quoted(uctables.BetaSpans.Suffix), betaNamed,
		betaBetween(":"+ParamLow, ":"+ParamHigh))
}

// ParamEnd (STRING) is a text that no row holds. It comes after a value, so that a value which only begins with JSON is not taken
// for JSON: parse_json reads no further than to the end of the first value.
const ParamEnd = "end"

// copyLine are the fields of a line of ParamRows of CopySpans, see uctables.AppendSpanCopy.
const copyLine = "STRUCT<trace_id: STRING, sum: STRING, user_id: STRING, session_id: STRING, service: STRING, all_service: STRING>"

// CopySpans is the statement that adds those spans of the traces of ParamRows (see uctables.AppendSpanCopy) that the table lacks,
// from tables of the beta form. ParamLow and ParamHigh are times of the table in microseconds, as for InsertSpans. A trace whose rows
// have another sum than its line says is left out.
func CopySpans(l uctables.Location, spans uctables.Table, from uctables.Location) string {
	var into, values []string
	for _, c := range spans.Columns {
		if v, ok := copiedColumn(c); ok {
			into, values = append(into, c.Name), append(values, v)
		}
	}
	return fmt.Sprintf(`INSERT INTO %s (
  %s
)
SELECT
  %s
FROM (
  SELECT s.*, r.user_id, r.session_id,
    coalesce(nullif(r.all_service, ''), nullif(s.resource.attributes['service.name'], ''), r.service, '') AS service
  FROM (
    SELECT *, concat(count(*) OVER (PARTITION BY trace_id), ':', bit_xor(xxhash64(%s)) OVER (PARTITION BY trace_id)) AS sum,
      %s AS root, %s AS start, sha2(concat(trace_id, chr(0), span_id), 256) AS key
    FROM %s
    WHERE trace_id IN (SELECT from_json(line, 'STRUCT<trace_id: STRING>').trace_id FROM (%s))
      AND %s
  ) AS s
  JOIN (SELECT from_json(line, '%s', map('mode', 'FAILFAST')) AS r FROM (%[8]s)) AS lines
  ON s.trace_id = r.trace_id AND s.sum = r.sum
) AS incoming
LEFT ANTI JOIN (
  %[11]s
) AS present
ON present.trace_id = incoming.trace_id AND present.span_id = incoming.span_id`,
		l.Quoted(spans.Suffix), strings.Join(into, ",\n  "), strings.Join(values, ",\n  "),
		betaRow, betaRoot, betaStart, from.Quoted(uctables.BetaSpans.Suffix), paramLines,
		betaBetween(":"+ParamLow+" * 1000", ":"+ParamHigh+" * 1000 + 999"), copyLine, existing(l, spans, "time", spanKey))
}

// CountCopied is the query for how many spans of the traces of ParamRows the table has within [ParamLow, ParamHigh]: column found.
func CountCopied(l uctables.Location) string {
	return fmt.Sprintf(`SELECT count(DISTINCT trace_id, span_id) AS found
FROM %s
WHERE trace_id IN (SELECT from_json(line, 'STRUCT<trace_id: STRING>').trace_id FROM (%s))
  AND time BETWEEN timestamp_micros(:%s) AND timestamp_micros(:%s)`, l.Quoted(uctables.Spans.Suffix), paramLines, ParamLow, ParamHigh)
}

// copiedColumn is the expression for a column of a copied span; ok is false for a column that is not written. Package convert
// makes the same values.
func copiedColumn(c uctables.Column) (expr string, ok bool) {
	if expr, ok := copiedValues[c.Name]; ok {
		return expr, true
	}
	typ := uctables.MustType(c.Type)
	switch c.Name {
	case "events":
		return "transform(coalesce(events, array()), e -> " + structOf(typ.Elems[0], map[string]string{
			"time_unix_nano": "e.time_unix_nano", "name": "coalesce(e.name, '')",
			"attributes":               "to_variant_object(coalesce(e.attributes, " + emptyMap + "))",
			"dropped_attributes_count": "coalesce(e.dropped_attributes_count, 0)",
		}) + ")", true
	case "links":
		return "transform(coalesce(links, array()), l -> " + structOf(typ.Elems[0], map[string]string{
			"trace_id": "regexp_replace(l.trace_id, '^tr-', '')", "span_id": "l.span_id", "trace_state": "nullif(l.trace_state, '')",
			"attributes":               "CASE WHEN cardinality(l.attributes) > 0 THEN to_variant_object(l.attributes) END",
			"dropped_attributes_count": "coalesce(l.dropped_attributes_count, 0)", "flags": "coalesce(l.flags, 0)",
		}) + ")", true
	case "status":
		return structOf(typ, map[string]string{
			"message": "nullif(status.message, '')",
			"code": "CASE WHEN status.code IN ('STATUS_CODE_OK', 'OK') THEN 'STATUS_CODE_OK' " +
				"WHEN status.code IN ('STATUS_CODE_ERROR', 'ERROR') THEN 'STATUS_CODE_ERROR' END",
		}), true
	case "resource":
		return structOf(typ, map[string]string{
			"attributes": "to_variant_object(map_concat(map_filter(coalesce(resource.attributes, " + emptyMap +
				"), (k, v) -> k <> 'service.name'), map('service.name', service)))",
			"dropped_attributes_count": "0",
		}), true
	case "instrumentation_scope":
		return structOf(typ, map[string]string{
			"name": "coalesce(nullif(instrumentation_scope.name, ''), 'mlflow')", "dropped_attributes_count": "0",
		}), true
	}
	return "", false
}

// copiedValues are the expressions for columns that are no structs.
var copiedValues = map[string]string{
	"record_id":                recordID("lpad(lower(hex(start DIV 1000000)), 12, '0')", "key"),
	"time":                     "timestamp_micros(start DIV 1000)",
	"date":                     "date_from_unix_date(CAST(start DIV 86400000000000 AS INT))",
	"service_name":             "service",
	"trace_id":                 "incoming.trace_id",
	"span_id":                  "incoming.span_id",
	"trace_state":              "nullif(trace_state, '')",
	"parent_span_id":           "CASE WHEN NOT root THEN parent_span_id END",
	"flags":                    "coalesce(flags, 0)",
	"name":                     "coalesce(name, '')",
	"kind":                     "CASE WHEN coalesce(kind, '') IN ('', 'SPAN_KIND_UNSPECIFIED') THEN 'SPAN_KIND_INTERNAL' ELSE kind END",
	"start_time_unix_nano":     "start",
	"end_time_unix_nano":       "nullif(end_time_unix_nano, 0)",
	"attributes":               copiedAttributes,
	"dropped_attributes_count": "coalesce(dropped_attributes_count, 0)",
	"dropped_events_count":     "coalesce(dropped_events_count, 0)",
	"dropped_links_count":      "coalesce(dropped_links_count, 0)",
}

const emptyMap = "CAST(map() AS MAP<STRING, STRING>)"

// copiedAttributes are a span's attributes, and those that a root span gets from the trace's metadata unless it has them.
var copiedAttributes = `to_variant_object(map_concat(transform_values(coalesce(attributes, ` + emptyMap + `), (k, v) -> ` + betaValue + `),
    transform_values(map_filter(map('user.id', user_id, 'session.id', session_id),
      (k, v) -> root AND v <> '' AND NOT coalesce(map_contains_key(attributes, k), false)), (k, v) -> CAST(v AS VARIANT))))`

// structOf is a struct of a type with the values of some fields; the others are NULL.
func structOf(typ uctables.Type, values map[string]string) string {
	var fields []string
	for _, f := range typ.Fields {
		v, ok := values[f.Name]
		if !ok {
			v = "CAST(NULL AS " + f.Type.SQL() + ")"
		}
		fields = append(fields, "'"+inLiteral.Replace(f.Name)+"', "+v)
	}
	return "named_struct(" + strings.Join(fields, ", ") + ")"
}

// betaParsed is the array of the JSON value v and ParamEnd; of something else where v is no JSON value, or NULL.
const betaParsed = `try_parse_json(concat('[', v, ',"', :` + ParamEnd + `, '"]'))`

// betaValue is the VARIANT of the attribute's text v: what the text stands for if it is JSON, else the text.
const betaValue = `CASE WHEN v RLIKE r'^[ \t\r\n]*[-{\["tfn0-9]' THEN coalesce(
      transform(array(` + betaParsed + `), p -> CASE WHEN try_variant_get(p, '$[1]', 'string') = :` + ParamEnd + `
        THEN try_variant_get(p, '$[0]', 'variant') END)[0], CAST(v AS VARIANT)) ELSE CAST(v AS VARIANT) END`

const (
	// betaMost is how many bytes a span may have, so that no value can come near the limits of a VARIANT.
	betaMost = 2 << 20
	// betaKey is how many characters a key may have.
	betaKey = 8000
	// betaDepth is how deep a value may nest.
	betaDepth = 200
)

// betaHard says whether a span, whose text is line, may have to be converted by package convert. It may say so of spans for which
// that is not needed, but never the opposite.
func betaHard() string {
	conditions := []string{
		"line LIKE '%mlflow-attachment:%'",
		`coalesce(trace_id, '') NOT RLIKE '^[0-9a-f]{32}$' OR trace_id = repeat('0', 32)`,
		`coalesce(span_id, '') NOT RLIKE '^[0-9a-f]{16}$' OR span_id = repeat('0', 16)`,
		`(NOT ` + betaRoot + ` AND parent_span_id NOT RLIKE '^[0-9a-f]{16}$')`,
		betaStart + " < 0",
		`coalesce(kind, '') NOT IN ('', 'SPAN_KIND_UNSPECIFIED', 'SPAN_KIND_INTERNAL', 'SPAN_KIND_SERVER', 'SPAN_KIND_CLIENT', ` +
			`'SPAN_KIND_PRODUCER', 'SPAN_KIND_CONSUMER')`,
		`coalesce(status.code, '') NOT IN ('', 'STATUS_CODE_UNSET', 'UNSET', 'STATUS_CODE_OK', 'OK', 'STATUS_CODE_ERROR', 'ERROR')`,
		// The trace's service may be in the root span alone, which says it of all spans.
		"(" + betaRoot + " AND map_contains_key(attributes, 'service.name'))",
		`exists(coalesce(links, array()), l -> coalesce(l.trace_id, '') NOT RLIKE '^(tr-)?[0-9a-f]{32}$' OR l.trace_id RLIKE '0{32}$' ` +
			`OR coalesce(l.span_id, '') NOT RLIKE '^[0-9a-f]{16}$' OR l.span_id = repeat('0', 16) OR ` + hardMap("l.attributes", "false") + ")",
		`exists(coalesce(events, array()), e -> e.time_unix_nano IS NULL OR ` + hardMap("e.attributes", "false") + ")",
		hardMap("resource.attributes", "false"),
		hardMap("attributes", hardValue),
	}
	return fmt.Sprintf("coalesce(CASE WHEN octet_length(line) > %d THEN true ELSE\n    %s\n  END, true)", betaMost,
		strings.Join(conditions, "\n    OR "))
}

// hardMap says whether a map may be hard, where hard says so of one of its values, v.
func hardMap(m, hard string) string {
	return fmt.Sprintf("coalesce(exists(map_entries(%s), a -> a.value IS NULL OR length(a.key) > %d OR a.key LIKE concat('%%', chr(0), '%%') "+
		"OR %s), false)", m, betaKey, strings.ReplaceAll(hard, "{v}", "a.value"))
}

// hardNumber says whether a text holds a number that package convert may spell in another way: one of many digits, of a large
// exponent, or a negative zero.
const hardNumber = `RLIKE r'[0-9.]{16,}[eE]|[eE][-+]?[0-9]{3,}|[0-9.]{39,}|-0[.]?0*([,}\]\s]|$)'`

// hardValue says whether an attribute's text {v} is hard. Texts that are meant as JSON have to be JSON. Of these e is the text
// without escapes, and s without strings too.
var hardValue = fmt.Sprintf(`CASE
      WHEN {v} RLIKE r'^[ \t\r\n]*[{\["]' THEN
        NOT coalesce(exists(array(%s), p -> try_variant_get(p, '$[1]', 'string') = :%s), false)
        OR {v} LIKE r'%%\\u0000%%'
        OR ({v} RLIKE r'\\u[dD][89a-fA-F]'
          AND regexp_replace({v}, r'\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}', '') RLIKE r'\\u[dD][89a-fA-F]')
        OR exists(array(regexp_replace({v}, r'(?s)\\.', '__')), e ->
          (length(e) > %[3]d AND exists(filter(split(regexp_replace(e, r'"[^"]*"[ \t\r\n]*([,}\]]|$)', '$1'), '"'), (k, i) -> i %% 2 = 1),
            k -> length(k) > %[3]d))
          OR exists(array(regexp_replace(e, '"[^"]*"', '')), s -> s %[4]s
            OR (length(s) - length(translate(s, '[{', '')) > %[5]d AND aggregate(sequence(1, %[5]d), regexp_replace(s, r'[^\[\]{}]', ''),
              (a, i) -> regexp_replace(a, r'\[\]|\{\}', '')) <> '')))
      WHEN {v} RLIKE r'^[ \t\r\n]*(NaN|-?Infinity)' THEN true
      WHEN {v} RLIKE r'^[ \t\r\n]*-?[0-9]' THEN {v} %[4]s
      ELSE false END`,
	strings.Replace(betaParsed, "v,", "{v},", 1), ParamEnd, betaKey, hardNumber, betaDepth)
