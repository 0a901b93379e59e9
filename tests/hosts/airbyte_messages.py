"""Reads a connector's stdout the way Airbyte does, but strictly.

Airbyte's own models decide whether a line is a message. They let unknown keys and nulls pass, and a host drops or logs what
it does not understand, so a fault can hide; here each of these is an error.
"""

from __future__ import annotations

import json
import re
import time
from datetime import datetime

from airbyte_protocol.models import AirbyteMessage, AirbyteStateBlob
from jsonschema import Draft7Validator, FormatChecker, validators
from pydantic import BaseModel

PAYLOAD_OF = {
    "RECORD": "record",
    "STATE": "state",
    "LOG": "log",
    "SPEC": "spec",
    "CONNECTION_STATUS": "connectionStatus",
    "CATALOG": "catalog",
    "TRACE": "trace",
}
PAYLOAD_OF_TRACE = {"ERROR": "error", "ESTIMATE": "estimate", "STREAM_STATUS": "stream_status", "ANALYTICS": "analytics"}


def messages(stdout: bytes) -> list[dict]:
    """Every message on `stdout`, in order. Fails on the first line that is not exactly one valid Airbyte message."""
    if not stdout:
        return []
    assert stdout.endswith(b"\n"), f"stdout does not end with a line end: …{stdout[-200:]!r}"
    return [_message(line, number) for number, line in enumerate(stdout[:-1].split(b"\n"), start=1)]


def _message(line: bytes, number: int) -> dict:
    where = f"line {number} of stdout, {line[:500]!r}"
    assert line.strip(), f"{where}: a blank line"
    assert not line.endswith(b"\r"), f"{where}: ends with a carriage return"
    try:
        raw = json.loads(line.decode("utf-8"), object_pairs_hook=without_duplicates, parse_constant=no_number)
        model = AirbyteMessage.model_validate_json(line, strict=True)
    except ValueError as error:
        raise AssertionError(f"{where}: not an Airbyte message: {error}") from None

    _check_keys(model, where)
    payload = PAYLOAD_OF.get(raw["type"])
    assert payload, f"{where}: a source does not send {raw['type']}"
    assert set(raw) == {"type", payload}, f"{where}: expected the keys 'type' and '{payload}', found {sorted(raw)}"
    if payload == "trace":
        detail = PAYLOAD_OF_TRACE[raw["trace"]["type"]]
        assert set(raw["trace"]) == {"type", "emitted_at", detail}, f"{where}: expected the trace's '{detail}' alone"
    if payload in ("trace", "record"):
        emitted = raw[payload]["emitted_at"] / 1000
        assert abs(time.time() - emitted) < 3600, f"{where}: emitted_at is not the present time in milliseconds"
    return raw


def without_duplicates(pairs: list[tuple[str, object]]) -> dict:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a key occurs twice: {keys}")
    return dict(pairs)


def no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_keys(model: object, where: str) -> None:
    """Fails on a key that Airbyte's models do not know (a misspelt one) and on a null where the key should be left out."""
    if isinstance(model, list):
        for item in model:
            _check_keys(item, where)
    if not isinstance(model, BaseModel) or isinstance(model, AirbyteStateBlob):
        return
    assert not model.model_extra, f"{where}: {type(model).__name__} has no {sorted(model.model_extra)}"
    for name in model.model_fields_set:
        value = getattr(model, name)
        assert value is not None, f"{where}: '{name}' is null; leave it out"
        _check_keys(value, where)


# A schema's `integer` takes 1.0 for an integer, and by default nobody looks at `format`. Warehouses are not so kind.
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z")
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time")
def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not _DATE_TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


_StrictDraft7 = validators.extend(
    Draft7Validator,
    type_checker=Draft7Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def assert_records_match(records: list[dict], json_schema: dict) -> None:
    """Every record's data against its stream's JSON schema: types, date-times, and no column that the schema does not declare."""
    Draft7Validator.check_schema(json_schema)
    validator = _StrictDraft7(json_schema, format_checker=_FORMATS)
    declared = set(json_schema["properties"])
    for number, record in enumerate(records):
        for error in validator.iter_errors(record["data"]):
            raise AssertionError(f"record {number}, {'.'.join(map(str, error.absolute_path))}: {error.message}")
        extra = set(record["data"]) - declared
        assert not extra, f"record {number} has columns that the schema does not declare: {sorted(extra)}"
