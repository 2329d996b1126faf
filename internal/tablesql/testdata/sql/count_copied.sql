SELECT count(DISTINCT trace_id, span_id) AS found
FROM `main`.`my-agents`.`prod_otel_spans`
WHERE trace_id IN (SELECT from_json(line, 'STRUCT<trace_id: STRING>').trace_id FROM (SELECT explode(split(:rows, '\n')) AS line))
  AND time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
