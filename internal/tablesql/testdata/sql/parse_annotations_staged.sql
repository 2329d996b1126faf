SELECT count(to_json(r)) AS parsed
FROM (
  SELECT from_json(line,
    'STRUCT<annotation_id: STRING, target_type: STRING, target_id: STRING, annotation_type: STRING, name: STRING, value: VARIANT, comment: STRING, metadata: VARIANT, created_at: BIGINT, created_by: STRING, updated_at: BIGINT, updated_by: STRING, deleted_at: BIGINT, deleted_by: STRING>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT line FROM parquet.`/Volumes/main/my-agents/prod_staging/tracemig/0123456789abcdef-0011223344556677`)
)
