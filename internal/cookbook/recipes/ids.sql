-- Which trace became which: its ID at the source, and its ID here.
SELECT {{text "metadata" "tracemig.source_trace_id"}} AS old_trace_id,
  {{newID "split_part(target_id, ':', 1)"}} AS new_trace_id,
  {{text "metadata" "tracemig.source_experiment_id"}} AS source_experiment_id,
  created_at AS request_time
FROM {{newest "annotation_type = 'METADATA'"}}
  AND {{text "metadata" "tracemig.source_trace_id"}} IS NOT NULL
ORDER BY request_time, old_trace_id
