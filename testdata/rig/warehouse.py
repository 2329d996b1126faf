"""A stand-in for a Databricks SQL warehouse: its Thrift protocol over HTTP, on Spark and Delta.

It serves what databricks-sql-go asks for: sessions, statements with typed parameters, and results as Arrow record
batches, or as links to a second address if the client says that it takes links. The only catalog is spark_catalog.
Volumes are folders of its directory, with the REST API of their files, and parquet.`/Volumes/…` reads them. On other
paths than the warehouse's it has a control API for tests (see README.md).

It prints one line `READY http://127.0.0.1:PORT` when it serves. If its standard input is a pipe, it ends when that
ends, so that it never outlives the test that started it.
"""

import argparse
import concurrent.futures
import datetime
import decimal
import glob
import json
import logging
import os
import re
import socket
import stat
import struct
import sys
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ["TZ"] = "UTC"
time.tzset()

import pyarrow as pa  # noqa: E402
from py4j.java_gateway import JavaObject  # noqa: E402
from py4j.protocol import Py4JError, Py4JJavaError  # noqa: E402
from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes as tt  # noqa: E402
from pyspark.errors import PySparkException  # noqa: E402
from pyspark.sql import SparkSession, functions as F, types as st  # noqa: E402
from thrift.protocol.TBinaryProtocol import TBinaryProtocol  # noqa: E402
from thrift.transport.TTransport import TMemoryBuffer, TTransportException  # noqa: E402

PROTOCOL = tt.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V8
BATCH_ROWS = 10_000  # rows of one Arrow batch
PAGE_BYTES = 8 << 20  # Arrow bytes of one answer, about
LINK_BYTES = 1 << 20  # A client that takes links gets a larger result as links.
MAX_PARAMETERS = 256  # as the service documents
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"

# The log can show statement texts, since values are not in them but in parameters.
log = logging.getLogger("warehouse")


class StatementError(Exception):
    """A statement failed, with the warehouse's message and SQLSTATE."""

    def __init__(self, message, sql_state=None):
        super().__init__(message)
        self.sql_state = sql_state


class HTTPAnswer(TTransportException):
    """Answers the whole request with an HTTP status instead of Thrift. It is a transport exception because the
    generated processor lets only these through."""

    def __init__(self, status, message, headers=None):
        super().__init__(message=message)
        self.status = status
        self.headers = headers or {}


class Cut(TTransportException):
    """Closes the connection without an answer."""


# --- statements -----------------------------------------------------------------------------------

_NAME = r"((?:`[^`]+`|\w+)(?:\s*\.\s*(?:`[^`]+`|\w+)){0,2})"
_WRITES = [
    ("INSERT", re.compile(r"\bINSERT\s+(?:INTO|OVERWRITE)\s+(?:TABLE\s+)?" + _NAME, re.I)),
    ("MERGE", re.compile(r"\bMERGE\s+(?:WITH\s+SCHEMA\s+EVOLUTION\s+)?INTO\s+" + _NAME, re.I)),
    ("DELETE", re.compile(r"\bDELETE\s+FROM\s+" + _NAME, re.I)),
    ("UPDATE", re.compile(r"\bUPDATE\s+" + _NAME, re.I)),
]
_FROM = re.compile(r"\b(?:FROM|TABLE|VIEW|DESCRIBE|HISTORY|DETAIL)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:EXTENDED\s+)?" + _NAME, re.I)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)


def classify(sql):
    """Returns the statement's kind (INSERT, SELECT, CREATE, ...) and the table that it is about, or None."""
    text = _COMMENT.sub(" ", sql).strip()
    first = re.match(r"\w*", text).group().upper()
    if first in ("INSERT", "MERGE", "DELETE", "UPDATE", "WITH"):
        for kind, pattern in _WRITES:
            if (first in (kind, "WITH")) and (m := pattern.search(text)):
                return kind, re.sub(r"\s", "", m.group(1))
    if first == "WITH":
        first = "SELECT"
    m = _FROM.search(text)
    return first, m and re.sub(r"\s", "", m.group(1))


def read_tags(text):
    """Returns the query tags of a setting: KEY:VALUE, comma-separated, with a backslash before those signs in a value.
    The service drops a tag that breaks its rules, and says so by another one."""
    tags, broken = {}, False
    for pair in re.findall(r"(?:\\.|[^,\\])+", text, re.S):
        key, _, value = (re.sub(r"\\(.)", r"\1", part, flags=re.S) for part in re.match(r"((?:\\.|[^:\\])+)(:?)(.*)", pair, re.S).groups())
        if re.search(r"[,:\-/=.]", key) or key.startswith("@@") or max(len(key), len(value)) > 128 or len(tags) == 20:
            broken = True
        else:
            tags[key.strip()] = value.strip() or None
    return tags | ({"tag_invalid": "true"} if broken else {})


_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SUFFIX = {"TINYINT": "Y", "SMALLINT": "S", "INTEGER": "", "INT": "", "BIGINT": "L"}


