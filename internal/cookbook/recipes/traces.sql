-- Traces a day, and how many of them failed.
SELECT date AS day, count(DISTINCT trace_id) AS traces,
  count(DISTINCT CASE WHEN status.code = 'STATUS_CODE_ERROR' THEN trace_id END) AS errors
FROM {{spans}}
WHERE {{since "time"}} AND {{root}}
GROUP BY date
ORDER BY day
