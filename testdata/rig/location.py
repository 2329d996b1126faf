"""A trace location of Unity Catalog (catalog.schema.prefix), served as a workspace serves it to MLflow's client.

It reads the two tables of the location, otel_spans and otel_annotations, and turns their rows into the messages of
MLflow's V4 trace API. It goes by the published forms of the rows, and by those that the service and the official
migrations were seen to use. It shares no code with the program that wrote the rows, so that a client sees here only
what the rows themselves say. README.md says where the service may differ.
"""

import base64
import datetime
import decimal
import hashlib
import json
import math
import re
import time
import uuid

# The tables that the service makes, by what it appends to the prefix. Logs and metrics have far more columns; none is used here.
TABLES = {
    "_otel_spans": """record_id STRING, time TIMESTAMP, date DATE, service_name STRING, trace_id STRING, span_id STRING, trace_state STRING,
        parent_span_id STRING, flags INT, name STRING, kind STRING, start_time_unix_nano BIGINT, end_time_unix_nano BIGINT,
        attributes VARIANT, dropped_attributes_count INT,
        events ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: VARIANT, dropped_attributes_count: INT>>,
        dropped_events_count INT,
        links ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: VARIANT,
          dropped_attributes_count: INT, flags: INT>>,
        dropped_links_count INT, status STRUCT<message: STRING, code: STRING>,
        resource STRUCT<attributes: VARIANT, dropped_attributes_count: INT>, resource_schema_url STRING,
        instrumentation_scope STRUCT<name: STRING, version: STRING, attributes: VARIANT, dropped_attributes_count: INT>,
        span_schema_url STRING""",
    "_otel_annotations": """annotation_id STRING, target_type STRING, target_id STRING, annotation_type STRING, name STRING, value VARIANT,
        comment STRING, metadata VARIANT, created_at TIMESTAMP, created_by STRING, updated_at TIMESTAMP, updated_by STRING,
        deleted_at TIMESTAMP, deleted_by STRING, _change_type STRING""",
    "_otel_logs": "record_id STRING, time TIMESTAMP, trace_id STRING, body VARIANT",
    "_otel_metrics": "record_id STRING, time TIMESTAMP, name STRING",
}

KEPT_SECONDS = 30  # how long other requests are answered from what a search has read
MOST_IN_A_BATCH = 10  # IDs that the service takes in one BatchGet
TRACE_ID = re.compile("[0-9a-f]{32}")
ORDER = re.compile(r"(?:attributes\.|trace\.)?(?:timestamp_ms|timestamp|request_time)(?:\s+(ASC|DESC))?", re.I)

# The keys in the metadata column of an assessment that hold its own fields. All other keys are the user's metadata.
SOURCE_TYPE, SOURCE_ID, SPAN_ID = "mlflow.source.source_type", "mlflow.source.source_id", "mlflow.span_id"
ERRORS = {"error_code": "mlflow.error.error_code", "error_message": "mlflow.error.error_message", "stack_trace": "mlflow.error.stack_trace"}
OVERRIDES, VALID, FORMAT = "mlflow.overrides", "mlflow.valid", "mlflow.expectation.serialization_format"
FIELDS = {SOURCE_TYPE, SOURCE_ID, SPAN_ID, *ERRORS.values(), OVERRIDES, VALID, FORMAT}

SPAN = """trace_id, span_id, trace_state, parent_span_id, flags, name, kind, start_time_unix_nano, end_time_unix_nano, attributes,
  dropped_attributes_count, events, dropped_events_count, links, dropped_links_count, status"""
ANNOTATION = """annotation_id, target_id, annotation_type, name, value, comment, metadata, unix_micros(created_at) AS created_at,
  unix_micros(updated_at) AS updated_at, unix_micros(deleted_at) AS deleted_at"""


