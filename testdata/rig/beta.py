"""Fills tables of the beta form (schema version v1) with the traces of an experiment, and with some that other writers left.

  beta.py --uri URL --experiment NAME --warehouse URL --schema CATALOG.SCHEMA [--bulk COUNT] [--only KIND]

Traces are read through MLflow's SDK, so that nothing here shares code with tracemig. The forms of the rows are facts that were
gathered about these tables. Which of several forms a row gets (the fields in attributes or in the body; typed, serialized or plain
values; a span that is there twice; an older version before the row) is decided by a hash, so that each occurs.

Rows go to the stand-in for a warehouse as files of JSON lines, which Spark reads because both run on one machine. Prints one JSON
object (see main).
"""

import argparse
import hashlib
import json
import re
import sys

from corpus import plain  # It must come before mlflow, since it sets variables that the SDK reads when it is imported.

import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402

from official import insert, listed, make_table, sql  # noqa: E402

MAP = "MAP<STRING, STRING>"
RESOURCE = f"STRUCT<attributes: {MAP}, dropped_attributes_count: INT>"
SCOPE = f"STRUCT<name: STRING, version: STRING, attributes: {MAP}, dropped_attributes_count: INT>"
SPANS = {
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
    "attributes": MAP,
    "dropped_attributes_count": "INT",
    "events": f"ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: {MAP}, dropped_attributes_count: INT>>",
    "dropped_events_count": "INT",
    "links": f"ARRAY<STRUCT<trace_id: STRING, span_id: STRING, trace_state: STRING, attributes: {MAP}, dropped_attributes_count: INT, "
    "flags: INT>>",
    "dropped_links_count": "INT",
    "status": "STRUCT<message: STRING, code: STRING>",
    "resource": RESOURCE,
    "resource_schema_url": "STRING",
    "instrumentation_scope": SCOPE,
    "span_schema_url": "STRING",
}
LOGS = {
    "event_name": "STRING",
    "trace_id": "STRING",
    "span_id": "STRING",
    "time_unix_nano": "BIGINT",
    "observed_time_unix_nano": "BIGINT",
    "severity_number": "STRING",
    "severity_text": "STRING",
    "body": "STRING",
    "attributes": MAP,
    "dropped_attributes_count": "INT",
    "flags": "INT",
    "resource": RESOURCE,
    "resource_schema_url": "STRING",
    "instrumentation_scope": SCOPE,
    "log_schema_url": "STRING",
}
AT = 1_750_000_000_000_000_000  # the time of the traces that other writers left, in nanoseconds


def chance(of, *key):
    """Returns whether a row gets some form: once in so many, always the same for a key."""
    return hashlib.sha256("/".join(map(str, key)).encode()).digest()[0] % of == 0


def text(value):
    """Returns a value as a map of strings has it: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def attribute(value):
    """Returns a span's attribute, which the SDK has as a JSON text. The exporter takes the quotes off a string."""
    if not isinstance(value, str):
        return text(value)
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, str) else value


# --- spans ---------------------------------------------------------------------------------------------------------


def target_trace_id(trace):
    found = re.fullmatch("(?:tr-)?([0-9a-f]{32})", trace.info.trace_id)
    return found[1] if found else trace.data.spans[0]._trace_id


def span_rows(trace, trace_id):
    for i, span in enumerate(trace.data.spans):
        row = span_row(span, trace_id)
        yield row
        if chance(9, "twice", trace_id, i):  # The exporter has sent it again.
            yield row


def span_row(span, trace_id):
    d = span.to_dict()
    code = d["status"]["code"]
    return {
        "service_name": "",
        "trace_id": trace_id,
        "span_id": span.span_id,
        "trace_state": d.get("trace_state"),
        "parent_span_id": span.parent_id or "",
        "flags": 0,
        "name": span.name,
        "kind": "SPAN_KIND_INTERNAL" if chance(2, "kind", span.span_id) else "SPAN_KIND_UNSPECIFIED",
        "start_time_unix_nano": span.start_time_ns,
        "end_time_unix_nano": span.end_time_ns,
        "attributes": {k: attribute(v) for k, v in d["attributes"].items()},
        "dropped_attributes_count": 0,
        "events": [
            {"time_unix_nano": e.timestamp, "name": e.name, "attributes": {k: text(plain(v)) for k, v in (e.attributes or {}).items()},
             "dropped_attributes_count": 0}
            for e in span.events
        ],
        "dropped_events_count": 0,
        "links": [
            {"trace_id": link["trace_id"].removeprefix("tr-"), "span_id": link["span_id"],
             "attributes": {k: text(plain(v)) for k, v in (link.get("attributes") or {}).items()}}
            for link in d.get("links") or []
        ],
        "dropped_links_count": 0,
        "status": {"message": d["status"].get("message", ""), "code": None if code == "STATUS_CODE_UNSET" else code},
        "resource": {"attributes": {}, "dropped_attributes_count": 0},
        "instrumentation_scope": {"name": "mlflow", "attributes": {}, "dropped_attributes_count": 0},
    }


