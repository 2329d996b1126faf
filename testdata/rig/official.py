"""Writes the rows that the official migration (experiment -> tables) writes for an experiment.

  official.py --uri URL --experiment NAME --warehouse URL --location CATALOG.SCHEMA.PREFIX [--options JSON]

The forms of the rows are facts that were gathered about that migration (its METADATA and TAG IDs, its span kinds and
status codes, what it leaves out). Its code was not used. Traces are read through MLflow's SDK, so that nothing here
shares code with tracemig's own conversion, and tests can compare the two.

Rows go to the stand-in for a warehouse as a file of JSON lines, which Spark reads because both run on one machine. There
is one statement each for spans, annotations and skipped traces. Options: {"skip": {trace ID: reason}, "until_ms": the
latest request time that is migrated, 0 for any}. Prints one JSON object (see main).
"""

import argparse
import datetime
import hashlib
import json
import os
import sys
import tempfile
import time
import uuid

import requests

from corpus import decoded, plain  # It must come before mlflow, since it sets variables that the SDK reads when it is imported.

import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402

KEYS = "mlflow.databricks.migrate_traces_to_uc."  # prefix of the experiment's tags with the progress
RESOURCE = "STRUCT<attributes: VARIANT, dropped_attributes_count: INT>"

# The columns are in the order of the service's tables.
SPANS = {
    "record_id": "STRING",
    "time": "TIMESTAMP",
    "date": "DATE",
    "service_name": "STRING",
    "trace_id": "STRING",
    "span_id": "STRING",
    "trace_state": "STRING",
    "parent_span_id": "STRING",
    "flags": "INT",
    "name": "STRING",
    "kind": "STRING",
    "start_time_unix_nano": "BIGINT",
    "end_time_unix_nano": "BIGINT",
    "attributes": "VARIANT",
    "dropped_attributes_count": "INT",
    "events": "ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: VARIANT, dropped_attributes_count: INT>>",
    "dropped_events_count": "INT",
    "links": "ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: VARIANT, "
    "dropped_attributes_count: INT, flags: INT>>",
    "dropped_links_count": "INT",
    "status": "STRUCT<message: STRING, code: STRING>",
    "resource": RESOURCE,
    "resource_schema_url": "STRING",
    "instrumentation_scope": "STRUCT<name: STRING, version: STRING, attributes: VARIANT, dropped_attributes_count: INT>",
    "span_schema_url": "STRING",
}
ANNOTATIONS = {
    "annotation_id": "STRING",
    "target_type": "STRING",
    "target_id": "STRING",
    "annotation_type": "STRING",
    "name": "STRING",
    "value": "VARIANT",
    "comment": "STRING",
    "metadata": "VARIANT",
    "created_at": "TIMESTAMP",
    "created_by": "STRING",
    "updated_at": "TIMESTAMP",
    "updated_by": "STRING",
    "deleted_at": "TIMESTAMP",
    "deleted_by": "STRING",
    "_change_type": "STRING",  # It is not documented, but the service's table has it.
}
SKIPPED = {
    "trace_id": "STRING",
    "skip_reason": "STRING",
    "source_experiment_id": "STRING",
    "target_uc_location": "STRING",
    "skipped_at": "TIMESTAMP",
    "details": "STRING",
}


