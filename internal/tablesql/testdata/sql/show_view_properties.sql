SHOW TBLPROPERTIES `main`.`my-agents`.`prod_trace_metadata`
