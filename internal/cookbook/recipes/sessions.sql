-- Sessions: traces, errors, first and last moment, tokens; the latest first.
WITH traces AS (
  SELECT trace_id, max({{text "attributes" "session.id"}}) AS session, min(start_time_unix_nano) AS began,
    max(end_time_unix_nano) AS ended, max(CASE WHEN status.code = 'STATUS_CODE_ERROR' THEN 1 ELSE 0 END) AS failed
  FROM {{spans}}
  WHERE {{since "time"}} AND {{root}}
  GROUP BY trace_id
),
metadata AS (
  SELECT split_part(target_id, ':', 1) AS trace_id,
    {{text "value" "trace_metadata" "mlflow.trace.session"}} AS session,
    {{text "value" "trace_metadata" "mlflow.trace.tokenUsage"}} AS usage
  FROM {{newest "annotation_type = 'METADATA'"}}
)
SELECT coalesce(t.session, m.session) AS session, count(*) AS traces, sum(t.failed) AS errors,
  {{fromNanos "min(t.began)"}} AS first_at, {{fromNanos "max(t.ended)"}} AS last_at,
  sum({{integerIn "m.usage" "total_tokens"}}) AS tokens
FROM traces AS t
LEFT JOIN metadata AS m ON m.trace_id = t.trace_id
WHERE coalesce(t.session, m.session) IS NOT NULL
GROUP BY 1
ORDER BY first_at DESC
