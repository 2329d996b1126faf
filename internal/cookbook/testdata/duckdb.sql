-- For DuckDB 2. The files are those that the Delta logs named at 2026-01-31T12:00:00Z: print this anew after the next run.
SET VARIABLE spans = [
  '/lake/agent_otel_spans/part-0.parquet',
  '/lake/agent_otel_spans/part-1.parquet'
];
CREATE OR REPLACE TEMP VIEW spans AS
SELECT * REPLACE (
  variant_bytes_to_variant(attributes.metadata || attributes.value) AS attributes
)
FROM read_parquet(getvariable('spans'), union_by_name = true, filename = true);
-- Traces a day, and how many of them failed.
SELECT date AS day, count(DISTINCT trace_id) AS traces,
  count(DISTINCT CASE WHEN status.code = 'STATUS_CODE_ERROR' THEN trace_id END) AS errors
FROM spans
WHERE time >= current_timestamp - INTERVAL '365' DAY AND (parent_span_id IS NULL OR parent_span_id = '')
GROUP BY date
ORDER BY day;

-- For DuckDB 2. The files are those that the Delta logs named at 2026-01-31T12:00:00Z: print this anew after the next run.
SET VARIABLE spans = [
  '/lake/agent_otel_spans/part-0.parquet',
  '/lake/agent_otel_spans/part-1.parquet'
];
CREATE OR REPLACE TEMP VIEW spans AS
SELECT * REPLACE (
  variant_bytes_to_variant(attributes.metadata || attributes.value) AS attributes
)
FROM read_parquet(getvariable('spans'), union_by_name = true, filename = true);
-- Tokens, and cost in USD, by model. Spans that sum up those below them are left out.
WITH RECURSIVE calls AS (
  SELECT trace_id, span_id, parent_span_id,
    coalesce(TRY_CAST(attributes['mlflow.llm.model'] AS VARCHAR),
      TRY_CAST(attributes['gen_ai.response.model'] AS VARCHAR),
      TRY_CAST(attributes['gen_ai.request.model'] AS VARCHAR), 'unknown') AS model,
    coalesce(TRY_CAST(attributes['mlflow.chat.tokenUsage']['input_tokens'] AS BIGINT),
      TRY_CAST(attributes['gen_ai.usage.input_tokens'] AS BIGINT)) AS input_tokens,
    coalesce(TRY_CAST(attributes['mlflow.chat.tokenUsage']['output_tokens'] AS BIGINT),
      TRY_CAST(attributes['gen_ai.usage.output_tokens'] AS BIGINT)) AS output_tokens,
    TRY_CAST(attributes['mlflow.chat.tokenUsage']['total_tokens'] AS BIGINT) AS total_tokens,
    TRY_CAST(attributes['mlflow.llm.cost']['total_cost'] AS DOUBLE) AS cost
  FROM spans
  WHERE time >= current_timestamp - INTERVAL '365' DAY
),
used AS (
  SELECT * FROM calls WHERE coalesce(input_tokens, output_tokens, total_tokens, cost) IS NOT NULL
),
above AS (
  SELECT trace_id, parent_span_id AS span_id FROM used
  UNION
  SELECT c.trace_id, c.parent_span_id FROM above AS a JOIN calls AS c ON c.trace_id = a.trace_id AND c.span_id = a.span_id
)
SELECT model, count(*) AS calls, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
  sum(coalesce(total_tokens, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS total_tokens, sum(cost) AS cost
FROM used
WHERE NOT EXISTS (SELECT 1 FROM above WHERE above.trace_id = used.trace_id AND above.span_id = used.span_id)
GROUP BY model
ORDER BY total_tokens DESC;

-- For DuckDB 2. The files are those that the Delta logs named at 2026-01-31T12:00:00Z: print this anew after the next run.
SET VARIABLE spans = [
  '/lake/agent_otel_spans/part-0.parquet',
  '/lake/agent_otel_spans/part-1.parquet'
];
CREATE OR REPLACE TEMP VIEW spans AS
SELECT * REPLACE (
  variant_bytes_to_variant(attributes.metadata || attributes.value) AS attributes
)
FROM read_parquet(getvariable('spans'), union_by_name = true, filename = true);
-- Milliseconds that spans take, by name and type: median and 95th percentile, the slowest first.
SELECT name, TRY_CAST(attributes['mlflow.spanType'] AS VARCHAR) AS type, count(*) AS spans,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY (end_time_unix_nano - start_time_unix_nano) / 1e6) AS p50_ms,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY (end_time_unix_nano - start_time_unix_nano) / 1e6) AS p95_ms,
  count(CASE WHEN status.code = 'STATUS_CODE_ERROR' THEN 1 END) AS errors
FROM spans
WHERE time >= current_timestamp - INTERVAL '365' DAY AND end_time_unix_nano IS NOT NULL
GROUP BY 1, 2
ORDER BY p95_ms DESC;

