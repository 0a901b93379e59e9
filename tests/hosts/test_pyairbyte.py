"""PyAirbyte, as a data engineer uses it: `get_source(…, local_executable=…)`, a DuckDB cache, `read`.

PyAirbyte takes much for a success: an error that is followed by exit code 0, a record it cannot parse, a read without a state.
So what arrives is always counted, and compared with what the simulator has and with what the executable says on its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import airbyte
import pytest
from airbyte.caches import DuckDBCache
from airbyte.exceptions import (
    AirbyteConnectorCheckFailedError,
    AirbyteConnectorFailedError,
    AirbyteConnectorValidationFailedError,
)
from programs import STREAM
from secrecy import assert_absent

CUSTOMERS = 3000
COLUMNS = ["id", "accountingCode", "name", "code", "active", "salesPerson", "salesPersonId", "customerType", "updatedOn"]


@pytest.fixture
def get_source(source):
    """Makes PyAirbyte's source from a configuration, with all of its streams selected where that is asked for."""

    def make(config, streams="*"):
        return airbyte.get_source("source-kometsales", local_executable=source, config=config, streams=streams)

    return make


@pytest.fixture
def cache(tmp_path):
    cache = DuckDBCache(db_path=tmp_path / "customers.duckdb", cleanup=True)
    yield cache
    cache.close()


def rows_of(cache: DuckDBCache) -> dict[int, tuple]:
    """What the cache holds, by id. PyAirbyte writes column names in lower case."""
    columns = ", ".join(f'"{column.lower()}"' for column in COLUMNS)
    rows = cache.run_sql_query(f"SELECT {columns} FROM {STREAM}", max_records=None)
    by_id = {row["id"]: tuple(row[column.lower()] for column in COLUMNS) for row in rows}
    assert len(by_id) == len(rows), "an id occurs twice in the cache"
    return by_id


def as_cached(rows: list[dict]) -> dict[int, tuple]:
    """Records of the executable, as the cache should hold them."""
    return {row["id"]: tuple(_as_cached(column, row.get(column)) for column in COLUMNS) for row in rows}


def _as_cached(column: str, value: object) -> object:
    if column == "updatedOn" and value is not None:
        return datetime.fromisoformat(value).replace(tzinfo=None)
    return value


def state_in(cache: DuckDBCache) -> dict:
    message = cache.get_state_provider("source-kometsales").get_stream_state(STREAM)
    return message.stream.stream_state.model_dump()


def test_spec_check_and_discover(get_source, simulator):
    api = simulator()
    source = get_source(api.config())
    assert source.config_spec["required"] == ["authentication_token"]
    source.validate_config()
    source.check()
    assert source.get_available_streams() == [STREAM]
    assert set(COLUMNS) < set(source.get_stream_json_schema(STREAM)["properties"])


def test_check_fails_on_a_wrong_token_and_does_not_show_it(get_source, simulator, capfd):
    token = "wr0ng-t0ken-8812&%"
    source = get_source(simulator().config(authentication_token=token), streams=None)
    with pytest.raises(AirbyteConnectorCheckFailedError) as failure:
        source.check()
    out, err = capfd.readouterr()
    assert_absent(token, f"{failure.value}{out}{err}".encode(), "what PyAirbyte says")


def test_check_fails_when_the_server_does(get_source, simulator):
    with pytest.raises(AirbyteConnectorCheckFailedError):
        get_source(simulator("server-error:500").config(), streams=None).check()


def test_a_config_that_the_spec_does_not_allow_never_reaches_the_connector(get_source, simulator):
    config = simulator().config()
    del config["authentication_token"]
    with pytest.raises(AirbyteConnectorValidationFailedError):
        get_source(config, streams=None).validate_config()


def test_get_records_gives_every_customer(get_source, simulator):
    api = simulator(customers=CUSTOMERS)
    dataset = get_source(api.config()).get_records(STREAM)  # the data set ends the read when it is dropped
    ids = [record["id"] for record in dataset]
    assert len(set(ids)) == len(ids) == api.customers


def test_a_full_read_puts_every_customer_into_duckdb(get_source, simulator, connector, cache):
    api = simulator(customers=CUSTOMERS)
    direct = connector.read(api.config()).succeeded()
    result = get_source(api.config()).read(cache=cache)
    assert result.processed_records == len(direct.records) == api.customers
    assert len(list(result[STREAM])) == api.customers
    assert rows_of(cache) == as_cached(direct.rows)
    state = state_in(cache)
    assert state["list"].pop("at") > direct.stream_state["list"].pop("at"), "two reads received two lists"
    assert state == direct.stream_state


def test_a_forced_full_refresh_replaces_and_counts_the_same(get_source, simulator, cache):
    api = simulator(customers=CUSTOMERS)
    source = get_source(api.config())
    for _ in range(2):
        result = source.read(cache=cache, force_full_refresh=True)
        assert result.processed_records == api.customers
        assert len(rows_of(cache)) == api.customers


def test_two_incremental_reads_merge_by_key(get_source, simulator, connector, cache):
    api = simulator(customers=CUSTOMERS)
    source = get_source(api.config())
    assert source.read(cache=cache).processed_records == api.customers
    before, state = rows_of(cache), state_in(cache)

    changed = api.change(7)
    result = source.read(cache=cache)

    start = datetime.fromisoformat(state["updatedOn"]).replace(tzinfo=None) - timedelta(hours=1)
    looked_back = {id for id, row in before.items() if row[-1] >= start}
    assert result.processed_records == len(changed | looked_back) < api.customers
    after = rows_of(cache)
    assert len(after) == len(before) == api.customers
    assert {id for id in before if after[id] != before[id]} == changed
    assert after == as_cached(connector.read(api.config()).succeeded().rows)
    assert state_in(cache)["updatedOn"] > state["updatedOn"]


def test_a_third_read_with_nothing_changed_leaves_everything_as_it_is(get_source, simulator, cache):
    api = simulator(customers=300)
    source = get_source(api.config())
    source.read(cache=cache)
    before, state = rows_of(cache), state_in(cache)
    assert source.read(cache=cache).processed_records >= 1
    assert (rows_of(cache), state_in(cache)) == (before, state)


@pytest.mark.parametrize("fault", ["cut:100000", "unauthorized", "server-error:503", "bad-ids"])
def test_a_reply_that_fails_fails_the_read_and_leaves_rows_and_state(get_source, simulator, cache, fault):
    api = simulator(customers=CUSTOMERS)
    get_source(api.config()).read(cache=cache)
    before, state = rows_of(cache), state_in(cache)

    failing = simulator(fault, customers=CUSTOMERS)
    failing.change(50)  # so that it would show if any of this reply were kept
    with pytest.raises(AirbyteConnectorFailedError):
        get_source(failing.config()).read(cache=cache)
    assert (rows_of(cache), state_in(cache)) == (before, state)

    changed = api.change(3)
    get_source(api.config()).read(cache=cache)
    assert {id for id, row in rows_of(cache).items() if row != before[id]} == changed


@pytest.mark.parametrize("token", ["right", "wrong"])
def test_pyab_validate(source, simulator, tmp_path, token):
    config = simulator().config()
    if token == "wrong":
        config["authentication_token"] = "wr0ng-t0ken-8812"
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    done = subprocess.run(
        [Path(sys.executable).parent / "pyab", "validate", f"--connector={source}", f"--config={file}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        cwd=tmp_path,
        env=os.environ,
        check=False,
    )
    assert (done.returncode == 0) == (token == "right"), done
    assert_absent(config["authentication_token"], done.stdout + done.stderr, "what pyab says")
