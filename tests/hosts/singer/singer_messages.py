"""Reads a tap's stdout the way Meltano's targets do, but strictly.

Targets pass over keys that they do not know and take much for a date, so a fault can hide; here each of these is an error.
"""

from __future__ import annotations

import json
import re
from datetime import datetime

from airbyte_messages import assert_records_match, no_number, without_duplicates
from jsonschema import Draft7Validator

# What a message of each type must have, and may have.
KEYS = {
    "SCHEMA": ({"stream", "schema", "key_properties"}, {"bookmark_properties"}),
    "RECORD": ({"stream", "record", "time_extracted"}, {"version"}),
    "STATE": ({"value"}, set()),
    "ACTIVATE_VERSION": ({"stream", "version"}, set()),
}

# RFC 3339; the offset must be there.
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})")


def messages(stdout: bytes) -> list[dict]:
    """Every message on `stdout`, in order. Fails on the first line that is not exactly one message of a known type."""
    if not stdout:
        return []
    assert stdout.endswith(b"\n"), f"stdout does not end with a line end: …{stdout[-200:]!r}"
    found = [_message(line, number) for number, line in enumerate(stdout[:-1].split(b"\n"), start=1)]
    _assert_order(found)
    return found


def _message(line: bytes, number: int) -> dict:
    where = f"line {number} of stdout, {line[:500]!r}"
    try:
        message = json.loads(line.decode("utf-8"), object_pairs_hook=without_duplicates, parse_constant=no_number)
    except ValueError as error:
        raise AssertionError(f"{where}: {error}") from None
    assert isinstance(message, dict) and message.get("type") in KEYS, f"{where}: targets do not know this"
    needed, allowed = KEYS[message["type"]]
    keys = set(message) - {"type"}
    assert needed <= keys <= needed | allowed, f"{where}: has the keys {sorted(keys)}"
    if message["type"] == "RECORD":
        assert TIME.fullmatch(message["time_extracted"]), f"{where}: time_extracted"
        datetime.fromisoformat(message["time_extracted"])
    return message


def _assert_order(found: list[dict]) -> None:
    """SCHEMA comes before the records of its stream, a STATE comes last, and there is one at the most."""
    described = set()
    for position, message in enumerate(found):
        if message["type"] == "SCHEMA":
            Draft7Validator.check_schema(message["schema"])
            described.add(message["stream"])
        elif message["type"] == "STATE":
            assert position == len(found) - 1, f"message {position + 1} of {len(found)} is a STATE: what follows it is lost"
            assert "progress_markers" not in json.dumps(message), message
        else:
            assert message["stream"] in described, f"message {position + 1}, {message['type']}, comes before its SCHEMA"


def assert_rows_match(rows: list[dict], schema: dict) -> None:
    """Types, date-times with an offset, no column that the schema does not declare; and every row has a key that no other has."""
    assert_records_match([{"data": row} for row in rows], schema)
    ids = [row["id"] for row in rows]
    assert None not in ids
    assert len(set(ids)) == len(ids), "an id occurs twice"
