CREATE TABLE IF NOT EXISTS `main`.`my-agents`.`prod_otel_annotations` (
  annotation_id STRING COMMENT 'The same in all versions of an annotation',
  target_type STRING COMMENT 'What is annotated; TRACE, also for assessments of one span',
  target_id STRING COMMENT 'trace_id of what is annotated',
  annotation_type STRING COMMENT 'METADATA, TAG, FEEDBACK, EXPECTATION or RUN_LINK',
  name STRING COMMENT 'Key of a tag, name of an assessment; else metadata or run_link',
  value VARIANT COMMENT 'Value of a tag or an assessment, ID of a linked run, or the metadata and previews of a trace',
  comment STRING COMMENT 'Rationale of an assessment',
  metadata VARIANT COMMENT 'Of an assessment who gave it, of which span, and its error; of METADATA where the trace came from',
  created_at TIMESTAMP COMMENT 'When the assessment was made; else when the trace was requested',
  created_by STRING COMMENT 'Who made the assessment',
  updated_at TIMESTAMP COMMENT 'When this version was made; the latest one counts',
  updated_by STRING COMMENT 'Who made this version',
  deleted_at TIMESTAMP COMMENT 'Set in the last version of an annotation that was deleted',
  deleted_by STRING COMMENT 'Who deleted it',
  _change_type STRING COMMENT 'Always insert, also for new versions and deletions'
)
USING DELTA
CLUSTER BY (created_at, target_id)
COMMENT 'What is known of traces beside spans: per annotation_id the row with the latest updated_at, unless it is deleted'
TBLPROPERTIES ('otel.schemaVersion' = 'v2', 'delta.checkpointPolicy' = 'classic')
