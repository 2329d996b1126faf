WITH found AS (
  SELECT * FROM (
    SELECT trace_id, coalesce(min(CASE WHEN root THEN start END), min(start)) AS request, count(*) AS spans,
      min(CASE WHEN root THEN struct(start, span_id, end_time_unix_nano, code) END) AS r
    FROM (
      SELECT trace_id, span_id, coalesce(start_time_unix_nano, 0) AS start, end_time_unix_nano, status.code AS code, (parent_span_id IS NULL OR translate(parent_span_id, '0', '') IN ('', 'AAAAAAAAAAA=')) AS root
      FROM `main`.`my-beta`.`mlflow_experiment_trace_otel_spans`
      WHERE trace_id IS NOT NULL AND trace_id IN (SELECT explode(split(:traces, '\n')))
    )
    GROUP BY trace_id
  )
)
SELECT found.trace_id, request DIV 1000000 AS request_ms, spans, r IS NOT NULL AS rooted, r.end_time_unix_nano - r.start AS nanos,
  r.code AS code, l.logs
FROM found
LEFT JOIN (
  SELECT trace_id, to_json(collect_list(struct(event_name, span_id, time_unix_nano, attributes, body))) AS logs
  FROM `main`.`my-beta`.`mlflow_experiment_trace_otel_logs`
  WHERE event_name IN ('genai.trace.metadata', 'genai.trace.tag', 'genai.assessments.snapshot', 'genai.run.link') AND trace_id IN (SELECT trace_id FROM found)
  GROUP BY trace_id
) AS l ON l.trace_id = found.trace_id
ORDER BY request_ms, found.trace_id
