"""A script that a user might write instead of tracemig. It reads the traces of an MLflow experiment with MLflow's SDK, and
writes them to the OTEL tables of a Unity Catalog trace location with databricks-sql-connector.

It reads pages of traces with search_traces, whose thread pool fetches the spans, and hands multi-row INSERTs to a second
pool while the next page is read. It skips traces whose METADATA row is there. The rows have the same columns as
tracemig's. It is simpler in these ways:

- A killed run may leave spans without a METADATA row, which the next run writes again.
- It retries nothing, splits nothing when the warehouse refuses a row or a size, and always lists all traces again.
- It leaves out a trace that the SDK can't read, with the SDK's warning. Numbers and texts are what Python's json makes of
  them, without care for NaN, duplicate keys, or values over VARIANT's limit.
- It leaves out run links, deleted or changed annotations, and provenance except for the source's trace ID.

Prints {"traces", "seconds"} as JSON. The seconds begin after the imports. The warehouse's token is in DATABRICKS_TOKEN.
"""

import argparse
import json
import os
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import mlflow
from databricks import sql
from mlflow import MlflowClient

VARIANT = "parse_json({})"
EVENTS = (
    "from_json({}, 'ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: VARIANT, "
    "dropped_attributes_count: INT>>')"
)
LINKS = (
    "from_json({}, 'ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: VARIANT, "
    "dropped_attributes_count: INT, flags: INT>>')"
)
STATUS = "from_json({}, 'STRUCT<message: STRING, code: STRING>')"
MICROS = "timestamp_micros({})"

# The SQL expression of each column, with {} for its literal.
SPANS = {
    "record_id": "{}", "time": MICROS, "date": "date_from_unix_date({})", "trace_id": "{}", "span_id": "{}",
    "parent_span_id": "{}", "flags": "{}", "name": "{}", "kind": "{}", "start_time_unix_nano": "{}",
    "end_time_unix_nano": "{}", "attributes": VARIANT, "dropped_attributes_count": "{}", "events": EVENTS,
    "dropped_events_count": "{}", "links": LINKS, "dropped_links_count": "{}", "status": STATUS,
}  # fmt: skip
ANNOTATIONS = {
    "annotation_id": "{}", "target_type": "{}", "target_id": "{}", "annotation_type": "{}", "name": "{}",
    "value": VARIANT, "comment": "{}", "metadata": VARIANT, "created_at": MICROS, "created_by": "{}",
    "updated_at": MICROS, "updated_by": "{}",
}  # fmt: skip


def span_row(trace_id, span):
    return (
        str(uuid.uuid4()), span.start_time_ns // 1000, span.start_time_ns // 86_400_000_000_000, trace_id, span.span_id,
        span.parent_id, 0, span.name, "SPAN_KIND_INTERNAL", span.start_time_ns,
        span.end_time_ns, json.dumps(dict(span.attributes)), 0,
        json.dumps([
            {"time_unix_nano": e.timestamp, "name": e.name, "attributes": dict(e.attributes), "dropped_attributes_count": 0}
            for e in span.events
        ]), 0,
        json.dumps([
            {"trace_id": l.trace_id.removeprefix("tr-"), "span_id": l.span_id, "attributes": dict(l.attributes or {})}
            for l in span.links
        ]), 0,
        json.dumps({"message": span.status.description, "code": "STATUS_CODE_" + span.status.status_code.name}),
    )  # fmt: skip


def annotation_rows(trace_id, info):
    at, user = info.request_time * 1000, info.trace_metadata.get("mlflow.user")

    def row(id, type, name, value, comment=None, metadata=None, created=at, updated=at, by=user):
        return (
            id, "TRACE", trace_id, type, name, json.dumps(value), comment, metadata and json.dumps(metadata), created, by,
            updated, by,
        )  # fmt: skip

    for key, value in info.tags.items():
        if key == "mlflow.artifactLocation":
            continue  # tracemig writes no row for it either: it says where the source keeps the trace
        yield row(str(uuid.uuid4()), "TAG", key, value)
    for a in info.assessments:
        metadata = {
            **(a.metadata or {}),
            "mlflow.source.source_type": a.source.source_type,
            "mlflow.source.source_id": a.source.source_id,
        }
        kind, value = ("FEEDBACK", a.feedback.value) if a.feedback else ("EXPECTATION", a.expectation.value)
        yield row(
            a.assessment_id, kind, a.name, value, a.rationale, metadata, a.create_time_ms * 1000,
            a.last_update_time_ms * 1000, a.source.source_id,
        )  # fmt: skip
    value = {"trace_metadata": info.trace_metadata, "state": info.state.value}
    yield row(str(uuid.uuid4()), "METADATA", "metadata", value, metadata={"source_trace_id": info.trace_id})


