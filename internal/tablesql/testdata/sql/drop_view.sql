DROP VIEW `main`.`my-agents`.`prod_trace_metadata`
