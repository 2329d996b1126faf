DESCRIBE TABLE EXTENDED `main`.`my-agents`.`prod_otel_metrics`
