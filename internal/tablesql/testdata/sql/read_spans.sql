SELECT to_json(struct(record_id, unix_micros(time) AS time, unix_date(date) AS date, service_name, trace_id, span_id, trace_state, parent_span_id, flags, name, kind, start_time_unix_nano, end_time_unix_nano, attributes, dropped_attributes_count, events, dropped_events_count, links, dropped_links_count, status, resource, instrumentation_scope)) AS line
FROM `main`.`my-agents`.`prod_otel_spans`
WHERE trace_id IN (SELECT explode(split(:traces, '\n')))
  AND time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
