DESCRIBE DETAIL `main`.`my-agents`.`prod_otel_metrics`
