SELECT trace_id, count(*) AS rows, count(DISTINCT span_id) AS spans, count(DISTINCT record_id) AS record_ids,
  sha2(array_join(array_sort(collect_list(sha2(to_json(struct('' AS record_id, unix_micros(time) AS time, unix_date(date) AS date, service_name, trace_id, span_id, trace_state, parent_span_id, flags, name, kind, start_time_unix_nano, end_time_unix_nano, attributes, dropped_attributes_count, transform(events, e0 -> CASE WHEN e0 IS NOT NULL THEN struct(e0.time_unix_nano AS time_unix_nano, e0.name AS name, e0.attributes AS attributes, e0.dropped_attributes_count AS dropped_attributes_count) END) AS events, dropped_events_count, links, dropped_links_count, CASE WHEN status IS NOT NULL THEN struct(status.message AS message, status.code AS code) END AS status, resource, instrumentation_scope)), 256))), ''), 256) AS digest
FROM `main`.`my-agents`.`prod_otel_spans`
WHERE trace_id IN (SELECT explode(split(:traces, '\n')))
  AND time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
GROUP BY trace_id
