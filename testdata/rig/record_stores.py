"""Records a small store of the MLflow version that runs this, and what its server answers for it, in testdata/stores of package mlflowdb.

  record_stores.py --out DIR

It starts the version's own server on an SQLite file of its own, logs traces with the version's own SDK, and writes into DIR/VERSION:

  store.sql       the tables that traces lie in, as SQL
  search.json     the answer of POST /api/3.0/mlflow/traces/search
  documents.json  by trace ID, the text that get-trace-artifact answers; null where it has none
  runs.json       by run ID, the IDs of the traces that the SDK's search finds for it
  artifacts/      the files that the server keeps

record_stores.sh runs it for every requirements-stores-*.txt.
"""

import argparse
import contextlib
import inspect
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from unittest import mock

import record_forms  # sets the SDK's environment
from record_forms import MS, TEXTS, Tracer

import mlflow
import requests
from mlflow.entities import (
    AssessmentError,
    AssessmentSource,
    Expectation,
    Feedback,
    SpanEvent,
    SpanType,
    TraceInfo,
    TraceLocation,
    TraceState,
)
from mlflow.tracing.client import TracingClient
from mlflow.tracing.export.mlflow_v3 import MlflowV3SpanExporter

TABLES = ["alembic_version", "experiments", "experiment_tags", "runs", "trace_info", "trace_tags", "trace_request_metadata", "assessments",
          "spans", "entity_associations"]
HUMAN, JUDGE = AssessmentSource("HUMAN", "ann@example.com"), AssessmentSource("LLM_JUDGE", "judge")


def update_info(trace_id, **fields):
    """Sets fields of a trace that is still in memory."""
    from mlflow.tracing.trace_manager import InMemoryTraceManager

    with InMemoryTraceManager.get_instance().get_trace(trace_id) as trace:
        trace.info.trace_metadata.update(fields.pop("metadata", {}))
        for key, value in fields.items():
            setattr(trace.info, key, value)


def session(t):
    """Everything that later versions keep in columns of their own."""
    root = t.root("turn 😀", inputs={"q": "hello " * 300})
    update_info(root.trace_id, client_request_id="request 'one' ü", metadata={
        "mlflow.trace.session": "session-😀-1", "mlflow.trace.user": "user 'one'", "mine": "x", "empty": "", "ключ": TEXTS["rtl"],
        "mlflow.trace.tokenUsage": '{"input_tokens": 12, "output_tokens": 5, "total_tokens": 17, "cache_read_input_tokens": 3}',
        "mlflow.trace.cost": '{"input_cost": 1e-07, "output_cost": 0.25, "total_cost": 0.2500001}'})
    t.child(root, "llm", SpanType.CHAT_MODEL, {"m": "hi"}, "ok", {
        "mlflow.chat.tokenUsage": {"input_tokens": 12, "output_tokens": 5, "total_tokens": 17}, "mlflow.llm.model": "model-x",
        "mlflow.llm.cost": {"input_cost": 1e-7, "output_cost": 0.25, "total_cost": 0.2500001}})
    return t.end(root, outputs="x" * 1500)


def values(t):
    """Spans whose values are hard to keep."""
    value = {"texts": {k: v for k, v in TEXTS.items() if k != "nul"}, "nested": {"a": [1, [2, {"b": [None, True, {}, [], ""]}]]},
             "big": 2**53 + 1, "max": 2**63 - 1, "small": 1e-7, "whole": 1.0, "third": 1 / 3}
    root = t.root("values", inputs=value, attributes={"dots.in.key": value, "none": None}, tags={"empty": "", "quotes": TEXTS["quotes"]})
    root.add_event(SpanEvent("typed", root.start_time_ns + 1, {"s": "text", "i": 2**53 + 1, "f": 0.1, "b": True, "list": ["a", "b"]}))
    root.add_event(SpanEvent("before", root.start_time_ns - 1))
    if hasattr(mlflow.entities, "Link"):
        root.add_link(mlflow.entities.Link("tr-a57202c6fa08c635b0d49fc32ac722e3", "00f067aa0ba902b7", {"why": "follows", "n": 3}))
    t.child(root, "tool 😀", SpanType.TOOL, "just text", [value["big"], None], status="ERROR")
    trace_id = t.end(root, outputs=0, status="ERROR")
    for key, text in {"unicode": TEXTS["emoji"], "newlines": TEXTS["newlines"], "gone": "soon", "empty": "no longer"}.items():
        t.client.set_trace_tag(trace_id, key, text)
    t.client.delete_trace_tag(trace_id, "gone")
    return trace_id


