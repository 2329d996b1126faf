"""Has MLflow move the spans of all traces that ended more than a day ago to an archive, as its server does by itself.

  archive.py DB LOCATION

Prints how many traces were moved.
"""

import os
import sys

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

store = SqlAlchemyStore(f"sqlite:///{sys.argv[1]}", os.path.dirname(sys.argv[1]))
print(store.archive_traces(resolved_trace_archival_location=sys.argv[2], broader_retention="1d"))
