CREATE VIEW IF NOT EXISTS `main`.`my-agents`.`prod_trace_metadata`
TBLPROPERTIES ('tracemig.made' = 'true') AS
WITH latest AS (
  SELECT substring_index(target_id, ':', 1) AS trace_id, annotation_id, annotation_type, name, value, comment, metadata, created_at, updated_at
  FROM (
    SELECT annotation_id, target_id, annotation_type, name, value, comment, metadata, created_at, updated_at, deleted_at,
      row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
    FROM `main`.`my-agents`.`prod_otel_annotations`
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
assessments AS (
  SELECT trace_id, array_sort(collect_list(struct(
    annotation_id AS assessment_id,
    trace_id,
    name AS assessment_name,
    struct(try_variant_get(metadata, '$["mlflow.source.source_id"]', 'STRING') AS source_id, try_variant_get(metadata, '$["mlflow.source.source_type"]', 'STRING') AS source_type) AS source,
    created_at AS create_time,
    updated_at AS last_update_time,
    CASE WHEN annotation_type = 'EXPECTATION' THEN struct(
      CASE WHEN try_variant_get(metadata, '$["mlflow.expectation.serialization_format"]', 'STRING') IS NULL THEN to_json(value) END AS value,
      CASE WHEN try_variant_get(metadata, '$["mlflow.expectation.serialization_format"]', 'STRING') IS NOT NULL THEN struct(try_variant_get(metadata, '$["mlflow.expectation.serialization_format"]', 'STRING') AS serialization_format,
        CASE WHEN try_variant_get(metadata, '$["mlflow.expectation.serialization_format"]', 'STRING') = 'JSON_FORMAT' THEN to_json(value) ELSE try_variant_get(value, '$', 'STRING') END AS value) END AS serialized_value,
      CAST(NULL AS STRING) AS stack_trace) END AS expectation,
    CASE WHEN annotation_type = 'FEEDBACK' THEN struct(
      to_json(value) AS value,
      CASE WHEN coalesce(try_variant_get(metadata, '$["mlflow.error.error_code"]', 'STRING'), try_variant_get(metadata, '$["mlflow.error.error_message"]', 'STRING'), try_variant_get(metadata, '$["mlflow.error.stack_trace"]', 'STRING')) IS NOT NULL THEN struct(
        try_variant_get(metadata, '$["mlflow.error.error_code"]', 'STRING') AS error_code, try_variant_get(metadata, '$["mlflow.error.error_message"]', 'STRING') AS error_message, try_variant_get(metadata, '$["mlflow.error.stack_trace"]', 'STRING') AS stack_trace) END AS error) END AS feedback,
    comment AS rationale,
    map_filter(try_variant_get(metadata, '$', 'MAP<STRING, STRING>'), (k, v) -> NOT startswith(k, 'tracemig.') AND k NOT IN (
      'mlflow.source.source_type',
      'mlflow.source.source_id',
      'mlflow.span_id',
      'mlflow.error.error_code',
      'mlflow.error.error_message',
      'mlflow.error.stack_trace',
      'mlflow.overrides',
      'mlflow.valid',
      'mlflow.expectation.serialization_format')) AS metadata,
    try_variant_get(metadata, '$["mlflow.span_id"]', 'STRING') AS span_id,
    try_variant_get(metadata, '$["mlflow.overrides"]', 'STRING') AS overrides,
    try_variant_get(metadata, '$["mlflow.valid"]', 'BOOLEAN') AS valid
  )), (a, b) -> CASE WHEN a.create_time < b.create_time THEN -1 WHEN a.create_time > b.create_time THEN 1 WHEN a.assessment_id < b.assessment_id THEN -1 WHEN a.assessment_id > b.assessment_id THEN 1 ELSE 0 END) AS assessments
  FROM latest WHERE annotation_type IN ('FEEDBACK', 'EXPECTATION') GROUP BY trace_id
)
SELECT t.trace_id, i.client_request_id, g.tags, i.trace_metadata,
  a.assessments
FROM (SELECT DISTINCT trace_id FROM latest) AS t
LEFT JOIN info AS i ON i.trace_id = t.trace_id
LEFT JOIN tags AS g ON g.trace_id = t.trace_id
LEFT JOIN assessments AS a ON a.trace_id = t.trace_id