class Warehouse:
    """Sends statements, with one connection for each thread."""

    def __init__(self, url, http_path, location):
        self.url, self.path = url, http_path
        self.location = location  # catalog.schema.prefix
        self.thread = threading.local()

    def cursor(self):
        if not hasattr(self.thread, "connection"):
            # The connector escapes values into the statement, since a statement takes at most 256 parameters.
            self.thread.connection = sql.connect(
                server_hostname=self.url.split("//")[1], http_path=self.path, _connection_uri=self.url + self.path,
                access_token=os.environ["DATABRICKS_TOKEN"], use_inline_params="silent", enable_telemetry=False,
            )  # fmt: skip
        return self.thread.connection.cursor()

    def insert(self, table, columns, rows):
        names = list(columns)
        values = ", ".join(["(" + ", ".join(["%s"] * len(names)) + ")"] * len(rows))
        select = ", ".join(expression.format("v." + name) for name, expression in columns.items())
        text = f"INSERT INTO {self.location}{table} ({', '.join(names)}) SELECT {select} FROM VALUES {values} AS v({', '.join(names)})"
        with self.cursor() as c:
            c.execute(text, [value for row in rows for value in row])

    def migrated(self):
        with self.cursor() as c:
            c.execute(f"SELECT target_id FROM {self.location}_otel_annotations WHERE annotation_type = 'METADATA'")
            return {row[0] for row in c.fetchall()}


def pages(client, experiment):
    token = None
    while True:
        page = client.search_traces(locations=[experiment], max_results=500, page_token=token)
        yield page
        token = page.token
        if not token:
            return


def migrate(client, warehouse, experiment, per_statement, threads):
    present = warehouse.migrated()
    count, spans, annotations = 0, [], []
    pending = threading.Semaphore(2 * threads)  # limits the statements that wait in memory
    statements = []

    with ThreadPoolExecutor(threads) as pool:

        def send(table, columns, rows):
            pending.acquire()
            future = pool.submit(warehouse.insert, table, columns, rows)
            future.add_done_callback(lambda _: pending.release())
            statements.append(future)

        for page in pages(client, experiment):
            for trace in page:
                trace_id = trace.info.trace_id.removeprefix("tr-")
                if trace_id in present:
                    continue
                count += 1
                spans.extend(span_row(trace_id, s) for s in trace.data.spans)
                annotations.extend(annotation_rows(trace_id, trace.info))
                while len(spans) >= per_statement:
                    send("_otel_spans", SPANS, spans[:per_statement])
                    del spans[:per_statement]
                while len(annotations) >= per_statement:
                    send("_otel_annotations", ANNOTATIONS, annotations[:per_statement])
                    del annotations[:per_statement]
        if spans:
            send("_otel_spans", SPANS, spans)
        if annotations:
            send("_otel_annotations", ANNOTATIONS, annotations)
    for s in statements:
        s.result()
    return count


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tracking-uri", required=True)
    p.add_argument("--experiment", required=True, help="its ID")
    p.add_argument("--warehouse", required=True, help="URL of the warehouse's host")
    p.add_argument("--http-path", required=True)
    p.add_argument("--target", required=True, help="catalog.schema.prefix")
    p.add_argument("--rows", type=int, default=200, help="of one statement")
    p.add_argument("--threads", type=int, default=4, help="that send statements")
    a = p.parse_args()
    mlflow.set_tracking_uri(a.tracking_uri)
    started = time.monotonic()
    count = migrate(
        MlflowClient(), Warehouse(a.warehouse, a.http_path, a.target), a.experiment, a.rows, a.threads
    )
    print(json.dumps({"traces": count, "seconds": time.monotonic() - started}))


if __name__ == "__main__":
    main()