def literal(param):
    """Returns the literal of a TSparkParameter, with the type that the driver names."""
    kind = (param.type or "STRING").upper()
    if kind == "VOID" or param.value is None:
        return F.lit(None)
    v = param.value
    text = next((str(x) for x in (v.stringValue, v.doubleValue, v.booleanValue) if x is not None), "")

    def refuse():
        raise StatementError(f"[INVALID_PARAMETER_MARKER_VALUE] {kind} parameter {param.name or param.ordinal}: "
                             "the value is not one of this type. SQLSTATE: 22023", "22023")

    if kind == "STRING":
        return F.lit(text)
    if kind == "BOOLEAN":
        return F.lit(text.lower() == "true") if text.lower() in ("true", "false") else refuse()
    if kind in _SUFFIX:
        return F.expr(text.lstrip("+") + _SUFFIX[kind]) if _INTEGER.fullmatch(text) else refuse()
    if kind in ("FLOAT", "DOUBLE"):
        if text in ("NaN", "+Inf", "-Inf", "Infinity", "-Infinity"):
            return F.lit(float(text))
        return F.expr(text.lstrip("+") + kind[0]) if _NUMBER.fullmatch(text) else refuse()
    if kind.startswith("DECIMAL"):
        return F.expr(text.lstrip("+") + "BD") if _NUMBER.fullmatch(text) else refuse()
    if kind == "DATE":
        try:
            return F.lit(datetime.date.fromisoformat(text))
        except ValueError:
            refuse()
    if kind == "TIMESTAMP":
        try:  # A TIMESTAMP holds microseconds, so nanoseconds are cut off.
            return F.lit(datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)))
        except ValueError:
            refuse()
    raise StatementError(f"[UNSUPPORTED_PARAMETER_TYPE] parameter type {kind}. SQLSTATE: 0A000", "0A000")


def bind(params):
    """Returns the args of spark.sql for the parameters: a dict for named ones, a list for positional ones."""
    if not params:
        return None
    if len(params) > MAX_PARAMETERS:
        raise StatementError(f"[TOO_MANY_PARAMETERS] {len(params)} parameters, at most {MAX_PARAMETERS} are allowed. "
                             "SQLSTATE: 54023", "54023")
    if params[0].name:
        return {p.name: literal(p) for p in params}
    return [literal(p) for p in params]


def failure(e):
    """Returns the message and the SQLSTATE that a warehouse would give for the exception."""
    if isinstance(e, StatementError):
        return str(e), e.sql_state
    message, state = str(e), None
    if isinstance(e, PySparkException):
        state = e.getSqlState()
    # The cause that Spark wraps, such as in a failed job, says more than the wrapping.
    java = getattr(e, "_origin", None) or e
    if isinstance(java, Py4JJavaError):
        java = java.java_exception
    if not isinstance(java, JavaObject):
        java = None
    while java is not None:
        text = java.getMessage() or ""
        if text.lstrip().startswith("["):
            message = text
            try:
                state = java.getSqlState()
            except Py4JError:  # It is no SparkThrowable.
                state = None
        java = java.getCause()
    message = message.split("\n\nJVM stacktrace:")[0]
    message = re.sub(r"^(?:[\w$]+\.)+[\w$]+(?:Exception|Error): ", "", message).strip()
    if state is None and (m := re.search(r"SQLSTATE: (\w{5})", message)):
        state = m.group(1)
    if state and "SQLSTATE: " not in message:  # Delta's messages lack it here, but not at the service.
        message += f" SQLSTATE: {state}"
    return message, state


def has(kind, wanted):
    """Returns whether the Spark type is the wanted type or contains it."""
    if isinstance(kind, wanted):
        return True
    if isinstance(kind, st.ArrayType):
        return has(kind.elementType, wanted)
    if isinstance(kind, st.MapType):
        return has(kind.keyType, wanted) or has(kind.valueType, wanted)
    if isinstance(kind, st.StructType):
        return any(has(f.dataType, wanted) for f in kind.fields)
    return False


