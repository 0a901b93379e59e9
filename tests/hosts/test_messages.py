"""What each verb says, message by message, when all is well and when it is not.

Hosts are forgiving: they drop a record that they cannot read and take a run without a state for a success. So every line of
stdout is held against Airbyte's own models here, before the hosts themselves come in.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from datetime import datetime, timedelta, timezone
from itertools import groupby

import pytest
from airbyte_messages import assert_records_match
from programs import FAILURES, STREAM, configured, state_of
from secrecy import assert_absent

# A token that is refused, as no simulator has it, and that takes another form wherever it is escaped.
STRANGE_TOKEN = 'wr0ng&t%k/é n"2?+=7Zq#Xy'


# ---------------------------------------------------------------------------------------------- each verb


def test_spec_is_one_message_with_the_token_marked_secret(connector):
    run = connector.run("spec").succeeded()
    assert [message["type"] for message in run.messages] == ["SPEC"]
    schema = run.of("SPEC")[0]["connectionSpecification"]
    assert schema["type"] == "object"
    assert schema["required"] == ["authentication_token"]
    assert schema.get("additionalProperties", True) is True
    assert [name for name, value in schema["properties"].items() if value.get("airbyte_secret")] == ["authentication_token"]


def test_check_succeeds_with_one_status(connector, simulator):
    run = connector.check(simulator().config()).succeeded()
    assert run.of("CONNECTION_STATUS") == [{"status": "SUCCEEDED"}]


def test_discover_declares_one_stream_with_its_key_and_cursor(connector, simulator):
    run = connector.discover(simulator().config()).succeeded()
    (catalog,) = run.of("CATALOG")
    (stream,) = catalog["streams"]
    assert stream["name"] == STREAM
    assert sorted(stream["supported_sync_modes"]) == ["full_refresh", "incremental"]
    assert stream["source_defined_cursor"] is True
    assert stream["default_cursor_field"] == ["updatedOn"]
    assert stream["source_defined_primary_key"] == [["id"]]
    assert stream.get("is_resumable", False) is False
    properties = stream["json_schema"]["properties"]
    assert properties["id"]["type"] == "integer"
    assert properties["updatedOn"]["format"] == "date-time"
    assert properties["updatedOn"]["airbyte_type"] == "timestamp_with_timezone"


def test_discover_needs_no_server(connector, nobody_listens):
    connector.discover({"authentication_token": "any-token-5521", "base_url": nobody_listens}).succeeded()


@pytest.mark.parametrize("mode", ["full_refresh", "incremental"])
def test_read_says_everything_in_the_order_of_the_protocol(connector, simulator, mode):
    api = simulator(customers=700)
    run = connector.read(api.config(), mode).succeeded()
    assert_whole(run)
    assert len(run.records) == api.customers


def assert_whole(run):
    """A read that succeeded: each thing once, in order, with counts that agree."""
    said = [kind for kind, _ in groupby(kinds(run))]
    records = ["RECORD"] if run.records else []
    assert said in (
        ["STARTED", "ESTIMATE", "RUNNING", *records, "STATE", "COMPLETE"],
        ["STARTED", "RUNNING", "ESTIMATE", *records, "STATE", "COMPLETE"],
    ), said

    count = len(run.records)
    assert {record["stream"] for record in run.records} <= {STREAM}
    assert [status["stream_descriptor"]["name"] for status in run.traces("STREAM_STATUS")] == [STREAM] * 3
    (estimate,) = run.traces("ESTIMATE")
    assert (estimate["name"], estimate["type"], estimate["row_estimate"]) == (STREAM, "STREAM", count)
    (state,) = run.of("STATE")
    assert state["type"] == "STREAM"
    assert state["stream"]["stream_descriptor"] == {"name": STREAM}
    assert state["sourceStats"]["recordCount"] == count
    # A count without a point is read as an integer by hosts that expect a double.
    (line,) = [line for line in run.stdout.splitlines() if b'"STATE"' in line and b'"sourceStats"' in line]
    assert re.search(rb'"recordCount":\s*%d\.0[,}\s]' % count, line), line


def kinds(run):
    """What each message but LOG is: RECORD, STATE, a status, or the type of trace."""
    for message in run.messages:
        if message["type"] == "TRACE":
            trace = message["trace"]
            yield trace["stream_status"]["status"] if trace["type"] == "STREAM_STATUS" else trace["type"]
        elif message["type"] != "LOG":
            yield message["type"]


# ------------------------------------------------------------------------------------------------ records


def test_every_record_matches_the_declared_schema(connector, simulator):
    api = simulator(customers=2000)
    stream = connector.stream(api.config())
    run = connector.read(api.config(), catalog=configured(stream)).succeeded()
    assert len(run.records) == api.customers
    assert_records_match(run.records, stream["json_schema"])


def test_every_customer_arrives_as_the_api_sent_it(connector, simulator):
    api = simulator(customers=2000)
    rows = {row["id"]: row for row in connector.read(api.config()).succeeded().rows}
    expected = {int(customer["id"]): as_declared(customer) for customer in api.reply()}
    assert len(expected) == api.customers
    assert {id: {key: value for key, value in row.items() if value is not None} for id, row in rows.items()} == expected


def as_declared(customer):
    """A customer of the API with the declared types; what it does not have is left out."""
    row = {key: value for key, value in customer.items() if value is not None}
    row["id"] = int(row["id"])
    row["active"] = {"1": True, "0": False}[str(row["active"])]
    row["updatedOn"] += "Z"
    if "salesPersonId" in row:
        row["salesPersonId"] = int(row["salesPersonId"])
    return row


@pytest.mark.parametrize(
    "fault",
    [
        "status-last",
        "pretty",
        "bom",
        "duplicate-keys",
        "ignore-update-as-of",
        "mixed-types",
        "no-date",
        "future",
        "fractions",
        "new-fields",
        "drip:1",
    ],
)
def test_an_odd_but_whole_reply_is_read_whole(connector, simulator, fault):
    api = simulator(fault, customers=200)
    stream = connector.stream(api.config())
    run = connector.read(api.config(), catalog=configured(stream)).succeeded()
    assert_whole(run)
    assert_records_match(run.records, stream["json_schema"])
    assert len({row["id"] for row in run.rows}) == len(run.rows) == api.customers
    assert run.stream_state["updatedOn"] <= text(datetime.now(timezone.utc))


def test_odd_forms_of_the_same_values_give_the_same_records(connector, simulator):
    plain = by_id(connector.read(simulator(customers=200).config()).succeeded().rows)
    for fault in ("status-last", "pretty", "bom", "duplicate-keys", "mixed-types"):
        odd = by_id(connector.read(simulator(fault, customers=200).config()).succeeded().rows)
        assert odd == plain, fault


def test_a_customer_who_comes_twice_goes_out_twice(connector, simulator):
    api = simulator("duplicate-ids", customers=200)
    run = connector.read(api.config()).succeeded()
    assert_whole(run)
    assert len(run.rows) == api.customers > len({row["id"] for row in run.rows}) > 0


def test_one_object_in_place_of_the_list_is_one_customer(connector, simulator):
    run = connector.read(simulator("one-object", customers=200).config()).succeeded()
    assert_whole(run)
    assert len(run.rows) == 1


@pytest.mark.parametrize("fault", ["not-found", "empty-message"])
def test_no_customers_found_is_an_empty_success_with_a_state(connector, simulator, fault):
    run = connector.read(simulator(fault).config()).succeeded()
    assert_whole(run)
    assert run.rows == []
    assert "updatedOn" not in run.stream_state


def test_new_fields_are_kept_together(connector, simulator):
    run = connector.read(simulator("new-fields", customers=200).config()).succeeded()
    assert any(isinstance(row.get("_extra"), dict) and row["_extra"] for row in run.rows)


def test_an_invalid_value_is_null_and_the_change_is_told(connector, simulator):
    api = simulator("invalid-values", customers=200)
    stream = connector.stream(api.config())
    run = connector.read(api.config(), catalog=configured(stream)).succeeded()
    assert_whole(run)
    assert_records_match(run.records, stream["json_schema"])
    assert len(run.rows) == api.customers
    changed = [record for record in run.records if record.get("meta")]
    assert changed
    for record in changed:
        for change in record["meta"]["changes"]:
            assert change["change"] == "NULLED"
            assert change["reason"] == "SOURCE_SERIALIZATION_ERROR"
            assert record["data"].get(change["field"]) is None
            assert change["field"] in stream["json_schema"]["properties"]


def test_a_catalog_with_few_columns_gets_those_with_key_and_cursor(connector, simulator):
    api = simulator(customers=200)
    stream = connector.stream(api.config())
    properties = stream["json_schema"]["properties"]
    stream["json_schema"]["properties"] = {name: properties[name] for name in ("id", "name", "updatedOn")}
    run = connector.read(api.config(), catalog=configured(stream)).succeeded()
    assert len(run.rows) == api.customers
    assert set().union(*run.rows) == {"id", "name", "updatedOn"}


def test_a_passing_fault_costs_no_record_and_repeats_none(connector, simulator):
    api = simulator("cut:9000@1", "server-error:503@1", customers=400)
    run = connector.read(api.config(retry_window_seconds=30)).succeeded()
    assert_whole(run)
    assert len({row["id"] for row in run.rows}) == len(run.rows) == api.customers


def test_one_rejected_record_over_the_limit_fails_the_read(connector, simulator):
    api = simulator("bad-ids", customers=200)
    run = connector.read(api.config(max_rejects=6))
    run.failed("data")
    assert len(run.rows) == api.customers - 7
    assert run.of("STATE") == []


def test_rejected_records_up_to_the_limit_are_passed_over_and_told(connector, simulator):
    api = simulator("bad-ids", customers=200)
    run = connector.read(api.config(max_rejects=7)).succeeded()
    assert_whole(run)
    assert len(run.rows) == api.customers - 7
    assert re.search(r"customers\[\d+\]", run.logs), run.logs


# -------------------------------------------------------------------------------------------------- state


def test_two_full_reads_give_the_same_records(connector, simulator):
    api = simulator()
    first = connector.read(api.config(), "full_refresh").succeeded()
    second = connector.read(api.config(), "full_refresh", state_of(first.stream_state)).succeeded()
    assert by_id(first.rows) == by_id(second.rows)
    assert len(first.rows) == len(second.rows) == api.customers
    assert first.stream_state == second.stream_state


def test_the_state_is_the_newest_update_and_a_scope_that_tells_nothing(connector, simulator):
    api = simulator(customers=700)
    run = connector.read(api.config()).succeeded()
    now = text(datetime.now(timezone.utc))
    assert set(run.stream_state) == {"updatedOn", "scope", "version"}
    assert run.stream_state["version"] == 1
    assert run.stream_state["updatedOn"] == max(row["updatedOn"] for row in run.rows if row["updatedOn"] <= now)
    again = connector.read(api.config()).succeeded()
    assert again.stream_state == run.stream_state


def test_an_incremental_read_gives_what_changed_and_the_look_back(connector, simulator):
    api = simulator(customers=700)
    first = connector.read(api.config()).succeeded()
    changed = api.change(7)
    second = connector.read(api.config(), state=state_of(first.stream_state)).succeeded()
    assert_whole(second)
    assert {row["id"] for row in second.rows} == changed | since(first, timedelta(hours=1))
    assert second.stream_state["updatedOn"] > first.stream_state["updatedOn"]
    assert second.stream_state["scope"] == first.stream_state["scope"]
    assert by_id(first.rows) | by_id(second.rows) == by_id(connector.read(api.config()).succeeded().rows)


def test_a_server_that_overlooks_the_day_is_filtered_here(connector, simulator):
    api = simulator("ignore-update-as-of", customers=700)
    first = connector.read(api.config()).succeeded()
    changed = api.change(7)
    second = connector.read(api.config(), state=state_of(first.stream_state)).succeeded()
    assert_whole(second)
    assert {row["id"] for row in second.rows} == changed | since(first, timedelta(hours=1))
    assert any(log["level"] == "WARN" for log in second.of("LOG"))


def test_with_nothing_changed_the_last_customer_comes_again_and_the_cursor_stays(connector, simulator):
    api = simulator(customers=700)
    config = api.config(lookback_hours=0)
    first = connector.read(config).succeeded()
    second = connector.read(config, state=state_of(first.stream_state)).succeeded()
    assert_whole(second)
    assert {row["id"] for row in second.rows} == since(first, timedelta())
    assert len(second.rows) < api.customers
    assert second.stream_state == first.stream_state


def test_a_state_from_the_future_is_not_believed_and_not_kept(connector, simulator):
    api = simulator()
    full = connector.read(api.config()).succeeded()
    scope = full.stream_state["scope"]
    given = {"updatedOn": "2199-01-01T00:00:00Z", "scope": scope, "version": 1}
    run = connector.read(api.config(), state=state_of(given)).succeeded()
    assert_whole(run)
    assert {row["id"] for row in run.rows} == {row["id"] for row in full.rows}
    assert run.stream_state == full.stream_state
    assert "not believed" in run.logs


def test_a_hand_written_cursor_is_enough(connector, simulator):
    api = simulator()
    full = connector.read(api.config()).succeeded()
    run = connector.read(api.config(), state=state_of({"updatedOn": "2022-01-01T00:00:00Z"})).succeeded()
    assert {row["id"] for row in run.rows} == {row["id"] for row in full.rows if row["updatedOn"] >= "2021-12-31T23:00:00Z"}
    assert 0 < len(run.rows) < len(full.rows)


def test_a_filter_that_was_added_reads_everything_and_says_so(connector, simulator):
    api = simulator()
    first = connector.read(api.config()).succeeded()
    run = connector.read(api.config(start_date="2000-01-01"), state=state_of(first.stream_state)).succeeded()
    assert len(run.rows) == api.customers
    assert run.stream_state["scope"] != first.stream_state["scope"]
    assert any(log["level"] == "WARN" for log in run.of("LOG"))


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("[]", id="an empty list, as on a first run"),
        pytest.param("", id="an empty file"),
        pytest.param("{}", id="an empty object, as in old versions"),
        pytest.param(json.dumps(state_of(None)), id="no state for the stream, as after a reset"),
        pytest.param(json.dumps(state_of({})), id="an empty state for the stream"),
        pytest.param(json.dumps(state_of({"__ab_full_refresh_sync_complete": True})), id="left by a full refresh"),
        pytest.param(json.dumps(state_of({"__ab_no_cursor_state_message": True})), id="left by a stream without a cursor"),
        pytest.param(
            '[{"type":"STREAM","stream":{"stream_descriptor":{"name":"customers","namespace":null},"stream_state":null},'
            '"global_":null,"data":null,"sourceStats":null,"destinationStats":null,"global_":null}]',
            id="with nulls and a key twice, as PyAirbyte writes it",
        ),
    ],
)
def test_a_state_without_a_cursor_reads_everything(connector, simulator, state):
    api = simulator()
    run = connector.read(api.config(), state=state).succeeded()
    assert_whole(run)
    assert len(run.rows) == api.customers


def by_id(rows):
    return {row["id"]: row for row in rows}


def since(run, lookback):
    """The ids of a read from where the next one starts."""
    start = text(datetime.fromisoformat(run.stream_state["updatedOn"]) - lookback)
    return {row["id"] for row in run.rows if row["updatedOn"] is None or row["updatedOn"] >= start}


def text(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


# ----------------------------------------------------------------------------------------------- failures

REPLIES = {
    "auth": ["status-zero", "token-refused", "unauthorized", "forbidden"],
    "config": ["missing", "redirect"],
    "transient": [
        "cut:0",
        "cut:9000",
        "cut-length:9000",
        "cut-chunked:9000",
        "stall:9000",
        "stall-headers",
        "reset:9000",
        "refuse",
        "rate-limit:3600",
        "rate-limit-date:3600",
        "server-error:500",
        "server-error:503",
        "web-page",
        "plain-text",
        "wrong-gzip",
        "cut-gzip",
    ],
    "data": ["bad-utf8", "status-missing", "not-an-object", "two-values", "bad-ids"],
}
FAILED_REPLIES = [(fault, kind) for kind, faults in REPLIES.items() for fault in faults]


@pytest.mark.parametrize(("fault", "kind"), FAILED_REPLIES)
def test_a_read_that_fails_says_so_once_and_keeps_no_state(connector, simulator, fault, kind):
    api = simulator(fault)
    run = connector.read(api.config(request_timeout_seconds=2))
    run.failed(kind)
    assert run.statuses[0] == "STARTED"
    assert run.statuses[-1] == "INCOMPLETE"
    assert run.statuses.count("INCOMPLETE") == 1
    assert "COMPLETE" not in run.statuses
    assert run.of("STATE") == []
    # Nothing of a reply that turns out refused or cut is let out; without rejected records, what is good is.
    assert bool(run.records) == (fault == "bad-ids")
    assert {"ERROR", "INCOMPLETE"} == set(list(kinds(run))[-2:])


@pytest.mark.parametrize(("fault", "kind"), [(fault, kind) for fault, kind in FAILED_REPLIES if kind in ("auth", "config")])
def test_check_reports_what_the_user_can_correct_as_a_status(connector, simulator, fault, kind):
    run = connector.check(simulator(fault).config())
    assert_check_failed(run)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(fault, kind) for fault, kind in FAILED_REPLIES if kind == "transient"]
    + [("status-missing", "data"), ("not-an-object", "data")],
)
def test_check_reports_every_other_failure_as_an_error(connector, simulator, fault, kind):
    # However small a part of the list a check asks for, the reply ends inside it.
    fault = fault.replace(":9000", ":10")
    run = connector.check(simulator(fault).config(request_timeout_seconds=2))
    run.failed(kind)
    assert run.of("CONNECTION_STATUS") == []


def assert_check_failed(run):
    run.succeeded()
    (status,) = run.of("CONNECTION_STATUS")
    assert status["status"] == "FAILED"
    assert status["message"].strip()


@pytest.mark.parametrize(("fault", "kind"), FAILED_REPLIES)
@pytest.mark.parametrize("verb", ["check", "read"])
def test_a_token_in_need_of_escapes_is_nowhere(connector, simulator, verb, fault, kind):
    config = simulator(fault).config(authentication_token=STRANGE_TOKEN, request_timeout_seconds=2)
    run = connector.check(config) if verb == "check" else connector.read(config)
    assert run.of("STATE") == []
    assert run.exit_code in {0 if verb == "check" else None, *(code for _, code in FAILURES.values())}


def test_a_wrong_token_is_refused(connector, simulator):
    config = simulator().config(authentication_token=STRANGE_TOKEN)
    assert_check_failed(connector.check(config))
    run = connector.read(config)
    run.failed("auth")
    assert run.of("STATE") == run.records == []


@pytest.mark.parametrize("token", [None, STRANGE_TOKEN], ids=["plain", "in need of escapes"])
@pytest.mark.parametrize("verb", ["check", "read"])
def test_a_server_that_repeats_the_token_does_not_make_the_connector_do_so(connector, simulator, verb, token):
    api = simulator("echo-token")
    config = api.config(authentication_token=token or api.token)
    if verb == "check":
        assert_check_failed(connector.check(config))
    else:
        run = connector.read(config)
        run.failed("auth")
        assert run.of("STATE") == run.records == []


@pytest.mark.parametrize("fault", [None, "web-page", "refuse", "unauthorized", "cut:9000"])
def test_a_talkative_run_does_not_tell_the_token(connector, simulator, fault):
    api = simulator(*([fault] if fault else []))
    loud = {"LOG_LEVEL": "debug", "RUST_LOG": "trace", "RUST_BACKTRACE": "full"}
    for token in (api.token, STRANGE_TOKEN):
        config = api.config(authentication_token=token)
        for run in (
            connector.check(config, "--debug", environment=loud),
            connector.discover(config, "--debug", environment=loud),
            connector.read(config, "incremental", None, "--debug", environment=loud),
        ):
            assert run.messages
            assert run.exit_code != 2, run


def test_nobody_listening_is_a_passing_failure(connector, nobody_listens):
    config = {"authentication_token": STRANGE_TOKEN, "base_url": nobody_listens, "retry_window_seconds": 0}
    connector.read(config).failed("transient")
    connector.check(config).failed("transient")


WRONG_CONFIGS = {
    "no token": {"authentication_token": None},
    "an empty token": {"authentication_token": ""},
    "a token that is a list": {"authentication_token": [STRANGE_TOKEN]},
    "a misspelt key for the token": {"authentication_token": None, "authenticationToken": STRANGE_TOKEN},
    "a date that is none": {"start_date": "01/02/2024"},
    "a zone that is none": {"timezone": "Mars/Olympus"},
    "a number out of range": {"lookback_hours": 721},
    "plain HTTP to another machine": {"base_url": "http://komet.invalid/api"},
}


@pytest.mark.parametrize("name", WRONG_CONFIGS)
def test_a_wrong_config_is_told_without_its_secret(connector, name):
    config = {"authentication_token": STRANGE_TOKEN, **WRONG_CONFIGS[name]}
    config = {key: value for key, value in config.items() if value is not None}
    catalog = configured(connector.stream({"authentication_token": "any-token-5521"}))

    checked = connector.check(config)
    assert_check_failed(checked)
    read = connector.read(config, catalog=catalog)
    error = read.failed("config")
    assert read.of("STATE") == read.records == []
    assert "COMPLETE" not in read.statuses
    (key,) = [key for key in WRONG_CONFIGS[name] if key != "authenticationToken"]
    assert key in error["message"]
    for run in (checked, read):
        assert_absent(STRANGE_TOKEN, run.stdout + run.stderr, run.command[0])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(STRANGE_TOKEN, id="the token alone"),
        pytest.param(f'{{"authentication_token": "{STRANGE_TOKEN}', id="cut inside the token"),
        pytest.param("[]", id="a list"),
        pytest.param("", id="empty"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
    ],
)
def test_a_config_that_is_no_json_object_is_told_without_quoting_it(connector, content):
    path = connector.file("config.json", content)
    assert_config_is_refused(connector, path)


def test_a_config_that_is_not_there_is_a_failure_of_the_config(connector, tmp_path):
    assert_config_is_refused(connector, tmp_path / "missing.json")


def assert_config_is_refused(connector, path):
    assert_check_failed(connector.run("check", "--config", path, secrets=(STRANGE_TOKEN,)))
    catalog = connector.file("catalog.json", configured(connector.stream({"authentication_token": "any-token-5521"})))
    run = connector.run("read", "--config", path, "--catalog", catalog, secrets=(STRANGE_TOKEN,))
    run.failed("config")
    assert run.of("STATE") == run.records == []


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("[{", id="not JSON"),
        pytest.param('"a text"', id="neither list nor object"),
        pytest.param(json.dumps(state_of({"updatedOn": "yesterday"})), id="a cursor that is no time"),
        pytest.param(json.dumps(state_of({"updatedOn": "2020-01-01T00:00:00Z", "version": 2})), id="a newer version"),
    ],
)
def test_a_state_that_cannot_be_understood_is_no_reason_to_read_everything(connector, simulator, state):
    run = connector.read(simulator().config(), state=state)
    run.failed("config")
    assert run.of("STATE") == run.records == []
    assert "COMPLETE" not in run.statuses


@pytest.mark.parametrize(
    "catalog",
    [
        pytest.param("{", id="not JSON"),
        pytest.param("[]", id="no object"),
        pytest.param(
            configured({"name": "orders", "json_schema": {"type": "object"}, "supported_sync_modes": ["full_refresh"]}),
            id="a stream that does not exist",
        ),
    ],
)
def test_a_catalog_that_cannot_be_read_is_a_failure_of_the_config(connector, simulator, catalog):
    run = connector.read(simulator().config(), catalog=catalog)
    run.failed("config")
    assert run.of("STATE") == run.records == []


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["read", "--no-such-flag"], ["no-such-verb"], ["check"]])
def test_a_wrong_command_line_says_nothing_on_stdout(connector, arguments):
    run = connector.run(*arguments)
    assert run.exit_code == 2
    assert run.stdout == b""
    assert run.stderr.strip()


# ----------------------------------------------------------------------------------- a host that goes away


@pytest.fixture
def reading(connector, simulator):
    """A read whose host has taken the first line of a long output and nothing more."""
    api = simulator(customers=20_000)
    catalog = connector.file("catalog.json", configured(connector.stream(api.config())))
    process = subprocess.Popen(
        [connector.executable, "read", "--config", connector.file("config.json", api.config()), "--catalog", catalog],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdout.readline().startswith(b"{")
    yield process, api
    process.kill()
    process.wait(timeout=20)


def test_a_host_that_closes_stdout_ends_the_read_without_a_crash(reading):
    process, api = reading
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(timeout=30) == 70
    assert b"panicked" not in stderr
    assert_absent(api.token, stderr, "stderr of read")


def test_a_host_that_terminates_the_read_is_obeyed_at_once(reading):
    process, _ = reading
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=10) == -signal.SIGTERM
