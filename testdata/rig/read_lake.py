"""Prints the rows of local tables, each as a line of JSON with its table, read by delta-rs and PySpark's decoder of VARIANT. They are
those that Spark gives with the expressions of internal/e2e/rows_test.go, without starting Spark.

  read_lake.py PREFIX
"""

import datetime
import decimal
import json
import sys

import deltalake
import pyarrow.parquet
from pyspark.sql.variant_utils import VariantUtils

sys.setrecursionlimit(20000)
decimal.getcontext().prec = 60  # The default rounds to 28 digits.

MICROSECOND = datetime.timedelta(microseconds=1)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    """Returns a value of a row as JSON has it: times as microseconds, dates as days."""
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // MICROSECOND
    if isinstance(value, datetime.date):
        return (value - EPOCH.date()).days
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        if value.keys() == {"value", "metadata"} and isinstance(value["value"], bytes):
            return Variant(VariantUtils.to_json(value["value"], value["metadata"]))
        return {k: plain(v) for k, v in value.items()}
    return value


class Variant(str):
    """The JSON text of a VARIANT."""


def text(value):
    """Returns the JSON text of what plain has made."""
    if isinstance(value, Variant):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(k) + ":" + text(v) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(text(v) for v in value) + "]"
    return json.dumps(value)


def main():
    for table in ("spans", "annotations"):
        path = f"{sys.argv[1]}_otel_{table}"
        for file in sorted(deltalake.DeltaTable(path).file_uris()):
            for row in pyarrow.parquet.read_table(file).to_pylist():
                for key in ("attributes",) if table == "spans" else ("value", "metadata"):
                    row["no_" + key] = row[key] is None
                print(table, text(plain(row)))


main()
