DELETE FROM `main`.`my-agents`.`prod_otel_annotations`
WHERE created_at BETWEEN timestamp_micros(3) AND timestamp_micros(5)
  AND (deleted_at IS NULL OR deleted_by = 'tracemig')
  AND concat_ws(' ', target_id, CAST(unix_micros(updated_at) AS STRING), annotation_id) IN (
    '0a 6 a',
    '0b 4 it\'s \u0024{x}\u003b \\ \u00e9 \U0001f600\u000a')
