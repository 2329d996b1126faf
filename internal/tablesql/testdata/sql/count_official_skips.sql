SELECT coalesce(skip_reason, 'unknown') AS reason, count(DISTINCT trace_id) AS traces
FROM `main`.`my-agents`.`_migration_skipped`
WHERE source_experiment_id = :experiment AND lower(target_uc_location) = lower(:location)
GROUP BY 1
