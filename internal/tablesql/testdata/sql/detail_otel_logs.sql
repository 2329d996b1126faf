DESCRIBE DETAIL `main`.`my-agents`.`prod_otel_logs`
