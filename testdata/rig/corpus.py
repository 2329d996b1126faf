"""Fills an MLflow server with a corpus of hard traces, written by MLflow's own SDK.

  corpus.py fill --uri URL --experiment NAME [--dump FILE] [--bulk N --store URI]
  corpus.py add --uri URL --experiment NAME --count N
  corpus.py end-in-progress --uri URL --experiment NAME
  corpus.py dump --uri URL --experiment NAME --dump FILE

Every command prints one JSON object (see main). Content and start times are fixed. Trace, span and assessment IDs are
new each time. The tag `corpus.case` of each trace names its case, which may have several traces. A case named X_artifact
is case X with its spans in the artifact repository (traces.json), as older versions stored them.
"""

import argparse
import base64
import contextlib
import datetime
import json
import math
import os
import secrets
import sys
import time
from unittest import mock

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
sys.setrecursionlimit(20000)

import mlflow
import requests
from mlflow.entities import (
    AssessmentError,
    AssessmentSource,
    Expectation,
    Feedback,
    Link,
    SpanEvent,
    SpanType,
    TraceInfo,
    TraceLocation,
    TraceState,
)
from mlflow.entities.assessment import IssueReference
from mlflow.entities.span import Span, SpanStatus, SpanStatusCode
from mlflow.tracing.client import TracingClient
from mlflow.tracing.export.mlflow_v3 import MlflowV3SpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sqlalchemy import MetaData, Table, create_engine

MS = 1_000_000
SECOND = 1_000 * MS


def utc_ns(year, month, day, *rest):
    return int(datetime.datetime(year, month, day, *rest, tzinfo=datetime.timezone.utc).timestamp()) * SECOND


BASE = utc_ns(2025, 3, 1)

CASES = []  # (name, function, whether there is a case X_artifact too)
LARGE = set()  # names of cases that are written only if --only names them


def case(function=None, *, twin=False, large=False):
    def register(f):
        CASES.append((f.__name__, f, twin))
        if large:
            LARGE.add(f.__name__)
        return f

    return register(function) if function else register


@contextlib.contextmanager
def spans_to_artifacts():
    """Has the SDK store spans as traces.json, as it does if the server can't take spans."""
    with mock.patch.object(MlflowV3SpanExporter, "_export_spans_incrementally", lambda *_: None):
        yield


@contextlib.contextmanager
def spans_lost():
    """Has the trace arrive without its spans, as when the process dies before the upload."""
    with spans_to_artifacts(), mock.patch.object(TracingClient, "_upload_trace_data", lambda *_: None):
        yield