class Refused(Exception):
    """A request that the location cannot serve: HTTP status, error code and message."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


class Location:
    """One location. query(statement, arguments) runs a statement and returns its rows as lists. It returns VARIANT as
    bytes in hex, since the JSON text of a VARIANT is the same for 1.0 and 1."""

    def __init__(self, query, catalog, schema, prefix):
        self.query, self.catalog, self.schema, self.prefix = query, catalog, schema, prefix
        self.kept = None  # (until, spans, annotations) of the last search
        self.change_types = None  # whether the annotations table has the column _change_type; None while unknown

    def table(self, kind):
        return ".".join("`" + part.replace("`", "``") + "`" for part in (self.catalog, self.schema, f"{self.prefix}_otel_{kind}"))

    def trace_location(self):
        named = f"{self.catalog}.{self.schema}.{self.prefix}"
        return {
            "type": "UC_TABLE_PREFIX",
            "uc_table_prefix": {
                "catalog_name": self.catalog,
                "schema_name": self.schema,
                "table_prefix": self.prefix,
                "spans_table_name": named + "_otel_spans",
                "logs_table_name": named + "_otel_logs",
                "annotations_table_name": named + "_otel_annotations",
            },
        }

    # --- reading

    def read(self, trace_ids=None):
        """Returns spans and live annotations by trace ID, of the given traces or of all. It reads both tables with one
        statement, since each statement takes Spark half a second."""
        of_spans, of_annotations = "TRUE", "target_type = 'TRACE'"
        if trace_ids is not None:
            wanted = ", ".join(f"'{i}'" for i in trace_ids if TRACE_ID.fullmatch(i)) or "''"
            of_spans, of_annotations = f"trace_id IN ({wanted})", f"{of_annotations} AND target_id IN ({wanted})"
        rows = self.query(f"SELECT struct({SPAN}) AS span, NULL AS annotation FROM {self.table('spans')} WHERE {of_spans}\n"
                          f"UNION ALL SELECT NULL, struct({ANNOTATION}) FROM {self.table('annotations')} WHERE {of_annotations}")
        spans, annotations = {}, []
        for span, annotation in rows:
            if span is not None:
                spans.setdefault(span["trace_id"], []).append(span)
            else:
                annotations.append(annotation)
        for of_trace in spans.values():
            of_trace.sort(key=lambda s: s["start_time_unix_nano"])
        return spans, live(annotations)

    def found(self, trace_ids):
        """Returns what read returns, or what a recent search has read. After a search, a client asks for the traces in
        tens, which would take a statement for each ten."""
        kept = self.kept
        if kept and time.monotonic() < kept[0]:
            return kept[1:]
        return self.read(trace_ids)

    def search(self, body):
        """Returns a page of trace infos. As in the service's view, there is one for each root span."""
        if body.get("filter"):
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"Invalid filter string: {body['filter']}")
        kept = self.kept if body.get("page_token") else None
        if not kept or time.monotonic() >= kept[0]:
            kept = self.kept = (time.monotonic() + KEPT_SECONDS, *self.read())
        spans, annotations = kept[1:]
        roots = [span for of_trace in spans.values() for span in of_trace if is_root(span)]
        roots.sort(key=lambda s: (s["start_time_unix_nano"], s["trace_id"]), reverse=descending(body.get("order_by") or []))
        first = int(base64.b64decode(body["page_token"])) if body.get("page_token") else 0
        last = first + int(body.get("max_results") or 100)
        page = {"trace_infos": [self.info(root, annotations.get(root["trace_id"], [])) for root in roots[first:last]]}
        if last < len(roots):
            page["next_page_token"] = base64.b64encode(str(last).encode()).decode()
        return page

    def get_info(self, trace_id):
        spans, annotations = self.found([trace_id])
        return {"trace": {"trace_info": self.info(first_root(spans, trace_id), annotations.get(trace_id, []))}}

    def batch_get(self, trace_ids):
        """Returns the traces with these IDs that have a root span, and leaves out the others."""
        if len(trace_ids) > MOST_IN_A_BATCH:
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"At most {MOST_IN_A_BATCH} trace IDs can be requested.")
        spans, annotations = self.found(trace_ids)
        traces = [i for i in trace_ids if any(map(is_root, spans.get(i, [])))]
        return {
            "traces": [
                {"trace_info": self.info(first_root(spans, i), annotations.get(i, [])), "spans": [otlp_span(s) for s in spans[i]]}
                for i in traces
            ]
        }

    def info(self, root, annotations):
        """Returns the trace's info: times and state come from the root span, everything else from the annotations."""
        start, end = root["start_time_unix_nano"], root["end_time_unix_nano"]
        code = (root["status"] or {}).get("code")
        info = {"trace_id": root["trace_id"], "trace_location": self.trace_location(), "request_time": timestamp(start // 1_000_000 * 1000),
                "state": {None: "OK", "STATUS_CODE_OK": "OK", "STATUS_CODE_ERROR": "ERROR"}.get(code, code),
                "trace_metadata": {}, "tags": {}, "assessments": []}
        if end is not None:
            info["execution_duration"] = duration(end - start)
        seen = set()
        for a in annotations:
            value = variant(a["value"])
            if a["annotation_type"] in ("METADATA", "TAG"):
                # What the service does then is not known. Here it is an error, since a client's map would hide one of them.
                if (a["annotation_type"], a["name"]) in seen:
                    raise ValueError(f"trace {root['trace_id']} has two live rows {a['annotation_type']} {a['name']!r}")
                seen.add((a["annotation_type"], a["name"]))
            if a["annotation_type"] == "METADATA":
                info["trace_metadata"] = value["trace_metadata"] or {}
                info.update(
                    (key, value[key]) for key in ("client_request_id", "request_preview", "response_preview") if value.get(key) is not None
                )
            elif a["annotation_type"] == "TAG":
                info["tags"][a["name"]] = value
            elif a["annotation_type"] in ("FEEDBACK", "EXPECTATION"):
                info["assessments"].append(self.assessment(root["trace_id"], a, value))
        return info

    def assessment(self, trace_id, a, value):
        metadata = variant(a["metadata"]) or {}
        made = {
            "assessment_id": a["annotation_id"],
            "assessment_name": a["name"],
            "trace_id": trace_id,
            "trace_location": self.trace_location(),
            "create_time": timestamp(a["created_at"]),
            "last_update_time": timestamp(a["updated_at"]),
            "metadata": {key: text(v) for key, v in metadata.items() if key not in FIELDS},
        }
        source = {field: metadata[key] for field, key in (("source_type", SOURCE_TYPE), ("source_id", SOURCE_ID)) if key in metadata}
        if source:
            made["source"] = source
        if a["annotation_type"] == "FEEDBACK":
            made["feedback"] = {"value": plain(value)}
            errors = {field: metadata[key] for field, key in ERRORS.items() if key in metadata}
            if errors:
                made["feedback"]["error"] = errors
        elif FORMAT in metadata:
            made["expectation"] = {"serialized_value": {"serialization_format": metadata[FORMAT], "value": json.dumps(plain(value))}}
        else:
            made["expectation"] = {"value": plain(value)}
        if a["comment"] is not None:
            made["rationale"] = a["comment"]
        for field, key in (("span_id", SPAN_ID), ("overrides", OVERRIDES)):
            if key in metadata:
                made[field] = metadata[key]
        if VALID in metadata:
            made["valid"] = metadata[VALID] == "true"
        return made

    # --- tags, which are the only thing that is written

    def set_tag(self, trace_id, key, value, user):
        self.write_tag(trace_id, key, value, user, deleted=False)
        return {}

    def delete_tag(self, trace_id, key, user):
        self.write_tag(trace_id, key, None, user, deleted=True)
        return {}

    def write_tag(self, trace_id, key, value, user, deleted):
        """Appends the next version of the tag, under the ID that the service gives to the tag. It ignores rows with other
        IDs, and the time is now, whatever times earlier versions have. So a test sees rows that do not fit with this."""
        spans, annotations = self.read([trace_id])
        first_root(spans, trace_id)
        annotation_id = tag_id(trace_id, key)
        known = next((a for a in annotations.get(trace_id, []) if a["annotation_id"] == annotation_id), None)
        if deleted:
            if known is None:
                raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"No tag with name: {key}")
            value = variant(known["value"])
        row = {
            "annotation_id": ":annotation_id",
            "target_type": "'TRACE'",
            "target_id": ":trace_id",
            "annotation_type": "'TAG'",
            "name": ":key",
            "value": "CAST(:value AS VARIANT)",
            "created_at": f"timestamp_micros({known['created_at']})" if known else "current_timestamp()",
            "created_by": ":user",
            "updated_at": "current_timestamp()",
            "updated_by": ":user",
        }
        if deleted:
            row.update(deleted_at="current_timestamp()", deleted_by=":user")
        if self.change_types is None:
            self.change_types = any(column[0] == "_change_type" for column in self.query("DESCRIBE TABLE " + self.table("annotations")))
        if self.change_types:
            row["_change_type"] = "'insert'"
        self.query(f"INSERT INTO {self.table('annotations')} ({', '.join(row)}) SELECT {', '.join(row.values())}",
                   {"annotation_id": annotation_id, "trace_id": trace_id, "key": key, "value": value, "user": user})
        self.kept = None


