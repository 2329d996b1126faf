"""Replaces the value of a trace's feedback in a server's database.

  set_feedback.py STORE_URI TRACE_ID VALUE
"""

import sys

from sqlalchemy import create_engine, text

store, trace_id, value = sys.argv[1:]
with create_engine(store).begin() as connection:
    update = text("UPDATE assessments SET value = :value WHERE trace_id = :trace_id")
    changed = connection.execute(update, {"value": value, "trace_id": trace_id}).rowcount
if changed == 0:
    sys.exit(f"{trace_id} has no feedback")