class Corpus:
    """Writes the traces of the cases. `at` is the start of the current case, one second after that of the previous case."""

    def __init__(self, uri, experiment):
        mlflow.set_tracking_uri(uri)
        self.uri = uri
        self.client = TracingClient(uri)
        found = mlflow.get_experiment_by_name(experiment)
        self.experiment_id = found.experiment_id if found else mlflow.create_experiment(experiment)
        self.name = None
        self.at = BASE
        self.traces = {}  # trace IDs by case
        self.deleted = []
        self.errors = {}

    def keep(self, trace_id):
        self.traces.setdefault(self.name, []).append(trace_id)
        return trace_id

    def root(self, name="root", at=None, tags=None, kind=SpanType.AGENT, **kw):
        span = mlflow.start_span_no_context(
            name, span_type=kind, experiment_id=self.experiment_id, start_time_ns=self.at if at is None else at,
            tags={"corpus.case": self.name, **(tags or {})}, **kw)
        self.keep(span.trace_id)
        return span

    def child(self, parent, name="child", after=1, lasts=3, kind=SpanType.UNKNOWN, end=True, **kw):
        start = parent.start_time_ns + after * MS
        outputs, status = kw.pop("outputs", None), kw.pop("status", None)
        span = mlflow.start_span_no_context(name, span_type=kind, parent_span=parent, start_time_ns=start, **kw)
        if end:
            span.end(outputs=outputs, status=status, end_time_ns=start + lasts * MS)
        return span

    def end(self, span, lasts=30, **kw):
        span.end(end_time_ns=span.start_time_ns + lasts * MS, **kw)
        return span.trace_id

    def trace(self, inputs=None, outputs=None, attributes=None, name="simple", lasts=30, **kw):
        """Writes a root with one child, both with the given values."""
        root = self.root(name, inputs=inputs, attributes=attributes, **kw)
        self.child(root, inputs=inputs, outputs=outputs, attributes=attributes, kind=SpanType.LLM)
        return self.end(root, lasts, outputs=outputs)

    def update_info(self, trace_id, **fields):
        """Sets fields of a trace that is still in memory, since its root has not ended."""
        from mlflow.tracing.trace_manager import InMemoryTraceManager

        with InMemoryTraceManager.get_instance().get_trace(trace_id) as trace:
            for key, value in fields.items():
                current = getattr(trace.info, key)
                if isinstance(current, dict):
                    current.update(value)
                else:
                    setattr(trace.info, key, value)

    def info_only(self, state, at=None, trace_id=None, **kw):
        """Writes a trace without spans, through the REST API."""
        info = TraceInfo(
            trace_id=trace_id or "tr-" + secrets.token_hex(16),
            trace_location=TraceLocation.from_experiment_id(self.experiment_id),
            request_time=(self.at if at is None else at) // MS, state=state,
            **{"tags": {"corpus.case": self.name, "mlflow.traceName": "info only"},
               "trace_metadata": {"mlflow.trace_schema.version": "3"}, **kw})
        self.client.start_trace(info)
        return self.keep(info.trace_id)

    def feedback(self, trace_id, name, value=None, kind="HUMAN", source="ann@example.com", **kw):
        return self.client.log_assessment(trace_id, Feedback(
            name=name, value=value, source=AssessmentSource(kind, source), **self.times(kw)))

    def expectation(self, trace_id, name, value, kind="HUMAN", source="ann@example.com", **kw):
        return self.client.log_assessment(trace_id, Expectation(
            name=name, value=value, source=AssessmentSource(kind, source), **self.times(kw)))

    def times(self, kw):
        return {"create_time_ms": self.at // MS + 60_000, "last_update_time_ms": self.at // MS + 61_000, **kw}


# --- span kinds, states, structure ------------------------------------------------------------------------------

SPAN_TYPES = [v for k, v in vars(SpanType).items() if k.isupper()]


@case(twin=True)
def span_types(c):
    root = c.root("every type")
    for i, kind in enumerate([*SPAN_TYPES, "MY_OWN_TYPE"]):
        c.child(root, f"a {kind}", after=i, kind=kind, inputs={"kind": kind}, outputs=kind)
    c.end(root)


@case(twin=True)
def state_error(c):
    root = c.root("fails", inputs={"q": "divide"})
    child = c.child(root, "tool", kind=SpanType.TOOL, end=False)
    try:
        try:
            1 / 0
        except ZeroDivisionError as e:
            raise ValueError("no \"good\" divisor: ${x} 'y' \\ \n\t é") from e
    except ValueError as e:
        child.record_exception(e)
    child.end(status=SpanStatus(SpanStatusCode.ERROR, "ValueError: no divisor"), end_time_ns=root.start_time_ns + 5 * MS)
    c.end(root, status=SpanStatus(SpanStatusCode.ERROR, "the tool failed\nbadly"))


@case
def state_error_in_child_only(c):
    root = c.root("recovers")
    c.child(root, "first try", status="ERROR")
    c.child(root, "second try", after=5, outputs="fine")
    c.end(root, outputs="fine")


@case
def state_unset(c):
    """OTLP producers may leave the status unset."""
    span_id = secrets.token_hex(8)
    c.keep(otlp(c, [otlp_span(c, "unset root", span_id), otlp_span(c, "unset child", parent=span_id)]))


@case(twin=True)
def events(c):
    root = c.root("events")
    root.add_event(SpanEvent("plain", timestamp=root.start_time_ns + 1))
    root.add_event(SpanEvent("typed", timestamp=root.start_time_ns + 2, attributes={
        "s": "text", "i": 2**53 + 1, "neg": -(2**63), "f": 0.1, "b": True, "list": ["a", "b"], "ints": [1, 2], "empty": ""}))
    root.add_event(SpanEvent("before the span", timestamp=root.start_time_ns - 5 * MS, attributes={"dots.in.key": 1}))
    root.add_event(SpanEvent("", timestamp=root.start_time_ns + 3))
    for i in range(20):
        root.add_event(SpanEvent("same", timestamp=root.start_time_ns + 4, attributes={"n": i}))
    c.end(root)


@case(twin=True)
def links(c):
    other = c.root("linked to")
    c.end(other)
    root = c.root("links", at=c.at + 100 * MS)
    root.add_link(Link(other.trace_id, other.span_id, {"why": "follows", "n": 3, "f": 0.5, "b": True, "u": "ü😀"}))
    root.add_link(Link("tr-4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000ff"))
    child = c.child(root, "links within", end=False)
    child.add_link(Link(root.trace_id, root.span_id, {"self": "trace"}))
    child.end(end_time_ns=child.start_time_ns + MS)
    c.end(root)


@case(twin=True)
def span_200(c):
    """200 spans in 10 branches, each of which is a chain."""
    root = c.root("200 spans")
    parents = [root]
    with batched(c):
        for i in range(199):
            parent = root if i % 20 == 0 else parents[-1]
            parents.append(c.child(parent, f"span {i + 1}", after=0, lasts=1, kind=SPAN_TYPES[i % len(SPAN_TYPES)], inputs={"i": i}))
        c.end(root)


@case
def child_outlasts_root(c):
    root = c.root("short root")
    c.child(root, "late child", after=100, lasts=1000)
    c.child(root, "child before root", after=-50, lasts=10)
    c.end(root, lasts=1)


@case
def zero_duration(c):
    root = c.root("no time at all")
    c.end(root, lasts=0)


@case
def nanosecond_times(c):
    root = c.root("odd nanoseconds", at=c.at + 123_456_789)
    root.end(end_time_ns=c.at + 987_654_321)


# --- values -----------------------------------------------------------------------------------------------------

NESTED = {"a": [1, [2, [3, {"b": {"c": [None, True, False, {}, [], ""]}}]]], "empty": {}, "list": [], "s": ""}


@case(twin=True)
def json_types(c):
    values = {"null": None, "true": True, "false": False, "int": 1, "zero": 0, "float": 1.5, "string": "s", "empty": "",
              "object": {"k": "v"}, "empty object": {}, "list": [1, "a", None], "empty list": [], "nested": NESTED}
    c.trace(values, [values], values)


for _label, _value in {"string": "just text", "empty_string": "", "int": 42, "zero": 0, "float": 2.5, "true": True,
                       "false": False, "list": [1, 2], "empty_list": [], "empty_object": {}, "json_text": '{"a": "{\\"b\\": 1}"}'}.items():
    def _payload(c, value=_value):
        c.trace(value, value)

    _payload.__name__ = f"payload_{_label}"
    case(_payload)


@case
def no_payload(c):
    c.trace()


@case(twin=True)
def integers(c):
    values = {"2^53": 2**53, "2^53+1": 2**53 + 1, "max": 2**63 - 1, "min": -(2**63), "minus": -1, "zero": 0,
              "nanos": 1794753967747983009}
    c.trace(values, [values], {"i." + k: v for k, v in values.items()})


@case(twin=True)
def integers_beyond_64_bits(c):
    values = {"2^63": 2**63, "2^64": 2**64, "below": -(2**63) - 1, "38 digits": 10**38 - 1, "39 digits": 10**38, "100 digits": 10**99 + 7}
    c.trace(json.dumps(values), "as text", {"text": json.dumps(values)})
    c.at += 10 * MS
    c.trace(values, [values])


@case(twin=True)
def floats(c):
    values = {"0.1": 0.1, "1e-7": 1e-7, "1e300": 1e300, "1e22": 1e22, "1e21": 1e21, "-0.0": -0.0, "1.0": 1.0, "100.0": 100.0, "pi": math.pi,
              "smallest": 5e-324, "largest": 1.7976931348623157e308, "third": 1 / 3, "0.30000000000000004": 0.1 + 0.2,
              "-1.5": -1.5, "123456789.123456789": 123456789.123456789}
    c.trace(values, [values], {"f." + k: v for k, v in values.items()})


@case(twin=True)
def not_finite(c):
    values = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "list": [math.nan, 1.0]}
    c.trace(values, [values], {"nan": math.nan, "inf": math.inf, "-inf": -math.inf})


TEXTS = {
    "emoji": "😀👩‍👩‍👧‍👦🏳️‍🌈",
    "combining": "e\u0301 a\u0308\u0323 \u0e19\u0e33",
    "rtl": "שלום \u202eعالم\u202c",
    "cjk": "漢字かな交じり文 𠮷",
    "bom": "\ufeffx",
    "noncharacters": "\ufffe\uffff\ufffd",
    "separators": "\u2028\u2029\u0085\u00a0",
    "nul": "a\x00b",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f",
    "dollar": "${x} $x ${env:HOME} ${spark.app.name} $$",
    "braces": "{{x}} {x} %s %(x)s :rows ? @p",
    "quotes": "'single' \"double\" `back`",
    "backslashes": "\\ \\\\ \\n \\u0041 \\x41 C:\\new\\table",
    "newlines": "a\nb\r\nc\rd\te",
    "sql": "'); DROP TABLE t; -- /* */ ' OR 1=1",
    "html": "<script>alert('x')</script> &amp;",
    "json": '{"a": [1, "b"]}',
    "json string": '"quoted"',
    "json number": "12345678901234567890",
    "json null": "null",
    "spaces": "  lead and trail  ",
    "long": "x" * 10_000,
    "empty": "",
}


