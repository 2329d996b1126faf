"""Replaces the value of a trace's feedback in a server's SQLite file.

  set_feedback.py DB TRACE_ID VALUE
"""

import sqlite3
import sys

db, trace_id, value = sys.argv[1:]
with sqlite3.connect(db, timeout=60) as connection:
    changed = connection.execute("UPDATE assessments SET value = ? WHERE trace_id = ?", (value, trace_id)).rowcount
if changed == 0:
    sys.exit(f"{trace_id} has no feedback")
