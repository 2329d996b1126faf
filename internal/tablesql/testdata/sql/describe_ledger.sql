DESCRIBE TABLE EXTENDED `ops`.`my-runs`.`tracemig-ledger`
