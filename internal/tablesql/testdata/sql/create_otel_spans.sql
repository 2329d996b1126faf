CREATE TABLE IF NOT EXISTS `main`.`my-agents`.`prod_otel_spans` (
  record_id STRING COMMENT 'Unique ID of the row, in the order of time',
  time TIMESTAMP COMMENT 'When the span began, in microseconds',
  date DATE COMMENT 'UTC day on which the span began',
  service_name STRING COMMENT 'Service that wrote the span; empty where none is known',
  trace_id STRING COMMENT '32 hex digits, the same in all spans of a trace',
  span_id STRING COMMENT '16 hex digits; with trace_id the key of the table',
  trace_state STRING COMMENT 'W3C trace state',
  parent_span_id STRING COMMENT 'Span above this one; NULL for the root, whose row stands for the trace',
  flags INT COMMENT 'Flags of W3C trace context',
  name STRING COMMENT 'Name of the operation',
  kind STRING COMMENT 'SPAN_KIND_INTERNAL unless the source knows another kind; MLflow keeps the type of a span in its attributes',
  start_time_unix_nano BIGINT COMMENT 'Start in nanoseconds since 1970',
  end_time_unix_nano BIGINT COMMENT 'End in nanoseconds since 1970; NULL for a span that did not end',
  attributes VARIANT COMMENT 'Attributes by key, such as mlflow.spanInputs, mlflow.spanOutputs and mlflow.spanType',
  dropped_attributes_count INT COMMENT 'How many attributes the writer dropped',
  events ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: VARIANT, dropped_attributes_count: INT>> COMMENT 'What happened during the span, such as exceptions',
  dropped_events_count INT COMMENT 'How many events the writer dropped',
  links ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: VARIANT, dropped_attributes_count: INT, flags: INT>> COMMENT 'Spans that this one refers to, of any trace',
  dropped_links_count INT COMMENT 'How many links the writer dropped',
  status STRUCT<message: STRING, code: STRING> COMMENT 'code is STATUS_CODE_OK, STATUS_CODE_ERROR or NULL; message says more',
  resource STRUCT<attributes: VARIANT, dropped_attributes_count: INT> COMMENT 'What wrote the span; its attribute service.name is service_name',
  resource_schema_url STRING COMMENT 'Schema of resource',
  instrumentation_scope STRUCT<name: STRING, version: STRING, attributes: VARIANT, dropped_attributes_count: INT> COMMENT 'Library that wrote the span',
  span_schema_url STRING COMMENT 'Schema of the span'
)
USING DELTA
CLUSTER BY (time, service_name, trace_id)
COMMENT 'Spans of traces in the form of OpenTelemetry: one row a span'
TBLPROPERTIES ('otel.schemaVersion' = 'v2', 'delta.checkpointPolicy' = 'classic')
