"""Helps to test the queries that tracemig sql prints.

  cookbook.py change --prefix PATH    deletes the feedback "judge" of local tables by a newer version, and has delta-rs compact them
  cookbook.py query                   runs the statements of the standard input in DuckDB
  cookbook.py size --prefix PATH      bytes of the files that the logs of local tables name

What is printed is JSON: of query a line for each row.
"""

import argparse
import datetime
import decimal
import json
import os
import sys

SUFFIXES = ("_otel_spans", "_otel_annotations")


def change(prefix):
    import deltalake
    import pyarrow as pa
    import pyarrow.compute as pc

    annotations = deltalake.DeltaTable(prefix + "_otel_annotations").to_pyarrow_table()
    row = annotations.filter(pc.and_(pc.equal(annotations["name"], "judge"), pc.equal(annotations["annotation_type"], "FEEDBACK")))
    later = pc.add(row["updated_at"], pa.scalar(datetime.timedelta(days=1)))
    for column in ("updated_at", "deleted_at"):
        at = row.schema.get_field_index(column)
        row = row.set_column(at, row.schema.field(at), pc.cast(later, row.schema.field(at).type))
    deltalake.write_deltalake(prefix + "_otel_annotations", row, mode="append")
    for suffix in SUFFIXES:
        deltalake.DeltaTable(prefix + suffix).optimize.compact()
    print(row.num_rows)


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return int(value) if isinstance(value, decimal.Decimal) else str(value)


def query(text):
    import duckdb

    db = duckdb.connect()
    for statement in duckdb.extract_statements(text):
        answer = db.sql(statement.query)
    # By way of Arrow, since DuckDB itself needs a further package for times.
    for row in answer.to_arrow_table().to_pylist():
        print(json.dumps({k: v for k, v in row.items() if v is not None}, default=plain))


def size(prefix):
    import deltalake
    import pyarrow as pa

    print(sum(sum(pa.table(deltalake.DeltaTable(prefix + suffix).get_add_actions())["size_bytes"].to_pylist()) for suffix in SUFFIXES))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["change", "query", "size"])
    parser.add_argument("--prefix")
    options = parser.parse_args()
    if options.verb == "query":
        query(sys.stdin.read())
    else:
        {"change": change, "size": size}[options.verb](os.path.abspath(options.prefix))


if __name__ == "__main__":
    main()
