"""An unmodified Meltano with the wheel, as a data engineer uses them, into target-jsonl."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta

import yaml
from conftest import EXAMPLE
from meltano_project import DEFINITION, STATE_ID, Installation, meltano
from secrecy import assert_absent

CUSTOMERS = 400


def changed_or_looked_back(rows: list[dict], cursor: str, changed: set[int]) -> set[int]:
    """What an incremental read gives: what changed, and again what lies within the look-back of one hour."""
    start = datetime.fromisoformat(cursor) - timedelta(hours=1)
    return changed | {row["id"] for row in rows if row["updatedOn"] and datetime.fromisoformat(row["updatedOn"]) >= start}


def test_the_first_run_loads_all_the_second_what_changed_and_a_full_refresh_all_again(project, simulator, tap):
    api = simulator(customers=CUSTOMERS)
    pipeline = project(api.config())
    pipeline.run().succeeded()
    first = pipeline.loaded()
    assert first == tap.sync(api.config()).succeeded().rows
    assert len({row["id"] for row in first}) == len(first) == api.customers
    cursor = pipeline.bookmark()["replication_key_value"]
    assert cursor == max(row["updatedOn"] for row in first if row["updatedOn"])

    changed = api.change(7)
    pipeline.run().succeeded()
    second = {row["id"]: row for row in pipeline.loaded()}
    assert set(second) == changed_or_looked_back(first, cursor, changed)
    assert len(second) < api.customers
    before = {row["id"]: row for row in first}
    assert {id for id, row in second.items() if row != before[id]} == changed
    moved = pipeline.bookmark()["replication_key_value"]
    assert moved > cursor
    shown = pipeline("state", "get", STATE_ID.format(loader="target-jsonl")).succeeded()
    assert json.loads(shown.stdout)["singer_state"] == pipeline.state()

    pipeline.run("--full-refresh").succeeded()
    everything = {row["id"]: row for row in pipeline.loaded()}
    assert everything == before | second
    assert pipeline.bookmark()["replication_key_value"] == moved


def test_companies_in_turn_have_a_state_each_by_their_suffix(project, simulator):
    """As docs/companies.md has it: one pipeline, the token of each company in the environment."""
    apis = {"rosas": simulator(customers=CUSTOMERS), "lirios": simulator(customers=CUSTOMERS - 100)}
    pipeline = project(apis["rosas"].config())
    for is_first in (True, False):
        for company, api in apis.items():
            own = {"TAP_KOMETSALES_AUTHENTICATION_TOKEN": api.token, "TAP_KOMETSALES_BASE_URL": api.url}
            pipeline.run("--state-id-suffix", company, **own).succeeded()
            rows = len(pipeline.loaded())
            assert rows == api.customers if is_first else 0 < rows < api.customers / 2


def test_replies_that_fail_fail_the_run_and_leave_the_bookmark(project, simulator):
    faults = ("cut:30000", "bad-ids", "unauthorized", "server-error:503")
    api = simulator("healthy@1", *(f"{fault}@1" for fault in faults), customers=CUSTOMERS)
    pipeline = project(api.config())
    pipeline.run().succeeded()
    first, state = pipeline.loaded(), pipeline.state()

    changed = api.change(CUSTOMERS // 2)
    for _ in faults:
        failed = pipeline.run().failed()
        assert "Extractor failed" in failed.output, failed
        assert pipeline.state() == state
    pipeline.loaded()

    pipeline.run().succeeded()
    cursor = state["bookmarks"]["customers"]["replication_key_value"]
    assert {row["id"] for row in pipeline.loaded()} == changed_or_looked_back(first, cursor, changed)
    assert pipeline.bookmark()["replication_key_value"] > cursor


def test_select_takes_the_named_fields_with_key_and_cursor(project, simulator):
    api = simulator()
    pipeline = project(api.config())
    pipeline("select", "tap-kometsales", "customers", "name").succeeded()
    pipeline.run().succeeded()
    rows = pipeline.loaded()
    assert len(rows) == api.customers
    assert {tuple(sorted(row)) for row in rows} == {("id", "name", "updatedOn")}


def test_an_empty_select_reads_nothing_and_says_so(project, simulator):
    pipeline = project(simulator().config(), select=[])
    done = pipeline.run().succeeded()
    assert pipeline.loaded() == []
    assert "is not selected in the catalog" in done.output, done


def test_a_replication_method_set_in_meltano_reads_the_whole_list_every_time(project, simulator):
    api = simulator()
    pipeline = project(api.config())
    pipeline("config", "set", "tap-kometsales", "_metadata", "customers", "replication-method", "FULL_TABLE").succeeded()
    for _ in range(2):
        pipeline.run().succeeded()
        assert len(pipeline.loaded()) == api.customers


def test_config_test_accepts_a_right_configuration_and_refuses_a_wrong_one(project, simulator):
    api = simulator()
    pipeline = project(api.config())
    assert "Plugin configuration is valid" in pipeline("config", "test", "tap-kometsales").succeeded().output
    wrong = project(api.config(authentication_token="wr0ng-t0ken-8812&%"))
    failed = wrong("config", "test", "tap-kometsales").failed()
    assert "Plugin configuration is invalid" in failed.output, failed
    incomplete = project(api.config())
    (incomplete.folder / ".env").unlink()
    failed = incomplete("config", "test", "tap-kometsales").failed()
    assert "authentication_token" in failed.output, failed


def test_settings_from_the_environment_are_taken_whatever_their_kind(project, simulator):
    api = simulator()
    config = {key: value for key, value in api.config().items() if key != "retry_window_seconds"}
    pipeline = project(config)
    pipeline.run(
        TAP_KOMETSALES_INCLUDE_INACTIVE="false",
        TAP_KOMETSALES_LOOKBACK_HOURS="0",
        TAP_KOMETSALES_START_DATE="2000-01-02",
        TAP_KOMETSALES_TIMEZONE="America/Bogota",
        TAP_KOMETSALES_RETRY_WINDOW_SECONDS="0",
    ).succeeded()
    rows = pipeline.loaded()
    assert rows and len(rows) < api.customers
    assert all(row["active"] for row in rows)


def test_messages_keep_their_level_and_metrics_are_understood(project, simulator):
    """Meltano shows every line as `info` that is not the structured log it asked for."""
    pipeline = project(simulator("new-fields").config())
    done = pipeline.run().succeeded()
    lines = [line for line in done.stderr.splitlines() if "] tap-kometsales" in line]
    assert "Logging error" not in done.output, "Meltano failed on a line of the log: metric_info has other keys than it knows"
    assert any("[warning" in line for line in lines), done
    assert any("[info" in line for line in lines), done
    assert not any('"logger_name"' in line for line in lines), done
    for metric in ("record_count", "http_request_count", "http_request_duration", "sync_duration"):
        assert any(f"metric_name={metric}" in line and "metric_value=" in line for line in lines), (metric, done)


def test_a_failure_is_shown_as_critical(project, simulator):
    done = project(simulator("unauthorized").config()).run().failed()
    assert [line for line in done.stderr.splitlines() if "[critical" in line and "tap-kometsales" in line], done


def test_the_definition_is_added_to_a_project_without_a_hub(installation, tmp_path, simulator):
    api = simulator()
    (tmp_path / "meltano.yml").write_text("default_environment: dev\nproject_id: own\nenvironments:\n- name: dev\n")
    (tmp_path / "wheels").mkdir()
    shutil.copy(installation.wheel, tmp_path / "wheels")
    definition = EXAMPLE / "tap-kometsales.yml"
    meltano(tmp_path, "add", "--plugin-type", "extractor", "tap-kometsales", "--from-ref", str(definition)).succeeded()

    for key, value in api.config().items():
        done = meltano(tmp_path, "config", "set", "tap-kometsales", key, str(value)).succeeded()
        assert_absent(api.token, done.output.encode(), f"what is said when {key} is set")
    assert api.token not in (tmp_path / "meltano.yml").read_text(), "a sensitive setting belongs into .env"
    assert api.token in (tmp_path / ".env").read_text()

    catalog = json.loads(meltano(tmp_path, "invoke", "tap-kometsales", "--discover").succeeded().stdout)
    assert [stream["tap_stream_id"] for stream in catalog["streams"]] == ["customers"]
    done = meltano(tmp_path, "invoke", "tap-kometsales").succeeded()
    assert done.stdout.count('"type":"RECORD"') == api.customers
    assert_absent(api.token, done.output.encode(), "what meltano invoke says")


def test_the_example_project_runs(installation: Installation, tmp_path, simulator):
    """As it is, but for the port and for where target-jsonl comes from: tests install nothing from outside."""
    api = simulator()
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".meltano", "output", "wheels", ".env"))
    (folder / "wheels").mkdir()
    (folder / "output").mkdir()
    shutil.copy(installation.wheel, folder / "wheels")
    example = yaml.safe_load((folder / "meltano.yml").read_text())
    (tap,), (loader,) = example["plugins"]["extractors"], example["plugins"]["loaders"]
    assert (tap["config"]["authentication_token"], tap["config"]["base_url"]) == (api.token, "http://127.0.0.1:8080/api")
    tap["config"]["base_url"] = api.url
    assert loader.pop("pip_url") == "target-jsonl==0.1.4"
    loader["executable"] = str(installation.environments / "target-jsonl/bin/target-jsonl")
    (folder / "meltano.yml").write_text(yaml.safe_dump(example))

    meltano(folder, "install").succeeded()
    meltano(folder, "run", "customers").succeeded()
    loaded = folder / "output/customers.jsonl"
    assert len(loaded.read_text().splitlines()) == api.customers
    changed = api.change(5)
    meltano(folder, "run", "customers").succeeded()
    again = {json.loads(line)["id"] for line in loaded.read_text().splitlines()[api.customers :]}
    assert changed <= again and len(again) < api.customers / 10


def test_the_definition_has_what_the_executable_reports_of_itself(tap):
    about = json.loads(tap("--about", "--format", "json").succeeded().run.stdout)
    assert DEFINITION["name"] == about["name"]
    assert sorted(DEFINITION["capabilities"]) == sorted(about["capabilities"])
    declared, defined = about["settings"]["properties"], {one["name"]: one for one in DEFINITION["settings"]}
    assert list(defined) == list(declared)
    assert DEFINITION["settings_group_validation"] == [about["settings"]["required"]]
    for key, schema in declared.items():
        kind = "date_iso8601" if schema.get("format") == "date" else schema["type"]
        expected = {"name": key, "label": schema["title"], "description": schema["description"], "kind": kind}
        if schema.get("airbyte_secret"):
            expected["sensitive"] = True
        if "default" in schema:
            expected["value"] = schema["default"]
        if "examples" in schema:
            expected["placeholder"] = str(schema["examples"][0])
        assert defined[key] == expected
    # Meltano 4.4.1 fails on a decimal that comes from the environment.
    assert {one["kind"] for one in defined.values()} <= {"string", "integer", "boolean", "date_iso8601"}


def test_the_example_project_declares_what_the_definition_does():
    example = yaml.safe_load((EXAMPLE / "meltano.yml").read_text())
    (tap,) = example["plugins"]["extractors"]
    for key in ("name", "namespace", "pip_url", "executable", "capabilities"):
        assert tap[key] == DEFINITION[key]
    defined = {setting["name"]: setting for setting in DEFINITION["settings"]}
    for setting in tap["settings"]:
        assert setting.items() <= {"kind": "string", **defined[setting["name"]]}.items()
