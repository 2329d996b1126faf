MERGE INTO `main`.`my-agents`.`prod_otel_annotations` AS present
USING (
  SELECT DISTINCT incoming.r.annotation_id, incoming.r.target_id, incoming.r.updated_at FROM (
  SELECT from_json(line,
    'STRUCT<annotation_id: STRING, target_id: STRING, updated_at: BIGINT>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT line FROM parquet.`/Volumes/main/my-agents/prod_staging/tracemig/0123456789abcdef-0011223344556677`)
) AS incoming
) AS gone
ON present.annotation_id = gone.annotation_id AND present.target_id = gone.target_id
  AND present.updated_at = timestamp_micros(gone.updated_at)
  AND present.created_at BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
  AND (present.deleted_at IS NULL OR present.deleted_by = 'tracemig')
WHEN MATCHED THEN DELETE
