"""A Databricks-flavoured front before an open-source MLflow server and a warehouse stand-in, for tests.

It also serves UC trace locations from the tables in the warehouse (location.py).

  front.py --mlflow URL [--options JSON]

Prints READY <url> and ends when its standard input does. It asks for a bearer token, keeps spans behind signed URLs,
and answers as a workspace does where a plain MLflow server differs. With {"plain": true} it only passes requests on and
applies faults, so that a test can have faults between a client and a plain MLflow server.

The options are those of FrontOptions in internal/rig/front.go. The control API needs no token: POST /_fault,
GET /_stats, POST /_reset, POST /_expire_signed, POST /_options (changes some options).
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import json
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse
import urllib.request
import uuid
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import location

DEFAULTS = {
    "plain": False,
    "token": "rig-token",  # "" for none (plain only)
    "user": "", "password": "",  # basic authentication (plain only)
    "client_id": "rig-client", "client_secret": "rig-secret",  # OAuth machine to machine
    "token_seconds": 3600,  # how long an OAuth token is valid
    "token_told": 0,  # how long the token's answer says that it is valid, 0 for the truth
    "v4": "supported",  # or endpoint_not_found, not_yet
    "v4_polls": 1,  # polls that answer "not done" before the result
    "forms": [],  # span forms (v2, v30, v3, v350), of which a trace's ID selects one; empty for the form of the MLflow server
    "lost": [],  # IDs of traces whose spans are not in the storage
    "signed_seconds": 900,
    "storage": "",  # "firewall" refuses downloads, "unreachable" lets nothing through
    "targets": [],  # experiments that are bound to Unity Catalog
    "warehouse": "",  # URL of the stand-in
    "warehouse_token": "rig-token",
    "warehouse_id": "rig",
    "warehouse_state": "RUNNING",
    "warehouse_polls": 2,  # GETs that answer STARTING after a start
    "missing_grants": [],  # full names of securables on which the user has no privilege
    "all_privileges": [],  # full names of securables on which the user has only ALL PRIVILEGES
    "own_grants_only": False,  # whether the user may see only its own grants
    "no_warehouse_use": False,  # whether the user may see the warehouse, but not use it
    "quota_search": 0, "quota_download": 0, "quota_other": 0,  # requests a second, 0 for no limit
}
ID = re.compile(r"/(tr-[^/?]+|[0-9a-f]{32}|[0-9a-f-]{36})(?=/|$)")
VOLUMES = ("/api/2.0/fs/", "/api/2.1/unity-catalog/volumes")  # served by the warehouse stand-in
READS = re.compile(
    r"^(GET|HEAD) |^POST /api/(2\.0/mlflow/(runs|experiments)/search|3\.0/mlflow/traces/search|4\.0/mlflow/traces/search-long-running)"
)
STORAGE = "/__storage/"


class Answer(Exception):
    """An answer, which ends the handling of the request."""

    def __init__(self, status, body, headers=None):
        self.status, self.headers = status, dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            self.headers.setdefault("Content-Type", "application/json; charset=utf-8")
        self.body = body.encode() if isinstance(body, str) else body


def error(status, code, message, headers=None):
    details = [{"@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": str(uuid.uuid4()), "serving_data": ""}]
    return Answer(status, {"error_code": code, "message": message, "details": details}, headers)


def served(request):
    """Returns the result of a request to a UC location. A refusal becomes an answer of the front."""
    try:
        return request()
    except location.Refused as e:
        raise error(e.status, e.code, str(e)) from None


def not_there(method, path):
    return error(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {re.sub('^/api/[0-9.]+', '', path)}'")


def storage_error(status, code, message):
    return Answer(status, f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>'
                          f"<RequestId>{uuid.uuid4().hex[:16].upper()}</RequestId></Error>", {"Content-Type": "application/xml"})


class Front:
    def __init__(self, upstream, options):
        self.upstream = urllib.parse.urlsplit(upstream)
        self.options = {**DEFAULTS, **options}
        unknown = set(options) - set(DEFAULTS)
        if unknown:
            raise SystemExit(f"unknown options: {sorted(unknown)}")
        self.lock = threading.Lock()
        self.secret = uuid.uuid4().bytes
        self.epoch = 0
        self.operations = {}
        self.locations = {}
        self.oauth_tokens = {}  # the time when each token ends
        self.polls_left = 0
        self.local = threading.local()
        self.reset()

    def reset(self):
        with self.lock:
            self.faults, self.counts, self.windows = [], {}, {}
            self.fired = self.throttled = self.authorizations = self.in_flight = self.most_in_flight = 0
            self.signed_with_token = self.downloads = 0
            self.writes, self.statuses, self.grants = [], {}, []

    # --- faults, quotas, counts

    def enter(self, method, path, authorization):
        """Counts a request and returns the fault that applies to it, or None."""
        route = f"{method} {ID.sub('/{id}', path.split('?')[0])}"
        if path.startswith(STORAGE):
            route = f"{method} {STORAGE}…"
        whole = f"{method} {path}"
        with self.lock:
            self.counts[route] = self.counts.get(route, 0) + 1
            self.authorizations += bool(authorization)
            if not READS.match(whole) and not path.startswith(("/sql/", "/oidc/", "/api/2.0/sql/", "/api/2.1/", *VOLUMES)):
                self.writes.append(whole)
            for fault in self.faults:
                if not re.search(fault["match"], whole):
                    continue
                fault["seen"] += 1
                if fault["nth"] <= fault["seen"] < fault["nth"] + fault["times"]:
                    self.fired += 1
                    return fault
        return None

    def throttle(self, method, path):
        kind = (
            "search"
            if "/traces/search" in path
            else "download"
            if path.startswith(STORAGE) or "/credentials-for-data-download" in path or "/traces/" in path
            else "other"
        )
        quota = self.options["quota_" + kind]
        if not quota:
            return
        with self.lock:
            window = int(time.monotonic())
            seen = self.windows.get(kind, (window, 0))
            count = seen[1] + 1 if seen[0] == window else 1
            self.windows[kind] = (window, count)
            if count > quota:
                self.throttled += 1
                raise error(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests.", {"Retry-After": "1"})

    # --- upstream

    def call(self, method, path, body=None, headers=None, target=None):
        """Sends a request to a server behind the front. Returns status, headers and body."""
        target = target or self.upstream
        connections = self.local.__dict__.setdefault("connections", {})
        for attempt in range(2):
            connection = connections.get(target.netloc)
            fresh = connection is None
            if fresh:
                connection = connections[target.netloc] = http.client.HTTPConnection(target.hostname, target.port, timeout=300)
            try:
                connection.request(method, path, body=body, headers=headers or {})
                response = connection.getresponse()
                return response.status, response.getheaders(), response.read()
            except (http.client.HTTPException, OSError):
                connections.pop(target.netloc).close()
                if fresh or attempt:  # Only a kept connection is tried again, since the server may have closed it.
                    raise

    def api(self, method, path, body=None):
        """Returns a JSON answer of MLflow. Its errors become answers of the front."""
        status, headers, data = self.call(method, path, body, {"Content-Type": "application/json"} if body else {})
        if status != 200:
            try:
                raise Answer(status, json.loads(data))
            except ValueError:
                raise error(status, "INTERNAL_ERROR", "The server could not answer.") from None
        return json.loads(data)

    # --- the workspace

    def authorize(self, header):
        if not header:
            if not self.options["plain"] or self.options["token"] or self.options["user"]:
                raise Answer(401, {"error_code": 401, "message": "Credential was not sent or was of an unsupported type for this API."},
                             {"WWW-Authenticate": 'Bearer realm="DatabricksRealm"'})
            return
        if self.options["plain"]:
            if not self.options["token"] and not self.options["user"]:
                return
            basic = base64.b64encode(f"{self.options['user']}:{self.options['password']}".encode()).decode()
            wanted = f"Basic {basic}" if self.options["user"] else f"Bearer {self.options['token']}"
            if header != wanted:
                raise Answer(403, {"error_code": "PERMISSION_DENIED", "message": "Permission denied"})
            return
        token = header.removeprefix("Bearer ")
        if token in self.oauth_tokens and self.oauth_tokens[token] < time.time():
            raise Answer(403, {"error_code": 403, "message": "JWT has expired"}, {"X-Databricks-Reason-Phrase": "JWT has expired"})
        if token != self.options["token"] and token not in self.oauth_tokens:
            raise Answer(403, {"error_code": 403, "message": "Invalid access token."}, {
                "WWW-Authenticate": 'Bearer realm="DatabricksRealm", error="invalid_token", error_description="Invalid access token."'})

    def location(self, experiment_id, trace_id):
        return f"dbfs:/databricks/mlflow-tracking/{experiment_id}/{trace_id}/artifacts"

    def info(self, info):
        """Changes a trace info to the form in which a workspace lists it, with the spans in the artifact store."""
        tags = info.get("tags", {})
        if tags.pop("mlflow.trace.spansLocation", None) is not None and not tags:
            info.pop("tags")
        if "mlflow.artifactLocation" in tags:
            tags["mlflow.artifactLocation"] = self.location(info["trace_location"]["mlflow_experiment"]["experiment_id"], info["trace_id"])
        info.get("trace_metadata", {}).pop("mlflow.trace.infoFinalized", None)
        return info

    def target(self, t):
        name = f"{t['catalog']}.{t['schema']}.{t['prefix']}"
        experiment = {"experiment_id": t["experiment_id"], "name": t["name"], "lifecycle_stage": "active",
                      "artifact_location": f"dbfs:/databricks/mlflow-tracking/{t['experiment_id']}",
                      "last_update_time": 1795179551786, "creation_time": 1795179551786}
        tags = {}
        if t.get("typed"):
            experiment["trace_location"] = {"uc_trace_location": {
                "catalog": t["catalog"], "schema": t["schema"], "table_prefix": t["prefix"], "effective_table_prefix": t["prefix"]}}
        if t.get("tagged"):
            tags = {"mlflow.experiment.databricksTraceDestinationPath": name,
                    "mlflow.experiment.databricksTraceSpanStorageTable": name + "_otel_spans",
                    "mlflow.experiment.databricksTraceLogStorageTable": name + "_otel_logs",
                    "mlflow.experiment.databricksTraceAnnotationsTable": name + "_otel_annotations"}
        if t.get("warehouse_id"):
            tags["mlflow.monitoring.sqlWarehouseId"] = t["warehouse_id"]
        if tags:
            experiment["tags"] = [{"key": k, "value": v} for k, v in tags.items()]
        return {"experiment": experiment}

    def experiment(self, path, query):
        for t in self.options["targets"]:
            if t["experiment_id"] == query.get("experiment_id") or t["name"] == query.get("experiment_name"):
                return self.target(t)
        answer = self.api("GET", path + "?" + urllib.parse.urlencode(query))
        answer["experiment"]["artifact_location"] = f"dbfs:/databricks/mlflow-tracking/{answer['experiment']['experiment_id']}"
        return answer

    def create_experiment(self, body):
        """Creates an experiment that is bound to a location, with tables and views; the views have one column only."""
        name, place = body["name"], body["trace_location"]["uc_trace_location"]
        if any(t["name"] == name for t in self.options["targets"]):
            raise error(400, "RESOURCE_ALREADY_EXISTS", f"Node named '{name}' already exists")
        if name.startswith("/Missing/"):
            raise error(404, "RESOURCE_DOES_NOT_EXIST", "Parent directory /Missing does not exist.")
        full = f"{place['catalog']}.{place['schema']}.{place['table_prefix']}"
        views = [full + "_trace_metadata", full + "_trace_unified"]
        if any(self.sql("DESCRIBE TABLE " + view) is not None for view in views):
            raise error(400, "INVALID_PARAMETER_VALUE", "Failed to validate table compatibility")
        made = {"experiment_id": str(9000 + len(self.options["targets"])), "name": name, "catalog": place["catalog"],
                "schema": place["schema"], "prefix": place["table_prefix"],
                "typed": not any(full + suffix in self.options["missing_grants"] for suffix in location.TABLES)}
        if made["typed"]:
            for suffix, columns in location.TABLES.items():
                self.sql(f"CREATE TABLE IF NOT EXISTS {full}{suffix} ({columns}) USING delta TBLPROPERTIES ('otel.schemaVersion' = 'v2')")
            for view in views:
                self.sql(f"CREATE VIEW {view} AS SELECT trace_id FROM {full}_otel_spans")
        with self.lock:
            self.options["targets"].append(made)
        return {"experiment_id": made["experiment_id"]}

    def tag_experiment(self, body):
        for t in self.options["targets"]:
            if t["experiment_id"] == body["experiment_id"] and body["key"] == "mlflow.monitoring.sqlWarehouseId":
                t["warehouse_id"] = body["value"]
                return {}
        raise error(404, "RESOURCE_DOES_NOT_EXIST", f"No experiment with ID {body['experiment_id']} was created here.")

    def grant(self, name, body):
        if name in self.options["missing_grants"]:
            raise error(403, "PERMISSION_DENIED", f"User does not have MANAGE on '{name}'.")
        with self.lock:
            self.grants += [[name, c["principal"], *c["add"]] for c in body["changes"]]
        return {}

    def search(self, body):
        prefixes = [place["uc_table_prefix"] for place in body.get("locations", []) if place.get("type") == "UC_TABLE_PREFIX"]
        if prefixes:
            if len(body["locations"]) > 1:
                raise error(400, "INVALID_PARAMETER_VALUE", "Only one location can be searched.")
            place = self.uc_location(*(prefixes[0][k] for k in ("catalog_name", "schema_name", "table_prefix")))
            return served(lambda: place.search(body))
        wanted = [place.get("mlflow_experiment", {}).get("experiment_id") for place in body.get("locations", [])]
        if any(t["experiment_id"] in wanted for t in self.options["targets"]):
            return {}
        body = {k: v for k, v in body.items() if k != "sql_warehouse_id"}
        answer = self.api("POST", "/api/3.0/mlflow/traces/search", json.dumps(body))
        for info in answer.get("traces", []):
            self.info(info)
        return answer

    def start_search(self, body):
        mode = self.options["v4"]
        if mode == "endpoint_not_found":
            raise not_there("POST", "/api/4.0/mlflow/traces/search-long-running")
        if mode == "not_yet":
            raise error(400, "INVALID_PARAMETER_VALUE", "MLFLOW_EXPERIMENT locations not yet supported")
        name = str(uuid.uuid4())
        with self.lock:
            self.operations[name] = [body, self.options["v4_polls"]]
        return {"name": name, "metadata": {}, "done": False}

    def poll_search(self, name):
        with self.lock:
            operation = self.operations.get(name)
            if operation is None:
                raise error(404, "RESOURCE_DOES_NOT_EXIST", f"Operation {name} does not exist.")
            if operation[1] > 0:
                operation[1] -= 1
                return {"name": name, "metadata": {}, "done": False}
        try:
            found = self.search(operation[0])
        except Answer as e:
            body = json.loads(e.body)
            return {"name": name, "done": True, "error": {"error_code": body["error_code"], "message": body["message"]}}
        for info in found.get("traces", []):
            for assessment in info.get("assessments", []):
                assessment["trace_location"] = info["trace_location"]
        if "trace_infos" in found:  # The search was of a UC location.
            return {"name": name, "done": True, "response": found}
        result = {"trace_infos": found.get("traces", [])}
        if "next_page_token" in found:
            result["next_page_token"] = found["next_page_token"]
        return {"name": name, "done": True, "response": result}

    # --- signed URLs

    def signature(self, path, until):
        return hmac.new(self.secret, f"{path} {until} {self.epoch}".encode(), hashlib.sha256).hexdigest()

    def credentials(self, trace_id, base, artifact):
        info = self.api("GET", f"/api/3.0/mlflow/traces/{urllib.parse.quote(trace_id)}")["trace"]["trace_info"]
        experiment_id = info["trace_location"]["mlflow_experiment"]["experiment_id"]
        until = int(time.time()) + self.options["signed_seconds"]
        path = f"{STORAGE}mlflow-tracking/{experiment_id}/{urllib.parse.quote(trace_id)}/artifacts/{urllib.parse.quote(artifact)}"
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": "AKIA/20260101/us-west-2/s3/aws4_request",
            "X-Amz-Expires": until,
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": self.signature(path, until),
        }
        if self.options["storage"] == "unreachable":
            base = "http://127.0.0.1:9"
        return {
            "credential_info": {
                "path": artifact,
                "signed_uri": f"{base}{path}?{urllib.parse.urlencode(query)}",
                "type": "AWS_PRESIGNED_URL",
                "headers": [{"name": "x-rig-signed", "value": "1"}],
            }
        }

    def download(self, path, query, headers):
        with self.lock:
            self.downloads += 1
            if headers.get("Authorization"):
                self.signed_with_token += 1
        if self.options["storage"] == "firewall":  # This is Azure's answer.
            raise storage_error(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")
        if headers.get("Authorization"):
            raise storage_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        if headers.get("x-rig-signed") != "1":
            raise storage_error(403, "AccessDenied", "There were headers present in the request which were not signed")
        if query.get("X-Amz-Signature") != self.signature(path, query.get("X-Amz-Expires")):
            raise storage_error(
                403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."
            )
        if time.time() > int(query["X-Amz-Expires"]):
            raise storage_error(403, "AccessDenied", "Request has expired")
        trace_id, artifact = (urllib.parse.unquote(part) for part in path.removeprefix(STORAGE).split("/", 4)[2::2])
        if trace_id in self.options["lost"]:
            raise storage_error(404, "NoSuchKey", "The specified key does not exist.")
        query = {"request_id": trace_id}
        if artifact != "traces.json":
            query["path"] = artifact.removeprefix("attachments/")
        status, _, data = self.call("GET", "/ajax-api/2.0/mlflow/get-trace-artifact?" + urllib.parse.urlencode(query))
        if status == 404 or status == 500 and b"not found" in data.lower():
            raise storage_error(404, "NoSuchKey", "The specified key does not exist.")
        if status != 200:
            raise storage_error(500, "InternalError", "We encountered an internal error. Please try again.")
        forms = self.options["forms"]
        if forms and artifact == "traces.json":
            data = convert(data, forms[zlib.crc32(trace_id.encode()) % len(forms)], trace_id)
        raise Answer(200, data, {"Content-Type": "binary/octet-stream"})

    # --- UC trace locations

    def uc_location(self, catalog, schema, prefix):
        if not self.options["warehouse"]:
            raise error(404, "NOT_FOUND", f"Trace location {catalog}.{schema}.{prefix} does not exist.")
        with self.lock:
            return self.locations.setdefault((catalog, schema, prefix), location.Location(self.query, catalog, schema, prefix))

    def uc_trace(self, method, path, pairs, body):
        """Serves a request about traces of a UC location. Returns None if it is none."""
        match = re.fullmatch(r"/api/4\.0/mlflow/traces/([^/.]+)\.([^/.]+)\.([^/]+?)/([^/]+)(?:/(info|tags)(?:/([^/]+))?)?", path)
        if not match:
            return None
        catalog, schema, prefix, trace_id, what, key = (part and urllib.parse.unquote(part) for part in match.groups())
        place = self.uc_location(catalog, schema, prefix)
        if (method, trace_id, what) == ("GET", "batchGet", None):
            return served(lambda: place.batch_get([value for name, value in pairs if name == "trace_ids"]))
        if (method, what, key) == ("GET", "info", None):
            return served(lambda: place.get_info(trace_id))
        if (method, what, key) == ("PATCH", "tags", None):
            tag = json.loads(body)
            return served(lambda: place.set_tag(trace_id, tag["key"], tag["value"], "ann@example.com"))
        if (method, what) == ("DELETE", "tags") and key:
            return served(lambda: place.delete_tag(trace_id, key, "ann@example.com"))
        return None

    def query(self, statement, arguments=None):
        """Returns the rows of a statement, with VARIANT as bytes in hex."""
        target = urllib.parse.urlsplit(self.options["warehouse"])
        spec = json.dumps({"sql": statement, "args": arguments, "variants": "binary"})
        status, _, data = self.call("POST", "/_sql", spec, {"Content-Type": "application/json"}, target)
        answer = json.loads(data)
        if status != 200:
            if "TABLE_OR_VIEW_NOT_FOUND" in answer["error"]:
                raise location.Refused(404, "NOT_FOUND", "The tables of the trace location do not exist.")
            raise RuntimeError(answer["error"])
        return answer["rows"]

    # --- Unity Catalog and warehouses

    def sql(self, statement):
        target = urllib.parse.urlsplit(self.options["warehouse"])
        status, _, data = self.call("POST", "/_sql", json.dumps({"sql": statement}), {"Content-Type": "application/json"}, target)
        return json.loads(data)["rows"] if status == 200 else None

    def table(self, name):
        parts = name.split(".")
        missing = error(404, "TABLE_DOES_NOT_EXIST", f"Table '{name}' does not exist.")
        if len(parts) != 3 or not self.options["warehouse"]:
            raise missing
        quoted = ".".join("`" + part.replace("`", "``") + "`" for part in parts)
        described = self.sql("DESCRIBE TABLE EXTENDED " + quoted)
        if described is None:
            raise missing
        ends = [i for i, row in enumerate(described) if not row[0] or row[0].startswith("#")][0]
        kept, about = described[:ends], {row[0]: row[1] for row in described[ends:]}
        properties = self.sql("SHOW TBLPROPERTIES " + quoted) or []
        return {
            "name": parts[2],
            "catalog_name": parts[0],
            "schema_name": parts[1],
            "table_type": about["Type"],
            "data_source_format": "DELTA",
            "columns": [
                {
                    "name": row[0],
                    "type_text": row[1],
                    "type_name": re.split("[<(]", row[1])[0].upper(),
                    "position": i,
                    "nullable": True,
                    "type_json": json.dumps({"name": row[0], "type": row[1], "nullable": True, "metadata": {}}),
                }
                for i, row in enumerate(kept)
            ],
            "full_name": name,
            "owner": "owner@example.com",
            "properties": {row[0]: row[1] for row in properties},
            "table_id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
            "metastore_id": str(uuid.uuid5(uuid.NAMESPACE_URL, "metastore")),
            "securable_type": "TABLE",
            "securable_kind": "TABLE_DELTA",
        }

    def warehouse(self, warehouse_id, verb):
        if warehouse_id != self.options["warehouse_id"]:
            raise error(404, "RESOURCE_DOES_NOT_EXIST", f"SQL warehouse {warehouse_id} does not exist.")
        with self.lock:
            if verb == "start":
                self.may_use()
                if self.options["warehouse_state"] != "RUNNING":
                    self.options["warehouse_state"], self.polls_left = "STARTING", self.options["warehouse_polls"]
                return {}
            if self.options["warehouse_state"] == "STARTING":
                if self.polls_left == 0:
                    self.options["warehouse_state"] = "RUNNING"
                self.polls_left -= 1
            return {
                "id": warehouse_id,
                "name": "stand-in",
                "size": "XXSMALL",
                "cluster_size": "2X-Small",
                "min_num_clusters": 1,
                "max_num_clusters": 1,
                "auto_stop_mins": 10,
                "auto_resume": True,
                "creator_name": "ann@example.com",
                "enable_photon": True,
                "enable_serverless_compute": True,
                "warehouse_type": "PRO",
                "num_clusters": 1,
                "num_active_sessions": 0,
                "state": self.options["warehouse_state"],
                "health": {"status": "HEALTHY"},
                "odbc_params": {
                    "hostname": "127.0.0.1",
                    "path": f"/sql/1.0/warehouses/{warehouse_id}",
                    "protocol": "http",
                    "port": self.port,
                },
            }

    def may_use(self):
        if self.options["no_warehouse_use"]:
            raise error(403, "PERMISSION_DENIED", "ann@example.com does not have Use permission on the warehouse.")

    def privileges(self, kind, name, query):
        if kind == "volume":
            target = urllib.parse.urlsplit(self.options["warehouse"])
            status, _, data = self.call(
                "GET",
                VOLUMES[1] + "/" + urllib.parse.quote(name),
                None,
                {"Authorization": "Bearer " + self.options["warehouse_token"]},
                target,
            )
            if status != 200:
                raise Answer(status, data)
        named = {
            "catalog": ["USE_CATALOG"],
            "schema": ["USE_SCHEMA", "CREATE_TABLE"],
            "table": ["SELECT", "MODIFY"],
            "volume": ["READ_VOLUME", "WRITE_VOLUME"],
        }[kind]
        if query.get("principal", "ann@example.com") != "ann@example.com":
            named = []
        elif self.options["own_grants_only"] and "principal" not in query:
            raise error(403, "PERMISSION_DENIED", f"User is not an owner of {kind} '{name}'.")
        elif name in self.options["missing_grants"]:
            named = []
        elif name in self.options["all_privileges"]:
            named = ["ALL_PRIVILEGES"]
        if query.get("max_results") not in (None, "0"):
            raise error(400, "INVALID_PARAMETER_VALUE", "max_results must be 0 or at least 150.")
        others = [] if "principal" in query else [{"principal": "others", "privileges": [{"privilege": "SELECT"}, {"privilege": "MODIFY"}]}]
        # The user has half of its privileges through its group.
        found = others + [
            {"principal": who, "privileges": [{"privilege": p, "inherited_from_type": "METASTORE"}]}
            for p, who in zip(named, ("ann@example.com", "ann@example.com" if "principal" in query else "team"))]
        if "max_results" not in query:
            return {"privilege_assignments": found}
        # Each assignment has a page of its own, and an empty page before it.
        at = int(query.get("page_token") or 0)
        page = {"privilege_assignments": found[at // 2:at // 2 + 1]} if at % 2 else {}
        return page | ({"next_page_token": str(at + 1)} if at < 2 * len(found) else {})

    # --- routes

    def route(self, method, path, pairs, body, headers, base):
        query = dict(pairs)
        if method == "GET" and path == "/.well-known/databricks-config":
            return {"oidc_endpoint": base + "/oidc", "workspace_id": "1234567890", "cloud": "AWS", "host_type": "workspace"}
        if method == "GET" and path == "/oidc/.well-known/oauth-authorization-server":
            return {
                "issuer": base + "/oidc",
                "authorization_endpoint": base + "/oidc/v1/authorize",
                "token_endpoint": base + "/oidc/v1/token",
            }
        if method == "POST" and path == "/oidc/v1/token":
            return self.token(body, headers)
        if path.startswith(STORAGE):
            if method != "GET":
                raise storage_error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
            return self.download(path, query, headers)
        self.authorize(headers.get("Authorization"))
        if path.startswith("/sql/1.0/warehouses/"):
            return self.thrift(method, path, body, headers)
        if not path.startswith("/api/"):
            raise not_there(method, path)
        if path.startswith(VOLUMES):
            return self.volumes(method, path, query, body, headers)
        if (method, path) == ("GET", "/api/2.0/preview/scim/v2/Me"):
            return {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "id": "4567890123",
                "userName": "ann@example.com",
                "displayName": "Ann",
                "active": True,
                "emails": [{"type": "work", "value": "ann@example.com", "primary": True}],
                "groups": [{"display": "users", "type": "direct", "value": "1"}, {"display": "team", "type": "direct", "value": "2"}],
            }
        if method == "GET" and path in ("/api/2.0/mlflow/experiments/get", "/api/2.0/mlflow/experiments/get-by-name"):
            return self.experiment(path, query)
        if (method, path) == ("POST", "/api/2.0/mlflow/experiments/create"):
            return self.create_experiment(json.loads(body))
        if (method, path) == ("POST", "/api/2.0/mlflow/experiments/set-experiment-tag"):
            return self.tag_experiment(json.loads(body))
        if method == "PATCH" and (match := re.fullmatch(r"/api/2\.1/unity-catalog/permissions/(?:table|schema|catalog)/([^/]+)", path)):
            return self.grant(urllib.parse.unquote(match[1]), json.loads(body))
        if (method, path) in (("POST", "/api/2.0/mlflow/experiments/search"), ("POST", "/api/2.0/mlflow/runs/search")):
            return self.api("POST", path, body)
        if (method, path) == ("POST", "/api/3.0/mlflow/traces/search"):
            return self.search(json.loads(body))
        if (method, path) == ("POST", "/api/4.0/mlflow/traces/search-long-running"):
            return self.start_search(json.loads(body))
        if match := re.fullmatch(r"/api/4\.0/mlflow/traces/search/operations/([^/]+)", path):
            return self.poll_search(match[1])
        answer = self.uc_trace(method, path, pairs, body)
        if answer is not None:
            return answer
        if match := re.fullmatch(r"/api/2\.0/mlflow/traces/([^/]+)/credentials-for-data-download", path):
            return self.credentials(urllib.parse.unquote(match[1]), base, query.get("path", "traces.json"))
        if (
            method == "GET"
            and (match := re.fullmatch(r"/api/3\.0/mlflow/traces/([^/]+)", path))
            and match[1] not in ("get", "batchGet", "search")
        ):
            answer = self.api("GET", path)
            self.info(answer["trace"]["trace_info"])
            return answer
        if match := re.fullmatch(r"/api/2\.0/sql/warehouses/([^/]+)(?:/(start))?", path):
            if method == ("POST" if match[2] else "GET"):
                return self.warehouse(match[1], match[2])
        if (method, path) == ("GET", "/api/2.0/sql/warehouses"):
            return {"warehouses": [self.warehouse(self.options["warehouse_id"], None)]}
        if method == "GET" and (match := re.fullmatch(r"/api/2\.1/unity-catalog/tables/([^/]+)", path)):
            return self.table(urllib.parse.unquote(match[1]))
        if method == "GET" and (
            match := re.fullmatch(r"/api/2\.1/unity-catalog/effective-permissions/((?i:table|schema|catalog|volume))/([^/]+)", path)
        ):
            return self.privileges(match[1].lower(), urllib.parse.unquote(match[2]), query)
        if method == "GET" and (match := re.fullmatch(r"/api/2\.1/unity-catalog/(?:catalogs|schemas)/([^/]+)", path)):
            return {"full_name": urllib.parse.unquote(match[1]), "owner": "owner@example.com"}
        if method == "GET" and (match := re.fullmatch(r"/api/2\.0/permissions/warehouses/([^/]+)", path)):
            self.warehouse(match[1], None)
            level = "CAN_VIEW" if self.options["no_warehouse_use"] else "CAN_USE"
            return {"object_id": "/sql/warehouses/" + match[1], "object_type": "warehouses", "access_control_list": [
                {"user_name": "owner@example.com", "all_permissions": [{"permission_level": "IS_OWNER", "inherited": False}]},
                {"group_name": "team", "all_permissions": [{"permission_level": level, "inherited": False}]}]}
        raise not_there(method, path)

    def token(self, body, headers):
        form = dict(urllib.parse.parse_qsl((body or b"").decode()))
        basic = base64.b64encode(f"{self.options['client_id']}:{self.options['client_secret']}".encode()).decode()
        known = headers.get("Authorization") == "Basic " + basic or (
            form.get("client_id") == self.options["client_id"] and form.get("client_secret") == self.options["client_secret"])
        if not known or form.get("grant_type") != "client_credentials":
            raise Answer(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        token = "oauth-" + uuid.uuid4().hex
        self.oauth_tokens[token] = time.time() + self.options["token_seconds"]
        told = self.options["token_told"] or self.options["token_seconds"]
        return {"access_token": token, "token_type": "Bearer", "expires_in": told, "scope": "all-apis"}

    def thrift(self, method, path, body, headers):
        if not self.options["warehouse"]:
            raise not_there(method, path)
        if path.rsplit("/", 1)[-1] != self.options["warehouse_id"]:
            raise error(404, "RESOURCE_DOES_NOT_EXIST", "The warehouse does not exist.")
        self.may_use()
        if self.options["warehouse_state"] != "RUNNING":
            raise error(503, "TEMPORARILY_UNAVAILABLE", "The warehouse is starting.", {"Retry-After": "1"})
        passed = {k: v for k, v in headers.items() if k.lower() in ("content-type", "user-agent")}
        passed["Authorization"] = "Bearer " + self.options["warehouse_token"]
        target = urllib.parse.urlsplit(self.options["warehouse"])
        status, answered, data = self.call(method, "/sql/1.0/warehouses/rig", body, passed, target)
        raise Answer(status, data, {k: v for k, v in answered if k.lower() in ("content-type", "retry-after")})

    def volumes(self, method, path, query, body, headers):
        if not self.options["warehouse"]:
            raise not_there(method, path)
        match = re.match(r"/api/2\.0/fs/[^/]+/Volumes/([^/]+)/([^/]+)/([^/]+)", urllib.parse.unquote(path))
        if match and ".".join(match.groups()) in self.options["missing_grants"]:
            raise error(403, "PERMISSION_DENIED", f"User does not have WRITE VOLUME on Volume '{'.'.join(match.groups())}'.")
        passed = {k: v for k, v in headers.items() if k.lower() in ("content-type", "user-agent")}
        passed["Authorization"] = "Bearer " + self.options["warehouse_token"]
        target = urllib.parse.urlsplit(self.options["warehouse"])
        # send leaves out the body of an answer to HEAD, but needs it for the Content-Length.
        upstream = "GET" if method == "HEAD" else method
        status, answered, data = self.call(upstream, path + ("?" + urllib.parse.urlencode(query) if query else ""), body, passed, target)
        raise Answer(status, data, {k: v for k, v in answered if k.lower() == "content-type"})

    def pass_on(self, method, target, body, headers):
        self.authorize(headers.get("Authorization"))
        passed = {
            k: v
            for k, v in headers.items()
            if k.lower() not in ("host", "connection", "authorization", "content-length", "accept-encoding")
        }
        status, answered, data = self.call(method, target, body, passed)
        raise Answer(status, data, {k: v for k, v in answered if k.lower() in ("content-type", "retry-after", "content-disposition")})

    def control(self, path, body):
        spec = json.loads(body or b"{}")
        if path == "/_fault":
            re.compile(spec.get("match", ""))
            with self.lock:
                self.faults.append(
                    {
                        "match": spec.get("match", ""),
                        "nth": spec.get("nth") or 1,
                        "times": spec.get("times") or 1,
                        "kind": spec["kind"],
                        "retry_after": spec.get("retry_after", 0),
                        "seconds": spec.get("seconds") or 2,
                        "seen": 0,
                    }
                )
            return {}
        if path == "/_stats":
            with self.lock:
                return {
                    "requests": self.counts,
                    "statuses": self.statuses,
                    "faults": self.fired,
                    "throttled": self.throttled,
                    "downloads": self.downloads,
                    "authorizations": self.authorizations,
                    "signed_with_token": self.signed_with_token,
                    "most_in_flight": self.most_in_flight,
                    "writes": self.writes,
                    "grants": self.grants,
                }
        if path == "/_reset":
            self.reset()
            return {}
        if path == "/_expire_signed":
            self.epoch += 1
            return {}
        if path == "/_options":
            with self.lock:
                self.options.update(spec)
            return {}
        raise not_there("POST", path)


def convert(data, form, trace_id):
    """Returns traces.json in the span form of another MLflow version. Data that is not JSON of the current form stays as
    it is."""
    try:
        document = json.loads(data)
        spans = document["spans"]
        if form == "v3" or not spans or "context" in spans[0]:
            return data
        hexed = lambda text: base64.b64decode(text).hex() if text else None
        converted = []
        for span in spans:
            code = span["status"]["code"].removeprefix("STATUS_CODE_")
            links = {"links": span["links"]} if span.get("links") else {}
            if form == "v2":
                converted.append(
                    {
                        "name": span["name"],
                        "context": {"span_id": hexed(span["span_id"]), "trace_id": hexed(span["trace_id"])},
                        "parent_id": hexed(span["parent_span_id"]),
                        "start_time": span["start_time_unix_nano"],
                        "end_time": span["end_time_unix_nano"],
                        "status_code": code,
                        "status_message": span["status"].get("message", ""),
                        "attributes": span["attributes"],
                        "events": [
                            {"name": e["name"], "timestamp": e["time_unix_nano"], "attributes": e.get("attributes")}
                            for e in span.get("events", [])
                        ],
                        **links,
                    }
                )
            elif form == "v30":
                events = {"events": span["events"]} if span.get("events") else {}
                converted.append(
                    {
                        "trace_id": span["trace_id"],
                        "span_id": span["span_id"],
                        "trace_state": "",
                        "parent_span_id": span["parent_span_id"] or "",
                        "name": span["name"],
                        "start_time_unix_nano": span["start_time_unix_nano"],
                        "end_time_unix_nano": span["end_time_unix_nano"],
                        "attributes": span["attributes"],
                        **events,
                        "status": {"message": span["status"].get("message", ""), "code": span["status"]["code"]},
                        **links,
                    }
                )
            elif form == "v350":
                converted.append(
                    {
                        **{k: v for k, v in span.items() if k != "links"},
                        "trace_id": trace_id,
                        "span_id": hexed(span["span_id"]),
                        "parent_span_id": hexed(span["parent_span_id"]),
                        "status": {"code": code, "message": span["status"].get("message", "")},
                        **links,
                    }
                )
            else:
                raise SystemExit(f"unknown form {form}")
        document["spans"] = converted
        if form == "v2":
            document.update({"request": None, "response": None})
        return json.dumps(document).encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        return data


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front = None

    def log_message(self, *_):
        pass

    def handle_any(self):
        front = self.front
        parts = urllib.parse.urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = self.chunked()
        if parts.path.startswith("/_") and not parts.path.startswith(STORAGE):
            try:
                self.send(Answer(200, front.control(parts.path, body)))
            except Answer as e:
                self.send(e)
            return
        fault = front.enter(self.command, self.path, self.headers.get("Authorization"))
        with front.lock:
            front.in_flight += 1
            front.most_in_flight = max(front.most_in_flight, front.in_flight)
        try:
            kind = fault["kind"] if fault else ""
            if kind == "reset":
                return self.reset()
            if kind == "slow":
                time.sleep(fault["seconds"])
            answer = self.refusal(fault) if kind.startswith("status") else self.answer(front, parts, body)
            with front.lock:
                front.statuses[str(answer.status)] = front.statuses.get(str(answer.status), 0) + 1
            if kind == "cut_after_effect":
                return self.reset()
            self.send(answer, truncate=kind == "truncate")
        finally:
            with front.lock:
                front.in_flight -= 1

    def answer(self, front, parts, body):
        try:
            front.throttle(self.command, parts.path)
            if front.options["plain"]:
                return front.pass_on(self.command, self.path, body, self.headers)
            pairs = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
            return Answer(200, front.route(self.command, parts.path, pairs, body, self.headers, f"http://{self.headers['Host']}"))
        except Answer as e:
            return e
        except Exception as e:
            print(f"{self.command} {parts.path}: {type(e).__name__}: {e}", file=sys.stderr, flush=True)
            return error(500, "INTERNAL_ERROR", f"front: {type(e).__name__}: {e}")

    def refusal(self, fault):
        status = int(fault["kind"].removeprefix("status"))
        code = {429: "REQUEST_LIMIT_EXCEEDED", 500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE", 404: "RESOURCE_DOES_NOT_EXIST",
                403: "PERMISSION_DENIED", 400: "BAD_REQUEST"}.get(status, "INTERNAL_ERROR")
        if self.path.startswith(STORAGE):
            return storage_error(status, "SlowDown" if status in (429, 503) else "InternalError", "injected fault")
        return error(status, code, "injected fault", {"Retry-After": str(fault["retry_after"])} if fault["retry_after"] else None)

    def chunked(self):
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send(self, answer, truncate=False):
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if truncate:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif self.command != "HEAD":
            self.wfile.write(answer.body)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except OSError:
            pass  # A fault has reset the connection.

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # Clients that close the connection are no error of the front.
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mlflow", required=True)
    parser.add_argument("--options", default="{}")
    args = parser.parse_args()
    sys.setrecursionlimit(20000)
    threading.stack_size(64 << 20)  # enough for JSON of 1500 levels
    front = Handler.front = Front(args.mlflow, json.loads(args.options))
    server = Server(("127.0.0.1", 0), Handler)
    front.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"READY http://127.0.0.1:{front.port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
