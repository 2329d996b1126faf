SELECT to_json(struct(annotation_id, target_type, target_id, annotation_type, name, CASE WHEN annotation_type IN ('METADATA', 'RUN_LINK') THEN value END AS value, CAST(NULL AS STRING) AS comment, CASE WHEN annotation_type = 'METADATA' THEN metadata END AS metadata, unix_micros(created_at) AS created_at, created_by, unix_micros(updated_at) AS updated_at, updated_by, unix_micros(deleted_at) AS deleted_at, deleted_by)) AS line
FROM `main`.`my-agents`.`prod_otel_annotations`
WHERE substring_index(target_id, ':', 1) IN (SELECT explode(split(:traces, '\n')))
  AND created_at BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
