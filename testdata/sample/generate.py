"""Makes the sample experiment that `make demo` migrates: writes it to a real MLflow server with MLflow's SDK, and
stores what the server's REST API then answers, as resources that a replay can serve. See README.md for the files.

  .rig/venv/bin/python testdata/sample/generate.py
"""

import json
import os
import pathlib
import random
import secrets
import subprocess
import sys
import tempfile
from unittest import mock

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="false", LOGNAME="ann",
                  MLFLOW_TRACE_USE_ISOLATED_RANDOM_ID_GENERATOR="false")
sys.argv[0] = "support_agent.py"  # what the SDK notes as source

import mlflow
import requests
from mlflow.entities import AssessmentError, AssessmentSource, Expectation, Feedback, SpanEvent, SpanType, TraceInfo, TraceLocation, TraceState
from mlflow.tracing.client import TracingClient
from mlflow.tracing.export.mlflow_v3 import MlflowV3SpanExporter

HERE = pathlib.Path(__file__).resolve().parent
NAME = "/Shared/support-agent"
MS = 1_000_000
START = 1_768_204_800_000 * MS  # 2026-01-12T08:00:00Z

QUESTIONS = [
    ("Where is my order 4711?", "orders", "Your order 4711 left our warehouse on Friday and arrives on Tuesday."),
    ("Can I return shoes I wore once?", "returns", "Worn shoes can be returned within 30 days if they show no damage."),
    ("Why was I charged twice?", "billing", "One of the two charges is a reservation; your bank releases it within five days."),
    ("Wie kündige ich mein Abonnement?", "subscription", "Sie können Ihr Abonnement jederzeit unter „Konto“ kündigen."),
    ("¿Hacen envíos a Canarias?", "shipping", "Sí, enviamos a Canarias en 5 a 7 días laborables."),
    ("The app crashes when I open \"Orders\" 😡", "technical", "Sorry about that! Please update to version 5.2.1, which fixes the crash."),
    ("Do you price-match?", "pricing", "Yes, within 14 days, for the same article in stock at a dealer in your country."),
    ("返品の送料は誰が払いますか?", "returns", "返品の送料は当社が負担します。"),
    ("Change my delivery address to 12 O'Connell St", "orders", "Done: the parcel goes to 12 O'Connell St, Dublin."),
    ("What does the warranty cover?", "warranty", "Defects in material and workmanship for two years; wear and tear is not covered."),
]
POLICIES = {
    "returns": "Articles may be returned within 30 days. Shoes and clothes may be worn briefly if undamaged.",
    "billing": "A card payment is reserved first and captured at dispatch; both may show for up to five days.",
    "shipping": "Standard delivery takes 2 to 4 working days, islands 5 to 7. Express is not offered to islands.",
    "warranty": "Two years on material and workmanship. Batteries one year. Proof of purchase is needed.",
    "subscription": "Subscriptions end at the close of the paid period. Cancel under Account, Subscription.",
}


