"""Records the source forms of testdata/forms with the MLflow SDK that runs it.

  record_forms.py VERSION --uri URL --out DIR

URL is a current MLflow server. The SDK may be older, and then writes its own traces.json into the server's artifacts.
record_forms.sh runs this for every version. Trace and span IDs come from seeds, start times are fixed, and the server
chooses the assessment IDs.
"""

import argparse
import json
import math
import os
import random
import sys
from unittest import mock

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
os.environ["MLFLOW_TRACE_USE_ISOLATED_RANDOM_ID_GENERATOR"] = "false"  # so that random.seed determines the IDs

import mlflow
import requests
from mlflow.entities import SpanEvent, SpanType

MS = 1_000_000
BASE = 1_740_787_200_000 * MS  # 2025-03-01T00:00:00Z
MLFLOW_2 = mlflow.__version__.startswith("2.")
TEXTS = {
    "emoji": "😀👩‍👩‍👧‍👦",
    "combining": "e\u0301",
    "rtl": "שלום \u202eعالم",
    "dollar": "${x} $y",
    "quotes": "'single' \"double\"",
    "backslash": "\\ \\n \\u0041",
    "newlines": "a\nb\r\nc",
    "separators": "\u2028\u2029",
    "nul": "a\x00b",
    "json": '{"a": 1}',
    "number": "12",
}


class Tracer:
    """Writes spans with given times, with MLflow 2 or 3."""

    def __init__(self, experiment_id):
        self.client = mlflow.MlflowClient()
        self.experiment_id = experiment_id
        self.case = None
        self.at = BASE

    def root(self, name="agent", inputs=None, attributes=None, tags=None):
        tags = {"corpus.case": self.case, **(tags or {})}
        if MLFLOW_2:
            return self.client.start_trace(name, SpanType.AGENT, inputs=inputs, attributes=attributes, tags=tags,
                                           experiment_id=self.experiment_id, start_time_ns=self.at)
        return mlflow.start_span_no_context(name, SpanType.AGENT, inputs=inputs, attributes=attributes, tags=tags,
                                            experiment_id=self.experiment_id, start_time_ns=self.at)

    def child(self, parent, name="llm", kind=SpanType.LLM, inputs=None, outputs=None, attributes=None, status="OK", after=1):
        start = parent.start_time_ns + after * MS
        if MLFLOW_2:
            span = self.client.start_span(
                name, parent.request_id, parent.span_id, kind, inputs=inputs, attributes=attributes, start_time_ns=start
            )
            self.client.end_span(parent.request_id, span.span_id, outputs=outputs, status=status, end_time_ns=start + 5 * MS + 7)
        else:
            span = mlflow.start_span_no_context(name, kind, parent, inputs=inputs, attributes=attributes, start_time_ns=start)
            span.end(outputs=outputs, status=status, end_time_ns=start + 5 * MS + 7)
        return span

    def end(self, root, outputs=None, status="OK"):
        if MLFLOW_2:
            self.client.end_trace(root.request_id, outputs=outputs, status=status, end_time_ns=root.start_time_ns + 30 * MS)
            return root.request_id
        root.end(outputs=outputs, status=status, end_time_ns=root.start_time_ns + 30 * MS)
        return root.trace_id

    def trace(self, inputs=None, outputs=None, attributes=None):
        root = self.root(inputs=inputs, attributes=attributes)
        self.child(root, inputs=inputs, outputs=outputs, attributes=attributes)
        return self.end(root, outputs)


def simple(t):
    return t.trace({"question": "What is MLflow?"}, {"answer": "A platform."}, {"model": "m", "temperature": 0.5, "stream": False})


def empty(t):
    return t.trace()


def error(t):
    root = t.root(inputs={"q": "divide"})
    try:
        raise ValueError("no 'good' divisor: ${x} é")
    except ValueError as e:
        root.add_event(
            SpanEvent(
                "exception",
                root.start_time_ns + 2 * MS,
                {
                    "exception.message": str(e),
                    "exception.type": "ValueError",
                    "exception.stacktrace": "Traceback (most recent call last):\nValueError",
                },
            )
        )
    t.child(root, "tool", SpanType.TOOL, status="ERROR")
    return t.end(root, status="ERROR")


def events(t):
    root = t.root()
    root.add_event(
        SpanEvent("typed", root.start_time_ns + 1, {"s": "text", "i": 2**53 + 1, "f": 0.1, "b": True, "list": ["a", "b"], "ints": [1, 2]})
    )
    root.add_event(SpanEvent("bare", root.start_time_ns - 1))
    return t.end(root)


