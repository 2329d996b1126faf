SELECT trace_id, count(*) AS rows, count(DISTINCT span_id) AS spans, count(DISTINCT record_id) AS record_ids,
  sha2(array_join(array_sort(collect_list(sha2(span_id, 256))), ''), 256) AS digest
FROM `main`.`my-agents`.`prod_otel_spans`
WHERE trace_id IN (SELECT explode(split(:traces, '\n')))
  AND time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
GROUP BY trace_id