@case(twin=True)
def texts(c):
    c.trace(
        TEXTS, [TEXTS], {"text." + k: v for k, v in TEXTS.items()}, name=TEXTS["dollar"] + TEXTS["quotes"] + TEXTS["emoji"] + TEXTS["sql"]
    )


@case(twin=True)
def text_keys(c):
    keys = {v: k for k, v in TEXTS.items() if k not in ("long", "nul")}
    c.trace({"in object": keys}, keys, keys)


@case(twin=True)
def nul_in_keys_and_names(c):
    c.trace({"a\x00b": 1, "\x00": 2}, None, {"attr\x00key": "x"}, name="nul\x00name")


@case(twin=True)
def odd_keys(c):
    keys = {"": "empty", ".": 1, "a.b": 2, "a": {"b": 3}, "a.b.c": 4, "A": 5, "a ": 6, " a": 7, "ä": "composed", "a\u0308": "decomposed",
            "$": 1, "$.a": 2, "[0]": 3, "key with spaces": 4, "k" * 1000: "long key", "mlflow.mine": "not MLflow's"}
    c.trace(keys, keys, keys)


@case
def lone_surrogates(c):
    """A high surrogate alone, as in an emoji that was cut in two. It is not in the root's payload, since the SDK fails on
    the preview of that."""
    root = c.root("surrogates")
    c.child(root, "cut", inputs={"text": "cut \ud83d", "key \udc00": 1}, outputs="cut \ud83d", attributes={"attr": "\ude00 low"})
    c.end(root)


@case
def lone_surrogates_artifact(c):
    """Lone surrogates as files of older SDKs hold them: escaped in the file's JSON, in the attribute's JSON, and in both."""
    info = c.client.get_trace_info(c.info_only(TraceState.OK, execution_duration=30))
    span = {
        "name": "cut \ud83d",
        "context": {"trace_id": info.trace_id.removeprefix("tr-"), "span_id": secrets.token_hex(8)},
        "parent_id": None,
        "start_time": c.at,
        "end_time": c.at + 30 * MS,
        "status_code": "OK",
        "status_message": "",
        "events": [],
        "attributes": {
            "mlflow.traceRequestId": json.dumps(info.trace_id),
            "outer": '"cut \ud83d"',
            "inner": '"cut \\ud83d"',
            "pair": '"\\ud83d\\ude00"',
            "key": '{"\\udc00": 1}',
        },
    }
    upload_artifact(c, info, json.dumps({"spans": [span], "request": None, "response": None}))


@case
def lone_surrogate_escapes(c):
    """Lone surrogates in JSON texts that MLflow did not encode."""
    root = c.root("escapes")
    root._span.set_attribute("raw.surrogate", '"cut \\ud83d"')
    root._span.set_attribute("raw.pair", '"whole \\ud83d\\ude00"')
    c.end(root)


@case(twin=True)
def raw_attribute_texts(c):
    """Attribute texts that MLflow did not encode: plain text, broken JSON, duplicate keys, odd numbers."""
    root = c.root("raw texts")
    for key, text in {"plain": "not JSON at all", "broken": '{"a": 1,', "duplicates": '{"a": 1, "a": 2, "b": {"c": 1, "c": 2}}',
                      "number": "1.50", "exponent": "1E400", "minus zero": "-0", "spaced": ' { "a" : 1 } ', "two": "1 2", "empty": "",
                      "nan": "NaN", "escaped": '"\\u0041\\/\\b"', "nul escape": '"a\\u0000b"', "nul key": '{"a\\u0000b": 1}'}.items():
        root._span.set_attribute("raw." + key, text)
    c.end(root)


def deep(levels):
    value = "bottom"
    for i in range(levels):
        value = [value] if i % 2 else {"d": value}
    return value


@case(twin=True)
def deep_nesting_90(c):
    c.trace({"deep": deep(90)}, "ok")


@case(twin=True)
def deep_nesting_200(c):
    c.trace({"deep": deep(200)}, "ok")


@case(twin=True)
def deep_nesting_1500(c):
    c.trace({"deep": deep(1500)}, "ok")


@case(twin=True)
def large_payload(c):
    """5 MB in one attribute."""
    root = c.root("large")
    c.child(root, "small child", inputs={"q": 1})
    c.end(root, outputs={"text": "0123456789abcdef" * (5 * 1024 * 1024 // 16)})


@case(twin=True)
def many_attributes(c):
    c.trace({"q": 1}, "a", {f"attribute.{i:03d}": {"i": i, "text": f"value {i}"} for i in range(120)})


@case
def token_usage_cost(c):
    root = c.root("usage")
    for i in range(3):
        llm = c.child(
            root, f"llm {i}", after=i, kind=SpanType.CHAT_MODEL, end=False, inputs={"messages": [{"role": "user", "content": "hi"}]}
        )
        llm.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 10 + i, "output_tokens": 5, "total_tokens": 15 + i})
        llm.set_attribute("mlflow.llm.cost", {"input_cost": 1e-7, "output_cost": 0.25, "total_cost": 0.2500001})
        llm.set_attribute("mlflow.llm.model", "model-x")
        llm.end(end_time_ns=llm.start_time_ns + MS)
    c.end(root)


@case
def token_usage_summed_up(c):
    """Agents that sum up the tokens of the models below them, with a span without any between."""
    def used(span, model, tokens, cost=None):
        span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": tokens, "output_tokens": 1, "total_tokens": tokens + 1})
        if cost:
            span.set_attribute("mlflow.llm.cost", {"input_cost": cost, "output_cost": 0.0, "total_cost": cost})
        if model:
            span.set_attribute("mlflow.llm.model", model)
        span.end(end_time_ns=span.start_time_ns + MS)

    root = c.root("summed up")
    agent = c.child(root, "agent", kind=SpanType.AGENT, end=False)
    step = c.child(agent, "step", kind=SpanType.CHAIN)
    used(c.child(step, "first model", kind=SpanType.CHAT_MODEL, end=False), "model-y", 100, 0.5)
    used(c.child(step, "second model", kind=SpanType.CHAT_MODEL, end=False), "model-z", 20, 0.125)
    agent.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 120, "output_tokens": 2, "total_tokens": 122})
    agent.end(end_time_ns=agent.start_time_ns + 5 * MS)
    c.end(root)


# --- trace fields -----------------------------------------------------------------------------------------------


@case(twin=True)
def tags(c):
    trace_id = c.trace({"q": 1}, "a", tags={"plain": "value", "empty": "", "number": "12", "json": '{"a": 1}', "nested.key": "x"})
    for key, value in {
        "key/with:odd-chars_1 2.3": "ok",
        "unicode value": TEXTS["emoji"] + TEXTS["rtl"],
        "sql": TEXTS["sql"],
        "dollar": TEXTS["dollar"],
        "quotes": TEXTS["quotes"],
        "newlines": TEXTS["newlines"],
        "long": "y" * 4000,
        "k" * 250: "long key",
    }.items():
        c.client.set_trace_tag(trace_id, key, value)
    c.client.set_trace_tag(trace_id, "gone", "soon")
    c.client.delete_trace_tag(trace_id, "gone")
    c.client.set_trace_tag(trace_id, "plain", "changed")


