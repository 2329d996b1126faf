-- Feedback by judge: how many, yes (true), no (false), mean of numbers, errors. Overridden ones are left out.
WITH feedback AS (
  SELECT name, {{text "metadata" "mlflow.source.source_id"}} AS judge,
    {{text "metadata" "mlflow.source.source_type"}} AS judge_type,
    lower({{text "value"}}) AS answer, {{number "value"}} AS number,
    {{text "metadata" "mlflow.error.error_code"}} AS error
  FROM {{newest "annotation_type = 'FEEDBACK'"}}
    AND coalesce({{text "metadata" "mlflow.valid"}}, 'true') <> 'false'
)
SELECT name, judge, judge_type, count(*) AS feedbacks,
  count(CASE WHEN answer IN ('true', 'yes') THEN 1 END) AS yes_count,
  count(CASE WHEN answer IN ('false', 'no') THEN 1 END) AS no_count,
  avg(CASE WHEN answer NOT IN ('true', 'false', 'nan') THEN number END) AS mean, count(error) AS errors
FROM feedback
GROUP BY name, judge, judge_type
ORDER BY name, judge
