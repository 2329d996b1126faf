SELECT substring_index(target_id, ':', 1) AS trace_id, annotation_id, annotation_type, name, unix_micros(updated_at) AS updated_at,
  deleted_at IS NOT NULL AS deleted, copies,
  sha2(to_json(struct(annotation_id, target_type, target_id, annotation_type, name, value, comment, CASE WHEN annotation_type <> 'METADATA' THEN metadata END AS metadata, unix_micros(created_at) AS created_at, created_by, 0 AS updated_at, NULL AS updated_by, NULL AS deleted_at, NULL AS deleted_by)), 256) AS digest
FROM (
  SELECT annotation_id, target_type, target_id, annotation_type, name, value, comment, metadata, created_at, created_by, updated_at, updated_by, deleted_at, deleted_by,
    row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age,
    count(*) OVER (PARTITION BY annotation_id, updated_at) AS copies
  FROM `main`.`my-agents`.`prod_otel_annotations`
  WHERE substring_index(target_id, ':', 1) IN (SELECT explode(split(:traces, '\n')))
  AND created_at BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
)
WHERE age = 1