def is_root(span):
    return not span["parent_span_id"]


def first_root(spans, trace_id):
    root = next(filter(is_root, spans.get(trace_id, [])), None)
    if root is None:
        raise Refused(404, "NOT_FOUND", f"Trace with ID {trace_id} is not found.")
    return root


def live(annotations):
    """Returns by trace ID the annotations that readers see: of each ID the row with the latest updated_at, unless that is
    deleted."""
    newest = {}
    for a in sorted(annotations, key=lambda a: a["updated_at"]):
        newest[a["annotation_id"]] = a
    by_trace = {}
    for a in sorted(newest.values(), key=lambda a: (a["created_at"], a["annotation_id"])):
        if a["deleted_at"] is None:
            by_trace.setdefault(a["target_id"], []).append(a)
    return by_trace


def descending(order_by):
    """Returns whether the newest trace comes first, which is the default."""
    if not order_by:
        return True
    match = ORDER.fullmatch(order_by[0].strip())
    if not match or len(order_by) > 1:
        raise Refused(400, "INVALID_PARAMETER_VALUE", f"Invalid order_by: {order_by}")
    return (match[1] or "ASC").upper() == "DESC"


def tag_id(trace_id, key):
    """Returns the ID that the service gives to a tag: a UUID of version 3 without a namespace, which Java calls
    UUID.nameUUIDFromBytes."""
    return str(uuid.UUID(bytes=hashlib.md5(f"{trace_id}:tag:{key}".encode()).digest(), version=3))


