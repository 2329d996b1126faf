DESCRIBE TABLE `main`.`my-agents`.`prod_otel_logs`
