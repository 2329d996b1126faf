MERGE INTO `main`.`my-agents`.`prod_otel_spans` AS present
USING (
  SELECT DISTINCT incoming.r.trace_id FROM (
  SELECT from_json(line,
    'STRUCT<trace_id: STRING>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT explode(split(:rows, '\n')) AS line)
) AS incoming
) AS gone
ON present.trace_id = gone.trace_id
  AND present.time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
  AND present.record_id = concat_ws('-', substr(lpad(lower(hex(greatest(present.start_time_unix_nano, 0L) DIV 1000000)), 12, '0'), 1, 8), substr(lpad(lower(hex(greatest(present.start_time_unix_nano, 0L) DIV 1000000)), 12, '0'), 9, 4),
    concat('7', substr(sha2(concat(CAST(present.trace_id AS BINARY), X'00', CAST(present.span_id AS BINARY)), 256), 2, 3)),
    concat(translate(substr(sha2(concat(CAST(present.trace_id AS BINARY), X'00', CAST(present.span_id AS BINARY)), 256), 5, 1), '0123456789abcdef', '89ab89ab89ab89ab'), substr(sha2(concat(CAST(present.trace_id AS BINARY), X'00', CAST(present.span_id AS BINARY)), 256), 6, 3)),
    substr(sha2(concat(CAST(present.trace_id AS BINARY), X'00', CAST(present.span_id AS BINARY)), 256), 9, 12))
WHEN MATCHED THEN DELETE
