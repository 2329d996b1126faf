SELECT to_json(struct(annotation_id, target_type, target_id, annotation_type, name, value, comment, metadata, unix_micros(created_at) AS created_at, created_by, unix_micros(updated_at) AS updated_at, updated_by, unix_micros(deleted_at) AS deleted_at, deleted_by)) AS line
FROM (
  SELECT annotation_id, target_type, target_id, annotation_type, name, value, comment, metadata, created_at, created_by, updated_at, updated_by, deleted_at, deleted_by,
    row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age,
    count(*) OVER (PARTITION BY annotation_id, updated_at) AS copies
  FROM `main`.`my-agents`.`prod_otel_annotations`
  WHERE substring_index(target_id, ':', 1) IN (SELECT explode(split(:traces, '\n')))
  AND created_at BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
)
WHERE age = 1