def assessed(t):
    root = t.root("assessed", inputs={"q": 1})
    child = t.child(root)
    trace_id = t.end(root, outputs="a")
    at = {"create_time_ms": t.at // MS + 1000, "last_update_time_ms": t.at // MS + 2000}
    log = TracingClient().log_assessment

    def feedback(name, value=None, source=HUMAN, **kw):
        return log(trace_id, Feedback(name=name, value=value, source=source, **{**at, **kw}))

    for name, value in {"true": True, "false": False, "int": 5, "float": 0.1, "whole": 2.0, "text": "good", "empty": "", "list": ["a"],
                        "ints": [1, 2], "object": {"k": 1}, "nested": {"a": [{"b": None}]}, "number text": "12",
                        "unicode": TEXTS["emoji"]}.items():
        feedback(name, value)
    feedback("failed", error=AssessmentError("TIMEOUT", "too 'long'", "Traceback\n line"), source=JUDGE)
    feedback("code only", error=AssessmentError("RATE_LIMIT"), source=AssessmentSource("CODE", "scorer.py:12"))
    feedback("withdrawn", True, valid=False)
    feedback("metadata", 1, rationale="because\n'it' is 😀", metadata={"k": "v", "empty": "", "dots.in.key": "y"})
    feedback("on child", "yes", JUDGE, span_id=child.span_id)
    feedback("later", 1, create_time_ms=t.at // MS + 5001, last_update_time_ms=t.at // MS + 5999)
    first = feedback("relevance", 0.2, JUDGE, rationale="first", metadata={"v": "1"})
    second = mlflow.override_feedback(trace_id=trace_id, assessment_id=first.assessment_id, value=0.9, rationale="second", source=HUMAN)
    mlflow.override_feedback(trace_id=trace_id, assessment_id=second.assessment_id, value=0.5, rationale="third", source=HUMAN)
    mlflow.delete_assessment(trace_id, feedback("deleted", True).assessment_id)
    for name, value in {"text": "forty-two", "int": 7, "float": 0.25, "bool": True, "list": ["a", None, {"b": 2}],
                        "object": {"n": 2**53 + 1}, "empty list": [], "json text": "[1]"}.items():
        log(trace_id, Expectation(name=name, value=value, source=HUMAN, metadata={"set": "gold"} if name == "text" else None, **at))
    log(trace_id, Expectation(name="on child", value={"k": [1]}, source=HUMAN, span_id=child.span_id, **at))
    return trace_id


def tags_only(t):
    return info_only(t, TraceState.OK)


def in_progress(t):
    return info_only(t, TraceState.IN_PROGRESS, execution_duration=None)


def info_only(t, state, **kw):
    info = TraceInfo(
        trace_id=f"tr-{t.at:032x}", trace_location=TraceLocation.from_experiment_id(t.experiment_id), request_time=t.at // MS, state=state,
        tags={"corpus.case": t.case, "mlflow.traceName": "info only"}, **{"trace_metadata": {"mlflow.trace_schema.version": "3"}, **kw})
    TracingClient().start_trace(info)
    return info.trace_id


def in_run(t):
    with mlflow.start_run(experiment_id=t.experiment_id, run_name="producer"):
        return t.trace({"q": "in run"}, "a")


def linked(t):
    """Linked to runs of this experiment and of another one, where the version has such links."""
    trace_id = t.trace({"q": "linked"}, "a")
    if hasattr(t.client, "link_traces_to_run"):
        for experiment_id in [t.experiment_id, t.experiment_id, mlflow.create_experiment("other")]:
            run = t.client.create_run(experiment_id)
            t.client.link_traces_to_run([trace_id], run.info.run_id)
    return trace_id


def spans_to_files():
    name = "_export_spans_incrementally"  # older versions have nothing of the kind
    return mock.patch.object(MlflowV3SpanExporter, name, lambda *_, **__: None, create=not hasattr(MlflowV3SpanExporter, name))


def fill(uri):
    """Logs each case, and one a second time with its spans as a file, as the SDK stores them where the server can't take spans."""
    mlflow.set_tracking_uri(uri)
    t = Tracer(mlflow.create_experiment("stores"))
    cases = [session, values, assessed, tags_only, in_progress, in_run, linked]
    for i, function in enumerate([*cases, values]):
        t.case = function.__name__ + ("_file" if i >= len(cases) else "")
        t.at = record_forms.BASE + i * 1000 * MS
        record_forms.random.seed(t.case)
        with spans_to_files() if i >= len(cases) else contextlib.nullcontext():
            function(t)
    return t


def record(uri, experiment_id, folder):
    def write(name, value):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            json.dump(value, f, ensure_ascii=False, indent=1, sort_keys=True)
            f.write("\n")

    where = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}]
    answer = requests.post(uri + "/api/3.0/mlflow/traces/search", json={
        "locations": where, "max_results": 100, "order_by": ["timestamp_ms ASC"]}, timeout=60)
    answer.raise_for_status()
    with open(os.path.join(folder, "search.json"), "wb") as f:
        f.write(answer.content)

    def document(trace_id):
        answer = requests.get(uri + "/ajax-api/2.0/mlflow/get-trace-artifact", params={"request_id": trace_id}, timeout=60)
        return answer.content.decode() if answer.ok else None

    write("documents.json", {t["trace_id"]: document(t["trace_id"]) for t in answer.json()["traces"]})
    client = mlflow.MlflowClient()
    everywhere = [e.experiment_id for e in client.search_experiments()]
    where = "locations" if "locations" in inspect.signature(client.search_traces).parameters else "experiment_ids"
    runs = [r.info.run_id for r in client.search_runs(everywhere)]
    write("runs.json", {r: sorted(t.info.trace_id for t in client.search_traces(run_id=r, **{where: everywhere})) for r in runs})


def dump(database, path):
    """Writes the tables of a database that traces lie in."""
    db = sqlite3.connect(database)
    for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall():
        if table not in TABLES:
            db.execute(f'DROP TABLE "{table}"')
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(line + "\n" for line in db.iterdump())
    db.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    folder = os.path.join(os.path.abspath(parser.parse_args().out), mlflow.__version__)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    sys.argv[0], os.environ["LOGNAME"] = "agent.py", "ann"  # The SDK records them as source and user.
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)  # The SDK records the repository that it runs in.
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mlflow_server.py")
        server = subprocess.Popen([sys.executable, script, work], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            uri = server.stdout.readline().split()[1]
            t = fill(uri)
            record(uri, t.experiment_id, folder)
        finally:
            server.stdin.close()
            server.wait()
        dump(os.path.join(work, "mlflow.db"), os.path.join(folder, "store.sql"))
        if os.path.isdir(os.path.join(work, "artifacts")):
            shutil.copytree(os.path.join(work, "artifacts"), os.path.join(folder, "artifacts"))


if __name__ == "__main__":
    main()
