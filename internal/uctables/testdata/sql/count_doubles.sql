SELECT count_if(of = 'span') AS spans, count_if(of = 'annotation') AS annotations
FROM (
  SELECT of FROM (
    SELECT 'span' AS of, trace_id AS first, span_id AS second FROM `main`.`my-agents`.`prod_otel_spans`
    WHERE time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
    UNION ALL
    SELECT 'annotation' AS of, annotation_id AS first, CAST(updated_at AS STRING) AS second FROM `main`.`my-agents`.`prod_otel_annotations`
    WHERE created_at BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
  )
  GROUP BY of, first, second HAVING count(*) > 1
)
