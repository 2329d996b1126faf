INSERT INTO `main`.`my-agents`.`prod_otel_spans` (
  record_id,
  time,
  date,
  service_name,
  trace_id,
  span_id,
  trace_state,
  parent_span_id,
  flags,
  name,
  kind,
  start_time_unix_nano,
  end_time_unix_nano,
  attributes,
  dropped_attributes_count,
  events,
  dropped_events_count,
  links,
  dropped_links_count,
  status,
  resource,
  instrumentation_scope
)
SELECT
  r.record_id,
  timestamp_micros(r.time),
  date_from_unix_date(r.date),
  r.service_name,
  coalesce(r.trace_id, raise_error('a row has no trace_id')),
  r.span_id,
  r.trace_state,
  r.parent_span_id,
  r.flags,
  r.name,
  r.kind,
  r.start_time_unix_nano,
  r.end_time_unix_nano,
  r.attributes,
  r.dropped_attributes_count,
  r.events,
  r.dropped_events_count,
  r.links,
  r.dropped_links_count,
  r.status,
  r.resource,
  r.instrumentation_scope
FROM (
  SELECT from_json(line,
    'STRUCT<record_id: STRING, time: BIGINT, date: INT, service_name: STRING, trace_id: STRING, span_id: STRING, trace_state: STRING, parent_span_id: STRING, flags: INT, name: STRING, kind: STRING, start_time_unix_nano: BIGINT, end_time_unix_nano: BIGINT, attributes: VARIANT, dropped_attributes_count: INT, events: ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: VARIANT, dropped_attributes_count: INT>>, dropped_events_count: INT, links: ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: VARIANT, dropped_attributes_count: INT, flags: INT>>, dropped_links_count: INT, status: STRUCT<message: STRING, code: STRING>, resource: STRUCT<attributes: VARIANT, dropped_attributes_count: INT>, instrumentation_scope: STRUCT<name: STRING, version: STRING, attributes: VARIANT, dropped_attributes_count: INT>>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT explode(split(:rows, '\n')) AS line)
) AS incoming
LEFT ANTI JOIN (
  SELECT trace_id, span_id FROM `main`.`my-agents`.`prod_otel_spans`
  WHERE time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
) AS present
ON present.trace_id = incoming.r.trace_id AND present.span_id = incoming.r.span_id