@case
def tag_keys_of_any_kind(c):
    """Keys that the tag endpoint refuses, but that arrive with the trace."""
    c.trace(
        {"q": 1}, "a", tags={"ключ 😀": "unicode", "${x}": "dollar", "'quote\"": "q", "back\\slash": "b", "new\nline": "n", "%$#@!": "p"}
    )


@case(twin=True)
def trace_metadata(c):
    root = c.root(
        "metadata",
        metadata={
            "mine": "value",
            "empty": "",
            "dots.in.key": "x",
            "unicode": TEXTS["emoji"],
            "ключ": "v",
            "sql": TEXTS["sql"],
            "json": '{"a": 1}',
        },
    )
    c.end(root)


@case
def session_and_user(c):
    for turn in range(3):
        root = c.root(
            f"turn {turn}",
            at=c.at + turn * 10 * MS,
            metadata={"mlflow.trace.session": "session-😀-1", "mlflow.trace.user": "user 'one'"},
            inputs={"turn": turn},
        )
        c.end(root, outputs=turn)


@case(twin=True)
def client_request_id(c):
    for i, request_id in enumerate(["req-1", "req 'quoted' 😀 ${x}"]):
        root = c.root("request id", at=c.at + i * 50 * MS)
        c.update_info(root.trace_id, client_request_id=request_id)
        c.end(root)


@case
def previews(c):
    root = c.root("previews", inputs={"q": "long " * 1000}, )
    c.update_info(root.trace_id, request_preview="mine: " + TEXTS["quotes"] + TEXTS["emoji"], response_preview="")
    c.end(root, outputs="x" * 5000)
    root = c.root("own previews absent", at=c.at + 10 * MS)
    c.end(root)


# --- assessments ------------------------------------------------------------------------------------------------


@case(twin=True)
def feedback_values(c):
    trace_id = c.trace({"q": 1}, "a")
    for name, value in {
        "true": True,
        "false": False,
        "int": 5,
        "zero": 0,
        "negative": -3,
        "float": 0.1,
        "small": 1e-7,
        "big": 2**53,
        "beyond": 2**63 - 1,
        "text": "good",
        "empty text": "",
        "unicode": TEXTS["emoji"],
        "sql": TEXTS["sql"],
        "list": ["a", "b"],
        "ints": [1, 2],
        "empty list": [],
        "object": {"k": "v", "n": 1},
        "empty object": {},
        "nested": {"a": [{"b": 1}]},
        "json text": '{"a": 1}',
    }.items():
        c.feedback(trace_id, name, value)


@case
def feedback_null(c):
    trace_id = c.trace({"q": 1}, "a")
    c.feedback(trace_id, "null with error", None, error=AssessmentError(error_code="X", error_message="no value"))


@case
def feedback_sources(c):
    trace_id = c.trace({"q": 1}, "a")
    c.feedback(trace_id, "human", True, "HUMAN", "ann@example.com")
    c.feedback(trace_id, "judge", 0.75, "LLM_JUDGE", "judge-model-1")
    c.feedback(trace_id, "code", 1, "CODE", "scorer.py:12")
    c.feedback(trace_id, "unspecified", "x", "SOURCE_TYPE_UNSPECIFIED", "default")
    c.feedback(trace_id, "human", False, "HUMAN", "bob@example.com")
    c.feedback(trace_id, "odd 'name' ${x} 😀", "v", "HUMAN", "O'Brien \"q\" 😀")


@case
def feedback_errors(c):
    trace_id = c.trace({"q": 1}, "a")
    c.feedback(trace_id, "code only", None, "LLM_JUDGE", "j", error=AssessmentError("RATE_LIMIT"))
    c.feedback(
        trace_id,
        "full",
        None,
        "LLM_JUDGE",
        "j",
        error=AssessmentError("TIMEOUT", "took 'too' long: ${x}", "Traceback:\n  line 1\n  line 2"),
    )
    c.feedback(trace_id, "value and error", 0.5, "LLM_JUDGE", "j", error=AssessmentError("PARTIAL", "half"))


@case
def feedback_rationale_and_metadata(c):
    trace_id = c.trace({"q": 1}, "a")
    c.feedback(trace_id, "rationale", True, rationale="because\n'it' \"is\" ${x} 😀")
    c.feedback(trace_id, "metadata", True, metadata={"k": "v", "empty": "", "mlflow.mine": "x", "dots.in.key": "y", "ключ": "😀"})
    c.feedback(trace_id, "long rationale", True, rationale="r" * 60_000)


@case(twin=True)
def span_level_assessments(c):
    root = c.root("span level")
    child = c.child(root, "judged", kind=SpanType.LLM)
    c.end(root)
    c.feedback(root.trace_id, "on child", 1, "LLM_JUDGE", "j", span_id=child.span_id, rationale="fine")
    c.feedback(root.trace_id, "on root", 2, span_id=root.span_id)
    c.expectation(root.trace_id, "expected on child", {"k": [1]}, span_id=child.span_id)


@case
def overridden_feedback(c):
    trace_id = c.trace({"q": 1}, "a")
    first = c.feedback(trace_id, "relevance", 0.2, "LLM_JUDGE", "j", rationale="first", metadata={"v": "1"})
    second = mlflow.override_feedback(trace_id=trace_id, assessment_id=first.assessment_id, value=0.9, rationale="human says so",
                                      source=AssessmentSource("HUMAN", "ann@example.com"), metadata={"v": "2"})
    mlflow.override_feedback(trace_id=trace_id, assessment_id=second.assessment_id, value=0.5, rationale="third",
                             source=AssessmentSource("HUMAN", "bob@example.com"))


@case
def invalidated_feedback(c):
    trace_id = c.trace({"q": 1}, "a")
    c.feedback(trace_id, "withdrawn", True, valid=False)


@case
def updated_and_deleted_assessments(c):
    trace_id = c.trace({"q": 1}, "a")
    kept = c.feedback(trace_id, "updated", "before")
    mlflow.update_assessment(
        trace_id=trace_id,
        assessment_id=kept.assessment_id,
        assessment=Feedback(name="updated", value="after", rationale="changed", source=AssessmentSource("HUMAN", "ann@example.com")),
    )
    gone = c.feedback(trace_id, "deleted", True)
    mlflow.delete_assessment(trace_id, gone.assessment_id)


@case(twin=True)
def expectations(c):
    trace_id = c.trace({"q": 1}, "a")
    for name, value in {
        "text": "the answer",
        "empty": "",
        "int": 7,
        "float": 0.25,
        "true": True,
        "list": ["a", 1, None, {"b": 2}],
        "empty list": [],
        "object": {"facts": ["x", "y"], "n": 2**53 + 1},
        "empty object": {},
        "unicode": TEXTS["rtl"],
        "json text": "[1]",
    }.items():
        c.expectation(trace_id, name, value, metadata={"set": "gold"} if name == "text" else None)
    c.expectation(trace_id, "by code", 1, "CODE", "label.py")


