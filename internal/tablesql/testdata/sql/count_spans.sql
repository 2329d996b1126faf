SELECT count(*) AS found
FROM (
  SELECT from_json(line,
    'STRUCT<trace_id: STRING, span_id: STRING>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT explode(split(:rows, '\n')) AS line)
) AS incoming
LEFT SEMI JOIN (
  SELECT trace_id, span_id FROM `main`.`my-agents`.`prod_otel_spans`
  WHERE time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
) AS present
ON present.trace_id = incoming.r.trace_id AND present.span_id = incoming.r.span_id