class Warehouse:
    def __init__(self, spark, options):
        self.spark = spark
        self.options = options
        self.volumes = os.path.join(os.path.abspath(options.dir), "volumes")  # Each volume is a folder <catalog>/<schema>/<volume>.
        self.lock = threading.Lock()
        self.sessions = {}
        self.operations = {}
        self.workers = concurrent.futures.ThreadPoolExecutor(32)
        self.storage = Storage()
        self.tenants = {}

    def tenant(self, authorization):
        """Returns the tenant of an Authorization header with TOKEN or TOKEN.name, or None for another token."""
        name = (authorization or "").removeprefix("Bearer ")
        if name != self.options.token and not name.startswith(self.options.token + "."):
            return None
        with self.lock:
            if name not in self.tenants:
                self.tenants[name] = Tenant(self.spark.newSession(), self.options)
            return self.tenants[name]

    def run(self, session, sql, args=None, record=None, binary_variants=False, tags=None):
        """Runs one statement in the session. Returns its result, an Arrow table, and the Spark types of its columns.
        Raises StatementError. record is the tenant whose statistics count the statement, if any."""
        kind, table = classify(sql)
        # The end of a statement is kept too: a comment may stand there.
        text = sql if len(sql) <= 4096 else sql[:3596] + " … " + sql[-500:]
        entry = {"kind": kind, "table": table, "rows": 0, "statement": text, "tags": tags or {}}
        began = time.monotonic()
        commit = str(uuid.uuid4())
        try:
            if kind in ("INSERT", "MERGE", "DELETE", "UPDATE"):
                session.conf.set(USER_METADATA, commit)
            text = sql.replace("parquet.`/Volumes/", f"parquet.`{self.volumes}/")
            df = session.sql(text, args=args) if args else session.sql(text)
            if kind == "INSERT":
                n = self.inserted(session, table, commit)
                result = pa.table({"num_affected_rows": pa.array([n], pa.int64()),
                                   "num_inserted_rows": pa.array([n], pa.int64())})
                types = [st.LongType(), st.LongType()]
            else:
                result, types = self.collect(df, binary_variants)
                if m := re.match(r"\s*DESCRIBE\s+TABLE\s+EXTENDED\s+(\S+)", sql, re.I):
                    result = self.policies(session, m[1], result)
        except Exception as e:  # Py4J, Spark and Python errors all mean that the statement failed.
            message, state = failure(e)
            entry["error"] = message.split("\n")[0][:500]
            if record:
                record.record(entry, False)
            raise StatementError(message, state) from None
        log.info("%.2f s%s: %s", time.monotonic() - began, "" if record else ", beside the protocol", " ".join(sql.split())[:300])
        write = kind in ("INSERT", "MERGE", "DELETE", "UPDATE")
        entry["rows"] = result.column(0)[0].as_py() if write and result.num_rows else result.num_rows
        if record:
            record.record(entry, write)
        return result, types

    def inserted(self, session, table, commit):
        """Returns the number of rows that the INSERT with this commit mark added. Open source Spark answers an INSERT
        with nothing, so the number comes from the Delta commit itself."""
        state = session._jsparkSession.sessionState()
        # Spark's parser of table names takes schema and table only. The only catalog is spark_catalog.
        table = re.sub(r"^`?spark_catalog`?\.", "", table)
        ident = state.sqlParser().parseTableIdentifier(table)
        location = state.catalog().getTableMetadata(ident).location().getPath()
        for path in sorted(glob.glob(os.path.join(location, "_delta_log", "*.json")), reverse=True):
            with open(path, encoding="utf-8") as f:
                info = next((a["commitInfo"] for a in map(json.loads, f) if "commitInfo" in a), {})
            if info.get("userMetadata") == commit:
                return int(info.get("operationMetrics", {}).get("numOutputRows", 0))
        return 0  # There is no commit if the INSERT added nothing.

    def policies(self, session, table, described):
        """Adds the row filter and the column masks of Unity Catalog to the description of a table. Here they are table
        properties (rig.row_filter, rig.column_masks)."""
        if not any(row["col_name"] == "Table Properties" and "rig." in (row["data_type"] or "") for row in described.to_pylist()):
            return described
        properties = {r[0]: r[1] for r in session.sql(f"SHOW TBLPROPERTIES {table}").collect()}
        rows = described.to_pylist()
        if f := properties.get("rig.row_filter"):
            rows.append({"col_name": "Row Filter", "data_type": f, "comment": ""})
        if m := properties.get("rig.column_masks"):
            rows += [{"col_name": "", "data_type": "", "comment": ""}, {"col_name": "# Column Masks", "data_type": "", "comment": ""},
                     {"col_name": m, "data_type": "main.default.mask", "comment": ""}]
        return pa.Table.from_pylist(rows, schema=described.schema)

    def collect(self, df, binary_variants=False):
        fields = df.schema.fields
        if not fields:
            return pa.table({}), []
        if binary_variants:
            # toArrow refuses a NULL VARIANT within a struct, since it takes its value and metadata for not nullable.
            return pa.Table.from_batches(df._collect_as_arrow(empty_list_if_zero_records=False)), [f.dataType for f in fields]
        names = [f"c{i}" for i in range(len(fields))]
        columns, types = [], []
        for name, field in zip(names, fields):
            if has(field.dataType, st.VariantType):  # A warehouse returns VARIANT as JSON text.
                columns.append(F.to_json(name))
                types.append(st.StringType())
            elif isinstance(field.dataType, (st.DecimalType, st.DayTimeIntervalType, st.YearMonthIntervalType)):
                columns.append(F.col(name).cast("string"))  # The driver asks for strings by default.
                types.append(field.dataType)
            else:
                columns.append(F.col(name))
                types.append(field.dataType)
        if types != [f.dataType for f in fields] or any(isinstance(t, (st.DecimalType, st.AnsiIntervalType)) for t in types):
            df = df.toDF(*names).select(*columns)
        else:
            df = df.toDF(*names)
        return df.toArrow().rename_columns([f.name for f in fields]), types


class Tenant:
    """One of the clients that share the warehouse. Each has its own settings, faults and statistics."""

    def __init__(self, spark, options):
        self.spark = spark  # the session of statements that do not come over the Thrift protocol
        self.options = options
        self.lock = threading.Lock()
        self.set({})
        self.reset()

    def reset(self):
        with self.lock:
            self.statements = self.writes = self.fired = self.links = 0
            self.log = []
            self.faults = []

    def set(self, settings):
        """Changes settings of statements. Those that are absent get the values of the command line."""
        self.max_param_bytes = settings.get("max_param_bytes") or self.options.max_param_bytes
        self.direct_seconds = settings.get("direct_seconds") or self.options.direct_seconds
        self.max_request_bytes = settings.get("max_request_bytes") or 1 << 62
        self.too_large_as = settings.get("too_large_as") or "413"
        self.link_bytes = settings.get("link_bytes") or LINK_BYTES
        self.no_query_tags = bool(settings.get("no_query_tags"))

    def record(self, entry, write):
        with self.lock:
            self.statements += 1
            self.writes += write
            self.log = self.log[-999:] + [entry]

    def fault(self, sql):
        """Returns the fault that applies to this statement, or None."""
        with self.lock:
            for f in self.faults:
                if f["pattern"].search(sql):
                    f["seen"] += 1
                    if f["nth"] <= f["seen"] < f["nth"] + f["times"]:
                        self.fired += 1
                        return f
        return None

    def add_fault(self, spec):
        kinds = ("refuse429", "refuse503", "error500", "reset_before", "cut_after_effect", "too_large", "hang",
                 "http_error", "status_error", "session_error", "sql_error", "sql_error_after_effect")
        if spec.get("kind") not in kinds:
            raise ValueError(f"fault kind {spec.get('kind')!r}: want one of {', '.join(kinds)}")
        fault = {"pattern": re.compile(spec.get("match", ""), re.I | re.S), "kind": spec["kind"], "seen": 0,
                 "nth": int(spec.get("nth") or 1), "times": int(spec.get("times") or 1),
                 "retry_after": int(spec.get("retry_after") or 0), "status": int(spec.get("status") or 0),
                 "message": spec.get("message", ""), "state": spec.get("state") or None}
        with self.lock:
            self.faults.append(fault)


