package tablesql

import (
	"fmt"
	"strings"

	"github.com/tracemig/tracemig/internal/uctables"
)

// The suffixes of the views beside the tables.
const (
	MetadataView = "_trace_metadata"
	UnifiedView  = "_trace_unified"
)

// Attributes of the root span that hold a trace's request and response: MLflow's own, OpenInference's, Traceloop's, those of the
// OTEL GenAI conventions and of Google's ADK. The first one that is present counts.
var (
	requestAttributes = []string{
		"mlflow.spanInputs", "input.value", "traceloop.entity.input", "gen_ai.input.messages",
		"gcp.vertex.agent.llm_request", "gcp.vertex.agent.tool_call_args", "gen_ai.tool.call.arguments",
	}
	responseAttributes = []string{
		"mlflow.spanOutputs", "output.value", "traceloop.entity.output", "gen_ai.output.messages",
		"gcp.vertex.agent.llm_response", "gcp.vertex.agent.tool_response", "gen_ai.tool.call.result",
	}
)

// MadeProperty is a property of the views that Views makes. The views of the service do not have it.
const MadeProperty = "tracemig.made"

// View is a view of a location.
type View struct {
	Suffix string // the view's name after the prefix
	Create string // statement that makes it where it is missing
	Drop   string // statement that drops it
}

// Views are the two views, in the order in which they can be made, with the columns of the service's own views. They use only SQL
// that both Databricks and open-source Spark understand: no col:path, and no column of type VARIANT.
func Views(l uctables.Location) []View {
	return []View{view(l, MetadataView, metadataView(l)), view(l, UnifiedView, unifiedView(l))}
}

func view(l uctables.Location, suffix, query string) View {
	name := l.Quoted(suffix)
	create := fmt.Sprintf("CREATE VIEW IF NOT EXISTS %s\nTBLPROPERTIES ('%s' = 'true') AS\n%s", name, MadeProperty, query)
	return View{suffix, create, "DROP VIEW " + name}
}

// ShowViewProperties is the statement that lists the properties of a view.
func ShowViewProperties(l uctables.Location, v View) string {
	return "SHOW TBLPROPERTIES " + l.Quoted(v.Suffix)
}

// metadataView is the query of a view with one row for each trace that has annotations.
func metadataView(l uctables.Location) string {
	return fmt.Sprintf(`WITH latest AS (
  SELECT `+annotatedTrace+` AS trace_id, annotation_id, annotation_type, name, value, comment, metadata, created_at, updated_at
  FROM (
    SELECT annotation_id, target_id, annotation_type, name, value, comment, metadata, created_at, updated_at, deleted_at,
      `+NewestFirst+`
    FROM %s
  )
  WHERE age = 1 AND deleted_at IS NULL
),
info AS (
  SELECT trace_id,
    max_by(try_variant_get(value, '$.client_request_id', 'STRING'), updated_at) AS client_request_id,
    max_by(try_variant_get(value, '$.trace_metadata', 'MAP<STRING, STRING>'), updated_at) AS trace_metadata
  FROM latest WHERE annotation_type = 'METADATA' GROUP BY trace_id
),
tags AS (
  SELECT trace_id, map_from_entries(collect_list(struct(name, value))) AS tags
  FROM (
    SELECT trace_id, name, max_by(try_variant_get(value, '$', 'STRING'), updated_at) AS value
    FROM latest WHERE annotation_type = 'TAG' AND name IS NOT NULL GROUP BY trace_id, name
  )
  GROUP BY trace_id
),
%s
SELECT t.trace_id, i.client_request_id, g.tags, i.trace_metadata,
  a.assessments
FROM (SELECT DISTINCT trace_id FROM latest) AS t
LEFT JOIN info AS i ON i.trace_id = t.trace_id
LEFT JOIN tags AS g ON g.trace_id = t.trace_id
LEFT JOIN assessments AS a ON a.trace_id = t.trace_id`,
		l.Quoted(uctables.Annotations.Suffix), assessments())
}

