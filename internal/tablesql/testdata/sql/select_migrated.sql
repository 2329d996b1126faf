SELECT m.source_trace_id, m.trace_id, m.digest, m.spans, m.spans_missing, m.request_micros, m.attachments
FROM (
  SELECT target_id AS trace_id,
    try_variant_get(metadata, '$["tracemig.source"]', 'STRING') AS source,
    try_variant_get(metadata, '$["tracemig.source_trace_id"]', 'STRING') AS source_trace_id,
    try_variant_get(metadata, '$["tracemig.digest"]', 'STRING') AS digest,
    try_variant_get(metadata, '$["tracemig.spans"]', 'BIGINT') AS spans,
    try_variant_get(metadata, '$["tracemig.spans_missing"]', 'STRING') AS spans_missing,
    to_json(try_variant_get(metadata, '$["tracemig.attachments"]', 'VARIANT')) AS attachments,
    deleted_at,
    unix_micros(created_at) AS request_micros,
    row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
  FROM `main`.`my-agents`.`prod_otel_annotations`
  WHERE annotation_type = 'METADATA'
) AS m
LEFT JOIN (
  SELECT trace_id, count(DISTINCT span_id) AS spans FROM `main`.`my-agents`.`prod_otel_spans` GROUP BY trace_id
) AS s ON s.trace_id = m.trace_id
WHERE m.age = 1 AND m.deleted_at IS NULL AND m.source = :source AND coalesce(s.spans, 0) >= m.spans
  AND (m.request_micros > :lo OR (m.request_micros = :lo AND m.trace_id > :after))
ORDER BY m.request_micros, m.trace_id
LIMIT 1000