# --- Thrift service -------------------------------------------------------------------------------

OK = tt.TStatus(statusCode=tt.TStatusCode.SUCCESS_STATUS)

_TYPE_IDS = [
    (st.BooleanType, tt.TTypeId.BOOLEAN_TYPE), (st.ByteType, tt.TTypeId.TINYINT_TYPE),
    (st.ShortType, tt.TTypeId.SMALLINT_TYPE), (st.IntegerType, tt.TTypeId.INT_TYPE),
    (st.LongType, tt.TTypeId.BIGINT_TYPE), (st.FloatType, tt.TTypeId.FLOAT_TYPE),
    (st.DoubleType, tt.TTypeId.DOUBLE_TYPE), (st.TimestampType, tt.TTypeId.TIMESTAMP_TYPE),
    (st.TimestampNTZType, tt.TTypeId.TIMESTAMP_TYPE), (st.BinaryType, tt.TTypeId.BINARY_TYPE),
    (st.ArrayType, tt.TTypeId.ARRAY_TYPE), (st.MapType, tt.TTypeId.MAP_TYPE),
    (st.StructType, tt.TTypeId.STRUCT_TYPE), (st.DecimalType, tt.TTypeId.DECIMAL_TYPE),
    (st.DateType, tt.TTypeId.DATE_TYPE), (st.NullType, tt.TTypeId.NULL_TYPE),
]


def column_desc(position, name, kind):
    type_id = next((i for t, i in _TYPE_IDS if isinstance(kind, t)), tt.TTypeId.STRING_TYPE)
    qualifiers = None
    if isinstance(kind, st.DecimalType):
        qualifiers = tt.TTypeQualifiers({"precision": tt.TTypeQualifierValue(i32Value=kind.precision),
                                         "scale": tt.TTypeQualifierValue(i32Value=kind.scale)})
    entry = tt.TTypeEntry(primitiveEntry=tt.TPrimitiveTypeEntry(type=type_id, typeQualifiers=qualifiers))
    return tt.TColumnDesc(columnName=name, typeDesc=tt.TTypeDesc(types=[entry]), position=position)


class Session:
    def __init__(self, spark, tenant):
        self.guid = uuid.uuid4().bytes
        self.spark = spark
        self.tenant = tenant
        self.error = None  # the message that all statements get once the session is broken
        self.tags = {}  # the query tags of all its statements
        # The commit mark is a setting of the session, so that a session can run only one statement at a time.
        self.lock = threading.Lock()


class Operation:
    """A statement. A large result goes to storage, unless that is None because the client takes no links."""

    def __init__(self, session, storage=None):
        self.session = session
        self.storage = storage
        self.guid = uuid.uuid4().bytes
        self.done = threading.Event()
        self.state = tt.TOperationState.RUNNING_STATE
        self.error = None
        self.batches = []
        self.next_row = 0
        self.metadata = None

    def handle(self):
        return tt.TOperationHandle(operationId=tt.THandleIdentifier(guid=self.guid, secret=self.guid),
                                   operationType=tt.TOperationType.EXECUTE_STATEMENT, hasResultSet=True)

    def finish(self, table, types):
        if table.nbytes <= self.session.tenant.link_bytes:
            self.storage = None
        row_set = tt.TSparkRowSetType.URL_BASED_SET if self.storage else tt.TSparkRowSetType.ARROW_BASED_SET
        columns = [column_desc(i + 1, name, kind) for i, (name, kind) in enumerate(zip(table.column_names, types))]
        self.metadata = tt.TGetResultSetMetadataResp(
            status=OK, schema=tt.TTableSchema(columns=columns), resultFormat=row_set,
            lz4Compressed=False, arrowSchema=table.schema.serialize().to_pybytes(), isStagingOperation=False)
        self.batches = table.combine_chunks().to_batches(max_chunksize=BATCH_ROWS) if table.num_rows else []
        self.state = tt.TOperationState.FINISHED_STATE

    def fail(self, error):
        self.error = error
        if self.state != tt.TOperationState.CANCELED_STATE:
            self.state = tt.TOperationState.ERROR_STATE
        self.done.set()

    def status(self):
        r = tt.TGetOperationStatusResp(status=OK, operationState=self.state, hasResultSet=True)
        if self.error:
            message, r.sqlState = str(self.error), self.error.sql_state
            r.errorCode = 0
            r.displayMessage = message
            r.errorMessage = f"org.apache.hive.service.cli.HiveSQLException: Error running query: {message}"
        return r

    def link(self, data):
        self.session.tenant.links += 1
        return self.storage.put(data)

    def page(self, max_rows):
        """Returns the next rows of the result: whole batches, at least one, and at most about PAGE_BYTES."""
        out, rows, size, start = [], 0, 0, self.next_row
        while self.batches and (not out or (size < PAGE_BYTES and rows + self.batches[0].num_rows <= max_rows)):
            batch = self.batches.pop(0)
            if self.storage:
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, batch.schema) as stream:
                    stream.write_batch(batch)
                data = sink.getvalue().to_pybytes()
                out.append(tt.TSparkArrowResultLink(
                    fileLink=self.link(data), expiryTime=int(time.time() * 1000) + 900_000, startRowOffset=start + rows,
                    rowCount=batch.num_rows, bytesNum=len(data)))
            else:
                data = batch.serialize().to_pybytes()
                out.append(tt.TSparkArrowBatch(batch=data, rowCount=batch.num_rows))
            rows, size = rows + batch.num_rows, size + len(data)
        self.next_row += rows
        found = tt.TRowSet(startRowOffset=start, rows=[], **{"resultLinks" if self.storage else "arrowBatches": out})
        return tt.TFetchResultsResp(status=OK, hasMoreRows=bool(self.batches), resultSetMetadata=self.metadata, results=found)


