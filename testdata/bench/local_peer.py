"""A script that a user might write instead of tracemig for local Delta tables. It reads the traces of an MLflow
experiment by REST, and writes them to the OTEL tables with pyarrow and deltalake.

Threads read the spans of a page while earlier pages are converted, and each --rows spans become one commit. It does
less than tracemig:

- VARIANT columns are JSON texts as the source has them, since delta-rs can't write VARIANT.
- It does not look into the target, so it writes present traces again, and a killed run leaves half a trace.
- It retries nothing, and takes no care of values such as NaN, duplicate keys, or numbers beyond a double.

Prints {"traces", "spans", "seconds", "write_seconds"} as JSON. The seconds begin after the imports. write_seconds is the
time for making Arrow arrays of the rows and committing them.
"""

import argparse
import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from uuid import uuid4

import pyarrow as pa
import requests
from deltalake import write_deltalake

TIME = pa.timestamp("us", "UTC")
EVENT = pa.struct(
    [("time_unix_nano", pa.int64()), ("name", pa.string()), ("attributes", pa.string()), ("dropped_attributes_count", pa.int32())]
)
LINK = pa.struct(
    [
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("trace_state", pa.string()),
        ("attributes", pa.string()),
        ("dropped_attributes_count", pa.int32()),
        ("flags", pa.int32()),
    ]
)
STATUS = pa.struct([("message", pa.string()), ("code", pa.string())])
SPANS = pa.schema([
    ("record_id", pa.string()), ("time", TIME), ("date", pa.date32()), ("service_name", pa.string()), ("trace_id", pa.string()),
    ("span_id", pa.string()), ("trace_state", pa.string()), ("parent_span_id", pa.string()), ("flags", pa.int32()), ("name", pa.string()),
    ("kind", pa.string()), ("start_time_unix_nano", pa.int64()), ("end_time_unix_nano", pa.int64()), ("attributes", pa.string()),
    ("dropped_attributes_count", pa.int32()), ("events", pa.list_(EVENT)), ("dropped_events_count", pa.int32()),
    ("links", pa.list_(LINK)), ("dropped_links_count", pa.int32()), ("status", STATUS),
])  # fmt: skip
ANNOTATIONS = pa.schema([
    ("annotation_id", pa.string()), ("target_type", pa.string()), ("target_id", pa.string()), ("annotation_type", pa.string()),
    ("name", pa.string()), ("value", pa.string()), ("comment", pa.string()), ("metadata", pa.string()), ("created_at", TIME),
    ("created_by", pa.string()), ("updated_at", TIME), ("updated_by", pa.string()),
])  # fmt: skip


def text(value):
    """Returns an attribute's value, which is a JSON text that becomes a part of the column's JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def attributes(span):
    return json.dumps({k: text(v) for k, v in span.get("attributes", {}).items()})


def hex_id(value):
    return base64.b64decode(value).hex() if value else None


def span_row(trace_id, s):
    start = s["start_time_unix_nano"]
    status = s.get("status") or {}
    return {
        "record_id": str(uuid4()), "time": start // 1000, "date": start // 86_400_000_000_000, "trace_id": trace_id,
        "span_id": hex_id(s["span_id"]), "parent_span_id": hex_id(s.get("parent_span_id")), "flags": 0, "name": s["name"],
        "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": start, "end_time_unix_nano": s.get("end_time_unix_nano"),
        "attributes": attributes(s), "dropped_attributes_count": 0,
        "events": [
            {"time_unix_nano": e["time_unix_nano"], "name": e["name"], "attributes": attributes(e), "dropped_attributes_count": 0}
            for e in s.get("events") or []
        ], "dropped_events_count": 0,
        "links": [
            {"trace_id": hex_id(l["trace_id"]), "span_id": hex_id(l["span_id"]), "attributes": attributes(l), "dropped_attributes_count": 0}
            for l in s.get("links") or []
        ], "dropped_links_count": 0,
        "status": {"message": status.get("message"), "code": status.get("code")},
    }  # fmt: skip


def micros(at):
    return int(datetime.fromisoformat(at).timestamp() * 1_000_000)


def annotation_rows(trace_id, info):
    at, user = micros(info["request_time"]), info["trace_metadata"].get("mlflow.user")

    def row(id, type, name, value, comment=None, metadata=None, created=at, updated=at, by=user):
        return {
            "annotation_id": id, "target_type": "TRACE", "target_id": trace_id, "annotation_type": type, "name": name,
            "value": json.dumps(value), "comment": comment, "metadata": metadata and json.dumps(metadata), "created_at": created,
            "created_by": by, "updated_at": updated, "updated_by": by,
        }  # fmt: skip

    for key, value in info["tags"].items():
        yield row(str(uuid4()), "TAG", key, value)
    for a in info.get("assessments", []):
        kind, value = ("FEEDBACK", a["feedback"]["value"]) if "feedback" in a else ("EXPECTATION", a["expectation"]["value"])
        yield row(
            a["assessment_id"], kind, a["assessment_name"], value, a.get("rationale"), a.get("metadata"), micros(a["create_time"]),
            micros(a["last_update_time"]), a["source"]["source_id"],
        )  # fmt: skip
    yield row(
        str(uuid4()),
        "METADATA",
        "metadata",
        {"trace_metadata": info["trace_metadata"], "state": info["state"]},
        metadata={"source_trace_id": info["trace_id"]},
    )


class Table:
    def __init__(self, path, schema, rows):
        self.path, self.schema, self.limit = path, schema, rows
        self.pending, self.count, self.seconds = [], 0, 0.0

    def add(self, rows):
        self.pending.extend(rows)
        if len(self.pending) >= self.limit:
            self.flush()

    def flush(self):
        if not self.pending:
            return
        started = time.monotonic()
        write_deltalake(self.path, pa.Table.from_pylist(self.pending, schema=self.schema), mode="append")
        self.seconds += time.monotonic() - started
        self.count += len(self.pending)
        self.pending = []


def pages(session, uri, experiment):
    body = {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}], "max_results": 500}
    while True:
        answer = session.post(uri + "/api/3.0/mlflow/traces/search", json=body).json()
        yield answer.get("traces", [])
        if not answer.get("next_page_token"):
            return
        body["page_token"] = answer["next_page_token"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tracking-uri", required=True)
    p.add_argument("--experiment", required=True, help="its ID")
    p.add_argument("--target", required=True, help="folder/prefix of the tables")
    p.add_argument("--rows", type=int, default=10_000, help="of one commit, at least")
    p.add_argument("--threads", type=int, default=8, help="that read spans")
    a = p.parse_args()
    started = time.monotonic()
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=a.threads))
    spans = Table(a.target + "_otel_spans", SPANS, a.rows)
    annotations = Table(a.target + "_otel_annotations", ANNOTATIONS, a.rows)

    def read(info):
        return info, session.get(
            a.tracking_uri + "/ajax-api/2.0/mlflow/get-trace-artifact", params={"request_id": info["trace_id"]}
        ).content

    count = 0
    with ThreadPoolExecutor(a.threads) as pool:
        for page in pages(session, a.tracking_uri, a.experiment):
            for info, document in pool.map(read, page):
                trace_id = info["trace_id"].removeprefix("tr-")
                annotations.add(annotation_rows(trace_id, info))
                spans.add(span_row(trace_id, s) for s in json.loads(document)["spans"])
                count += 1
    annotations.flush()
    spans.flush()
    seconds = time.monotonic() - started
    print(json.dumps({"traces": count, "spans": spans.count, "seconds": seconds, "write_seconds": spans.seconds + annotations.seconds}))


if __name__ == "__main__":
    main()