def runs_of_traces(client, experiment_id):
    """Returns the runs that each trace was made in or linked to."""
    runs = {}
    for run in client.search_runs([experiment_id], run_view_type=3, max_results=5000):
        found = client.search_traces(locations=[experiment_id], filter_string=f"attributes.run_id = '{run.info.run_id}'",
                                     include_spans=False, max_results=500)
        for trace in found:
            runs.setdefault(trace.info.trace_id, []).append(run.info.run_id)
    return runs


# --- rows about traces ---------------------------------------------------------------------------------------------


def log_row(trace_id, at, event, fields, span_id=None, old=False):
    """Returns a row that says one thing about a trace. An old one has its fields in the body."""
    fields = {k: v for k, v in fields.items() if v is not None}
    return {
        "event_name": event,
        "trace_id": trace_id,
        "span_id": span_id,
        "time_unix_nano": at,
        "body": json.dumps({k: json.loads(v) if k == "trace_metadata" else v for k, v in fields.items()}) if old else None,
        "attributes": {} if old else fields,
    }


def log_rows(info, trace_id, runs):
    at = info.request_time * 10**6
    old = chance(3, "old", trace_id)
    yield log_row(trace_id, at, "genai.trace.metadata", {
        "client_request_id": info.client_request_id, "trace_metadata": json.dumps(info.trace_metadata, ensure_ascii=False)}, old=old)
    if chance(3, "superseded", trace_id):
        yield log_row(trace_id, at - 1, "genai.trace.metadata", {"client_request_id": "older", "trace_metadata": '{"older": "x"}'})
    for key, value in info.tags.items():
        yield log_row(trace_id, at + 2, "genai.trace.tag", {"key": key, "value": value, "deleted": "false"}, old=old)
        if chance(3, "tag", trace_id, key):
            yield log_row(trace_id, at + 1, "genai.trace.tag", {"key": key, "value": "older", "deleted": "true"})
    yield log_row(trace_id, at, "genai.trace.tag", {"key": "gone", "value": "x", "deleted": "false"})
    yield log_row(trace_id, at + 1, "genai.trace.tag", {"key": "gone", "value": "x", "deleted": "true"})
    for a in info.assessments:
        if a.feedback or a.expectation:  # The tables have no references to issues.
            yield log_row(trace_id, at + 2, "genai.assessments.snapshot", assessment(a), span_id=a.span_id, old=old)
            if chance(2, "assessment", a.assessment_id):
                yield log_row(trace_id, at + 1, "genai.assessments.snapshot", assessment(a) | {"rationale": "older"}, span_id=a.span_id)
    for run in runs:
        yield log_row(trace_id, at + 2, "genai.run.link", {"run_id": run, "deleted": "false"})
    yield log_row(trace_id, at, "genai.run.link", {"run_id": "0" * 32, "deleted": "false"})
    yield log_row(trace_id, at + 1, "genai.run.link", {"run_id": "0" * 32, "deleted": "true"})


def assessment(a):
    d = a.to_dictionary()
    fields = {
        "kind": "feedback" if a.feedback else "expectation",
        "assessment_id": a.assessment_id,
        "assessment_name": a.name,
        "source.source_id": a.source.source_id,
        "source.source_type": a.source.source_type,
        "create_time": str(a.create_time_ms),
        "last_update_time": str(a.last_update_time_ms),
        "rationale": a.rationale,
        "overrides": a.overrides,
        "valid": None if a.valid is None else str(a.valid).lower(),
        "deleted": "false",
    }
    fields |= {f"metadata.{k}": v for k, v in (a.metadata or {}).items()}
    if a.feedback:
        if a.feedback.error:
            fields |= {f"feedback.error.{k}": getattr(a.feedback.error, k) for k in ("error_code", "error_message", "stack_trace")}
        fields |= value_fields("feedback", a, a.feedback.value, "value" in d["feedback"])
    elif "serialized_value" in d["expectation"] and not chance(2, "typed", a.assessment_id):
        fields |= {f"expectation.serialized_value.{k}": v for k, v in d["expectation"]["serialized_value"].items()}
    else:
        fields |= value_fields("expectation", a, a.expectation.value, True)
    return fields