class Storage:
    """The object storage behind the warehouse, at another address. Its signed links need no credentials, and it refuses
    a request that brings some."""

    def __init__(self):
        objects = self.objects = {}

        class Objects(BaseHTTPRequestHandler):
            def log_message(self, fmt, *args):
                pass

            def do_GET(self):
                path = urllib.parse.urlsplit(self.path).path
                status, body = 200, objects.get(path, b"")
                if self.headers.get("Authorization"):
                    status, body = 400, b"<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>"
                elif not body:
                    status, body = 404, b"<Error><Code>NoSuchKey</Code></Error>"
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = Server(("127.0.0.1", 0), Objects)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, data):
        path = f"/results/{uuid.uuid4()}"
        self.objects[path] = data
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}?X-Amz-Signature=rig-signature"


class Service:
    """TCLIService for one request of a tenant, which came over the socket connection."""

    def __init__(self, warehouse, tenant, connection):
        self.w = warehouse
        self.tenant = tenant
        self.connection = connection

    def session(self, handle):
        with self.w.lock:
            s = self.w.sessions.get(handle.sessionId.guid)
        if s is None:
            message = f"Invalid SessionHandle: SessionHandle [{handle.sessionId.guid.hex()}]"
            raise HTTPAnswer(404, message, {"X-Thriftserver-Error-Message": message})
        return s

    def operation(self, handle):
        with self.w.lock:
            op = self.w.operations.get(handle.operationId.guid)
        if op is None:
            message = f"Invalid OperationHandle: OperationHandle [{handle.operationId.guid.hex()}]"
            raise HTTPAnswer(404, message, {"X-Thriftserver-Error-Message": message})
        return op

    def OpenSession(self, req):
        spark = self.w.spark.newSession()
        s = Session(spark, self.tenant)
        try:
            for key, value in (req.configuration or {}).items():
                if key.startswith("spark.sql."):
                    spark.conf.set(key, value)
                elif key.lower() == "query_tags":
                    s.tags = read_tags(value)
            ns = req.initialNamespace
            if ns and ns.catalogName:
                spark.catalog.setCurrentCatalog(ns.catalogName)
            if ns and ns.schemaName:
                spark.catalog.setCurrentDatabase(ns.schemaName)
        except Exception as e:
            message, state = failure(e)
            return tt.TOpenSessionResp(serverProtocolVersion=PROTOCOL, status=tt.TStatus(
                statusCode=tt.TStatusCode.ERROR_STATUS, errorMessage=message, displayMessage=message, sqlState=state))
        with self.w.lock:
            self.w.sessions[s.guid] = s
        return tt.TOpenSessionResp(
            status=OK, serverProtocolVersion=PROTOCOL, canUseMultipleCatalogs=True, configuration={},
            sessionHandle=tt.TSessionHandle(sessionId=tt.THandleIdentifier(guid=s.guid, secret=s.guid),
                                            serverProtocolVersion=PROTOCOL))

    def CloseSession(self, req):
        self.session(req.sessionHandle)
        with self.w.lock:
            s = self.w.sessions.pop(req.sessionHandle.sessionId.guid)
            self.w.operations = {k: op for k, op in self.w.operations.items() if op.session is not s}
        return tt.TCloseSessionResp(status=OK)

    def ExecuteStatement(self, req):
        s = self.session(req.sessionHandle)
        sql = req.statement
        log.info("statement, %d bytes of parameters: %s",
                 sum(len(p.value.stringValue or "") for p in req.parameters or [] if p.value), " ".join(sql.split())[:300])
        fault = self.tenant.fault(sql)
        kind = fault and fault["kind"]
        if fault:
            log.info("fault %s", kind)
        self.before(kind, fault, req)
        if kind in ("status_error", "session_error"):
            if kind == "session_error":  # The session stays broken.
                s.error = fault["message"]
            return self.refused(fault["message"])
        if s.error:
            return self.refused(s.error)

        op = Operation(s, self.w.storage if req.canDownloadResult else None)
        with self.w.lock:
            self.w.operations[op.guid] = op
        unknown = next((k for k in req.confOverlay or {} if k != "query_tags" or self.tenant.no_query_tags), None)
        if unknown:  # The service ignores no setting that it does not know.
            op.fail(StatementError(f"[CONFIG_NOT_AVAILABLE.WITHOUT_SUGGESTION] Configuration {unknown} is not available.  SQLSTATE: 42K0I",
                                   "42K0I"))
        elif kind == "sql_error":
            op.fail(StatementError(fault["message"], fault["state"]))
        else:
            after = StatementError(fault["message"], fault["state"]) if kind == "sql_error_after_effect" else None
            self.w.workers.submit(self.work, s, op, req, after)
        # As with the service, the client polls for a statement that takes longer.
        op.done.wait(None if kind == "cut_after_effect" else self.tenant.direct_seconds)
        if kind == "cut_after_effect":
            raise Cut()

        direct = tt.TSparkDirectResults(operationStatus=op.status())
        resp = tt.TExecuteStatementResp(status=OK, operationHandle=op.handle(), directResults=direct)
        if not op.done.is_set():
            return resp
        if op.error:
            return resp
        direct.resultSetMetadata = op.metadata
        direct.resultSet = op.page(req.getDirectResults.maxRows if req.getDirectResults else BATCH_ROWS)
        if not direct.resultSet.hasMoreRows:
            direct.closeOperation = tt.TCloseOperationResp(status=OK)
            with self.w.lock:
                self.w.operations.pop(op.guid, None)
        return resp

    @staticmethod
    def refused(message):
        """Returns an error inside HTTP 200, instead of an operation."""
        return tt.TExecuteStatementResp(
            status=tt.TStatus(statusCode=tt.TStatusCode.ERROR_STATUS, errorMessage=message, displayMessage=message)
        )

    def before(self, kind, fault, req):
        """Applies the faults that come before the execution."""
        size = max((len((p.value.stringValue or "").encode()) for p in req.parameters or [] if p.value), default=0)
        if kind == "too_large" or size > self.tenant.max_param_bytes:
            raise HTTPAnswer(413, "Request Entity Too Large")
        if kind in ("refuse429", "refuse503"):
            status = int(kind[-3:])
            message = "REQUEST_LIMIT_EXCEEDED: Too many requests" if status == 429 else "TEMPORARILY_UNAVAILABLE: The warehouse is starting"
            raise HTTPAnswer(status, message, {"Retry-After": str(fault["retry_after"]), "X-Thriftserver-Error-Message": message})
        if kind == "http_error":
            raise HTTPAnswer(fault["status"], fault["message"])
        if kind == "error500":
            raise HTTPAnswer(500, "INTERNAL_ERROR", {"X-Thriftserver-Error-Message": "INTERNAL_ERROR: fault"})
        if kind == "reset_before":
            # With linger 0 the close is a TCP reset, as from a load balancer that lost its backend.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Cut()
        if kind == "hang":
            self.connection.settimeout(600)
            try:
                self.connection.recv(1, socket.MSG_PEEK)  # It waits until the client gives up.
            except OSError:
                pass
            raise Cut()

    def work(self, s, op, req, after=None):
        """Runs the statement. after is an error to return once the statement has taken effect."""
        try:
            with s.lock:
                sc = s.spark.sparkContext
                sc.setJobGroup(op.guid.hex(), "statement", interruptOnCancel=True)
                tags = s.tags | read_tags((req.confOverlay or {}).get("query_tags", ""))
                op.finish(*self.w.run(s.spark, req.statement, bind(req.parameters), record=self.tenant, tags=tags))
            if after:
                raise after
        except StatementError as e:
            op.fail(e)
        except Exception as e:
            log.exception("statement")
            op.fail(StatementError(str(e)))
        finally:
            op.done.set()

    def GetOperationStatus(self, req):
        op = self.operation(req.operationHandle)
        op.done.wait(self.tenant.direct_seconds)
        return op.status()

    def GetResultSetMetadata(self, req):
        op = self.operation(req.operationHandle)
        op.done.wait()
        if op.error:
            return tt.TGetResultSetMetadataResp(status=tt.TStatus(
                statusCode=tt.TStatusCode.ERROR_STATUS, errorMessage=str(op.error), sqlState=op.error.sql_state))
        return op.metadata

    def FetchResults(self, req):
        op = self.operation(req.operationHandle)
        op.done.wait()
        return op.page(req.maxRows)

    def CancelOperation(self, req):
        op = self.operation(req.operationHandle)
        if not op.done.is_set():
            op.state = tt.TOperationState.CANCELED_STATE
            self.w.spark.sparkContext.cancelJobGroup(op.guid.hex())
        return tt.TCancelOperationResp(status=OK)

    def CloseOperation(self, req):
        self.operation(req.operationHandle)
        with self.w.lock:
            self.w.operations.pop(req.operationHandle.operationId.guid, None)
        return tt.TCloseOperationResp(status=OK)


