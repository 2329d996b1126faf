CREATE TABLE IF NOT EXISTS `ops`.`my-runs`.`tracemig-ledger` (
  run_id STRING,
  started TIMESTAMP,
  ended TIMESTAMP,
  version STRING,
  run_by STRING,
  source STRING,
  source_name STRING,
  target STRING,
  shard STRING,
  window_start TIMESTAMP,
  window_end TIMESTAMP,
  outcome STRING,
  exit_code INT,
  traces_listed BIGINT,
  traces_migrated BIGINT,
  traces_updated BIGINT,
  traces_already_there BIGINT,
  traces_deferred BIGINT,
  traces_skipped BIGINT,
  traces_failed BIGINT,
  traces_accepted BIGINT,
  spans_written BIGINT,
  annotations_written BIGINT,
  bytes BIGINT,
  summary STRING
)
USING DELTA
COMMENT 'One row for each run of tracemig'