@case
def issue_reference(c):
    trace_id = c.trace({"q": 1}, "a")
    issue = c.client._create_issue(experiment_id=c.experiment_id, name="Slow 'tool'", description="slow", severity="high", status="pending")
    mlflow.log_issue(trace_id=trace_id, issue_id=issue.issue_id, source=AssessmentSource("LLM_JUDGE", "finder"), rationale="seen here")


# --- runs -------------------------------------------------------------------------------------------------------


@case
def in_run(c):
    with mlflow.start_run(experiment_id=c.experiment_id, run_name="producer"):
        c.trace({"q": "in run"}, "a")


@case
def linked_to_runs(c):
    ids = []
    for i in range(5):
        root = c.root(f"linked {i}", at=c.at + i * 10 * MS)
        ids.append(c.end(root))
    runs = [mlflow.MlflowClient().create_run(c.experiment_id, run_name=f"evaluation {i}").info.run_id for i in range(2)]
    link = mlflow.MlflowClient().link_traces_to_run
    link(ids, runs[0])
    link(ids[:2], runs[1])


@case
def in_run_and_linked(c):
    with mlflow.start_run(experiment_id=c.experiment_id, run_name="source") as source:
        trace_id = c.trace({"q": 1}, "a")
    client = mlflow.MlflowClient()
    other = client.create_run(c.experiment_id, run_name="finished").info.run_id
    client.link_traces_to_run([trace_id], other)
    client.link_traces_to_run([trace_id], source.info.run_id)
    client.set_terminated(other)
    deleted = client.create_run(c.experiment_id, run_name="deleted run").info.run_id
    client.link_traces_to_run([trace_id], deleted)
    client.delete_run(deleted)


@case(large=True)  # only if named, since it creates other experiments
def linked_from_other_experiments(c):
    """A trace that is linked to a run of its experiment, of another, and of a deleted one. Tags such as run.own name the
    runs."""
    trace_id = c.trace({"q": 1}, "a")
    client = mlflow.MlflowClient()
    experiments = {"own": c.experiment_id, **{k: mlflow.create_experiment(f"{k} of {trace_id}") for k in ("other", "deleted")}}
    for name, experiment_id in experiments.items():
        run = client.create_run(experiment_id, run_name=name).info.run_id
        client.link_traces_to_run([trace_id], run)
        client.set_trace_tag(trace_id, "run." + name, run)
    client.delete_experiment(experiments["deleted"])


# --- other SDKs -------------------------------------------------------------------------------------------------


# Only if named, since MLflow's Python client, with which the corpus is compared, parses the strings again.
@case(large=True)
def typescript(c):
    """A trace as MLflow's TypeScript SDK stores it: attributes in traces.json are values, not JSON texts."""
    trace_id = c.info_only(TraceState.OK)
    otel_id, span_id = bytes.fromhex(trace_id.removeprefix("tr-")), secrets.token_bytes(8)
    span = {
        "trace_id": base64.b64encode(otel_id).decode(),
        "span_id": base64.b64encode(span_id).decode(),
        "parent_span_id": "",
        "name": "agent",
        "start_time_unix_nano": c.at,
        "end_time_unix_nano": c.at + MS,
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "events": [],
        "links": [],
        "attributes": {
            "digits": "123",
            "truth": "true",
            "nothing": "null",
            "text": '{"answer": 42}',
            "cut off": '{"answer',
            "number": 123,
            "mlflow.spanInputs": {"limit": "5"},
            "mlflow.spanOutputs": '{"answer": 42}',
            "mlflow.spanType": "AGENT",
            "mlflow.traceRequestId": trace_id,
        },
    }
    folder = c.client.get_trace_info(trace_id).tags["mlflow.artifactLocation"].removeprefix("mlflow-artifacts:/")
    requests.put(f"{c.uri}/api/2.0/mlflow-artifacts/artifacts/{folder}/traces.json", json={"spans": [span]}, timeout=60).raise_for_status()


# --- life of a trace --------------------------------------------------------------------------------------------


@case
def deleted(c):
    for i in range(3):
        root = c.root("to be deleted", at=c.at + i * MS)
        trace_id = c.end(root)
        c.feedback(trace_id, "lost", True)
    c.deleted = c.traces.pop(c.name)
    c.client.delete_traces(c.experiment_id, trace_ids=c.deleted)


@case
def in_progress(c):
    """A trace whose child has arrived and whose root has not ended. It began less than a day ago: tracemig assumes that a
    trace that has not ended after a day never ends."""
    c.at = time.time_ns() - 20 * 3600 * SECOND
    root = c.root("still running", inputs={"q": "wait"})
    c.child(root, "done already", kind=SpanType.TOOL, outputs="x")
    # The tag goes through the store, since the SDK sends the tags of a trace only when it ends.
    c.client.store.set_trace_tag(root.trace_id, "corpus.case", c.name)


@case
def in_progress_info_only(c):
    c.at = time.time_ns() - 20 * 3600 * SECOND
    c.info_only(TraceState.IN_PROGRESS, request_preview="unfinished")


@case
def state_unspecified(c):
    c.info_only(TraceState.STATE_UNSPECIFIED)


@case
def no_spans(c):
    """A trace whose spans were lost, but which has annotations."""
    with spans_lost():
        root = c.root("lost", inputs={"q": "lost"})
        trace_id = c.end(root, outputs="lost")
    c.feedback(trace_id, "kept", True, rationale="still there")
    c.client.set_trace_tag(trace_id, "kept", "yes")


@case
def no_spans_info_only(c):
    c.info_only(TraceState.OK, execution_duration=12, client_request_id="info-only", request_preview="{}", response_preview="")


@case
def partial_spans(c):
    """One of three spans never arrived. MLflow's get refuses such a trace unless it is asked for a partial one."""
    export = MlflowV3SpanExporter._export_spans_incrementally
    root = c.root("partly lost")
    c.child(root, "arrives")
    with mock.patch.object(MlflowV3SpanExporter, "_export_spans_incrementally", lambda self, spans: None):
        c.child(root, "never arrives", after=4)
    assert MlflowV3SpanExporter._export_spans_incrementally is export
    c.end(root)