// assessments is the part of metadataView that makes the assessments of a trace from its FEEDBACK and EXPECTATION rows, among
// them those fields that the rows keep in column metadata.
func assessments() string {
	meta := func(key string) string { return fmt.Sprintf(`try_variant_get(metadata, '$["%s"]', 'STRING')`, key) }
	var keys []string
	for _, k := range uctables.AssessmentKeys {
		keys = append(keys, "'"+k+"'")
	}
	format := meta(uctables.AssessmentSerializationFormat)
	code, message, stack := meta(uctables.AssessmentErrorCode), meta(uctables.AssessmentErrorMessage), meta(uctables.AssessmentErrorStackTrace)
	return fmt.Sprintf(`assessments AS (
  SELECT trace_id, array_sort(collect_list(struct(
    annotation_id AS assessment_id,
    trace_id,
    name AS assessment_name,
    struct(%s AS source_id, %s AS source_type) AS source,
    created_at AS create_time,
    updated_at AS last_update_time,
    CASE WHEN annotation_type = 'EXPECTATION' THEN struct(
      CASE WHEN %s IS NULL THEN to_json(value) END AS value,
      CASE WHEN %s IS NOT NULL THEN struct(%s AS serialization_format,
        CASE WHEN %s = '%s' THEN to_json(value) ELSE try_variant_get(value, '$', 'STRING') END AS value) END AS serialized_value,
      CAST(NULL AS STRING) AS stack_trace) END AS expectation,
    CASE WHEN annotation_type = 'FEEDBACK' THEN struct(
      to_json(value) AS value,
      CASE WHEN coalesce(%s, %s, %s) IS NOT NULL THEN struct(
        %s AS error_code, %s AS error_message, %s AS stack_trace) END AS error) END AS feedback,
    comment AS rationale,
    map_filter(try_variant_get(metadata, '$', 'MAP<STRING, STRING>'), (k, v) -> NOT startswith(k, '%s') AND k NOT IN (
      %s)) AS metadata,
    %s AS span_id,
    %s AS overrides,
    try_variant_get(metadata, '$["%s"]', 'BOOLEAN') AS valid
  )), %s) AS assessments
  FROM latest WHERE annotation_type IN ('FEEDBACK', 'EXPECTATION') GROUP BY trace_id
)`,
		meta(uctables.AssessmentSourceID), meta(uctables.AssessmentSourceType),
		format, format, format, format, uctables.JSONFormat,
		code, message, stack, code, message, stack,
		uctables.OwnPrefix, strings.Join(keys, ",\n      "), meta(uctables.AssessmentSpanID), meta(uctables.AssessmentOverrides),
		uctables.AssessmentValid, orderBy("create_time", "assessment_id"))
}

// orderBy is a comparator for array_sort that compares structs by some fields. Structs that hold maps have no order of their own.
func orderBy(fields ...string) string {
	var b strings.Builder
	b.WriteString("(a, b) -> CASE")
	for _, f := range fields {
		fmt.Fprintf(&b, " WHEN a.%s < b.%s THEN -1 WHEN a.%s > b.%s THEN 1", f, f, f, f)
	}
	return b.String() + " ELSE 0 END"
}

// unifiedView is the query of a view with one row for each root span: a trace is seen once its root span is committed.
func unifiedView(l uctables.Location) string {
	first := func(names []string) string {
		var gets []string
		for _, n := range names {
			gets = append(gets, fmt.Sprintf(`try_variant_get(root.attributes, '$["%s"]', 'STRING')`, n))
		}
		return "coalesce(\n    " + strings.Join(gets, ",\n    ") + ")"
	}
	return fmt.Sprintf(`WITH spans AS (
  SELECT trace_id, array_sort(collect_list(struct(
    start_time_unix_nano, span_id, parent_span_id, trace_id, trace_state, flags, name, kind, end_time_unix_nano,
    try_variant_get(attributes, '$', 'MAP<STRING, STRING>') AS attributes,
    dropped_attributes_count,
    transform(events, e -> struct(e.time_unix_nano, e.name,
      try_variant_get(e.attributes, '$', 'MAP<STRING, STRING>') AS attributes, e.dropped_attributes_count)) AS events,
    dropped_events_count,
    transform(links, k -> struct(k.trace_id, k.span_id, k.trace_state,
      try_variant_get(k.attributes, '$', 'MAP<STRING, STRING>') AS attributes, k.dropped_attributes_count, k.flags)) AS links,
    dropped_links_count, status
  )), %s) AS spans
  FROM %s GROUP BY trace_id
)
SELECT root.trace_id, m.client_request_id,
  timestamp_millis(root.start_time_unix_nano DIV 1000000) AS request_time,
  CASE
    WHEN root.status.code IS NULL OR root.status.code = 'STATUS_CODE_OK' THEN 'OK'
    WHEN root.status.code = 'STATUS_CODE_ERROR' THEN 'ERROR'
    ELSE root.status.code END AS state,
  CAST((root.end_time_unix_nano - root.start_time_unix_nano) * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(30, 9)) AS execution_duration_ms,
  %s AS request,
  %s AS response,
  m.trace_metadata, m.tags, s.spans, m.assessments
FROM %s AS root
LEFT JOIN spans AS s ON s.trace_id = root.trace_id
LEFT JOIN %s AS m ON m.trace_id = root.trace_id
WHERE root.parent_span_id IS NULL OR root.parent_span_id = ''`,
		orderBy("start_time_unix_nano", "span_id"), l.Quoted(uctables.Spans.Suffix),
		first(requestAttributes), first(responseAttributes),
		l.Quoted(uctables.Spans.Suffix), l.Quoted(MetadataView))
}
