SELECT count(*) AS found
FROM (
  SELECT from_json(line,
    'STRUCT<run_id: STRING>',
    map('mode', 'FAILFAST', 'maxStringLen', '2000000000', 'maxNestingDepth', '1010')) AS r
  FROM (SELECT explode(split(:rows, '\n')) AS line)
) AS incoming
LEFT SEMI JOIN (
  SELECT run_id FROM `ops`.`my-runs`.`tracemig-ledger`
  WHERE started BETWEEN timestamp_micros(:lo) AND timestamp_micros(:hi)
) AS present
ON present.run_id = incoming.r.run_id
