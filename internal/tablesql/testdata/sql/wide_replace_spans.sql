MERGE INTO `main`.`my-agents`.`prod_otel_spans` AS present
USING (
  SELECT r, explode(array(false, true)) AS adds
  FROM (
    SELECT incoming.r,
      row_number() OVER (PARTITION BY incoming.r.trace_id, incoming.r.span_id ORDER BY present.time) AS nth,
      count(present.span_id) OVER (PARTITION BY incoming.r.trace_id, incoming.r.span_id) AS copies,
      to_json(incoming.r) = to_json(struct(present.record_id, unix_micros(present.time) AS time, unix_date(present.date) AS date, present.service_name, present.trace_id, present.span_id, present.trace_state, present.parent_span_id, present.flags, present.name, present.kind, present.start_time_unix_nano, present.end_time_unix_nano, present.attributes, present.dropped_attributes_count, present.events, present.dropped_events_count, present.links, present.dropped_links_count, present.status, present.resource, present.instrumentation_scope)) AS same
    FROM (
  SELECT from_json(line,
    'STRUCT<record_id: STRING, time: BIGINT, date: INT, service_name: STRING, trace_id: STRING, span_id: STRING, trace_state: STRING, parent_span_id: STRING, flags: INT, name: STRING, kind: STRING, start_time_unix_nano: BIGINT, end_time_unix_nano: BIGINT, attributes: VARIANT, dropped_attributes_count: INT, events: ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: VARIANT, dropped_attributes_count: INT, `1`: STRUCT<`a b`: TIMESTAMP>>>, dropped_events_count: INT, links: ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: VARIANT, dropped_attributes_count: INT, flags: INT>>, dropped_links_count: INT, status: STRUCT<code: STRING, `it\'s ``a`` \u0024 \\ name`: MAP<STRING, ARRAY<DECIMAL(10,2)>>, message: STRING>, resource: STRUCT<attributes: VARIANT, dropped_attributes_count: INT>, instrumentation_scope: STRUCT<name: STRING, version: STRING, attributes: VARIANT, dropped_attributes_count: INT>>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT explode(split(:rows, '\n')) AS line)
) AS incoming
    LEFT JOIN `main`.`my-agents`.`prod_otel_spans` AS present
    ON present.trace_id = incoming.r.trace_id AND present.span_id = incoming.r.span_id AND present.time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
  )
  WHERE nth = 1 AND NOT (copies = 1 AND same)
) AS incoming
ON NOT incoming.adds AND present.trace_id = incoming.r.trace_id AND present.span_id = incoming.r.span_id AND present.time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED AND incoming.adds THEN INSERT (
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
VALUES (
  incoming.r.record_id,
  timestamp_micros(incoming.r.time),
  date_from_unix_date(incoming.r.date),
  incoming.r.service_name,
  coalesce(incoming.r.trace_id, raise_error('a row has no trace_id')),
  incoming.r.span_id,
  incoming.r.trace_state,
  incoming.r.parent_span_id,
  incoming.r.flags,
  incoming.r.name,
  incoming.r.kind,
  incoming.r.start_time_unix_nano,
  incoming.r.end_time_unix_nano,
  incoming.r.attributes,
  incoming.r.dropped_attributes_count,
  incoming.r.events,
  incoming.r.dropped_events_count,
  incoming.r.links,
  incoming.r.dropped_links_count,
  incoming.r.status,
  incoming.r.resource,
  incoming.r.instrumentation_scope
)
