"""Writes and reads traces with attachments with MLflow's own SDK, and reads local tables with DuckDB.

  attachments.py fill --uri URI --experiment NAME [--count N]
      prints for each trace its inputs and outputs as they were logged, and its attachments as the SDK reads them:
      {trace ID: {"inputs": …, "outputs": …, "attachments": {ID: {"type", "bytes", "sha256"}}}}
  attachments.py read --prefix FOLDER/PREFIX
      prints what the tables hold: {trace_id: {"inputs": …, "outputs": …, "metadata": …}}
"""

import argparse
import base64
import hashlib
import json
import logging
import random


def picture(n, size):
    return b"\x89PNG\r\n\x1a\n" + random.Random(n).randbytes(size)


def messages(n):
    """Returns inputs and outputs in the forms of several providers. The SDK stores the bytes in them as attachments."""
    b64 = lambda i, size=700: base64.b64encode(picture(100 * n + i, size)).decode()
    inputs = {"model": "m", "temperature": 0.5, "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "What is on it? mlflow-attachment://no/reference"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + b64(1, 200_000 if n == 1 else 700)}},
            {"type": "input_audio", "input_audio": {"data": b64(2), "format": "mp3"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": b64(3)}},
            {"inline_data": {"mime_type": "image/webp", "data": b64(4)}},
            {"image": {"format": "gif", "source": {"bytes": b64(5)}}}]}]}
    outputs = {"data": [{"b64_json": b64(6)}], "audio": {"id": "a", "data": b64(7), "transcript": "zwei Äpfel"},
               "svg": "data:image/svg+xml;base64," + base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode(),
               "calls": [{"type": "image_generation_call", "result": b64(8)}]}
    return inputs, outputs


def fill(uri, experiment, count):
    import mlflow
    from mlflow.tracing.attachments import Attachment
    from mlflow.tracing.client import TracingClient

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(experiment)
    logged = {}
    for n in range(count):
        inputs, outputs = messages(n)
        with mlflow.start_span(f"chat {n}") as span:
            span.set_inputs(inputs)
            with mlflow.start_span("model", span_type="LLM") as child:
                child.set_inputs({"image": Attachment(content_type="application/pdf", content_bytes=b"%PDF-1." + bytes([n]))})
            span.set_outputs(outputs)
        logged[span.trace_id] = {"inputs": inputs, "outputs": outputs, "attachments": {}}
    with mlflow.start_span("without") as span:
        span.set_inputs({"text": "nothing beside it"})
    mlflow.flush_trace_async_logging()
    client = TracingClient()
    for trace_id, entry in logged.items():
        trace = mlflow.get_trace(trace_id)
        repository = client._get_artifact_repo_for_trace(trace.info)
        for span in trace.data.spans:
            for ref in references([span.inputs, span.outputs]):
                parsed = Attachment.parse_ref(ref)
                data = repository.download_trace_attachment(parsed["attachment_id"])
                entry["attachments"][parsed["attachment_id"]] = {
                    "type": parsed["content_type"], "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    print(json.dumps(logged))


def references(value):
    if isinstance(value, str) and value.startswith("mlflow-attachment://") and "?" in value:
        yield value
    elif isinstance(value, (list, dict)):
        for v in value.values() if isinstance(value, dict) else value:
            yield from references(v)


def read(prefix):
    import duckdb

    found = {}
    db = duckdb.connect()
    value = "variant_bytes_to_variant({0}.metadata || {0}.value)::JSON::VARCHAR".format
    for trace_id, attributes in db.execute(
        f"SELECT trace_id, {value('attributes')} FROM read_parquet('{prefix}_otel_spans/*.parquet') WHERE parent_span_id IS NULL"
    ).fetchall():
        attributes = json.loads(attributes)
        found.setdefault(trace_id, {}).update(inputs=attributes.get("mlflow.spanInputs"), outputs=attributes.get("mlflow.spanOutputs"))
    for trace_id, metadata in db.execute(
            f"SELECT target_id, {value('metadata')} FROM read_parquet('{prefix}_otel_annotations/*.parquet') "
            "WHERE annotation_type = 'METADATA' ORDER BY updated_at").fetchall():
        found.setdefault(trace_id, {})["metadata"] = json.loads(metadata)
    print(json.dumps(found))


def main():
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    p = verbs.add_parser("fill")
    p.add_argument("--uri", required=True)
    p.add_argument("--experiment", required=True)
    p.add_argument("--count", type=int, default=3)
    p = verbs.add_parser("read")
    p.add_argument("--prefix", required=True)
    options = parser.parse_args()
    if options.verb == "fill":
        fill(options.uri, options.experiment, options.count)
    else:
        read(options.prefix)


main()
