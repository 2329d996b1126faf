SELECT count(*) AS found
FROM (
  SELECT from_json(line,
    'STRUCT<annotation_id: STRING, updated_at: BIGINT>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT explode(split(:rows, '\n')) AS line)
) AS incoming
LEFT SEMI JOIN (
  SELECT annotation_id, updated_at FROM `main`.`my-agents`.`prod_otel_annotations`
  WHERE created_at BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
) AS present
ON present.annotation_id = incoming.r.annotation_id AND present.updated_at = timestamp_micros(incoming.r.updated_at)
