"""Rows as plain values, wherever they come from: what Airbyte's `read` emits, what the API replies, what a reader finds.

A row is a tuple of every column but `_extracted_at`, in the order of the table: times in microseconds since 1970, `_extra` as
JSON text in one form, with every number as it was written.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from functools import partial

import polars
import pyarrow

COLUMNS = (
    "id",
    "accountingCode",
    "name",
    "code",
    "active",
    "salesPerson",
    "salesPersonId",
    "customerType",
    "updatedOn",
    "_extra",
)
EXTRACTED_AT = "_extracted_at"
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
UPDATED_ON, EXTRA = COLUMNS.index("updatedOn"), COLUMNS.index("_extra")

# What Arrow readers are to find: type, and whether there may be nulls.
ARROW = pyarrow.schema(
    [
        pyarrow.field("id", pyarrow.int64(), nullable=False),
        *(pyarrow.field(name, pyarrow.string()) for name in ("accountingCode", "name", "code")),
        pyarrow.field("active", pyarrow.bool_()),
        pyarrow.field("salesPerson", pyarrow.string()),
        pyarrow.field("salesPersonId", pyarrow.int64()),
        pyarrow.field("customerType", pyarrow.string()),
        pyarrow.field("updatedOn", pyarrow.timestamp("us", "UTC")),
        pyarrow.field("_extra", pyarrow.string()),
        pyarrow.field(EXTRACTED_AT, pyarrow.timestamp("us", "UTC"), nullable=False),
    ]
)
POLARS = polars.Schema(
    {
        "id": polars.Int64,
        **dict.fromkeys(("accountingCode", "name", "code"), polars.String),
        "active": polars.Boolean,
        "salesPerson": polars.String,
        "salesPersonId": polars.Int64,
        "customerType": polars.String,
        "updatedOn": polars.Datetime("us", "UTC"),
        "_extra": polars.String,
        EXTRACTED_AT: polars.Datetime("us", "UTC"),
    }
)

# The same in a table, which also tells what is gone.
DELETED_AT = "_deleted_at"
TABLE_ARROW = ARROW.append(pyarrow.field(DELETED_AT, pyarrow.timestamp("us", "UTC")))
TABLE_POLARS = polars.Schema({**POLARS, DELETED_AT: polars.Datetime("us", "UTC")})

Row = tuple

# An export must not turn 1500.50 into 1500.5, and a comparison must not overlook it.
literally = partial(json.loads, parse_float=str, parse_int=lambda digits: f"{digits} whole")

# Speaks to loopback whatever proxies the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def found(table: pyarrow.Table | polars.DataFrame) -> list[Row]:
    """The rows that a reader found, in its order."""
    if isinstance(table, polars.DataFrame):
        table = table.to_arrow()
    columns = [table.column(name) for name in COLUMNS]
    columns[UPDATED_ON] = columns[UPDATED_ON].cast(pyarrow.int64())
    columns[EXTRA] = pyarrow.array([canonical(text) for text in columns[EXTRA].to_pylist()], pyarrow.string())
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def extracted_at(table: pyarrow.Table) -> set[int]:
    """The instants at which the rows of a table were extracted, in microseconds."""
    return set(table.column(EXTRACTED_AT).cast(pyarrow.int64()).to_pylist())


def emitted(stdout: bytes) -> list[Row]:
    """The rows that Airbyte's `read` emitted, in its order."""
    return [_of_record(line) for line in stdout.splitlines() if b'"RECORD"' in line[:40]]


def _of_record(line: bytes) -> Row:
    data = json.loads(line)["record"]["data"]
    extra = literally(line)["record"]["data"].get("_extra")
    row = [data.get(name) for name in COLUMNS]
    row[UPDATED_ON] = microseconds(row[UPDATED_ON])
    row[EXTRA] = None if extra is None else json.dumps(extra, sort_keys=True)
    return tuple(row)


def canonical(text: str | None) -> str | None:
    return None if text is None else json.dumps(literally(text), sort_keys=True)


def microseconds(text: str | None) -> int | None:
    return None if text is None else (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def source(simulator) -> frozenset[Row]:
    """What the simulated company has now, by its healthy reply."""
    return frozenset(map(_of_customer, simulator.reply()))


def _of_customer(customer: dict) -> Row:
    row = [customer.get(name) for name in COLUMNS]
    row[0] = int(customer["id"])
    row[COLUMNS.index("active")] = customer["active"] == "1"
    row[UPDATED_ON] = microseconds(customer["updatedOn"] + "Z")
    return tuple(row)


def newest(rows: Iterable[Row]) -> set[Row]:
    """What a table keeps of one reply: of each id the greatest `updatedOn`, any before none, then the later position."""
    kept: dict[int, Row] = {}
    for row in rows:
        before = kept.get(row[0])
        if before is None or (row[UPDATED_ON] or -(10**18)) >= (before[UPDATED_ON] or -(10**18)):
            kept[row[0]] = row
    return set(kept.values())


def once(rows: list[Row]) -> set[Row]:
    """The rows of a table in which no id is twice."""
    assert len({row[0] for row in rows}) == len(rows), "an id is in the table twice"
    return set(rows)


def literal_reply(simulator) -> list:
    """The records of the reply, faults and all, with numbers as they were written."""
    url = f"{simulator.url}/customer.list?includeInactive=true&authenticationToken={simulator.token}"
    with _direct.open(url, timeout=20) as reply:
        return literally(reply.read())["customers"]
