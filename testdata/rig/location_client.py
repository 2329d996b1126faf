"""Reads a trace location of Unity Catalog with MLflow's own client. Writes what it reads in the form in which corpus.py
writes an experiment, so that the two can be compared.

  location_client.py --location CATALOG.SCHEMA.PREFIX --dump FILE [--set-tag ID KEY VALUE]… [--delete-tag ID KEY]…

ID is the 32 hex digits of a trace. If there are tags to set or to delete, it does that first, and then dumps only these
traces.
DATABRICKS_HOST and DATABRICKS_TOKEN name the workspace, MLFLOW_TRACING_SQL_WAREHOUSE_ID the warehouse.
"""

import argparse
import json
import os

os.environ["MLFLOW_GET_TRACE_OTEL_RETRY_TIMEOUT_SECONDS"] = "0"  # A trace that is not there now will not come later.

import mlflow
from corpus import span_record, trace_record

PAGE = 100
BATCH = 10  # the most that the service takes


def listed(client, location):
    """Returns the infos of all traces, page by page. A trace that is listed twice comes twice."""
    infos, token = [], None
    while True:
        page = client.search_traces(
            locations=[location], max_results=PAGE, page_token=token, order_by=["timestamp_ms ASC"], include_spans=False
        )
        infos.extend(trace.info for trace in page)
        token = page.token
        if not token:
            return infos


def loaded(client, location, ids):
    """Returns by ID whole traces, or the errors of the client. A trace that it cannot read must not hide the others of
    its batch."""
    batches = client._tracing_client
    found = {}
    for i in range(0, len(ids), BATCH):
        batch = ids[i : i + BATCH]
        try:
            found.update((trace.info.trace_id, trace) for trace in batches.batch_get_traces(batch, location))
        except Exception:
            for trace_id in batch:
                try:
                    found[trace_id] = client.get_trace(trace_id)
                except Exception as e:
                    found[trace_id] = e
    return found


def dump(client, location, infos, path):
    traces = loaded(client, location, list(dict.fromkeys(info.trace_id for info in infos)))
    with open(path, "w") as out:
        for info in infos:
            record = trace_record(info)
            trace = traces.get(info.trace_id)
            if trace is None:
                record["error"] = "listed, but not found"
            elif isinstance(trace, Exception):
                record["error"] = f"{type(trace).__name__}: {trace}"[:300]
            else:
                record["spans"] = [span_record(span) for span in trace.data.spans]
                if trace_record(trace.info) != trace_record(info):
                    record["error"] = "the trace is another than the listed one"
            out.write(json.dumps(record) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--location", required=True)
    parser.add_argument("--dump", required=True)
    parser.add_argument("--set-tag", nargs=3, action="append", default=[], metavar=("ID", "KEY", "VALUE"))
    parser.add_argument("--delete-tag", nargs=2, action="append", default=[], metavar=("ID", "KEY"))
    args = parser.parse_args()
    mlflow.set_tracking_uri("databricks")
    client = mlflow.MlflowClient()
    whole = lambda hexed: f"trace:/{args.location}/{hexed}"
    for trace_id, key, value in args.set_tag:
        client.set_trace_tag(whole(trace_id), key, value)
    for trace_id, key in args.delete_tag:
        client.delete_trace_tag(whole(trace_id), key)
    edited = sorted({edit[0] for edit in args.set_tag + args.delete_tag})
    infos = [client._tracing_client.get_trace_info(whole(i)) for i in edited] if edited else listed(client, args.location)
    dump(client, args.location, infos, args.dump)


if __name__ == "__main__":
    main()