def sha256_id(name):
    digits = hashlib.sha256(name.encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def target_trace_id(trace_id):
    """Returns the MLflow ID without its tr-, whether the rest is hexadecimal or not."""
    return trace_id.removeprefix("tr-")


# --- rows (None is NULL) -------------------------------------------------------------------------------------------


def span_rows(trace):
    trace_id = target_trace_id(trace.info.trace_id)
    return [span_row(trace.info, trace_id, span) for span in trace.data.spans]


def span_row(info, trace_id, span):
    attributes = {k: decoded(v) for k, v in span.to_dict()["attributes"].items()}
    parent = span.parent_id
    if not parent:
        for key, of in (("user.id", "mlflow.trace.user"), ("session.id", "mlflow.trace.session")):
            if of in info.trace_metadata:
                attributes.setdefault(key, info.trace_metadata[of])
        # Real rows of roots have NULL or the empty text. Here a trace's ID decides between the two.
        parent = "" if hashlib.sha256(trace_id.encode()).digest()[0] % 2 else None
    at = span.start_time_ns
    return {
        "record_id": str(uuid.uuid4()),
        "time": at // 1000,
        "date": datetime.datetime.fromtimestamp(at // 10**9, datetime.timezone.utc).date().isoformat(),
        "service_name": "",
        "trace_id": trace_id,
        "span_id": span.span_id,
        "trace_state": "",
        "parent_span_id": parent,
        "flags": 0,
        "name": span.name,
        "kind": span.span_type,
        "start_time_unix_nano": at,
        "end_time_unix_nano": span.end_time_ns,
        "attributes": attributes,
        "dropped_attributes_count": 0,
        "events": [
            {"time_unix_nano": e.timestamp, "name": e.name, "attributes": plain(dict(e.attributes or {})), "dropped_attributes_count": 0}
            for e in span.events
        ],
        "dropped_events_count": 0,
        "links": [],
        "dropped_links_count": 0,
        "status": {"message": span.status.description or "", "code": span.status.status_code.value},
        "resource": {"attributes": {"service.name": ""}, "dropped_attributes_count": 0},
        "resource_schema_url": "",
        "instrumentation_scope": {"name": "mlflow", "version": "", "attributes": {}, "dropped_attributes_count": 0},
        "span_schema_url": "",
    }


def annotation_rows(info):
    trace_id = target_trace_id(info.trace_id)

    def row(annotation_id, kind, name, value, created_ms, updated_ms, **kw):
        return {
            "annotation_id": annotation_id,
            "target_type": "TRACE",
            "target_id": trace_id,
            "annotation_type": kind,
            "name": name,
            "value": value,
            "created_at": created_ms * 1000,
            "updated_at": updated_ms * 1000,
            "_change_type": "insert",
            **kw,
        }

    at = info.request_time
    yield row(sha256_id(f"{trace_id}:metadata"), "METADATA", "metadata", {
        "client_request_id": info.client_request_id, "request_preview": info.request_preview, "response_preview": info.response_preview,
        "trace_metadata": {**info.trace_metadata, "mlflow.migration.sourceExperimentId": info.experiment_id}}, at, at)
    for key, value in info.tags.items():
        if key != "mlflow.artifactLocation":
            # This is not the ID that the service gives to a tag, so that a tag that is edited later is there twice.
            yield row(sha256_id(f"{trace_id}:tag:{key}"), "TAG", key, value, at, at)
    for a in info.assessments:
        if a.feedback or a.expectation:  # What happens to references to issues is not known.
            kind, holder = ("FEEDBACK", a.feedback) if a.feedback else ("EXPECTATION", a.expectation)
            yield row(a.assessment_id, kind, a.name, plain(holder.value), a.create_time_ms, a.last_update_time_ms,
                      comment=a.rationale, metadata=assessment_metadata(a))


def assessment_metadata(a):
    """Returns the metadata of an assessment, all as strings. The user's own metadata, overrides and valid are lost."""
    error = a.feedback and a.feedback.error
    structured = a.expectation and isinstance(a.expectation.value, (list, dict))
    found = {
        "mlflow.source.source_type": a.source.source_type, "mlflow.source.source_id": a.source.source_id, "mlflow.span_id": a.span_id,
        "mlflow.error.error_code": error and error.error_code, "mlflow.error.error_message": error and error.error_message,
        "mlflow.error.stack_trace": error and error.stack_trace,
        "mlflow.expectation.serialization_format": "JSON_FORMAT" if structured else None}
    return {k: v for k, v in found.items() if v is not None}


# --- the warehouse ------------------------------------------------------------------------------------------------


def sql(warehouse, text):
    answer = requests.post(f"{warehouse}/_sql", json={"sql": text}, timeout=600)
    if answer.status_code != 200:
        raise RuntimeError(f"{answer.json()['error']}\n{text}")


def make_table(warehouse, name, columns, rest=""):
    sql(warehouse, f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(f'{c} {t}' for c, t in columns.items())}) USING delta {rest}")


def insert(warehouse, name, columns, rows):
    """Inserts rows, whose times are microseconds. None is left out of the JSON, since a VARIANT must be NULL and not a JSON
    null."""
    if not rows:
        return
    with tempfile.TemporaryDirectory(prefix="tracemig-official-") as folder:
        path = os.path.join(folder, "rows.jsonl")
        with open(path, "wb") as f:
            for row in rows:
                line = json.dumps({k: v for k, v in row.items() if v is not None}, ensure_ascii=False)
                f.write(line.encode("utf-8", "replace") + b"\n")  # Lone surrogates are not UTF-8 and become "?".
        fields = ", ".join(f"{c}: {'BIGINT' if t == 'TIMESTAMP' else t}" for c, t in columns.items())
        values = ", ".join(f"timestamp_micros(r.{c})" if t == "TIMESTAMP" else f"r.{c}" for c, t in columns.items())
        sql(warehouse, f"INSERT INTO {name} ({', '.join(columns)}) SELECT {values} FROM "
                       f"(SELECT from_json(value, 'STRUCT<{fields}>', map('mode', 'FAILFAST')) AS r FROM text.`{path}`)")


# --- the migration ------------------------------------------------------------------------------------------------


def listed(client, experiment_id):
    """Yields the experiment's traces without their spans, in the order of their request times."""
    token = None
    while True:
        page = client.search_traces(
            locations=[experiment_id], include_spans=False, max_results=500, order_by=["timestamp_ms ASC"], page_token=token
        )
        for trace in page:
            yield trace.info
        token = page.token
        if not token:
            return


def migrate(client, experiment, location, warehouse, skip, until_ms):
    spans, annotations, skipped = [], [], []
    result = {"migrated": [], "skipped": {}, "left": [], "latest_request_time_ms": 0, "latest_trace_id": ""}

    def pass_over(info, reason, details):
        result["skipped"][info.trace_id] = f"{reason}: {details}"
        skipped.append({"trace_id": info.trace_id, "skip_reason": reason, "source_experiment_id": experiment.experiment_id,
                        "target_uc_location": location, "skipped_at": time.time_ns() // 1000, "details": details})

    for info in listed(client, experiment.experiment_id):
        if until_ms and info.request_time > until_ms:
            result["left"].append(info.trace_id)
            continue
        # It moves on over what it skips, so a skipped trace counts here too.
        result |= {"latest_request_time_ms": info.request_time, "latest_trace_id": info.trace_id}
        if info.trace_id in skip:
            pass_over(info, skip[info.trace_id], "as the test has it")
            continue
        try:
            trace = client.get_trace(info.trace_id, display=False)
            rows = span_rows(trace)
        except Exception as e:  # What the SDK can't read is skipped for good.
            pass_over(info, "UNREADABLE", f"{type(e).__name__}: {e}"[:300])
            continue
        if not rows:
            pass_over(info, "NO_SPANS", "")
            continue
        result["migrated"].append(info.trace_id)
        spans += rows
        annotations += annotation_rows(trace.info)

    service = "TBLPROPERTIES ('otel.schemaVersion' = 'v2', 'delta.checkpointPolicy' = 'classic')"
    make_table(warehouse, f"{location}_otel_spans", SPANS, "CLUSTER BY (time, service_name, trace_id) " + service)
    make_table(warehouse, f"{location}_otel_annotations", ANNOTATIONS, service)
    insert(warehouse, f"{location}_otel_spans", SPANS, spans)
    insert(warehouse, f"{location}_otel_annotations", ANNOTATIONS, annotations)
    if skipped:
        table = location.rsplit(".", 1)[0] + "._migration_skipped"
        make_table(warehouse, table, SKIPPED)
        insert(warehouse, table, SKIPPED, skipped)
    for key in ("latest_request_time_ms", "latest_trace_id"):
        client.set_experiment_tag(experiment.experiment_id, f"{KEYS}{key}.location.{location}", result[key])
    return result | {"experiment_id": experiment.experiment_id, "spans": len(spans), "annotations": len(annotations)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--uri", required=True)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--warehouse", required=True, help="URL of warehouse.py")
    parser.add_argument("--location", required=True, help="catalog.schema.prefix")
    parser.add_argument("--options", default="{}")
    args = parser.parse_args()
    options = json.loads(args.options)
    mlflow.set_tracking_uri(args.uri)  # Artifacts are asked of this one, whatever the client's.
    client = MlflowClient()
    experiment = client.get_experiment_by_name(args.experiment)
    if experiment is None:
        sys.exit(f"there is no experiment {args.experiment}")
    result = migrate(client, experiment, args.location, args.warehouse, options.get("skip") or {}, options.get("until_ms") or 0)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