class Agent:
    def __init__(self, uri):
        mlflow.set_tracking_uri(uri)
        self.client = TracingClient(uri)
        self.experiment_id = mlflow.create_experiment(NAME, tags={"team": "support", "mlflow.note.content": "Answers customers by chat."})
        self.random = random.Random(2026)

    def span(self, parent, name, kind, start, lasts, inputs=None, outputs=None, attributes=None, status=None, events=()):
        span = mlflow.start_span_no_context(name, kind, parent, inputs=inputs, attributes=attributes, start_time_ns=start)
        for event in events:
            span.add_event(event)
        span.end(outputs=outputs, status=status, end_time_ns=start + lasts)
        return span

    def llm(self, parent, start, lasts, messages, answer, tokens, name="chat_model"):
        cost = {"input_cost": tokens[0] * 2.5e-7, "output_cost": tokens[1] * 1e-6}
        return self.span(parent, name, SpanType.CHAT_MODEL, start, lasts, {"messages": messages, "temperature": 0.2},
                         {"choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}]}, {
                             "mlflow.chat.tokenUsage": {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)},
                             "mlflow.llm.cost": {**cost, "total_cost": sum(cost.values())}, "mlflow.llm.model": "support-model-2", "mlflow.llm.provider": "example"})

    def answer(self, i, start, session, user, fails=False, ends=True):
        question, topic, reply = QUESTIONS[i % len(QUESTIONS)]
        rng = self.random
        random.seed(i)  # the SDK's trace and span IDs
        root = mlflow.start_span_no_context(
            "support-agent", SpanType.AGENT, experiment_id=self.experiment_id, start_time_ns=start, inputs={"messages": [{"role": "user", "content": question}], "locale": "auto"},
            tags={"topic": topic, "release": "2026.01", "channel": rng.choice(["web", "app", "mail"])},
            metadata={"mlflow.trace.session": session, "mlflow.trace.user": user})
        at = start + 2 * MS
        lasts = rng.randint(80, 300) * MS + rng.randrange(MS)
        self.llm(root, at, lasts, [{"role": "system", "content": "Classify the request."}, {"role": "user", "content": question}], topic, (rng.randint(40, 90), 2), "classify")
        at += lasts + MS
        if topic in POLICIES:
            lasts = rng.randint(20, 60) * MS
            self.span(root, "search_policies", SpanType.RETRIEVER, at, lasts, {"query": question, "k": 2}, [
                {"page_content": text, "metadata": {"doc_uri": f"policies/{name}.md", "chunk_id": n, "score": round(rng.uniform(0.6, 0.99), 4)}}
                for n, (name, text) in enumerate([(topic, POLICIES[topic]), *rng.sample(sorted(POLICIES.items()), 1)])])
        else:
            lasts = rng.randint(30, 200) * MS
            failed = [SpanEvent("exception", at + lasts, {"exception.type": "TimeoutError", "exception.message": "order service did not answer in 2 s",
                                                          "exception.stacktrace": "Traceback (most recent call last):\n  File \"tools.py\", line 41, in lookup\nTimeoutError"})]
            self.span(root, "lookup_order", SpanType.TOOL, at, lasts, {"order_id": 4711 + i, "fields": ["status", "eta"]},
                      None if fails else {"order_id": 4711 + i, "status": "shipped", "eta": "2026-01-20", "total": 59.9, "items": [{"sku": "A-1", "qty": 1}], "gift": None},
                      status="ERROR" if fails else None, events=failed if fails else ())
        at += lasts + MS
        if not ends:
            return root.trace_id
        if not fails:
            lasts = rng.randint(300, 1500) * MS + rng.randrange(MS)
            self.llm(root, at, lasts, [{"role": "system", "content": "You are a friendly support agent."}, {"role": "user", "content": question}], reply,
                     (rng.randint(200, 600), rng.randint(20, 120)))
            at += lasts + MS
        root.end(outputs=None if fails else {"role": "assistant", "content": reply}, status="ERROR" if fails else None, end_time_ns=at)
        return root.trace_id

    def judge(self, trace_id, i, at, span_id=None):
        rng, times = self.random, {"create_time_ms": at // MS + 5000, "last_update_time_ms": at // MS + 5000}
        judge, person = AssessmentSource("LLM_JUDGE", "judges:/relevance/2"), AssessmentSource("HUMAN", rng.choice(["ann@example.com", "bob@example.com"]))
        log = lambda assessment: self.client.log_assessment(trace_id, assessment)
        if i % 2 == 0:
            log(Feedback(name="relevance", value=round(rng.uniform(0.4, 1), 3), rationale="The answer addresses the question.", source=judge, **times))
        if i % 3 == 0:
            log(Feedback(name="helpful", value=rng.random() > 0.2, source=person, rationale="Clear and short." if i % 6 else None, **times))
        if i % 7 == 0:
            log(Expectation(name="expected_facts", value=["delivery on Tuesday", "left the warehouse"], source=person, **times))
        if i % 8 == 0:
            log(Expectation(name="expected_topic", value=QUESTIONS[i % len(QUESTIONS)][1], source=person, metadata={"label_set": "january"}, **times))
        if i == 12:
            first = log(Feedback(name="safety", value="unsafe", source=judge, rationale="Mentions an address.", **times))
            mlflow.override_feedback(trace_id=trace_id, assessment_id=first.assessment_id, value="safe", rationale="It is the customer's own address.", source=person)
        if i == 15:
            log(Feedback(name="toxicity", error=AssessmentError("RATE_LIMIT", "The judge model refused: too many requests"), source=judge, **times))

    def work(self):
        ids = []
        at = START
        for i in range(38):
            at += self.random.randint(60, 5400) * 1000 * MS
            session, user = f"chat-{i // 3:03d}", f"customer-{100 + i // 3}"
            if i in (20, 21):  # written by an SDK whose spans go to the artifact store
                with mock.patch.object(MlflowV3SpanExporter, "_export_spans_incrementally", lambda *_: None):
                    ids.append(self.answer(i, at, session, user))
            elif i in (24, 25, 26):  # made within a run
                with mlflow.start_run(experiment_id=self.experiment_id, run_name="nightly regression") if i == 24 else mlflow.start_run(run_id=run):
                    run = mlflow.active_run().info.run_id
                    ids.append(self.answer(i, at, session, user))
            else:
                ids.append(self.answer(i, at, session, user, fails=i in (5, 18, 35)))
            self.judge(ids[-1], i, at)
        client = mlflow.MlflowClient()
        evaluation = client.create_run(self.experiment_id, run_name="evaluation of january").info.run_id
        client.link_traces_to_run(ids[:8], evaluation)
        client.set_terminated(evaluation)
        at += 60_000 * MS
        unfinished = self.answer(38, at, "chat-013", "customer-113", ends=False)
        self.client.store.set_trace_tag(unfinished, "topic", "warranty")
        at += 60_000 * MS
        random.seed(39)
        self.client.start_trace(TraceInfo(
            trace_id=f"tr-{random.getrandbits(128):032x}", trace_location=TraceLocation.from_experiment_id(self.experiment_id), request_time=at // MS, state=TraceState.OK,
            execution_duration=812, request_preview='{"messages": [{"role": "user", "content": "Hello?"}]}', response_preview='"Hello! How can I help?"',
            tags={"mlflow.traceName": "support-agent", "topic": "other"}, trace_metadata={"mlflow.trace_schema.version": "3", "mlflow.trace.session": "chat-013"}))


def record(uri, experiment_id):
    def ask(method, path, body=None, **params):
        return requests.request(method, uri + path, json=body, params=params, timeout=60)

    def write(name, lines):
        (HERE / name).write_text("".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines))

    write("experiment.json", [ask("GET", "/api/2.0/mlflow/experiments/get", experiment_id=experiment_id).json()])
    runs = ask("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": [experiment_id], "max_results": 1000, "run_view_type": "ALL"}).json()["runs"]
    write("runs.jsonl", runs)
    place = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}]
    search = lambda **more: ask("POST", "/api/3.0/mlflow/traces/search", {"locations": place, "max_results": 500, "order_by": ["timestamp_ms ASC"], **more}).json().get("traces", [])
    linked = {}
    for run in runs:
        for info in search(filter=f"attributes.run_id = '{run['info']['run_id']}'"):
            linked.setdefault(info["trace_id"], []).append(run["info"]["run_id"])

    def answer(response):
        body = response.json() if "json" in response.headers.get("Content-Type", "") else response.text
        return {"status": response.status_code, "body": body}

    lines = []
    for info in search():
        trace_id = info["trace_id"]
        line = {
            "info": info,
            "runs": linked.get(trace_id, []),
            "artifact": answer(ask("GET", "/ajax-api/2.0/mlflow/get-trace-artifact", request_id=trace_id)),
        }
        if line["artifact"]["status"] != 200:
            line["get"] = answer(ask("GET", "/api/3.0/mlflow/traces/get", trace_id=trace_id))
        lines.append(line)
    write("traces.jsonl", lines)
    print(f"{len(lines)} traces, {len(runs)} runs", file=sys.stderr)


def main():
    server_script = HERE.parent / "rig" / "mlflow_server.py"
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen([sys.executable, str(server_script), directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            uri = server.stdout.readline().split()[1]
            agent = Agent(uri)
            agent.work()
            record(uri, agent.experiment_id)
        finally:
            server.stdin.close()
            server.wait()


if __name__ == "__main__":
    main()