def nested_json(t):
    value = {"a": [1, [2, {"b": {"c": [None, True, False, {}, [], ""]}}]], "empty": {}, "list": [], "s": "", "null": None}
    return t.trace(value, [value], {"nested": value, "none": None, "text": "", "list": [], "object": {}})


def numbers(t):
    value = {
        "2^53+1": 2**53 + 1,
        "max": 2**63 - 1,
        "min": -(2**63),
        "0.1": 0.1,
        "1e-7": 1e-7,
        "1e300": 1e300,
        "1.0": 1.0,
        "-0.0": -0.0,
        "third": 1 / 3,
        "1e22": 1e22,
    }
    return t.trace(value, [value], value)


def not_finite(t):
    value = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "list": [math.nan, 1.0]}
    return t.trace(value, [math.nan], value)


def unicode(t):
    return t.trace(TEXTS, TEXTS["emoji"], {"key " + v: v for v in TEXTS.values() if "\x00" not in v})


def scalar_payloads(t):
    root = t.root(inputs="just text")
    for i, (inputs, outputs) in enumerate([(1, 2.5), (True, False), ("", []), ({}, "null"), ([1, "a"], '{"json": "text"}')]):
        t.child(root, f"child {i}", inputs=inputs, outputs=outputs, after=i + 1)
    return t.end(root, outputs=0)


def plain_text_attributes(t):
    """Attribute texts that are not JSON, as other OpenTelemetry code sets them on MLflow's spans."""
    root = t.root()
    for key, text in {
        "plain": "not JSON",
        "broken": '{"a": 1,',
        "duplicates": '{"a": 1, "a": 2}',
        "decimal": "1.50",
        "spaced": ' { "a" : 1 } ',
        "empty": "",
    }.items():
        root._span.set_attribute(key, text)
    root._span.set_attribute("raw int", 7)
    root._span.set_attribute("raw float", 0.5)
    root._span.set_attribute("raw bool", True)
    root._span.set_attribute("raw list", ["a", "b"])
    return t.end(root)


def span_types(t):
    root = t.root("types", tags={"plain": "tag", "empty": "", "unicode": "😀"})
    for i, kind in enumerate(
        [
            SpanType.CHAIN,
            SpanType.TOOL,
            SpanType.CHAT_MODEL,
            SpanType.RETRIEVER,
            SpanType.PARSER,
            SpanType.EMBEDDING,
            SpanType.UNKNOWN,
            "MINE",
        ]
    ):
        t.child(root, f"a {kind}", kind, after=i)
    return t.end(root)


def session(t):
    from mlflow.tracing.trace_manager import InMemoryTraceManager

    root = t.root(inputs={"q": "hello " * 300})
    with InMemoryTraceManager.get_instance().get_trace(root.trace_id) as trace:
        trace.info.trace_metadata.update({"mlflow.trace.session": "s-1", "mlflow.trace.user": "ann", "mine": "x", "empty": ""})
        trace.info.client_request_id = "request-1"
    return t.end(root, outputs="x" * 2000)


def links(t):
    from mlflow.entities import Link

    root = t.root()
    root.add_link(
        Link("tr-a57202c6fa08c635b0d49fc32ac722e3", "00f067aa0ba902b7", {"why": "follows", "n": 3, "f": 0.5, "b": True, "u": "ü😀"})
    )
    root.add_link(Link("tr-4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000ff"))
    return t.end(root)