# --- values


def variant(column):
    """Returns the Python value of a VARIANT. Decimals stay decimals."""
    if column is None:
        return None
    from pyspark.sql.variant_utils import VariantUtils  # It is imported here because it takes longer than the rest of a front's start.

    with decimal.localcontext(prec=60):  # The default rounds to 28 digits.
        return VariantUtils.to_python(bytes.fromhex(column["value"]), bytes.fromhex(column["metadata"]))


def number(value):
    """Returns a decimal as a float, since the protocols know only integers and doubles."""
    return float(value) if isinstance(value, decimal.Decimal) else value


def plain(value):
    """Returns a value in a form that JSON has."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return number(value)


def text(value):
    return value if isinstance(value, str) else json.dumps(plain(value))


def any_value(value):
    """Returns an AnyValue of OTLP in protobuf's JSON."""
    value = number(value)
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"bool_value": value}
    if isinstance(value, int):
        return {"int_value": str(value)}
    if isinstance(value, float):
        return {"double_value": value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")}
    if isinstance(value, bytes):
        return {"bytes_value": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return {"array_value": {"values": [any_value(member) for member in value]}}
    if isinstance(value, dict):
        return {"kvlist_value": {"values": key_values(value)}}
    return {"string_value": str(value)}


def key_values(attributes):
    return [{"key": key, "value": any_value(value)} for key, value in (attributes or {}).items()]


def otlp_span(row):
    """Returns a span of OTLP in protobuf's JSON, which has IDs in base64. Columns that are NULL are left out."""
    span = {key: row[key] for key in ("trace_state", "flags", "name", "kind", "start_time_unix_nano", "end_time_unix_nano",
                                      "dropped_attributes_count", "dropped_events_count", "dropped_links_count")}
    span.update(
        identifiers(row),
        attributes=key_values(variant(row["attributes"])),
        events=[
            {
                "time_unix_nano": e["time_unix_nano"],
                "name": e["name"],
                "dropped_attributes_count": e["dropped_attributes_count"],
                "attributes": key_values(variant(e["attributes"])),
            }
            for e in row["events"] or []
        ],
        links=[
            {
                **identifiers(link),
                "trace_state": link["trace_state"],
                "flags": link["flags"],
                "dropped_attributes_count": link["dropped_attributes_count"],
                "attributes": key_values(variant(link["attributes"])),
            }
            for link in row["links"] or []
        ],
        status={key: value for key, value in (row["status"] or {}).items() if value is not None},
    )
    return without_nulls(span)


def identifiers(row):
    return {key: base64.b64encode(bytes.fromhex(row[key])).decode() for key in ("trace_id", "span_id", "parent_span_id") if row.get(key)}


def without_nulls(message):
    """Removes fields that are null, as the service does. It leaves AnyValue alone, which has no nulls."""
    if isinstance(message, dict) and "key" not in message:
        return {key: without_nulls(value) for key, value in message.items() if value is not None}
    if isinstance(message, list):
        return [without_nulls(member) for member in message]
    return message


def timestamp(micros):
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)
    return f"{at.year:04}-{at:%m-%dT%H:%M:%S}.{at.microsecond:06}Z"


def duration(nanos):
    sign = "-" if nanos < 0 else ""
    seconds, rest = divmod(abs(nanos), 1_000_000_000)
    return f"{sign}{seconds}.{rest:09}s"
