-- Annotations as they are now: of each its newest version, unless that is a deletion.
SELECT split_part(target_id, ':', 1) AS trace_id, annotation_type, name, {{json "value"}} AS value, comment,
  {{text "metadata" "mlflow.source.source_id"}} AS source,
  {{text "metadata" "mlflow.span_id"}} AS span_id, created_at, updated_at
FROM {{newest}}
ORDER BY trace_id, annotation_type, name
