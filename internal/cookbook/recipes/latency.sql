-- Milliseconds that spans take, by name and type: median and 95th percentile, the slowest first.
SELECT name, {{text "attributes" "mlflow.spanType"}} AS type, count(*) AS spans,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY (end_time_unix_nano - start_time_unix_nano) / 1e6) AS p50_ms,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY (end_time_unix_nano - start_time_unix_nano) / 1e6) AS p95_ms,
  count(CASE WHEN status.code = 'STATUS_CODE_ERROR' THEN 1 END) AS errors
FROM {{spans}}
WHERE {{since "time"}} AND end_time_unix_nano IS NOT NULL
GROUP BY 1, 2
ORDER BY p95_ms DESC