@case
def custom_trace_ids(c):
    """MLflow 2 gave traces other IDs than their spans have, and some users chose their own IDs."""
    for trace_id in ("tr-custom-" + secrets.token_hex(4), "tr-" + secrets.token_hex(16), secrets.token_hex(16)):
        info_id = c.info_only(TraceState.OK, trace_id=trace_id, execution_duration=30)
        info = c.client.get_trace_info(info_id)
        otel_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
        data = {
            "spans": [
                {
                    "name": "v2 root",
                    "context": {"trace_id": otel_id, "span_id": span_id},
                    "parent_id": None,
                    "start_time": c.at,
                    "end_time": c.at + 30 * MS,
                    "status_code": "OK",
                    "status_message": "",
                    "attributes": {
                        "mlflow.traceRequestId": json.dumps(trace_id),
                        "mlflow.spanType": '"AGENT"',
                        "mlflow.spanInputs": '{"q": 1}',
                    },
                    "events": [],
                }
            ],
            "request": '{"q": 1}',
            "response": None,
        }
        upload_artifact(c, info, json.dumps(data))
        c.at += MS


@case
def corrupt_artifact(c):
    for body in ("", "{", "[]", '{"spans": null}', '{"spans": [{"name": "no ids"}]}'):
        info = c.client.get_trace_info(c.info_only(TraceState.OK))
        upload_artifact(c, info, body)
        c.at += MS


# --- times ------------------------------------------------------------------------------------------------------


@case
def same_millisecond(c):
    """12 traces in one millisecond, whose order in the listing is up to the server."""
    for i in range(12):
        root = c.root(f"at once {i}", at=c.at + i)
        c.end(root, lasts=1)


@case
def old_times(c):
    boundary = utc_ns(2020, 1, 1)
    for name, at in {
        "last of 2019": boundary - 1,
        "first of 2020": boundary,
        "2001": utc_ns(2001, 9, 9),
        "one second after 1970": SECOND,
        "future": utc_ns(2035, 1, 1),
    }.items():
        root = c.root(name, at=at)
        c.end(root)


@case
def epoch_zero(c):
    """The SDK takes a start of 0 for none, so this trace comes by OTLP and starts at one nanosecond."""
    c.keep(otlp(c, [otlp_span(c, "1970", at=1, lasts=2)]))


# --- OTLP -------------------------------------------------------------------------------------------------------


def any_value(value):
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"bool_value": value}
    if isinstance(value, int):
        return {"int_value": value}
    if isinstance(value, float):
        return {"double_value": value}
    if isinstance(value, bytes):
        return {"bytes_value": value}
    if isinstance(value, list):
        return {"array_value": {"values": [any_value(v) for v in value]}}
    if isinstance(value, dict):
        return {"kvlist_value": {"values": key_values(value)}}
    return {"string_value": value}


def key_values(attributes):
    return [{"key": k, "value": any_value(v)} for k, v in attributes.items()]


def otlp_span(c, name, span_id=None, parent=None, at=None, lasts=20 * MS, **kw):
    start = c.at if at is None else at
    return {"name": name, "span_id": bytes.fromhex(span_id or secrets.token_hex(8)), "parent_span_id": bytes.fromhex(parent or ""),
            "start_time_unix_nano": start, "end_time_unix_nano": start + lasts, **kw}


def otlp(c, spans, trace_id=None, resource=None):
    """Sends spans to the server's OTLP endpoint, as any OpenTelemetry SDK would. Returns the MLflow trace ID."""
    trace_id = trace_id or secrets.token_hex(16)
    for span in spans:
        span["trace_id"] = bytes.fromhex(trace_id)
    request = ExportTraceServiceRequest(resource_spans=[{
        "resource": {"attributes": key_values(resource or {"service.name": "otel-service"})},
        "scope_spans": [{"scope": {"name": "my.instrumentation", "version": "1.2"}, "spans": spans}]}])
    response = requests.post(f"{c.uri}/v1/traces", data=request.SerializeToString(), timeout=60,
                             headers={"content-type": "application/x-protobuf", "x-mlflow-experiment-id": c.experiment_id})
    response.raise_for_status()
    c.client.set_trace_tag("tr-" + trace_id, "corpus.case", c.name)
    return "tr-" + trace_id