TYPES = {str: "STRING", bool: "BOOL", int: "NUMBER", float: "NUMBER", list: "LIST", dict: "STRUCT", type(None): "NULL"}


def value_fields(of, a, value, there):
    """Returns the typed form of a value, and beside it or in its place the plain one."""
    value = plain(value)
    if not there:
        return {f"{of}.value.typed": json.dumps({"valueType": "EMPTY"})}
    typed = {"valueType": TYPES[type(value)]}
    if value is not None:
        typed["valueString"] = text(value)
    typed = {f"{of}.value.typed": json.dumps(typed)}
    if isinstance(value, str) or value is None:
        return typed  # The plain form does not say that it is a string.
    forms = [typed, {f"{of}.value": text(value)}, typed | {f"{of}.value": "not this one"}]
    return forms[hashlib.sha256(a.assessment_id.encode()).digest()[1] % 3]


# --- what other writers left ---------------------------------------------------------------------------------------


def bare_span(n, trace_id, **more):
    return {
        "trace_id": trace_id, "span_id": f"{n + 1:016x}", "parent_span_id": None, "name": f"span {n}", "start_time_unix_nano": AT + n * 10**6,
        "end_time_unix_nano": AT + n * 10**6 + 5_000_000, "attributes": {"n": str(n)}, **more}


HARD = [
    "-0", '{"a": NaN}', "NaN", "-Infinity", '{"a": 1, "a": 2}', '{"cut": "of', '"quoted" and more', '[1, 2] [3]', '{"a": 1} {"b": 2}', "[" * 300 + "]" * 300,
    '{"lone": "\\ud83d"}', '{"nul\\u0000": 1}', '{"n": 123456789012345678901234567890123456789012345}', '{"n": -0.0}', '{"n": 1.5e400}',
    '{"n": 1.2345678901234567e-9}', '{"' + "k" * 40000 + '": 1}', "123456789012345678901234567890123456789012345", "mlflow-attachment://x",
    "x" * 3_000_000,
]
EASY = [
    "plain", "", " ", "12", " 12 ", "1.50", "-7", "1e5", "1.5e-05", "true", "null", "truely", "nothing", "12 monkeys", "12,13", "1],[2", '"text"', '"a\\"b\\\\"',
    "[]", "{}", "[[], {}]", '{"a": [1, 2.50, {"b": null}], "c": "\\u00e9 \\ud83d\\ude00 é 😀", "d": "\\n\\t\\"{["}', "2024-01-01T00:00:00Z",
    '{"deep": ' + "[" * 150 + "]" * 150 + "}", "[" + ",".join(['{"a": [1]}'] * 300) + "]", '{"s": "' + "y" * 20000 + '"}', "line\nbreak\ttab",
    "0.1", "01", "1.", ".5", "+1", "0x10", "- 1", "'single'", "\u2028", "\x01", "None", "True", "Infinity and more", '{"e": "1e999 -0.0 [[[["}',
    '{"emb": [' + ", ".join(["-0.123456789"] * 2000) + "]}",
]


