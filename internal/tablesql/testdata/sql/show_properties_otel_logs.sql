SHOW TBLPROPERTIES `main`.`my-agents`.`prod_otel_logs`
