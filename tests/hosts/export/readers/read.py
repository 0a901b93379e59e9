"""Reads a table or Parquet files with one reader, in that reader's own environment, and prints every row as a line of JSON.

    python read.py READER PATH…

A row is a list of its columns in the order of the table; times are microseconds since 1970. The program uses nothing but the
reader: it runs beside versions of pyarrow and numpy that are five years apart.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

COLUMNS = (
    "id accountingCode name code active salesPerson salesPersonId customerType updatedOn _extra _extracted_at".split()
)
EPOCH = datetime(1970, 1, 1)


def pyarrow(paths):
    import pyarrow.parquet

    for path in paths:
        yield from of_arrow(pyarrow.parquet.read_table(path))


def deltalake(paths):
    from deltalake import DeltaTable

    (path,) = paths
    yield from of_arrow(DeltaTable(path).to_pyarrow_table())


def of_arrow(table):
    import pyarrow

    for name in ("updatedOn", "_extracted_at"):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table.column(name).cast(pyarrow.int64()))
    return zip(*(table.column(name).to_pylist() for name in COLUMNS))


def polars(paths):
    import polars

    for path in paths:
        times = polars.col("updatedOn", "_extracted_at").dt.epoch("us")
        yield from polars.read_parquet(path).with_columns(times).select(COLUMNS).rows()


def polars_delta(paths):
    import polars

    (path,) = paths
    times = polars.col("updatedOn", "_extracted_at").dt.epoch("us")
    yield from polars.read_delta(path).with_columns(times).select(COLUMNS).rows()


def duckdb(paths):
    import duckdb

    for path in paths:
        names = [f'epoch_us("{name}")' if name in ("updatedOn", "_extracted_at") else f'"{name}"' for name in COLUMNS]
        yield from duckdb.sql(f"select {', '.join(names)} from read_parquet('{path}')").fetchall()


def fastparquet(paths):
    import fastparquet
    import pandas

    for path in paths:
        frame = fastparquet.ParquetFile(path).to_pandas()
        for row in frame[COLUMNS].itertuples(index=False, name=None):
            yield [None if value is None or value is pandas.NaT or value is pandas.NA else plain(value) for value in row]


def plain(value):
    if isinstance(value, float):
        return None if value != value else value
    if isinstance(value, datetime):
        return (value.replace(tzinfo=None).to_pydatetime() - EPOCH) // timedelta(microseconds=1)
    return value.item() if hasattr(value, "item") else value


def spark(paths):
    """The session's time zone is UTC, and times are read as they are (`datetimeRebaseModeInRead`: see the README)."""
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED")
        .getOrCreate()
    )
    columns = [f"unix_micros({name})" if name in ("updatedOn", "_extracted_at") else name for name in COLUMNS]
    for row in session.read.parquet(*paths).selectExpr(*columns).toLocalIterator():
        yield list(row)
    session.stop()


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    for row in globals()[sys.argv[1]](sys.argv[2:]):
        print(json.dumps(list(row), ensure_ascii=False))
