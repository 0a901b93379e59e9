"""Histories, read by delta-rs, Polars and DuckDB: what was valid when, joined by date as people join it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import duckdb
import polars
import pyarrow
import pyarrow.compute
from rows import EPOCH, found, microseconds, once, source

MODE = ("--mode", "history")
VALID_FROM, VALID_TO, IS_CURRENT = "_valid_from", "_valid_to", "_is_current"


def whole(place) -> pyarrow.Table:
    """The table as delta-rs reads it, which Polars reads just so."""
    table = place.table().to_pyarrow_table()
    by_polars = polars.read_delta(f"{place.url}/customers", storage_options=place.options)
    assert by_polars.sort("id", VALID_FROM).equals(polars.from_arrow(table).sort("id", VALID_FROM))
    return table


def instant(micros: int):
    return EPOCH + timedelta(microseconds=micros)


def next_second(after: datetime) -> None:
    """Waits for it: the API dates edits by the second, and what is edited now is not to be dated before `after`."""
    while datetime.now(timezone.utc) < after.replace(microsecond=0) + timedelta(seconds=1):
        time.sleep(0.01)


def as_of(table: pyarrow.Table, when: datetime) -> set:
    """The rows that were valid at a time: of each id at most one."""
    valid = polars.from_arrow(table).filter(
        (polars.col(VALID_FROM) <= when) & (polars.col(VALID_TO).is_null() | (polars.col(VALID_TO) > when))
    )
    return once(found(valid))


def test_a_history_is_read_by_date_and_now_is_what_the_company_has(exporter, simulator, folder):
    api = simulator()
    steps = []
    for how, customers in (("change", 0), ("change", 20), ("remove", 7), ("change", 15), ("restore", 7)):
        if customers:
            next_second(steps[-1][0])
            api.change(customers, how)
        summary = exporter.export(api.config(), folder, *MODE, "--full-refresh")
        steps.append((instant(microseconds(summary["extracted_at"])), source(api), summary))
    again = exporter.export(api.config(), folder, *MODE, "--full-refresh")
    assert (again["rows"], again["committed"]) == (0, False)
    assert [summary["deleted"] for _, _, summary in steps] == [0, 0, 7, 0, 0]
    assert steps[-1][2]["restored"] == 7

    table = whole(folder)
    assert table.num_rows == steps[-1][2]["table_rows"] > api.customers
    current = table.filter(pyarrow.compute.field(IS_CURRENT))
    assert once(found(current)) == source(api) == as_of(table, steps[-1][0])
    for when, then, _ in steps:
        assert as_of(table, when) == then, when

    # Time and again a version of each customer is joined to an event of that customer.
    ids = sorted({row[0] for _, then, _ in steps for row in then})
    times = sorted({when for when, _, _ in steps} | set(table.column(VALID_FROM).to_pylist()))
    events = polars.DataFrame(
        {"customer": ids * len(times), "moment": [when for when in times for _ in ids]},
        schema={"customer": polars.Int64, "moment": polars.Datetime("us", "UTC")},
    )
    expected = sorted((row[0], when, row[2]) for when in times for row in as_of(table, when))
    assert expected

    versions = polars.from_arrow(table)
    joined = events.sort("moment").join_asof(
        versions.sort(VALID_FROM), left_on="moment", right_on=VALID_FROM, by_left="customer", by_right="id"
    )
    joined = joined.filter(
        polars.col(VALID_FROM).is_not_null() & (polars.col(VALID_TO).is_null() | (polars.col("moment") < polars.col(VALID_TO)))
    )
    assert sorted(joined.select("customer", "moment", "name").rows()) == expected

    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.register("versions", table)
    database.register("events", events.to_arrow())
    for join in (
        "events ASOF JOIN versions ON customer = id AND moment >= _valid_from",
        "events JOIN versions ON customer = id AND moment >= _valid_from",
    ):
        rows = database.execute(
            f"SELECT customer, epoch_us(moment), name FROM {join} WHERE moment < _valid_to OR _valid_to IS NULL"
        ).fetchall()
        assert sorted((id, instant(at), name) for id, at, name in rows) == expected, join


def test_columns_are_declared_as_documented(exporter, simulator, folder):
    exporter.export(simulator().config(), folder, *MODE)
    schema = folder.table().to_pyarrow_table().schema
    instants = pyarrow.timestamp("us", "UTC")
    last = [(field.name, field.type, field.nullable) for field in list(schema)[-5:]]
    assert last == [
        ("_extracted_at", instants, False),
        ("_deleted_at", instants, True),
        (VALID_FROM, instants, False),
        (VALID_TO, instants, True),
        (IS_CURRENT, pyarrow.bool_(), False),
    ]
