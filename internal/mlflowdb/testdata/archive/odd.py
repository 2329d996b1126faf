"""Writes odd.pb and odd.json, what MLflow makes of it, into a folder: odd.py FOLDER, with an MLflow that has archives."""

import math
import sys

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from mlflow.tracing.otel.otel_archival import traces_data_pb_to_spans
from mlflow.entities.trace_data import TraceData
d = TracesData()
ss = d.resource_spans.add().scope_spans.add()
def kv(at, key, **v):
    a = at.add(); a.key = key
    for k, x in v.items(): setattr(a.value, k, x)
    return a
tid = bytes(range(1, 17))
child = ss.spans.add(trace_id=tid, span_id=bytes([9]*8), parent_span_id=bytes([7]), name="child \u2028\x7f\"\n", start_time_unix_nano=2**63+5, end_time_unix_nano=0)
child.status.code = 1; child.status.message = "not kept"
for i, f in enumerate([0.1, 1e16, 1e15, 123456789012345680.0, 1e-4, 1e-5, -0.0, 5e-324, 1.7976931348623157e308, 2.0, math.nan, math.inf, -math.inf]): kv(child.attributes, f"f{i}", double_value=f)
kv(child.attributes, "twice", int_value=1); kv(child.attributes, "between", bool_value=True); kv(child.attributes, "twice", int_value=-2**63)
kv(child.attributes, "none"); kv(child.attributes, "", string_value="<&>\u2029\u0001\t")
n = kv(child.attributes, "nested").value.kvlist_value
kv(n.values, "a", string_value="1"); kv(n.values, "b", double_value=3.0); kv(n.values, "a", string_value="2"); n.values.add(key="l").value.array_value.SetInParent(); n.values.add(key="k").value.kvlist_value.SetInParent()
l = kv(n.values, "list").value.array_value
l.values.add(int_value=1); l.values.add(string_value="x"); l.values.add()
e = child.events.add(name="e", time_unix_nano=7); kv(e.attributes, "x", double_value=math.nan); kv(e.attributes, "y", string_value="é"); kv(e.attributes, "x", int_value=2)
child.events.add(name="")
k = child.links.add(trace_id=bytes([1]*16), span_id=bytes([2]*8)); kv(k.attributes, "b", bytes_value=b"\x00\xff"); kv(k.attributes, "s", string_value="s")
child.links.add(trace_id=b"\x05", span_id=b"\x06")
root = ss.spans.add(trace_id=tid, span_id=bytes([7]), parent_span_id=bytes(8), name="root", start_time_unix_nano=9)
root.status.code = 2; root.status.message = "kept"
kv(root.attributes, "mlflow.traceRequestId", string_value="my-own")
ss.spans.add(trace_id=tid, span_id=bytes([3]*8), name="second root", start_time_unix_nano=3)
ss.spans.add(trace_id=tid, span_id=bytes([8]*8), parent_span_id=bytes([7]), name="earlier", start_time_unix_nano=2).status.code = 0
pb = d.SerializeToString()
open(sys.argv[1] + "/odd.pb", "wb").write(pb)
open(sys.argv[1] + "/odd.json", "wb").write(TraceData(traces_data_pb_to_spans(pb)).to_json_bytes() + b"\n")