# --- volumes --------------------------------------------------------------------------------------

_FS = re.compile(r"/api/2\.0/fs/(files|directories)/Volumes/([^/]+/[^/]+/[^/]+)((?:/[^/]+)*)/?")
_VOLUMES = "/api/2.1/unity-catalog/volumes"


class Refused(Exception):
    """An error of the REST API."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


def rest(root, method, path, query, body):
    """Serves the REST API of volumes and their files, which are in root. Returns the status, and a JSON value or bytes.
    It does what the service's documentation says. Beyond that it is stricter: a file's folder must exist."""
    path = urllib.parse.unquote(path)
    if any(part in (".", "..") for part in path.split("/")):
        raise Refused(400, "INVALID_PARAMETER_VALUE", "The path is invalid.")
    if path == _VOLUMES and method == "POST":
        spec = json.loads(body)
        folder = os.path.join(root, spec["catalog_name"], spec["schema_name"], spec["name"])
        if spec["volume_type"] != "MANAGED":
            raise Refused(400, "INVALID_PARAMETER_VALUE", "An external volume needs a storage location.")
        if os.path.isdir(folder):
            raise Refused(409, "RESOURCE_ALREADY_EXISTS", "Volume already exists.")
        os.makedirs(folder)
        return 200, {"name": spec["name"], "volume_type": "MANAGED"}
    if path.startswith(_VOLUMES + "/") and method == "GET":
        name = path[len(_VOLUMES) + 1:]
        if not os.path.isdir(os.path.join(root, *name.split("."))):
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Volume '{name}' does not exist.")
        return 200, {"full_name": name, "volume_type": "MANAGED"}
    match = _FS.fullmatch(path)
    if not match:
        raise Refused(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")
    volume = os.path.join(root, *match[2].split("/"))
    if not os.path.isdir(volume):
        raise Refused(404, "NOT_FOUND", f"Volume '{match[2].replace('/', '.')}' does not exist.")
    at = volume + match[3]
    missing = Refused(404, "NOT_FOUND", "The file or directory being accessed is not found.")
    try:
        if match[1] == "directories" and method == "PUT":
            os.makedirs(at, exist_ok=True)
        elif match[1] == "directories" and method == "DELETE":
            os.rmdir(at)
        elif match[1] == "directories" and method == "GET":
            base = "/Volumes/" + match[2] + match[3]
            return 200, {"contents": [
                {"path": base + "/" + e.name, "name": e.name, "is_directory": e.is_dir(), "last_modified": int(e.stat().st_mtime * 1000)}
                | ({} if e.is_dir() else {"file_size": e.stat().st_size}) for e in sorted(os.scandir(at), key=lambda e: e.name)]}
        elif match[1] == "files" and method == "PUT":
            if os.path.exists(at) and query.get("overwrite") != "true":
                raise Refused(409, "ALREADY_EXISTS", "The file being created already exists.")
            with open(at + "~", "wb") as f:
                f.write(body)
            os.replace(at + "~", at)
        elif match[1] == "files" and method == "GET":
            with open(at, "rb") as f:
                return 200, f.read()
        elif match[1] == "files" and method == "DELETE":
            os.remove(at)
        else:
            raise Refused(405, "METHOD_NOT_ALLOWED", "Not allowed.")
    except (FileNotFoundError, NotADirectoryError):
        raise missing from None
    except OSError as e:
        raise Refused(400, "FAILED_PRECONDITION", f"The directory is not empty: {e.strerror}.") from None
    return 204, None


# --- HTTP -----------------------------------------------------------------------------------------

def plain(v):
    """Returns a value of an Arrow result in a form that JSON holds without loss."""
    if isinstance(v, float) and (v != v or v in (float("inf"), float("-inf"))):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(v)]
    if isinstance(v, (datetime.datetime, datetime.date)):
        return v.isoformat()
    if isinstance(v, decimal.Decimal):
        return str(v)
    if isinstance(v, bytes):
        return v.hex()
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, list):
        return [plain(x) for x in v]
    return v


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    warehouse = None  # set by main

    def log_message(self, fmt, *args):
        pass

    def answer(self, status, body, content_type="application/json", headers=None):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for k, v in (headers or {}).items():
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def json(self, status, value):
        self.answer(status, json.dumps(value).encode())

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def tenant(self):
        """Returns the tenant of a request to the control API. Without a token it is the one named by --token alone."""
        return self.warehouse.tenant(self.headers.get("Authorization") or "Bearer " + self.warehouse.options.token)

    def rest(self):
        """Serves the request if it belongs to the REST API of volumes, and returns whether it does."""
        parts = urllib.parse.urlsplit(self.path)
        if not parts.path.startswith(("/api/2.0/fs/", _VOLUMES)):
            return False
        body = self.body()
        if not self.warehouse.tenant(self.headers.get("Authorization")):
            self.json(403, {"error_code": "PERMISSION_DENIED", "message": "Invalid access token."})
            return True
        try:
            query = dict(urllib.parse.parse_qsl(parts.query))
            status, value = rest(self.warehouse.volumes, self.command, parts.path, query, body)
        except Refused as e:
            status, value = e.status, {"error_code": e.code, "message": str(e)}
        if not isinstance(value, bytes):
            value = b"" if value is None else json.dumps(value).encode()
        self.answer(status, value)
        return True

    def do_PUT(self):
        if not self.rest():
            self.body()
            self.json(404, {"error": "not found"})

    do_DELETE = do_PUT

    def do_GET(self):
        if self.rest():
            return
        if self.path != "/_stats":
            # The SDK sends such requests with a client of its own, which would keep the connection open.
            self.close_connection = True
            return self.answer(404, b'{"error": "not found"}', headers={"Connection": "close"})
        t = self.tenant()
        with t.lock:
            self.json(200, {"statements": t.statements, "writes": t.writes, "faults": t.fired, "links": t.links, "log": t.log})

    def too_large(self):
        """Refuses a request that is too large, in one of the forms that gateways use, and returns whether it did."""
        tenant = self.warehouse.tenant(self.headers.get("Authorization"))
        if not tenant or not self.path.startswith("/sql/"):
            return False
        size, most = int(self.headers.get("Content-Length") or 0), tenant.max_request_bytes
        if size <= most:
            return False
        form = tenant.too_large_as
        if form == "cut":  # The connection breaks while the request is sent.
            self.rfile.read(1024)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.rfile.close()
            self.wfile.close()
            self.connection.close()
            return True
        self.body()
        status, text = {
            "413": (413, "Request Entity Too Large"),
            "400": (
                400,
                f"Server received a request which exceeds maximum allowed content length. RequestSize(bytes): {size}, Limit(bytes): {most}",
            ),
            "exhausted": (500, "RESOURCE_EXHAUSTED: Received message larger than max"),
        }[form]
        self.answer(status, text.encode(), "text/plain")
        return True

    def do_POST(self):
        if self.rest() or self.too_large():
            return
        body = self.body()
        if self.path.startswith("/sql/1.0/warehouses/"):
            return self.thrift(body)
        try:
            spec, tenant = json.loads(body or b"{}"), self.tenant()
            if not tenant:
                return self.json(403, {"error": "the token is not let in"})
            if self.path == "/_sql":
                table, _ = self.warehouse.run(tenant.spark, spec["sql"], spec.get("args"), binary_variants=spec.get("variants") == "binary")
                columns = [c.to_pylist() for c in table.columns]
                return self.json(200, {"columns": table.column_names, "rows": [[plain(v) for v in row] for row in zip(*columns)]})
            if self.path == "/_reset":
                tenant.reset()
                return self.json(200, {})
            if self.path == "/_settings":
                tenant.set(spec)
                return self.json(200, {})
            if self.path == "/_forget_sessions":
                w = self.warehouse
                with w.lock:
                    w.sessions = {guid: s for guid, s in w.sessions.items() if s.tenant is not tenant}
                return self.json(200, {})
            if self.path == "/_fault":
                tenant.add_fault(spec)
                return self.json(200, {})
        except (StatementError, ValueError, KeyError, re.error) as e:
            return self.json(400, {"error": str(e)})
        self.json(404, {"error": "not found"})

    def thrift(self, body):
        given = self.headers.get("Authorization", "")
        tenant = self.warehouse.tenant(given)
        if not tenant:
            status, message = (403, "Invalid access token.") if given else (401, "Credential was not sent or was of an unsupported type.")
            return self.answer(status, json.dumps({"error_code": status, "message": message}).encode(),
                               headers={"X-Thriftserver-Error-Message": message})
        out = TMemoryBuffer()
        try:
            TCLIService.Processor(Service(self.warehouse, tenant, self.connection)).process(
                TBinaryProtocol(TMemoryBuffer(body)), TBinaryProtocol(out))
        except HTTPAnswer as e:
            return self.answer(e.status, str(e.message).encode(), "text/plain", e.headers)
        except Cut:
            # The connection is closed here, since the end of the handler would shut it down in an orderly way.
            self.close_connection = True
            self.rfile.close()
            self.wfile.close()
            self.connection.close()
            return None
        self.answer(200, out.getvalue(), "application/x-thrift")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except OSError:
            pass

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ValueError, OSError)):
            log.exception("request")


def start_spark(options):
    os.makedirs(options.dir, exist_ok=True)
    tables = os.path.join(os.path.abspath(options.dir), "tables")
    conf = {
        "spark.master": "local[2]",
        "spark.driver.memory": options.memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraClassPath": os.path.join(os.path.abspath(options.jars), "*"),
        # A test run is too short for the second compiler: without it Spark needs half the processor time. The code
        # cache would then have a fifth of its usual size, which Spark fills within two minutes, and the JVM would
        # compile no more. So its size is set. Delta keeps the state of up to 10,000 tables for an hour, of 10 MB each: tests
        # make a table, use it and turn to others.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC -Xmn600m "
                                         "-Duser.timezone=UTC -Ddelta.log.cacheSize=100",
        "spark.local.dir": os.path.join(os.path.abspath(options.dir), "tmp"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.default.parallelism": "2",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": tables,
        "spark.sql.catalogImplementation": "in-memory",
        # Hadoop's own file system starts a process to set the mode of each file, 50 for an INSERT. The defaults of the
        # other two settings do so too.
        "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
        "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
        "spark.sql.streaming.checkpointFileManagerClass": "org.apache.spark.sql.execution.streaming.FileSystemBasedCheckpointFileManager",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "1",
        # A warehouse creates Delta tables by default.
        "spark.sql.sources.default": "delta",
        # Plans contain the parameters, some of which have megabytes: without these two settings they fill the heap.
        "spark.sql.ui.retainedExecutions": "2",
        "spark.sql.maxPlanStringLength": "4096",
    }
    if options.few_rows:
        conf |= {
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",  # Generating code takes a third of the time of a statement of few rows.
            "spark.sql.codegen.cache.maxEntries": "5000",
            "spark.sql.adaptive.enabled": "false",
            "spark.sql.shuffle.partitions": "1",
            "spark.default.parallelism": "1",
        }
    builder = SparkSession.builder.appName("warehouse")
    for k, v in conf.items():
        builder = builder.config(k, v)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    # The catalog is in memory, so tables that an earlier run left in the directory are registered again.
    for path in sorted(glob.glob(os.path.join(tables, "*", "_delta_log"))):
        table = os.path.dirname(path)
        spark.sql(f"CREATE TABLE `{os.path.basename(table)}` USING delta LOCATION '{table}'")
    spark.sql("SELECT 1").toArrow()  # The first statement of a JVM is slow, so it should not be one of a test.
    return spark


def follow_stdin():
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def watch():
        os.read(0, 1)
        os._exit(0)  # The JVM ends too, since it watches its pipe to this process.

    threading.Thread(target=watch, daemon=True).start()


def follow_spark(spark):
    """Ends this process when Spark has stopped, which it does after an error that it can't survive. Statements would
    otherwise wait forever."""
    context = spark.sparkContext._jsc.sc()

    def watch():
        try:
            while not context.isStopped():
                time.sleep(1)
            log.critical("Spark has stopped")
        finally:  # also if the JVM is gone and cannot be asked
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--dir", required=True, help="directory of the tables")
    p.add_argument("--jars", required=True, help="directory of the Delta jars")
    p.add_argument("--port", type=int, default=0)
    p.add_argument(
        "--token", default="rig-token", help="the bearer token that is let in; TOKEN.name has settings, faults and statistics of its own"
    )
    p.add_argument("--memory", default="2g", help="heap of the JVM")
    p.add_argument("--max-param-bytes", type=int, default=64 << 20, help="a larger parameter is refused as too large")
    p.add_argument("--direct-seconds", type=float, default=5, help="a statement that takes longer is answered as running")
    p.add_argument("--few-rows", action="store_true", help="plan for many statements of few rows each: interpret plans, don't compile them")
    options = p.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    for noisy in ("py4j", "SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)

    follow_stdin()
    spark = start_spark(options)
    follow_spark(spark)
    Handler.warehouse = Warehouse(spark, options)
    server = Server(("127.0.0.1", options.port), Handler)
    print(f"READY http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
