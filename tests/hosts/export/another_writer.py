"""Somebody else who tends a table: compacts it, deletes rows, throws old files away.

delta-rs finds the files; the commits are written by hand, because its Python package writes to no table with domain metadata
(`test_log.py` has the proof).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
from stores import Place


def vacuum(place: Place) -> int:
    """Deletes every file that the newest version of a local table does not need; returns how many those were."""
    names = place.table().vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=True, full=True)
    for name in names:
        (Path(place.url) / "customers" / name).unlink()
    return len(names)


def rewrite(place: Place, operation: str, change: Callable[[pyarrow.Table], pyarrow.Table], **settings: object) -> None:
    """Commits a local table's rows, as `change` gives them back, as one file with Parquet's usual settings, or these, and no statistics."""
    folder = Path(place.url) / "customers"
    table = place.table()
    rows = change(table.to_pyarrow_table())
    now = int(time.time() * 1000)
    is_change = operation == "DELETE"
    name = f"part-{uuid.uuid4()}.parquet"
    pyarrow.parquet.write_table(rows, folder / name, **settings)
    size = (folder / name).stat().st_size
    actions = [{"commitInfo": {"timestamp": now, "operation": operation, "engineInfo": "another-writer"}}]
    for path in table.get_add_actions(flatten=True).column("path").to_pylist():
        actions.append({"remove": {"path": path, "deletionTimestamp": now, "dataChange": is_change}})
    added = {"path": name, "partitionValues": {}, "size": size, "modificationTime": now, "dataChange": is_change}
    actions.append({"add": added})
    with (folder / f"_delta_log/{table.version() + 1:020}.json").open("x") as commit:
        commit.writelines(json.dumps(action) + "\n" for action in actions)
