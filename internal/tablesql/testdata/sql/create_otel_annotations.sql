CREATE TABLE IF NOT EXISTS `main`.`my-agents`.`prod_otel_annotations` (
  annotation_id STRING,
  target_type STRING,
  target_id STRING,
  annotation_type STRING,
  name STRING,
  value VARIANT,
  comment STRING,
  metadata VARIANT,
  created_at TIMESTAMP,
  created_by STRING,
  updated_at TIMESTAMP,
  updated_by STRING,
  deleted_at TIMESTAMP,
  deleted_by STRING,
  _change_type STRING
)
USING DELTA
CLUSTER BY (created_at, target_id)
TBLPROPERTIES ('otel.schemaVersion' = 'v2', 'delta.checkpointPolicy' = 'classic')
