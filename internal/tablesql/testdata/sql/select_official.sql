SELECT target_id
FROM (
  SELECT target_id,
    try_variant_get(value, '$.trace_metadata["mlflow.migration.sourceExperimentId"]', 'STRING') AS experiment,
    try_variant_get(metadata, '$["tracemig.source"]', 'STRING') AS source,
    deleted_at,
    row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
  FROM `main`.`my-agents`.`prod_otel_annotations`
  WHERE annotation_type = 'METADATA'
)
WHERE age = 1 AND deleted_at IS NULL AND source IS NULL AND experiment = :experiment AND target_id > :after
ORDER BY target_id
LIMIT 1000
