"""Executes a statement of SQL in a server's database, and prints how many rows it changed.

  execute.py STORE_URI STATEMENT [NAME=VALUE]...

Each :NAME in the statement is a text.
"""

import sys

from sqlalchemy import create_engine, text

store, statement, *values = sys.argv[1:]
with create_engine(store).begin() as connection:
    print(connection.execute(text(statement), dict(v.split("=", 1) for v in values)).rowcount)
