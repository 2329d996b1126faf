SELECT count(*) AS duplicates
FROM (
  SELECT trace_id, span_id FROM `main`.`my-agents`.`prod_otel_spans`
  WHERE time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
  GROUP BY 1, 2 HAVING count(*) > 1
)