@case
def otlp_gen_ai(c):
    root = secrets.token_hex(8)
    c.keep(otlp(c, [
        otlp_span(c, "invoke_agent", root, kind=2, status={"code": 1}, attributes=key_values({
            "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper", "session.id": "otlp-session", "user.id": "otlp-user"})),
        otlp_span(c, "chat gpt", parent=root, kind=3, status={"code": 1}, attributes=key_values({
            "gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-x", "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 3, "gen_ai.response.finish_reasons": ["stop", "length"], "gen_ai.request.temperature": 0.7,
            "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "hi ${x}"}]}]',
            "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}]'})),
    ]))


@case
def otlp_attribute_kinds(c):
    attributes = {
        "string": "text",
        "empty": "",
        "int": 2**63 - 1,
        "min": -(2**63),
        "double": 1e-7,
        "whole double": 3.0,
        "nan": math.nan,
        "inf": math.inf,
        "bool": True,
        "bytes": b"\x00\xff\xfe",
        "strings": ["a", "b"],
        "ints": [1, 2**62],
        "mixed": [1, "a", None, 0.5, True],
        "empty list": [],
        "kv": {"a": {"b": None, "c": [1]}},
        "empty kv": {},
        "none": None,
        "json text": '{"a": 1}',
        "quoted": '"q"',
        "number text": "12",
        "null text": "null",
        "dots.in.key": 1,
        "": "empty key",
    }
    linked = {"trace_id": secrets.token_bytes(16), "span_id": secrets.token_bytes(8), "attributes": key_values({"l": "1", "n": 2})}
    c.keep(
        otlp(
            c,
            [
                otlp_span(
                    c,
                    "kinds",
                    attributes=key_values(attributes),
                    kind=5,
                    trace_state="a=b",
                    status={"code": 2, "message": "otlp error"},
                    events=[{"time_unix_nano": c.at + 1, "name": "ev", "attributes": key_values(attributes)}],
                    links=[linked],
                )
            ],
        )
    )


@case
def otlp_exception(c):
    c.keep(
        otlp(
            c,
            [
                otlp_span(
                    c,
                    "raises",
                    status={"code": 2},
                    events=[
                        {
                            "time_unix_nano": c.at + 5,
                            "name": "exception",
                            "attributes": key_values(
                                {
                                    "exception.type": "KeyError",
                                    "exception.message": "'k'",
                                    "exception.stacktrace": "Traceback\n  x",
                                    "exception.escaped": False,
                                }
                            ),
                        }
                    ],
                )
            ],
        )
    )


@case
def otlp_parts(c):
    """A trace whose spans come in several requests, the children first."""
    trace_id, root = secrets.token_hex(16), secrets.token_hex(8)
    for i in range(3):
        otlp(c, [otlp_span(c, f"part {i}", parent=root, at=c.at + i * MS, lasts=MS)], trace_id)
    c.keep(otlp(c, [otlp_span(c, "root at last", root)], trace_id))


@case
def otlp_orphans(c):
    """The parent is not in the trace, so the trace has no root and never ends."""
    c.keep(otlp(c, [otlp_span(c, "orphan", parent=secrets.token_hex(8))]))


@case
def otlp_two_roots(c):
    c.keep(otlp(c, [otlp_span(c, "root one"), otlp_span(c, "root two", at=c.at + MS)]))


@case(large=True)
def otlp_6000_spans(c):
    """A trace with more spans than one commit of any target takes."""
    root = secrets.token_hex(8)
    c.keep(otlp(c, [otlp_span(c, "root", root)] + [otlp_span(c, f"child {i}", parent=root, at=c.at + i) for i in range(5_999)]))


# --- commands ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def batched(c):
    """Sends all spans that end inside in one request, instead of one request each."""
    kept = []

    def keep(self, experiment_id, spans, workspace=None):
        kept.extend(spans)

    log_trace = MlflowV3SpanExporter._log_trace

    def flush_then_log(self, *args, **kw):
        if kept:
            c.client.log_spans(c.experiment_id, kept)
            kept.clear()
        return log_trace(self, *args, **kw)

    with mock.patch.object(MlflowV3SpanExporter, "_log_spans", keep), mock.patch.object(MlflowV3SpanExporter, "_log_trace", flush_then_log):
        yield


def upload_artifact(c, info, text):
    """Stores the text as the traces.json of the trace."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "traces.json")
        with open(path, "w") as f:
            f.write(text)
        c.client._get_artifact_repo_for_trace(info).log_artifact(path)


def fill(c):
    for index, (name, function, twin) in enumerate(CASES):
        for suffix in ("", "_artifact") if twin else ("",):
            c.name = name + suffix
            c.at = BASE + index * SECOND + (500 * MS if suffix else 0)
            # All spans here are detached, so that a span of a broken case does not become the parent of another one.
            with spans_to_artifacts() if suffix else contextlib.nullcontext():
                try:
                    function(c)
                except Exception as e:  # The summary reports what the SDK refuses.
                    c.errors[c.name] = f"{type(e).__name__}: {e}"[:300]


def add(c, count):
    """Adds small traces that are newer than all others, each with a tag and a feedback."""
    c.name = "added"
    start = max(int(time.time_ns()), BASE)
    for i in range(count):
        c.at = start + i * MS
        trace_id = c.trace({"added": i}, f"answer {i}", name="added")
        c.feedback(trace_id, "added", i)


def end_in_progress(c):
    """Ends the traces of `in_progress`: writes the roots that their children name, and ends the trace records."""
    for info in list_infos(c, "trace.status = 'IN_PROGRESS' AND tag.`corpus.case` = 'in_progress'"):
        c.name = "in_progress"
        trace = c.client.store.get_trace(info.trace_id, allow_partial=True)
        child = trace.data.spans[0]
        start = info.request_time * MS
        root = Span.from_dict(
            {
                **child.to_dict(),
                "span_id": base64.b64encode(bytes.fromhex(child.parent_id)).decode(),
                "parent_span_id": None,
                "name": "still running",
                "start_time_unix_nano": start,
                "end_time_unix_nano": start + 90 * MS,
                "status": {"code": "STATUS_CODE_OK", "message": ""},
                "attributes": {
                    "mlflow.traceRequestId": json.dumps(info.trace_id),
                    "mlflow.spanType": '"AGENT"',
                    "mlflow.spanInputs": '{"q": "wait"}',
                    "mlflow.spanOutputs": '"done"',
                    "mlflow.experimentId": json.dumps(c.experiment_id),
                },
            }
        )
        c.client.log_spans(c.experiment_id, [root])
        info.state, info.execution_duration, info.response_preview = TraceState.OK, 90, '"done"'
        c.client.start_trace(info)
        c.keep(info.trace_id)
    for info in list_infos(c, "trace.status = 'IN_PROGRESS' AND tag.`corpus.case` = 'in_progress_info_only'"):
        c.name = "in_progress_info_only"
        info.state, info.execution_duration = TraceState.ERROR, 5
        c.client.start_trace(info)
        c.keep(info.trace_id)


def change(c, step):
    """Changes four traces that have ended: step 1 adds, step 2 changes, step 3 removes, and step 4 adds again."""
    c.name = "changed"
    client = mlflow.MlflowClient()
    for info in [i for i in list_infos(c) if i.state == TraceState.OK][:4]:
        trace_id = info.trace_id
        late = [a for a in info.assessments if a.name == "late"]
        if step == 3:
            client.delete_trace_tag(trace_id, "late")
            for a in late:
                mlflow.delete_assessment(trace_id, a.assessment_id)
            continue
        client.set_trace_tag(trace_id, "late", f"step {step}")
        if step == 2:
            mlflow.update_assessment(trace_id=trace_id, assessment_id=late[0].assessment_id, assessment=Feedback(
                name="late", value={"step": 2}, rationale="changed", source=AssessmentSource("HUMAN", "ann@example.com")))
        else:
            c.feedback(trace_id, "late", step)
        if step == 1:
            run = client.create_run(c.experiment_id, run_name="late evaluation").info.run_id
            client.link_traces_to_run([trace_id], run)
        c.keep(trace_id)


def resend(c, step):
    """Sends further spans of a trace that has ended: a span of a second service, and a span again with other attributes
    and another status."""
    c.name = "resent"
    for info in list_infos(c, "tag.`corpus.case` = 'otlp_gen_ai'"):
        trace_id = info.trace_id.removeprefix("tr-")
        sent = {s.name: s for s in c.client.store.get_trace(info.trace_id, allow_partial=True).data.spans}
        root, chat = sent["invoke_agent"], sent["chat gpt"]
        otlp(c, [otlp_span(c, f"late {step}", parent=root.span_id, at=root.start_time_ns + MS, lasts=MS)], trace_id)
        otlp(
            c,
            [
                otlp_span(
                    c,
                    "chat gpt",
                    chat.span_id,
                    parent=root.span_id,
                    at=chat.start_time_ns,
                    lasts=30 * MS,
                    status={"code": 2, "message": "cut off"},
                    attributes=key_values({"gen_ai.operation.name": "chat", "resent": step}),
                )
            ],
            trace_id,
        )
        c.client.set_trace_tag(info.trace_id, "corpus.case", "otlp_gen_ai")
        c.keep(info.trace_id)


def bulk(c, count, spans, store):
    """Copies one trace of so many spans many times, by SQL in the server's database, since no SDK is fast enough. With two
    spans it is small. With more, each of the others has about 700 bytes of messages, as those of an agent's steps."""
    c.name = "bulk"
    c.at = BASE + 3600 * SECOND
    if spans == 2:
        model = c.trace({"question": "how many?"}, "many", name="bulk")
    else:
        root = c.root("bulk", inputs={"question": "how many?"})
        for i in range(1, spans):
            c.child(root, f"step {i}", after=i, kind=SpanType.LLM, outputs={"choices": [{"index": 0, "text": "It depends. " * 20}]},
                    inputs={"messages": [{"role": "user", "content": "Which of these is it, and why? " * 10}], "temperature": 0.7})
        model = c.end(root, outputs="many")
    engine = create_engine(store)
    keys = {"trace_info": "request_id", "trace_tags": "request_id", "trace_request_metadata": "request_id", "spans": "trace_id"}
    tables = {name: Table(name, MetaData(), autoload_with=engine) for name in keys}
    with engine.connect() as connection:
        rows = {name: [dict(r) for r in connection.execute(t.select().where(t.c[keys[name]] == model)).mappings()] for name, t in tables.items()}
    old_hex = model.removeprefix("tr-")
    old_b64 = base64.b64encode(bytes.fromhex(old_hex)).decode()
    for start in range(1, count, 5000):
        batch = {table: [] for table in tables}
        for i in range(start, min(start + 5000, count)):
            new_hex = secrets.token_hex(16)
            new_b64 = base64.b64encode(bytes.fromhex(new_hex)).decode()
            for table, key in keys.items():
                for row in rows[table]:
                    row = {**row, key: "tr-" + new_hex}
                    if table == "trace_info":
                        row["timestamp_ms"] += i
                    elif table == "trace_tags" and row["key"] == "mlflow.artifactLocation":
                        row["value"] = row["value"].replace(old_hex, new_hex)
                    elif table == "spans":
                        content = json.loads(row["content"].replace(old_b64, new_b64).replace(old_hex, new_hex))
                        for field in ("start_time_unix_nano", "end_time_unix_nano"):
                            row[field] += i * MS
                            content[field] += i * MS
                        row["content"] = json.dumps(content)
                    batch[table].append(row)
        with engine.begin() as connection:
            for name, new in batch.items():
                stored = [column.name for column in tables[name].columns if column.computed is None]
                connection.execute(tables[name].insert(), [{k: row[k] for k in stored} for row in new])


def list_infos(c, filter_string=None):
    token = None
    while True:
        page, token = c.client.store.search_traces(locations=[c.experiment_id], filter_string=filter_string, max_results=500,
                                                   order_by=["timestamp_ms ASC"], page_token=token)
        yield from list(page)
        if not token:
            return


def plain(value):
    """Returns a value with NaN and the infinities as texts. Lone surrogates stay as they are, since JSON escapes them."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def decoded(text):
    """Returns the value of an attribute's JSON text. A text that is not JSON is its own value."""
    if not isinstance(text, str):
        return plain(text)
    try:
        return plain(json.loads(text))
    except (ValueError, RecursionError):
        return text


def runs_of_traces(c):
    linked = {}
    for run in mlflow.MlflowClient().search_runs([c.experiment_id], run_view_type=3, max_results=5000):
        for info in list_infos(c, f"attributes.run_id = '{run.info.run_id}'"):
            linked.setdefault(info.trace_id, []).append(run.info.run_id)
    return linked


def trace_record(info, runs=()):
    """Returns what the SDK reads of a trace, without its spans: every value that a migration must keep."""
    return {
        "case": info.tags.get("corpus.case"),
        "trace_id": info.trace_id,
        "state": info.state.value,
        "request_time_ms": info.request_time,
        "execution_duration_ms": info.execution_duration,
        "client_request_id": info.client_request_id,
        "request_preview": info.request_preview,
        "response_preview": info.response_preview,
        "tags": info.tags,
        "trace_metadata": info.trace_metadata,
        "runs": sorted(runs),
        "assessments": [plain(a.to_dictionary()) for a in info.assessments],
        "spans": [],
        "error": None,
    }


def span_record(span):
    """Returns what the SDK reads of a span. Its inputs and outputs are attributes."""
    return {
        "trace_id": span._trace_id, "span_id": span.span_id, "parent_span_id": span.parent_id, "name": span.name, "type": span.span_type,
        "start_time_unix_nano": span.start_time_ns, "end_time_unix_nano": span.end_time_ns, "status_code": span.status.status_code.value,
        "status_message": span.status.description, "attributes": {k: decoded(v) for k, v in span.to_dict()["attributes"].items()},
        "events": [{"name": e.name, "time_unix_nano": e.timestamp, "attributes": plain(dict(e.attributes or {}))} for e in span.events],
        "links": [plain(link.to_dict()) for link in span.links]}


def dump(c, path):
    """Writes one line for each trace."""
    linked = runs_of_traces(c)
    with open(path, "w") as out:
        for info in list_infos(c):
            record = trace_record(info, linked.get(info.trace_id, []))
            try:
                if info.tags.get("mlflow.trace.spansLocation") == "TRACKING_STORE":
                    spans = c.client.store.get_trace(info.trace_id, allow_partial=True).data.spans
                else:
                    spans = c.client._download_trace_data(info).spans
                for span in spans:
                    record["spans"].append(span_record(span))
            except Exception as e:
                record["error"] = f"{type(e).__name__}: {e}"[:300]
            out.write(json.dumps(record) + "\n")


def summary(c):
    states = {}
    for info in list_infos(c):
        states[info.state.value] = states.get(info.state.value, 0) + 1
    cases = {name: ids for name, ids in c.traces.items()}
    return {
        "experiment_id": c.experiment_id, "listed": sum(states.values()), "states": states, "deleted": c.deleted, "cases": cases,
        "in_progress": [t for name in ("in_progress", "in_progress_info_only", "otlp_orphans") for t in cases.get(name, [])],
        "no_spans": [t for name in ("no_spans", "no_spans_info_only", "state_unspecified") for t in cases.get(name, [])],
        "errors": c.errors}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["fill", "add", "change", "resend", "end-in-progress", "dump"])
    parser.add_argument("--uri", required=True)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--bulk", type=int, default=0, help="so many small traces besides (fill), or alone (add)")
    parser.add_argument("--spans", type=int, default=2, help="of each of the traces of --bulk")
    parser.add_argument("--store", help="URI of the server's database, for --bulk")
    parser.add_argument("--workspace", help="of the experiment")
    parser.add_argument("--only", help="comma-separated cases (fill)")
    parser.add_argument("--dump", help="file for the expected values")
    args = parser.parse_args()
    stdout, sys.stdout = sys.stdout, sys.stderr  # The SDK prints links to runs to the standard output.
    sys.argv[0], os.environ["LOGNAME"] = "agent.py", "ann"  # The SDK records them as source and user.
    if args.workspace:
        os.environ["MLFLOW_WORKSPACE"] = args.workspace
    c = Corpus(args.uri.rstrip("/"), args.experiment)
    only = args.only.split(",") if args.only else [name for name, _, _ in CASES if name not in LARGE]
    CASES[:] = [entry for entry in CASES if entry[0] in only]
    if args.command == "fill":
        fill(c)
    elif args.command == "add" and not args.bulk:
        add(c, args.count)
    elif args.command == "change":
        change(c, args.count)
    elif args.command == "resend":
        resend(c, args.count)
    elif args.command == "end-in-progress":
        end_in_progress(c)
    if args.bulk:
        bulk(c, args.bulk, args.spans, args.store)
    if args.dump:
        dump(c, args.dump)
    print(json.dumps(summary(c)), file=stdout)


if __name__ == "__main__":
    main()
