"""Every kind of line that the source writes, against Airbyte's own models.

Reading a run's messages holds each of them against the models. When the source says what is the matter of tests/it/airbyte.
"""

from __future__ import annotations

import pytest
from programs import state_of


def types(run) -> set[str]:
    """The types of a run's messages, those of traces too."""
    return {message["type"] for message in run.messages} | {trace["type"] for trace in run.of("TRACE")}


def test_spec_check_and_discover(connector, simulator):
    config = simulator().config()
    assert types(connector.run("spec").succeeded()) == {"SPEC"}
    assert types(connector.discover(config).succeeded()) == {"CATALOG"}
    assert types(connector.check(config).succeeded()) >= {"CONNECTION_STATUS"}
    assert types(connector.check({**config, "lookback_hours": 721}).succeeded()) >= {"CONNECTION_STATUS"}


@pytest.mark.parametrize("mode", ["full_refresh", "incremental"])
@pytest.mark.parametrize("fault", ["healthy", "invalid-values", "new-fields", "no-date", "fractions", "one-object", "not-found"])
def test_a_read_that_succeeds(connector, simulator, fault, mode):
    api = simulator(fault)
    run = connector.read(api.config(), mode, None, "--debug").succeeded()
    records = set() if fault == "not-found" else {"RECORD"}
    assert types(run) == {"LOG", "TRACE", "STREAM_STATUS", "ESTIMATE", "STATE"} | records
    again = connector.read(api.config(unknown_setting=1), mode, state_of(run.stream_state)).succeeded()
    assert "STATE" in types(again)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("unauthorized", "auth"), ("missing", "config"), ("web-page", "transient"), ("bad-utf8", "data"), ("bad-ids", "data")],
)
def test_a_read_that_fails(connector, simulator, fault, kind):
    run = connector.read(simulator(fault).config())
    run.failed(kind)
    assert {"ERROR", "STREAM_STATUS"} <= types(run)


def test_a_check_that_fails(connector, simulator):
    run = connector.check(simulator("web-page").config())
    run.failed("transient")
    assert "CONNECTION_STATUS" not in types(run)


@pytest.mark.parametrize("files", ["config", "catalog", "state"])
def test_files_that_cannot_be_read(connector, simulator, files):
    broken = {files: "{"}
    config, catalog = simulator().config(), broken.get("catalog")
    if files == "config":
        run = connector.run("read", "--config", connector.file("config.json", "{"), "--catalog", connector.file("catalog.json", "{}"))
    else:
        run = connector.read(config, "incremental", broken.get("state"), catalog=catalog)
    assert run.failed("config")["message"]
