CREATE VOLUME `main`.`my-agents`.`prod_staging`
