SELECT request DIV 3600000000000 AS hour, count(*) AS traces,
  to_json(collect_list(CASE WHEN last - first > 86400000000000 THEN named_struct('ms', request DIV 1000000, 'id', trace_id) END)) AS odd
FROM (
  SELECT trace_id, coalesce(min(CASE WHEN (parent_span_id IS NULL OR translate(parent_span_id, '0', '') IN ('', 'AAAAAAAAAAA=')) THEN start END), min(start)) AS request, min(start) AS first, max(start) AS last
  FROM (SELECT *, coalesce(start_time_unix_nano, 0) AS start FROM `main`.`my-beta`.`mlflow_experiment_trace_otel_spans` WHERE trace_id IS NOT NULL)
  GROUP BY trace_id
)
WHERE request >= :lo AND request < :hi
GROUP BY 1
ORDER BY 1
