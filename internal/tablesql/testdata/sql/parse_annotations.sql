SELECT count(to_json(r)) AS parsed
FROM (
  SELECT from_json(line,
    'STRUCT<annotation_id: STRING, target_type: STRING, target_id: STRING, annotation_type: STRING, name: STRING, value: VARIANT, comment: STRING, metadata: VARIANT, created_at: BIGINT, created_by: STRING, updated_at: BIGINT, updated_by: STRING, deleted_at: BIGINT, deleted_by: STRING>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT explode(split(:rows, '\n')) AS line)
)
