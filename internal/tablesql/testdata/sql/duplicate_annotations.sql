SELECT count(*) AS duplicates
FROM (
  SELECT annotation_id, updated_at FROM `main`.`my-agents`.`prod_otel_annotations`
  WHERE created_at BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
  GROUP BY 1, 2 HAVING count(*) > 1
)