def others(bulk):
    """Yields (spans, rows about the trace, kind) of traces that MLflow's SDK did not write."""
    def of(name):
        return hashlib.sha256(name.encode()).hexdigest()[:32]

    for i, value in enumerate(HARD):
        yield [bare_span(i, of(f"hard {i}"), attributes={"v": value, "n": "1"})], [], "hard"
    for i, value in enumerate(EASY):
        yield [bare_span(100 + i, of(f"easy {i}"), attributes={"v": value, "n": "1"})], [], "easy"
    root = bare_span(200, of("services"), kind="SPAN_KIND_SERVER", resource={"attributes": {"service.name": "front", "host": "a", "n": "1"}},
                     instrumentation_scope={"name": "otel", "version": "1.2"}, events=None, links=None, status=None, flags=257, trace_state="k=v")
    child = bare_span(201, of("services"), parent_span_id=root["span_id"], kind="SPAN_KIND_CLIENT",
                      resource={"attributes": {"service.name": "back"}}, status={"code": "ERROR", "message": "no"},
                      events=[{"time_unix_nano": AT, "name": "e", "attributes": {"x": "1", "y": '{"z": 1}'}}, {"time_unix_nano": AT, "name": None}],
                      links=[{"trace_id": of("easy 0"), "span_id": f"{101:016x}", "attributes": {"q": "2"}, "trace_state": "a=b"},
                             {"trace_id": "tr-" + of("easy 1"), "span_id": f"{102:016x}"}])
    yield [root, child], [], "easy"
    yield [bare_span(202, of("no service"), attributes={"user.id": "theirs", "x": "1"})], [
        log_row(of("no service"), AT, "genai.trace.metadata", {
            "trace_metadata": json.dumps({"mlflow.trace.user": "12", "mlflow.trace.session": "s-1"})}),
        log_row(of("no service"), AT, "genai.trace.tag", {"key": "service.name", "value": "tagged"})], "easy"
    yield [bare_span(203, of("no start"), start_time_unix_nano=None, end_time_unix_nano=0)], [], "easy"
    yield [bare_span(204, of("own service"), attributes={"service.name": "\"mine\""})], [], "hard"
    yield [bare_span(205, of("no root"), parent_span_id=f"{1:016x}")], [], "hard"
    yield [bare_span(206, of("another kind"), kind="LLM")], [], "hard"
    yield [bare_span(207, of("Upper").upper())], [], "hard"
    yield [bare_span(208, of("two versions")), bare_span(208, of("two versions"), end_time_unix_nano=None, name="older")], [], "hard"
    yield [bare_span(209, of("far apart")), bare_span(
        210, of("far apart"), parent_span_id=f"{210:016x}", start_time_unix_nano=AT + 3 * 86400 * 10**9)], [], "hard"
    yield [bare_span(211, of("null value"), attributes={"a": None, "b": "1"})], [], "hard"
    yield [bare_span(212, of("odd metadata"))], [
        log_row(of("odd metadata"), AT, "genai.trace.metadata", {"trace_metadata": '{"n": 1, "o": {"p": 2}, "s": "t"}'}),
        log_row(of("odd metadata"), AT, "unknown.event", {"key": "x", "value": "y"}),
        log_row(of("odd metadata"), AT, "genai.trace.tag", {"value": "without a key"})], "easy"
    prompt = json.dumps({"messages": [{"role": "user", "content": "word " * 300}] * 4, "temperature": 0.2})
    for i in range(bulk):
        trace_id = of(f"bulk {i}")
        root = bare_span(1000 + i * 3, trace_id, attributes={"mlflow.spanInputs": prompt, "mlflow.spanOutputs": prompt, "i": str(i)})
        yield [root] + [bare_span(1000 + i * 3 + k, trace_id, parent_span_id=root["span_id"], attributes={"mlflow.spanInputs": prompt}) for k in (1, 2)], [
            log_row(trace_id, AT, "genai.trace.tag", {"key": "bulk", "value": str(i)})], "bulk"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--uri", default="")
    parser.add_argument("--experiment", default="")
    parser.add_argument("--warehouse", required=True, help="URL of warehouse.py")
    parser.add_argument("--schema", required=True, help="catalog.schema")
    parser.add_argument("--bulk", type=int, default=0, help="how many plain traces to add")
    parser.add_argument("--only", default="", help="only those that other writers left of this kind")
    args = parser.parse_args()
    spans, logs, result = [], [], {"traces": {}, "left": {}, "others": {}}
    for some, about, kind in others(args.bulk):
        if args.only in ("", kind):
            spans += some
            logs += about
            result["others"].setdefault(kind, []).append(some[0]["trace_id"])
    if args.experiment:
        mlflow.set_tracking_uri(args.uri)  # Artifacts are asked of this one, whatever the client's.
        client = MlflowClient()
        experiment = client.get_experiment_by_name(args.experiment)
        if experiment is None:
            sys.exit(f"there is no experiment {args.experiment}")
        runs = runs_of_traces(client, experiment.experiment_id)
        for info in listed(client, experiment.experiment_id):
            try:
                trace = client.get_trace(info.trace_id, display=False)
            except Exception as e:  # What the SDK can't read nobody has put into the tables.
                result["left"][info.trace_id] = f"{type(e).__name__}: {e}"[:300]
                continue
            if not trace.data.spans:
                result["left"][info.trace_id] = "no spans"
                continue
            trace_id = target_trace_id(trace)
            result["traces"][info.trace_id] = trace_id
            spans += span_rows(trace, trace_id)
            logs += log_rows(trace.info, trace_id, runs.get(info.trace_id, []))
    sql(args.warehouse, f"CREATE SCHEMA IF NOT EXISTS {args.schema}")
    for name, columns, rows in (("spans", SPANS, spans), ("logs", LOGS, logs)):
        table = f"{args.schema}.mlflow_experiment_trace_otel_{name}"
        make_table(args.warehouse, table, columns, "TBLPROPERTIES ('otel.schemaVersion' = 'v1')")
        insert(args.warehouse, table, columns, rows)
    print(json.dumps(result | {"spans": len(spans), "logs": len(logs)}))


if __name__ == "__main__":
    main()
