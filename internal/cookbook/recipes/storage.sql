-- Storage by day: rows, and bytes of the files, compressed as they are; a file's bytes are shared out among its rows.
WITH parts AS (
  SELECT 'spans' AS stored, date AS day, file, max(bytes) AS bytes, count(*) AS n
  FROM {{files "spans"}}
  GROUP BY date, file
  UNION ALL
  SELECT 'annotations' AS stored, {{day "created_at"}} AS day, file, max(bytes) AS bytes, count(*) AS n
  FROM {{files "annotations"}}
  GROUP BY {{day "created_at"}}, file
),
shares AS (
  SELECT stored, day, n, 1e0 * bytes * n / sum(n) OVER (PARTITION BY file) AS bytes FROM parts
)
SELECT day, sum(CASE WHEN stored = 'spans' THEN n ELSE 0 END) AS spans,
  sum(CASE WHEN stored = 'annotations' THEN n ELSE 0 END) AS annotations, CAST(round(sum(bytes)) AS BIGINT) AS bytes
FROM shares
WHERE {{sinceDay "day"}}
GROUP BY day
ORDER BY day