-- For DuckDB 2. The files are those that the Delta logs named at 2026-01-31T12:00:00Z: print this anew after the next run.
SET VARIABLE annotations = [
  '/lake/agent_otel_annotations/part-0.parquet'
];
CREATE OR REPLACE TEMP VIEW annotations AS
SELECT * REPLACE (
  variant_bytes_to_variant(value.metadata || value.value) AS value,
  variant_bytes_to_variant(metadata.metadata || metadata.value) AS metadata
)
FROM read_parquet(getvariable('annotations'), union_by_name = true, filename = true);
-- Feedback by judge: how many, yes (true), no (false), mean of numbers, errors. Overridden ones are left out.
WITH feedback AS (
  SELECT name, TRY_CAST(metadata['mlflow.source.source_id'] AS VARCHAR) AS judge,
    TRY_CAST(metadata['mlflow.source.source_type'] AS VARCHAR) AS judge_type,
    lower(TRY_CAST(value AS VARCHAR)) AS answer, TRY_CAST(value AS DOUBLE) AS number,
    TRY_CAST(metadata['mlflow.error.error_code'] AS VARCHAR) AS error
  FROM (
    SELECT *, row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
    FROM annotations
    WHERE created_at >= current_timestamp - INTERVAL '365' DAY AND annotation_type = 'FEEDBACK'
  )
  WHERE age = 1 AND deleted_at IS NULL
    AND coalesce(TRY_CAST(metadata['mlflow.valid'] AS VARCHAR), 'true') <> 'false'
)
SELECT name, judge, judge_type, count(*) AS feedbacks,
  count(CASE WHEN answer IN ('true', 'yes') THEN 1 END) AS yes_count,
  count(CASE WHEN answer IN ('false', 'no') THEN 1 END) AS no_count,
  avg(CASE WHEN answer NOT IN ('true', 'false', 'nan') THEN number END) AS mean, count(error) AS errors
FROM feedback
GROUP BY name, judge, judge_type
ORDER BY name, judge;

