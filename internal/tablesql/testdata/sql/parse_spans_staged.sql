SELECT count(to_json(r)) AS parsed
FROM (
  SELECT from_json(line,
    'STRUCT<record_id: STRING, time: BIGINT, date: INT, service_name: STRING, trace_id: STRING, span_id: STRING, trace_state: STRING, parent_span_id: STRING, flags: INT, name: STRING, kind: STRING, start_time_unix_nano: BIGINT, end_time_unix_nano: BIGINT, attributes: VARIANT, dropped_attributes_count: INT, events: ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: VARIANT, dropped_attributes_count: INT>>, dropped_events_count: INT, links: ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: VARIANT, dropped_attributes_count: INT, flags: INT>>, dropped_links_count: INT, status: STRUCT<message: STRING, code: STRING>, resource: STRUCT<attributes: VARIANT, dropped_attributes_count: INT>, instrumentation_scope: STRUCT<name: STRING, version: STRING, attributes: VARIANT, dropped_attributes_count: INT>>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT line FROM parquet.`/Volumes/main/my-agents/prod_staging/tracemig/0123456789abcdef-0011223344556677`)
)
