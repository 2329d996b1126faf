SELECT trace_id, span_id, span
FROM (
  SELECT trace_id, coalesce(span_id, '') AS span_id, coalesce(start_time_unix_nano, 0) AS start, end_time_unix_nano AS ended,
    to_json(struct(trace_id, span_id, nullif(trace_state, '') AS trace_state, parent_span_id, flags, name, nullif(kind, '') AS kind,
      coalesce(start_time_unix_nano, 0) AS start_time_unix_nano, end_time_unix_nano, attributes, dropped_attributes_count, events, dropped_events_count,
      links, dropped_links_count, struct(status.message, nullif(status.code, '') AS code) AS status,
      struct(resource.attributes) AS resource, struct(instrumentation_scope.name) AS instrumentation_scope)) AS span
  FROM `main`.`my-beta`.`mlflow_experiment_trace_otel_spans`
  WHERE trace_id IN (SELECT explode(split(:traces, '\n'))) AND (start_time_unix_nano BETWEEN :lo AND :hi OR (start_time_unix_nano IS NULL AND :lo <= 0))
)
ORDER BY trace_id, span_id, ended DESC NULLS LAST, start, span
