INSERT INTO `ops`.`my-runs`.`tracemig-ledger` (
  run_id,
  started,
  ended,
  version,
  run_by,
  source,
  source_name,
  target,
  shard,
  window_start,
  window_end,
  outcome,
  exit_code,
  traces_listed,
  traces_migrated,
  traces_updated,
  traces_already_there,
  traces_deferred,
  traces_skipped,
  traces_failed,
  traces_accepted,
  spans_written,
  annotations_written,
  bytes,
  summary
)
SELECT
  coalesce(r.run_id, raise_error('a row has no run_id')),
  timestamp_micros(r.started),
  timestamp_micros(r.ended),
  r.version,
  r.run_by,
  r.source,
  r.source_name,
  r.target,
  r.shard,
  timestamp_micros(r.window_start),
  timestamp_micros(r.window_end),
  r.outcome,
  r.exit_code,
  r.traces_listed,
  r.traces_migrated,
  r.traces_updated,
  r.traces_already_there,
  r.traces_deferred,
  r.traces_skipped,
  r.traces_failed,
  r.traces_accepted,
  r.spans_written,
  r.annotations_written,
  r.bytes,
  r.summary
FROM (
  SELECT from_json(line,
    'STRUCT<run_id: STRING, started: BIGINT, ended: BIGINT, version: STRING, run_by: STRING, source: STRING, source_name: STRING, target: STRING, shard: STRING, window_start: BIGINT, window_end: BIGINT, outcome: STRING, exit_code: INT, traces_listed: BIGINT, traces_migrated: BIGINT, traces_updated: BIGINT, traces_already_there: BIGINT, traces_deferred: BIGINT, traces_skipped: BIGINT, traces_failed: BIGINT, traces_accepted: BIGINT, spans_written: BIGINT, annotations_written: BIGINT, bytes: BIGINT, summary: STRING>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT explode(split(:rows, '\n')) AS line)
) AS incoming
LEFT ANTI JOIN (
  SELECT run_id FROM `ops`.`my-runs`.`tracemig-ledger`
  WHERE started BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
) AS present
ON present.run_id = incoming.r.run_id
