INSERT INTO `main`.`my-agents`.`prod_otel_annotations` (
  annotation_id,
  target_type,
  target_id,
  annotation_type,
  name,
  value,
  comment,
  metadata,
  created_at,
  created_by,
  updated_at,
  updated_by,
  deleted_at,
  deleted_by
)
SELECT
  coalesce(r.annotation_id, raise_error('a row has no annotation_id')),
  r.target_type,
  r.target_id,
  r.annotation_type,
  r.name,
  r.value,
  r.comment,
  r.metadata,
  timestamp_micros(r.created_at),
  r.created_by,
  timestamp_micros(r.updated_at),
  r.updated_by,
  timestamp_micros(r.deleted_at),
  r.deleted_by
FROM (
  SELECT from_json(line,
    'STRUCT<annotation_id: STRING, target_type: STRING, target_id: STRING, annotation_type: STRING, name: STRING, value: VARIANT, comment: STRING, metadata: VARIANT, created_at: BIGINT, created_by: STRING, updated_at: BIGINT, updated_by: STRING, deleted_at: BIGINT, deleted_by: STRING>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT explode(split(:rows, '\n')) AS line)
) AS incoming
LEFT ANTI JOIN (
  SELECT annotation_id, updated_at FROM `main`.`my-agents`.`prod_otel_annotations`
  WHERE created_at BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
) AS present
ON present.annotation_id = incoming.r.annotation_id AND present.updated_at = timestamp_micros(incoming.r.updated_at)
