SELECT (
  SELECT count(*) FROM (
    SELECT trace_id, span_id FROM `main`.`my-agents`.`prod_otel_spans`
    WHERE time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
    GROUP BY trace_id, span_id HAVING count(*) > 1
  )
) AS spans, (
  SELECT count(*) FROM (
    SELECT annotation_id, updated_at FROM `main`.`my-agents`.`prod_otel_annotations`
    WHERE created_at BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
    GROUP BY annotation_id, updated_at HAVING count(*) > 1
  )
) AS annotations