-- For DuckDB 2. The files are those that the Delta logs named at 2026-01-31T12:00:00Z: print this anew after the next run.
SET VARIABLE spans = [
  '/lake/agent_otel_spans/part-0.parquet',
  '/lake/agent_otel_spans/part-1.parquet'
];
CREATE OR REPLACE TEMP VIEW spans AS
SELECT * REPLACE (
  variant_bytes_to_variant(attributes.metadata || attributes.value) AS attributes
)
FROM read_parquet(getvariable('spans'), union_by_name = true, filename = true);
SET VARIABLE annotations = [
  '/lake/agent_otel_annotations/part-0.parquet'
];
CREATE OR REPLACE TEMP VIEW annotations AS
SELECT * REPLACE (
  variant_bytes_to_variant(value.metadata || value.value) AS value,
  variant_bytes_to_variant(metadata.metadata || metadata.value) AS metadata
)
FROM read_parquet(getvariable('annotations'), union_by_name = true, filename = true);
-- Sessions: traces, errors, first and last moment, tokens; the latest first.
WITH traces AS (
  SELECT trace_id, max(TRY_CAST(attributes['session.id'] AS VARCHAR)) AS session, min(start_time_unix_nano) AS began,
    max(end_time_unix_nano) AS ended, max(CASE WHEN status.code = 'STATUS_CODE_ERROR' THEN 1 ELSE 0 END) AS failed
  FROM spans
  WHERE time >= current_timestamp - INTERVAL '365' DAY AND (parent_span_id IS NULL OR parent_span_id = '')
  GROUP BY trace_id
),
metadata AS (
  SELECT split_part(target_id, ':', 1) AS trace_id,
    TRY_CAST(value['trace_metadata']['mlflow.trace.session'] AS VARCHAR) AS session,
    TRY_CAST(value['trace_metadata']['mlflow.trace.tokenUsage'] AS VARCHAR) AS usage
  FROM (
    SELECT *, row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
    FROM annotations
    WHERE created_at >= current_timestamp - INTERVAL '365' DAY AND annotation_type = 'METADATA'
  )
  WHERE age = 1 AND deleted_at IS NULL
)
SELECT coalesce(t.session, m.session) AS session, count(*) AS traces, sum(t.failed) AS errors,
  make_timestamptz(min(t.began) // 1000) AS first_at, make_timestamptz(max(t.ended) // 1000) AS last_at,
  sum(TRY_CAST(TRY(json_extract_string(m.usage, '$.total_tokens')) AS BIGINT)) AS tokens
FROM traces AS t
LEFT JOIN metadata AS m ON m.trace_id = t.trace_id
WHERE coalesce(t.session, m.session) IS NOT NULL
GROUP BY 1
ORDER BY first_at DESC;

-- For DuckDB 2. The files are those that the Delta logs named at 2026-01-31T12:00:00Z: print this anew after the next run.
SET VARIABLE annotations = [
  '/lake/agent_otel_annotations/part-0.parquet'
];
CREATE OR REPLACE TEMP VIEW annotations AS
SELECT * REPLACE (
  variant_bytes_to_variant(value.metadata || value.value) AS value,
  variant_bytes_to_variant(metadata.metadata || metadata.value) AS metadata
)
FROM read_parquet(getvariable('annotations'), union_by_name = true, filename = true);
-- Annotations as they are now: of each its newest version, unless that is a deletion.
SELECT split_part(target_id, ':', 1) AS trace_id, annotation_type, name, value::JSON::VARCHAR AS value, comment,
  TRY_CAST(metadata['mlflow.source.source_id'] AS VARCHAR) AS source,
  TRY_CAST(metadata['mlflow.span_id'] AS VARCHAR) AS span_id, created_at, updated_at
FROM (
    SELECT *, row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
    FROM annotations
    WHERE created_at >= current_timestamp - INTERVAL '365' DAY
  )
  WHERE age = 1 AND deleted_at IS NULL
ORDER BY trace_id, annotation_type, name;

-- For DuckDB 2. The files are those that the Delta logs named at 2026-01-31T12:00:00Z: print this anew after the next run.
SET VARIABLE annotations = [
  '/lake/agent_otel_annotations/part-0.parquet'
];
CREATE OR REPLACE TEMP VIEW annotations AS
SELECT * REPLACE (
  variant_bytes_to_variant(value.metadata || value.value) AS value,
  variant_bytes_to_variant(metadata.metadata || metadata.value) AS metadata
)
FROM read_parquet(getvariable('annotations'), union_by_name = true, filename = true);
-- Which trace became which: its ID at the source, and its ID here.
SELECT TRY_CAST(metadata['tracemig.source_trace_id'] AS VARCHAR) AS old_trace_id,
  split_part(target_id, ':', 1) AS new_trace_id,
  TRY_CAST(metadata['tracemig.source_experiment_id'] AS VARCHAR) AS source_experiment_id,
  created_at AS request_time
FROM (
    SELECT *, row_number() OVER (PARTITION BY annotation_id ORDER BY updated_at DESC, deleted_at DESC NULLS LAST) AS age
    FROM annotations
    WHERE created_at >= current_timestamp - INTERVAL '365' DAY AND annotation_type = 'METADATA'
  )
  WHERE age = 1 AND deleted_at IS NULL
  AND TRY_CAST(metadata['tracemig.source_trace_id'] AS VARCHAR) IS NOT NULL
ORDER BY request_time, old_trace_id;

-- For DuckDB 2. The files are those that the Delta logs named at 2026-01-31T12:00:00Z: print this anew after the next run.
SET VARIABLE spans = [
  '/lake/agent_otel_spans/part-0.parquet',
  '/lake/agent_otel_spans/part-1.parquet'
];
CREATE OR REPLACE TEMP VIEW spans AS
SELECT * REPLACE (
  variant_bytes_to_variant(attributes.metadata || attributes.value) AS attributes
)
FROM read_parquet(getvariable('spans'), union_by_name = true, filename = true);
SET VARIABLE annotations = [
  '/lake/agent_otel_annotations/part-0.parquet'
];
CREATE OR REPLACE TEMP VIEW annotations AS
SELECT * REPLACE (
  variant_bytes_to_variant(value.metadata || value.value) AS value,
  variant_bytes_to_variant(metadata.metadata || metadata.value) AS metadata
)
FROM read_parquet(getvariable('annotations'), union_by_name = true, filename = true);
-- Storage by day: rows, and bytes of the files, compressed as they are; a file's bytes are shared out among its rows.
WITH parts AS (
  SELECT 'spans' AS stored, date AS day, file, max(bytes) AS bytes, count(*) AS n
  FROM (
    SELECT t.*, t.filename AS file, f.size AS bytes
    FROM spans AS t JOIN read_blob(getvariable('spans')) AS f ON f.filename = t.filename
  )
  GROUP BY date, file
  UNION ALL
  SELECT 'annotations' AS stored, (created_at AT TIME ZONE 'UTC')::DATE AS day, file, max(bytes) AS bytes, count(*) AS n
  FROM (
    SELECT t.*, t.filename AS file, f.size AS bytes
    FROM annotations AS t JOIN read_blob(getvariable('annotations')) AS f ON f.filename = t.filename
  )
  GROUP BY (created_at AT TIME ZONE 'UTC')::DATE, file
),
shares AS (
  SELECT stored, day, n, 1e0 * bytes * n / sum(n) OVER (PARTITION BY file) AS bytes FROM parts
)
SELECT day, sum(CASE WHEN stored = 'spans' THEN n ELSE 0 END) AS spans,
  sum(CASE WHEN stored = 'annotations' THEN n ELSE 0 END) AS annotations, CAST(round(sum(bytes)) AS BIGINT) AS bytes
FROM shares
WHERE day >= current_date - INTERVAL '365' DAY
GROUP BY day
ORDER BY day;

