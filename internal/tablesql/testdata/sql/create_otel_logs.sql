CREATE TABLE IF NOT EXISTS `main`.`my-agents`.`prod_otel_logs` (
  record_id STRING,
  time TIMESTAMP,
  date DATE,
  service_name STRING,
  event_name STRING,
  trace_id STRING,
  span_id STRING,
  time_unix_nano BIGINT,
  observed_time_unix_nano BIGINT,
  severity_number STRING,
  severity_text STRING,
  body VARIANT,
  attributes VARIANT,
  dropped_attributes_count INT,
  flags INT,
  resource STRUCT<attributes: VARIANT, dropped_attributes_count: INT>,
  resource_schema_url STRING,
  instrumentation_scope STRUCT<name: STRING, version: STRING, attributes: VARIANT, dropped_attributes_count: INT>,
  log_schema_url STRING
)
USING DELTA
CLUSTER BY (time, service_name)
COMMENT 'Logs in the form of OpenTelemetry; tracemig writes none'
TBLPROPERTIES ('otel.schemaVersion' = 'v2', 'delta.checkpointPolicy' = 'classic')
