-- Tokens, and cost in USD, by model. Spans that sum up those below them are left out.
WITH {{recursive}}calls AS (
  SELECT trace_id, span_id, parent_span_id,
    coalesce({{text "attributes" "mlflow.llm.model"}},
      {{text "attributes" "gen_ai.response.model"}},
      {{text "attributes" "gen_ai.request.model"}}, 'unknown') AS model,
    coalesce({{integer "attributes" "mlflow.chat.tokenUsage" "input_tokens"}},
      {{integer "attributes" "gen_ai.usage.input_tokens"}}) AS input_tokens,
    coalesce({{integer "attributes" "mlflow.chat.tokenUsage" "output_tokens"}},
      {{integer "attributes" "gen_ai.usage.output_tokens"}}) AS output_tokens,
    {{integer "attributes" "mlflow.chat.tokenUsage" "total_tokens"}} AS total_tokens,
    {{number "attributes" "mlflow.llm.cost" "total_cost"}} AS cost
  FROM {{spans}}
  WHERE {{since "time"}}
),
used AS (
  SELECT * FROM calls WHERE coalesce(input_tokens, output_tokens, total_tokens, cost) IS NOT NULL
),
{{above}}
SELECT model, count(*) AS calls, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
  sum(coalesce(total_tokens, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS total_tokens, sum(cost) AS cost
FROM used
WHERE NOT EXISTS (SELECT 1 FROM above WHERE above.trace_id = used.trace_id AND above.span_id = used.span_id)
GROUP BY model
ORDER BY total_tokens DESC
