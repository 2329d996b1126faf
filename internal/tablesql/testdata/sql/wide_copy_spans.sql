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
  concat_ws('-', substr(lpad(lower(hex(start DIV 1000000)), 12, '0'), 1, 8), substr(lpad(lower(hex(start DIV 1000000)), 12, '0'), 9, 4),
    concat('7', substr(key, 2, 3)),
    concat(translate(substr(key, 5, 1), '0123456789abcdef', '89ab89ab89ab89ab'), substr(key, 6, 3)),
    substr(key, 9, 12)),
  timestamp_micros(start DIV 1000),
  date_from_unix_date(CAST(start DIV 86400000000000 AS INT)),
  service,
  incoming.trace_id,
  incoming.span_id,
  nullif(trace_state, ''),
  CASE WHEN NOT root THEN parent_span_id END,
  coalesce(flags, 0),
  coalesce(name, ''),
  CASE WHEN coalesce(kind, '') IN ('', 'SPAN_KIND_UNSPECIFIED') THEN 'SPAN_KIND_INTERNAL' ELSE kind END,
  start,
  nullif(end_time_unix_nano, 0),
  to_variant_object(map_concat(transform_values(coalesce(attributes, CAST(map() AS MAP<STRING, STRING>)), (k, v) -> CASE WHEN v RLIKE r'^[ \t\r\n]*[-{\["tfn0-9]' THEN coalesce(
      transform(array(try_parse_json(concat('[', v, ',"', :end, '"]'))), p -> CASE WHEN try_variant_get(p, '$[1]', 'string') = :end
        THEN try_variant_get(p, '$[0]', 'variant') END)[0], CAST(v AS VARIANT)) ELSE CAST(v AS VARIANT) END),
    transform_values(map_filter(map('user.id', user_id, 'session.id', session_id),
      (k, v) -> root AND v <> '' AND NOT coalesce(map_contains_key(attributes, k), false)), (k, v) -> CAST(v AS VARIANT)))),
  coalesce(dropped_attributes_count, 0),
  transform(coalesce(events, array()), e -> named_struct('time_unix_nano', e.time_unix_nano, 'name', coalesce(e.name, ''), 'attributes', to_variant_object(coalesce(e.attributes, CAST(map() AS MAP<STRING, STRING>))), 'dropped_attributes_count', coalesce(e.dropped_attributes_count, 0), '1', CAST(NULL AS STRUCT<`a b`: TIMESTAMP>))),
  coalesce(dropped_events_count, 0),
  transform(coalesce(links, array()), l -> named_struct('trace_id', regexp_replace(l.trace_id, '^tr-', ''), 'span_id', l.span_id, 'trace_state', nullif(l.trace_state, ''), 'attributes', CASE WHEN cardinality(l.attributes) > 0 THEN to_variant_object(l.attributes) END, 'dropped_attributes_count', coalesce(l.dropped_attributes_count, 0), 'flags', coalesce(l.flags, 0))),
  coalesce(dropped_links_count, 0),
  named_struct('code', CASE WHEN status.code IN ('STATUS_CODE_OK', 'OK') THEN 'STATUS_CODE_OK' WHEN status.code IN ('STATUS_CODE_ERROR', 'ERROR') THEN 'STATUS_CODE_ERROR' END, 'it\'s `a` \u0024 \\ name', CAST(NULL AS MAP<STRING, ARRAY<DECIMAL(10,2)>>), 'message', nullif(status.message, '')),
  named_struct('attributes', to_variant_object(map_concat(map_filter(coalesce(resource.attributes, CAST(map() AS MAP<STRING, STRING>)), (k, v) -> k <> 'service.name'), map('service.name', service))), 'dropped_attributes_count', 0),
  named_struct('name', coalesce(nullif(instrumentation_scope.name, ''), 'mlflow'), 'version', CAST(NULL AS STRING), 'attributes', CAST(NULL AS VARIANT), 'dropped_attributes_count', 0)
FROM (
  SELECT s.*, r.user_id, r.session_id,
    coalesce(nullif(r.all_service, ''), nullif(s.resource.attributes['service.name'], ''), r.service, '') AS service
  FROM (
    SELECT *, concat(count(*) OVER (PARTITION BY trace_id), ':', bit_xor(xxhash64(to_json(struct(trace_id, span_id, trace_state, parent_span_id, flags, name, kind, start_time_unix_nano, end_time_unix_nano, attributes, dropped_attributes_count, events, dropped_events_count, links, dropped_links_count, status, resource, instrumentation_scope)))) OVER (PARTITION BY trace_id)) AS sum,
      (parent_span_id IS NULL OR translate(parent_span_id, '0', '') IN ('', 'AAAAAAAAAAA=')) AS root, coalesce(start_time_unix_nano, 0) AS start, sha2(concat(trace_id, chr(0), span_id), 256) AS key
    FROM `main`.`my-beta`.`mlflow_experiment_trace_otel_spans`
    WHERE trace_id IN (SELECT from_json(line, 'STRUCT<trace_id: STRING>').trace_id FROM (SELECT explode(split(:rows, '\n')) AS line))
      AND (start_time_unix_nano BETWEEN :lo * 1000 AND :hi * 1000 + 999 OR (start_time_unix_nano IS NULL AND :lo * 1000 <= 0))
  ) AS s
  JOIN (SELECT from_json(line, 'STRUCT<trace_id: STRING, sum: STRING, user_id: STRING, session_id: STRING, service: STRING, all_service: STRING>', map('mode', 'FAILFAST')) AS r FROM (SELECT explode(split(:rows, '\n')) AS line)) AS lines
  ON s.trace_id = r.trace_id AND s.sum = r.sum
) AS incoming
LEFT ANTI JOIN (
  SELECT trace_id, span_id FROM `main`.`my-agents`.`prod_otel_spans`
  WHERE time BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
) AS present
ON present.trace_id = incoming.trace_id AND present.span_id = incoming.span_id
