"""The tap as a plain process: its flags, its catalog, its messages, its failures."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import datetime

import pytest
from singer_messages import assert_rows_match
from tap import metadata_of, selecting, stream_of

FIELDS = ["id", "accountingCode", "name", "code", "active", "salesPerson", "salesPersonId", "customerType", "updatedOn", "_extra"]


# What it says of itself


def test_discover_needs_neither_configuration_nor_network(tap, connector):
    alone = tap.discover()
    empty = tap("--discover", "--config", connector.file("config.json", {}))
    wrong = tap("--discover", "--config", connector.file("config.json", {"lookback_hours": "many"}))
    assert alone == json.loads(empty.succeeded().run.stdout) == json.loads(wrong.succeeded().run.stdout)
    stream = stream_of(alone)
    assert (stream["tap_stream_id"], stream["key_properties"], stream["replication_key"]) == ("customers", ["id"], "updatedOn")
    assert list(stream["schema"]["properties"]) == FIELDS
    root = metadata_of(alone)
    assert root["inclusion"] == "available" and root["selected-by-default"] is True
    assert (root["table-key-properties"], root["valid-replication-keys"]) == (["id"], ["updatedOn"])
    for field in FIELDS:
        expected = "automatic" if field in ("id", "updatedOn") else "available"
        assert metadata_of(alone, "properties", field)["inclusion"] == expected


def test_discover_starts_within_ten_milliseconds(executable):
    """The best of twenty: what else the machine does must not count."""

    def run() -> float:
        started = time.perf_counter()
        subprocess.run([executable, "--discover"], stdout=subprocess.DEVNULL, check=True, timeout=20)
        return time.perf_counter() - started

    best = min(run() for _ in range(20))
    assert best <= 0.010, f"{best * 1000:.1f} ms"


def test_about_in_markdown_names_every_setting(tap):
    about = json.loads(tap("--about", "--format", "json").succeeded().run.stdout)
    text = tap("--about").succeeded().run.stdout.decode()
    assert all(f"`{name}`" in text for name in about["settings"]["properties"])
    assert all(f"`{name}`" in text for name in about["capabilities"])


def test_test_asks_the_api_and_reads_nothing(tap, simulator, connector):
    api = simulator()
    done = tap("--test", "--config", connector.file("config.json", api.config())).succeeded()
    assert "RECORD" not in done.run.stdout.decode()
    wrong = connector.file("config.json", api.config(authentication_token="wr0ng-t0ken-8812&%"))
    tap("--test", "--config", wrong).failed("auth")


def test_test_schema_shows_the_schemas(tap, connector, simulator):
    done = tap("--test=schema", "--config", connector.file("config.json", simulator().config())).succeeded()
    assert done.types == {"SCHEMA"}
    assert done.schema == stream_of(tap.discover())["schema"]


# Configuration


def test_of_repeated_configurations_the_later_one_counts(tap, simulator, connector):
    api = simulator()
    first = connector.file("config.json", api.config(include_inactive=True, base_url="http://127.0.0.1:9/api"))
    second = connector.file("config.json", {"base_url": api.url, "include_inactive": False})
    rows = tap("--config", first, "--config", second).succeeded().rows
    assert rows and all(row["active"] for row in rows)


def test_the_configuration_may_come_from_the_environment(tap, simulator):
    api = simulator()
    environment = {
        "TAP_KOMETSALES_AUTHENTICATION_TOKEN": api.token,
        "TAP_KOMETSALES_BASE_URL": api.url,
        "TAP_KOMETSALES_INCLUDE_INACTIVE": "false",
        "TAP_KOMETSALES_LOOKBACK_HOURS": "7",
        "TAP_KOMETSALES_START_DATE": "",
    }
    done = tap("--config", "ENV", environment=environment, secrets=(api.token,)).succeeded()
    assert done.rows and all(row["active"] for row in done.rows)
    unread = tap("--config=ENV", environment={**environment, "TAP_KOMETSALES_LOOKBACK_HOURS": "many"}, secrets=(api.token,))
    assert "lookback_hours" in unread.failed("config")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"authentication_token": None}, "authentication_token"), ({"lookback_hours": 721}, "lookback_hours"), ({"timezone": "Bogota"}, "timezone")],
)
def test_a_wrong_setting_is_named(tap, simulator, wrong, named):
    assert named in tap.sync(simulator().config(**wrong)).failed("config")


def test_settings_that_it_does_not_know_are_warned_of(tap, simulator):
    done = tap.sync(simulator().config(flattening_enabled=True)).succeeded()
    assert any(line.startswith("WARNING") and "flattening_enabled" in line for line in done.stderr.splitlines())


# Catalog


def test_without_a_catalog_everything_is_read_incrementally(tap, simulator):
    api = simulator()
    done = tap.sync(api.config()).succeeded()
    assert len(done.rows) == api.customers
    assert done.schema == stream_of(tap.discover())["schema"]
    assert_rows_match(done.rows, done.schema)
    assert done.bookmark["replication_key"] == "updatedOn"
    assert done.bookmark["replication_key_value"] == max(row["updatedOn"] for row in done.rows if row["updatedOn"])
    (schema,) = done.of("SCHEMA")
    assert (schema["key_properties"], schema.get("bookmark_properties")) == (["id"], ["updatedOn"])


def test_the_schema_is_the_discovered_one_without_what_is_not_selected(tap, simulator):
    catalog = selecting(tap.discover(), "name", "active")
    stream_of(catalog)["schema"]["required"] = ["id", "code", "name"]
    done = tap.sync(simulator().config(), catalog).succeeded()
    kept = ["id", "name", "active", "updatedOn"]
    assert list(done.schema["properties"]) == kept
    assert done.schema["required"] == ["id", "name"]
    assert {tuple(sorted(row)) for row in done.rows} == {tuple(sorted(kept))}
    for name in kept:
        assert done.schema["properties"][name] == stream_of(catalog)["schema"]["properties"][name]
    assert_rows_match(done.rows, done.schema)


def test_key_and_cursor_stay_when_they_are_deselected(tap, simulator):
    done = tap.sync(simulator().config(), selecting(tap.discover())).succeeded()
    assert list(done.schema["properties"]) == ["id", "updatedOn"]
    assert {tuple(sorted(row)) for row in done.rows} == {("id", "updatedOn")}


@pytest.mark.parametrize(
    ("metadata", "is_read"),
    [
        ({"inclusion": "unsupported", "selected": True}, False),
        ({"inclusion": "automatic", "selected": False}, True),
        ({"inclusion": "available", "selected": True, "selected-by-default": False}, True),
        ({"inclusion": "available", "selected": False, "selected-by-default": True}, False),
        ({"inclusion": "available", "selected-by-default": True}, True),
        ({"inclusion": "available", "selected-by-default": False}, False),
        ({"inclusion": "available"}, True),  # as the stream
        ({}, True),
    ],
    ids=str,
)
def test_selection_has_the_order_of_the_sdk(tap, simulator, metadata, is_read):
    catalog = tap.discover()
    entry = metadata_of(catalog, "properties", "code")
    entry.clear()
    entry.update(metadata)
    done = tap.sync(simulator().config(), catalog).succeeded()
    assert ("code" in done.schema["properties"]) == is_read
    assert all(("code" in row) == is_read for row in done.rows)


def test_the_schema_that_was_supplied_is_the_one_that_is_sent(tap, simulator):
    catalog = tap.discover()
    supplied = stream_of(catalog)["schema"]["properties"]["name"]
    supplied["maxLength"] = 200
    supplied["x-sql-datatype"] = "citext"
    done = tap.sync(simulator().config(), catalog).succeeded()
    assert done.schema == stream_of(catalog)["schema"]


@pytest.mark.parametrize("how", ["deselected", "missing", "empty"])
def test_a_stream_that_is_not_selected_is_not_read_and_that_is_said(tap, simulator, how):
    catalog = tap.discover()
    if how == "deselected":
        metadata_of(catalog)["selected"] = False
    elif how == "missing":
        stream_of(catalog).update(stream="orders", tap_stream_id="orders")
    else:
        catalog["streams"].clear()
    done = tap.sync(simulator().config(), catalog).succeeded()
    assert not done.types & {"SCHEMA", "RECORD"}
    assert any(line.startswith("WARNING") and "customers" in line for line in done.stderr.splitlines()), done.run


@pytest.mark.parametrize("place", ["metadata", "stream"])
def test_the_replication_method_is_read_at_both_places(tap, simulator, place):
    api = simulator()
    state = tap.sync(api.config()).succeeded().state
    catalog = tap.discover()
    if place == "metadata":
        metadata_of(catalog)["replication-method"] = "FULL_TABLE"
    else:
        stream_of(catalog)["replication_method"] = "FULL_TABLE"
    whole = tap.sync(api.config(), catalog, state).succeeded()
    assert len(whole.rows) == api.customers
    assert whole.state == state
    assert len(tap.sync(api.config(), tap.discover(), state).succeeded().rows) < api.customers


def test_properties_is_another_name_for_catalog(tap, simulator, connector):
    config = connector.file("config.json", simulator().config())
    catalog = connector.file("catalog.json", selecting(tap.discover(), "name"))
    done = tap("--config", config, "--properties", catalog).succeeded()
    assert list(done.schema["properties"]) == ["id", "name", "updatedOn"]


@pytest.mark.parametrize("catalog", ["{", "[]", '{"streams": 7}'])
def test_a_catalog_that_is_none_is_refused(tap, simulator, connector, catalog):
    config = connector.file("config.json", simulator().config())
    tap("--config", config, "--catalog", connector.file("catalog.json", catalog)).failed("config")


# Versions


@pytest.mark.parametrize("method", ["FULL_TABLE", "INCREMENTAL"])
@pytest.mark.parametrize("asked", [True, "true", False, None])
def test_a_version_is_announced_for_a_whole_list_when_it_is_asked_for(tap, simulator, method, asked):
    catalog = tap.discover()
    metadata_of(catalog)["replication-method"] = method
    started = int(time.time())
    config = simulator().config() | ({} if asked is None else {"emit_activate_version_messages": asked})
    done = tap.sync(config, catalog).succeeded()
    if method == "INCREMENTAL" or asked in (False, None):
        assert done.types == {"SCHEMA", "RECORD", "STATE"}
        assert not any("version" in message for message in done.of("RECORD"))
        return
    assert [message["type"] for message in done.messages[:3]] == ["SCHEMA", "ACTIVATE_VERSION", "RECORD"]
    (announced,) = done.of("ACTIVATE_VERSION")
    assert started <= announced["version"] <= time.time()
    assert {message["version"] for message in done.of("RECORD")} == {announced["version"]}


# State


def test_the_second_run_reads_what_changed(tap, simulator):
    api = simulator()
    first = tap.sync(api.config()).succeeded()
    changed = api.change(6)
    second = tap.sync(api.config(lookback_hours=0), state=first.state).succeeded()
    # The state names the settings that it was made with, and the look-back is not among them.
    assert changed <= {row["id"] for row in second.rows}
    assert len(second.rows) <= len(changed) + 1
    assert second.bookmark["replication_key_value"] > first.bookmark["replication_key_value"]
    third = tap.sync(api.config(lookback_hours=0), state=second.state).succeeded()
    assert third.state == second.state


def test_a_wrapped_state_is_taken(tap, simulator):
    api = simulator()
    state = tap.sync(api.config()).succeeded().state
    bare = tap.sync(api.config(), state=state).succeeded()
    wrapped = tap.sync(api.config(), state={"type": "STATE", "value": state}).succeeded()
    assert len(wrapped.rows) < api.customers
    assert (wrapped.rows, wrapped.state) == (bare.rows, bare.state)


def test_what_other_streams_and_taps_left_in_the_state_survives(tap, simulator):
    left = {"bookmarks": {"orders": {"replication_key": "at", "partitions": [{"a": 1}]}}, "currently_syncing": None, "x": [1.5, "é"]}
    done = tap.sync(simulator().config(), state=left).succeeded()
    bookmarks = dict(done.state["bookmarks"])
    assert bookmarks.pop("customers")["replication_key_value"]
    assert {**done.state, "bookmarks": bookmarks} == left


def test_a_state_that_a_person_wrote_needs_the_time_alone(tap, simulator):
    api = simulator()
    latest = tap.sync(api.config()).succeeded().bookmark["replication_key_value"]
    done = tap.sync(api.config(), state={"bookmarks": {"customers": {"replication_key_value": latest}}}).succeeded()
    assert 0 < len(done.rows) < api.customers
    assert done.bookmark["replication_key_value"] == latest


def test_other_settings_make_the_bookmark_meaningless_and_that_is_said(tap, simulator):
    api = simulator()
    state = tap.sync(api.config()).succeeded().state
    done = tap.sync(api.config(start_date="2001-01-01"), state=state).succeeded()
    assert len(done.rows) > api.customers / 2
    assert "WARNING" in done.stderr
    assert done.bookmark["scope"] != state["bookmarks"]["customers"]["scope"]


@pytest.mark.parametrize(
    "state",
    [
        "{",
        [],
        {"bookmarks": []},
        {"bookmarks": {"customers": {"replication_key_value": "yesterday"}}},
        {"bookmarks": {"customers": {"replication_key": "id", "replication_key_value": 7}}},
        {"bookmarks": {"customers": {"replication_key_value": "2019-02-28T00:00:01Z", "version": 2}}},
    ],
    ids=str,
)
def test_a_state_that_cannot_be_read_is_never_a_silent_full_read(tap, simulator, state):
    done = tap.sync(simulator().config(), state=state)
    done.failed("config")
    assert not done.rows


def test_a_list_without_changes_still_ends_with_the_state(tap, simulator):
    api = simulator("not-found")
    state = {"bookmarks": {"customers": {"replication_key": "updatedOn", "replication_key_value": "2019-02-28T00:00:01Z"}}}
    done = tap.sync(api.config(), state=state).succeeded()
    assert done.rows == [] and done.types == {"SCHEMA", "STATE"}
    assert done.bookmark["replication_key_value"] == "2019-02-28T00:00:01Z"


# Failures


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("unauthorized", "auth"),
        ("forbidden", "auth"),
        ("token-refused", "auth"),
        ("status-zero", "auth"),
        ("echo-token", "auth"),
        ("missing", "config"),
        ("redirect", "config"),
        ("server-error:503", "transient"),
        ("rate-limit:3600", "transient"),
        ("refuse", "transient"),
        ("reset:9000", "transient"),
        ("cut:9000", "transient"),
        ("cut-length:9000", "transient"),
        ("cut-chunked:9000", "transient"),
        ("cut-gzip", "transient"),
        ("wrong-gzip", "transient"),
        ("web-page", "transient"),
        ("plain-text", "transient"),
        ("bad-utf8", "data"),
        ("status-missing", "data"),
        ("bad-ids", "data"),
    ],
)
def test_a_reply_that_fails_ends_without_a_state_and_with_its_exit_code(tap, simulator, fault, kind):
    state = {"bookmarks": {"customers": {"replication_key_value": "2019-02-28T00:00:01Z"}}}
    done = tap.sync(simulator(fault).config(), state=state)
    last = done.failed(kind)
    assert len(last) > len("CRITICAL ") + 20
    if fault != "bad-ids":
        assert not done.rows, "records went out before the list was known to be whole"


def test_records_without_an_id_fail_the_run_after_every_good_one(tap, simulator):
    api = simulator("bad-ids:4")
    done = tap.sync(api.config())
    assert "customers[" in done.failed("data")
    assert len(done.rows) == api.customers - 4
    assert len(tap.sync(api.config(max_rejects=4)).succeeded().rows) == api.customers - 4


def test_nobody_listening_is_transient(tap, simulator, nobody_listens):
    tap.sync(simulator().config(base_url=nobody_listens)).failed("transient")


def test_usage_is_refused_before_anything_is_read(tap):
    for arguments in (["--frobnicate"], ["--discover", "--catalog"], []):
        assert tap(*arguments).run.exit_code == 2


def test_a_reader_that_goes_away_ends_the_run_with_system(executable, connector, simulator):
    config = connector.file("config.json", simulator(customers=5000).config())
    process = subprocess.Popen([executable, "--config", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    complaint = process.stderr.read()
    assert process.wait(timeout=60) == 70
    assert b"panicked" not in complaint


@pytest.mark.parametrize("fault", ["echo-token", "unauthorized", "web-page", "redirect", "healthy"])
@pytest.mark.parametrize("is_debug", [False, True], ids=["plain", "debug"])
def test_the_token_is_nowhere(tap, simulator, connector, fault, is_debug):
    """Every run is searched for it; here is a token that looks different in each encoding."""
    config = connector.file("config.json", simulator(fault).config(authentication_token='t0k€n "&%/+ of-a-custömer\\8812'))
    tap("--config", config, *(["--debug"] if is_debug else []))


# Logs


def test_metrics_are_written_for_people(tap, simulator):
    api = simulator()
    done = tap.sync(api.config()).succeeded()
    metrics = [json.loads(line.split("METRIC: ", 1)[1]) for line in done.stderr.splitlines() if "METRIC: " in line]
    by_name = {metric["metric"]: metric for metric in metrics}
    assert set(by_name) == {"record_count", "http_request_count", "http_request_duration", "sync_duration"}
    assert by_name["record_count"]["value"] == api.customers and by_name["record_count"]["type"] == "counter"
    assert by_name["http_request_count"]["value"] == 1
    assert by_name["sync_duration"]["type"] == by_name["http_request_duration"]["type"] == "timer"
    assert all(metric["tags"]["stream"] == "customers" for metric in metrics)


@pytest.fixture
def log_config(connector):
    """What Meltano leaves in the variable SINGER_SDK_LOG_CONFIG for a plugin that can log in its structure."""
    formatter = {"()": "singer_sdk.logging.StructuredFormatter"}
    handler = {"class": "logging.StreamHandler", "formatter": "structured", "stream": "ext://sys.stderr"}

    def make(level: str = "INFO") -> dict[str, str]:
        content = {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"structured": formatter},
            "handlers": {"default": handler},
            "root": {"level": level, "handlers": ["default"]},
        }
        return {"SINGER_SDK_LOG_CONFIG": str(connector.file("logging.json", content))}

    return make


def structured(stderr: str) -> list[dict]:
    lines = [json.loads(line) for line in stderr.splitlines()]
    for line in lines:
        assert {"level", "pid", "logger_name", "ts", "thread_name", "app_name", "stream_name", "message"} <= set(line), line
        assert line["level"] in ("debug", "info", "warning", "error", "critical"), line
        assert abs(datetime.fromtimestamp(line["ts"]).timestamp() - time.time()) < 3600, line
    return lines


def test_lines_are_json_when_meltano_asks_for_them(tap, simulator, log_config):
    done = tap.sync(simulator("new-fields").config(), environment=log_config()).succeeded()
    lines = structured(done.stderr)
    assert {"info", "warning"} <= {line["level"] for line in lines}
    # As in the SDK's logs.schema.json; Meltano reads `metric` and `value`.
    metrics = {line["metric_info"]["metric"]: line["metric_info"] for line in lines if "metric_info" in line}
    assert set(metrics) == {"record_count", "http_request_count", "http_request_duration", "sync_duration"}
    assert all({"type", "metric", "value", "tags"} <= set(metric) for metric in metrics.values())
    assert metrics["record_count"]["value"] == len(done.rows)


def test_a_failure_ends_with_critical_in_json_too(tap, simulator, log_config):
    done = tap.sync(simulator("unauthorized").config(), environment=log_config())
    assert done.run.exit_code == 77
    assert structured(done.stderr)[-1]["level"] == "critical"


def test_the_level_that_meltano_asks_for_is_kept(tap, simulator, log_config):
    done = tap.sync(simulator("new-fields").config(), environment=log_config("WARNING")).succeeded()
    assert {line["level"] for line in structured(done.stderr)} == {"warning"}