def assessments(t):
    from mlflow.entities import AssessmentError, AssessmentSource, Expectation, Feedback
    from mlflow.tracing.client import TracingClient

    root = t.root(inputs={"q": 1})
    child = t.child(root)
    trace_id = t.end(root, outputs="a")
    client = TracingClient()
    human, judge = AssessmentSource("HUMAN", "ann@example.com"), AssessmentSource("LLM_JUDGE", "judge")
    at = {"create_time_ms": t.at // MS + 1000, "last_update_time_ms": t.at // MS + 2000}
    for name, value in {"bool": True, "number": 0.1, "int": 5, "text": "good", "list": ["a"], "object": {"k": 1}}.items():
        client.log_assessment(trace_id, Feedback(name=name, value=value, source=human, **at))
    client.log_assessment(
        trace_id, Feedback(name="failed", error=AssessmentError("TIMEOUT", "too 'long'", "Traceback\n line"), source=judge, **at)
    )
    first = client.log_assessment(
        trace_id, Feedback(name="relevance", value=0.2, source=judge, rationale="first", metadata={"v": "1"}, span_id=child.span_id, **at)
    )
    mlflow.override_feedback(trace_id=trace_id, assessment_id=first.assessment_id, value=0.9, rationale="human says so", source=human)
    client.log_assessment(trace_id, Expectation(name="answer", value="forty-two", source=human, **at))
    client.log_assessment(trace_id, Expectation(name="facts", value=["a", {"n": 2**53 + 1}], source=human, metadata={"set": "gold"}, **at))
    return trace_id


def otlp_plain(t):
    """Plain OpenTelemetry attributes, sent to the server's OTLP endpoint."""
    import corpus

    c = corpus.Corpus.__new__(corpus.Corpus)
    c.uri, c.client, c.experiment_id, c.name, c.at = mlflow.get_tracking_uri(), corpus.TracingClient(), t.experiment_id, t.case, t.at
    rng = random.Random(7)
    root, trace_id = rng.randbytes(8).hex(), rng.randbytes(16).hex()
    attributes = {
        "gen_ai.request.model": "gpt-x",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.response.finish_reasons": ["stop", "length"],
        "ints": [1, 2**62],
        "f": 1.5,
        "whole": 3.0,
        "b": True,
        "bytes": b"\x00\xff",
        "kv": {"a": {"b": None}},
        "none": None,
        "json text": '{"a": 1}',
        "number text": "12",
        "nan": math.nan,
        "": "empty key",
    }
    return corpus.otlp(
        c,
        [
            corpus.otlp_span(
                c,
                "server",
                root,
                kind=2,
                trace_state="a=b",
                attributes=corpus.key_values({"session.id": "otlp-session", "mlflow.traceTag.fromotlp": "yes"}),
            ),
            corpus.otlp_span(
                c,
                "chat",
                rng.randbytes(8).hex(),
                root,
                kind=3,
                status={"code": 2, "message": "failed"},
                attributes=corpus.key_values(attributes),
                events=[{"time_unix_nano": t.at + 1, "name": "ev", "attributes": corpus.key_values({"k": 1, "l": ["x"]})}],
                links=[{"trace_id": rng.randbytes(16), "span_id": rng.randbytes(8), "attributes": corpus.key_values({"l": "1"})}],
            ),
        ],
        trace_id,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("version")
    parser.add_argument("--uri", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    current = args.version == "current"
    cases = [simple, empty, error, events, nested_json, numbers, not_finite, unicode, scalar_payloads, plain_text_attributes, span_types]
    if not MLFLOW_2:
        cases += [session]
    if tuple(map(int, mlflow.__version__.split(".")[:2])) >= (3, 2):  # Before, assessments were for Databricks only.
        cases += [assessments]
    if hasattr(mlflow.entities, "Link"):
        cases += [links]
    if current:
        cases += [otlp_plain]
    else:
        try:  # An SDK that would send spans to the server writes traces.json instead, as it does for other servers.
            from mlflow.tracing.export.mlflow_v3 import MlflowV3SpanExporter as exporter

            for name in ("_export_spans_incrementally", "_log_spans"):
                if hasattr(exporter, name):
                    mock.patch.object(exporter, name, lambda *_, **__: None).start()
        except ImportError:
            pass
    sys.argv[0], os.environ["LOGNAME"] = "agent.py", "ann"  # The SDK records them as source and user.
    mlflow.set_tracking_uri(args.uri)
    t = Tracer(mlflow.create_experiment(f"/Shared/forms-{args.version}"))
    folder = os.path.join(args.out, args.version)
    os.makedirs(folder, exist_ok=True)

    def record(name, path, **params):
        answer = requests.get(args.uri + path, params=params, timeout=60)
        answer.raise_for_status()
        with open(os.path.join(folder, name), "wb") as f:
            f.write(answer.content)

    ids = []
    for i, function in enumerate(cases):
        name = t.case = function.__name__
        t.at = BASE + i * 1000 * MS
        random.seed(f"{args.version} {name}")
        trace_id = function(t)
        ids.append(trace_id)
        record(name + ".traces.json", "/ajax-api/2.0/mlflow/get-trace-artifact", request_id=trace_id)
        record(name + ".info.json", f"/api/3.0/mlflow/traces/{trace_id}")
        if current:
            record(name + ".get.json", "/api/3.0/mlflow/traces/get", trace_id=trace_id)
    if current:
        record("batch.json", "/api/3.0/mlflow/traces/batchGet", trace_ids=ids[:3])
    print(f"{mlflow.__version__}: {len(ids)} cases", file=sys.stderr)


if __name__ == "__main__":
    main()
