SELECT count_if(kind = 'span') AS spans, count_if(kind = 'annotation') AS annotations
FROM (
  SELECT kind FROM (
    SELECT 'span' AS kind, trace_id AS id, span_id AS part FROM `main`.`my-agents`.`prod_otel_spans`
    WHERE time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
    UNION ALL
    SELECT 'annotation' AS kind, annotation_id AS id, CAST(updated_at AS STRING) AS part FROM `main`.`my-agents`.`prod_otel_annotations`
    WHERE created_at BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
  )
  GROUP BY kind, id, part HAVING count(*) > 1
)
