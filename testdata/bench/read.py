"""Reads the traces of an MLflow experiment with MLflow's SDK, and writes nothing. With --rows it makes the rows that peer.py
would write of them.

Prints {"traces", "spans", "seconds"} as JSON. The seconds begin after the imports.
"""

import argparse
import json
import time

import mlflow
from mlflow import MlflowClient

from peer import annotation_rows, pages, span_row


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tracking-uri", required=True)
    p.add_argument("--experiment", required=True, help="its ID")
    p.add_argument("--rows", action="store_true")
    a = p.parse_args()
    mlflow.set_tracking_uri(a.tracking_uri)
    started = time.monotonic()
    traces = spans = 0
    for page in pages(MlflowClient(), a.experiment):
        for trace in page:
            traces += 1
            spans += len(trace.data.spans)
            if a.rows:
                trace_id = trace.info.trace_id.removeprefix("tr-")
                for span in trace.data.spans:
                    span_row(trace_id, span)
                list(annotation_rows(trace_id, trace.info))
    print(json.dumps({"traces": traces, "spans": spans, "seconds": time.monotonic() - started}))


if __name__ == "__main__":
    main()
