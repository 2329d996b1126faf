SELECT m.source_trace_id, m.trace_id, m.request_micros, m.attachments,
  coalesce(s.own, 0) AS own, coalesce(s.others, 0) AS others, s.low AS span_low, s.high AS span_high, a.low AS annotation_low,
  a.high AS annotation_high
FROM (
  SELECT target_id AS trace_id,
    try_variant_get(metadata, '$["tracemig.source"]', 'STRING') AS source,
    try_variant_get(metadata, '$["tracemig.source_trace_id"]', 'STRING') AS source_trace_id,
    to_json(try_variant_get(metadata, '$["tracemig.attachments"]', 'VARIANT')) AS attachments,
    unix_micros(created_at) AS request_micros,
    row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
  FROM `main`.`my-agents`.`prod_otel_annotations`
  WHERE annotation_type = 'METADATA' AND try_variant_get(metadata, '$["tracemig.source"]', 'STRING') IS NOT NULL
) AS m
LEFT JOIN (
  SELECT trace_id, count_if(own) AS own, count_if(NOT own) AS others, unix_micros(min(time)) AS low, unix_micros(max(time)) AS high
  FROM (SELECT trace_id, time, coalesce(record_id = concat_ws('-', substr(lpad(lower(hex(greatest(start_time_unix_nano, 0L) DIV 1000000)), 12, '0'), 1, 8), substr(lpad(lower(hex(greatest(start_time_unix_nano, 0L) DIV 1000000)), 12, '0'), 9, 4),
    concat('7', substr(sha2(concat(CAST(trace_id AS BINARY), X'00', CAST(span_id AS BINARY)), 256), 2, 3)),
    concat(translate(substr(sha2(concat(CAST(trace_id AS BINARY), X'00', CAST(span_id AS BINARY)), 256), 5, 1), '0123456789abcdef', '89ab89ab89ab89ab'), substr(sha2(concat(CAST(trace_id AS BINARY), X'00', CAST(span_id AS BINARY)), 256), 6, 3)),
    substr(sha2(concat(CAST(trace_id AS BINARY), X'00', CAST(span_id AS BINARY)), 256), 9, 12)), false) AS own FROM `main`.`my-agents`.`prod_otel_spans`)
  GROUP BY trace_id
) AS s ON s.trace_id = m.trace_id
LEFT JOIN (
  SELECT substring_index(target_id, ':', 1) AS trace_id, unix_micros(min(created_at)) AS low, unix_micros(max(created_at)) AS high
  FROM `main`.`my-agents`.`prod_otel_annotations`
  GROUP BY 1
) AS a ON a.trace_id = m.trace_id
WHERE m.age = 1 AND m.source = :source AND m.request_micros <= :hi
  AND (m.request_micros > :lo OR (m.request_micros = :lo AND m.trace_id > :after))
  AND (m.source_trace_id IN (SELECT explode(split(:traces, '\n'))) OR m.trace_id IN (SELECT explode(split(:traces, '\n'))))
ORDER BY m.request_micros, m.trace_id
LIMIT 1000
