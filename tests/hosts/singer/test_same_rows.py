"""Airbyte and Singer are two ways to say the same: for the same reply the rows are the same, in the same order."""

from __future__ import annotations

import pytest
from programs import state_of

FAULTS = [
    "healthy",
    "mixed-types",
    "invalid-values",
    "new-fields",
    "fractions",
    "duplicate-keys",
    "duplicate-ids",
    "future",
    "ignore-update-as-of",
    "status-last",
    "one-object",
    "not-found",
    "no-date",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_same_reply_gives_the_same_rows(connector, tap, simulator, fault):
    api = simulator(fault)
    config = api.config(timezone="America/Bogota")
    by_airbyte = connector.read(config).succeeded()
    by_singer = tap.sync(config).succeeded()
    assert by_singer.rows == by_airbyte.rows
    cursor = by_airbyte.stream_state.get("updatedOn")
    assert by_singer.bookmark.get("replication_key_value") == cursor
    assert by_singer.bookmark["scope"] == by_airbyte.stream_state["scope"]

    api.change(5)
    state = {"bookmarks": {"customers": by_singer.bookmark}}
    by_airbyte = connector.read(config, "incremental", state_of(by_airbyte.stream_state)).succeeded()
    by_singer = tap.sync(config, state=state).succeeded()
    assert by_singer.rows == by_airbyte.rows
    assert by_singer.bookmark.get("replication_key_value") == by_airbyte.stream_state.get("updatedOn")


@pytest.mark.parametrize(
    "settings",
    [{"include_inactive": False}, {"start_date": "2024-06-01"}, {"name": "a"}, {"timezone": "Asia/Kolkata"}, {"max_rejects": 50}],
    ids=lambda settings: next(iter(settings)),
)
def test_the_same_settings_give_the_same_rows(connector, tap, simulator, settings):
    config = simulator("bad-ids" if "max_rejects" in settings else "healthy").config(**settings)
    rows = connector.read(config).succeeded().rows
    assert rows and rows == tap.sync(config).succeeded().rows


@pytest.mark.parametrize("fault", ["bad-ids", "cut:20000", "unauthorized", "status-zero", "server-error:503", "web-page", "bad-utf8"])
def test_the_same_fault_gives_the_same_failure(connector, tap, simulator, fault):
    config = simulator(fault).config()
    by_airbyte = connector.read(config)
    by_singer = tap.sync(config)
    assert by_singer.run.exit_code == by_airbyte.exit_code != 0
    assert by_singer.rows == by_airbyte.rows
    assert not by_singer.of("STATE") and not by_airbyte.of("STATE")
