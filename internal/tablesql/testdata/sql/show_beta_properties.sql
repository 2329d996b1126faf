SHOW TBLPROPERTIES `main`.`my-agents`.`mlflow_experiment_trace_otel_spans`
