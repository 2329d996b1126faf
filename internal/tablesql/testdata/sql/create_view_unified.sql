CREATE VIEW IF NOT EXISTS `main`.`my-agents`.`prod_trace_unified`
TBLPROPERTIES ('tracemig.made' = 'true') AS
WITH spans AS (
  SELECT trace_id, array_sort(collect_list(struct(
    start_time_unix_nano, span_id, parent_span_id, trace_id, trace_state, flags, name, kind, end_time_unix_nano,
    try_variant_get(attributes, '$', 'MAP<STRING, STRING>') AS attributes,
    dropped_attributes_count,
    transform(events, e -> struct(e.time_unix_nano, e.name,
      try_variant_get(e.attributes, '$', 'MAP<STRING, STRING>') AS attributes, e.dropped_attributes_count)) AS events,
    dropped_events_count,
    transform(links, k -> struct(k.trace_id, k.span_id, k.trace_state,
      try_variant_get(k.attributes, '$', 'MAP<STRING, STRING>') AS attributes, k.dropped_attributes_count, k.flags)) AS links,
    dropped_links_count, status
  )), (a, b) -> CASE WHEN a.start_time_unix_nano < b.start_time_unix_nano THEN -1 WHEN a.start_time_unix_nano > b.start_time_unix_nano THEN 1 WHEN a.span_id < b.span_id THEN -1 WHEN a.span_id > b.span_id THEN 1 ELSE 0 END) AS spans
  FROM `main`.`my-agents`.`prod_otel_spans` GROUP BY trace_id
)
SELECT root.trace_id, m.client_request_id,
  timestamp_millis(root.start_time_unix_nano DIV 1000000) AS request_time,
  CASE
    WHEN root.status.code IS NULL OR root.status.code = 'STATUS_CODE_OK' THEN 'OK'
    WHEN root.status.code = 'STATUS_CODE_ERROR' THEN 'ERROR'
    ELSE root.status.code END AS state,
  CAST((root.end_time_unix_nano - root.start_time_unix_nano) * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(30, 9)) AS execution_duration_ms,
  coalesce(
    try_variant_get(root.attributes, '$["mlflow.spanInputs"]', 'STRING'),
    try_variant_get(root.attributes, '$["input.value"]', 'STRING'),
    try_variant_get(root.attributes, '$["traceloop.entity.input"]', 'STRING'),
    try_variant_get(root.attributes, '$["gen_ai.input.messages"]', 'STRING'),
    try_variant_get(root.attributes, '$["gcp.vertex.agent.llm_request"]', 'STRING'),
    try_variant_get(root.attributes, '$["gcp.vertex.agent.tool_call_args"]', 'STRING'),
    try_variant_get(root.attributes, '$["gen_ai.tool.call.arguments"]', 'STRING')) AS request,
  coalesce(
    try_variant_get(root.attributes, '$["mlflow.spanOutputs"]', 'STRING'),
    try_variant_get(root.attributes, '$["output.value"]', 'STRING'),
    try_variant_get(root.attributes, '$["traceloop.entity.output"]', 'STRING'),
    try_variant_get(root.attributes, '$["gen_ai.output.messages"]', 'STRING'),
    try_variant_get(root.attributes, '$["gcp.vertex.agent.llm_response"]', 'STRING'),
    try_variant_get(root.attributes, '$["gcp.vertex.agent.tool_response"]', 'STRING'),
    try_variant_get(root.attributes, '$["gen_ai.tool.call.result"]', 'STRING')) AS response,
  m.trace_metadata, m.tags, s.spans, m.assessments
FROM `main`.`my-agents`.`prod_otel_spans` AS root
LEFT JOIN spans AS s ON s.trace_id = root.trace_id
LEFT JOIN `main`.`my-agents`.`prod_trace_metadata` AS m ON m.trace_id = root.trace_id
WHERE root.parent_span_id IS NULL OR root.parent_span_id = ''
