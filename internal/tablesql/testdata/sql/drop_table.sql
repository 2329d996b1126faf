DROP TABLE IF EXISTS `main`.`my-agents`.`prod_rehearsal_01ab_otel_spans`
