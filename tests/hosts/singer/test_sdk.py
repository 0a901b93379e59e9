"""The tests that Meltano's SDK has for taps, and singer-tools' check, pointed at the executable.

The SDK tests a Python class. The class here asks the executable for everything, so what is tested is what the executable says.
What these suites miss (a key that occurs twice, a STATE before records, ...) singer_messages.py looks for in every run.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from conftest import ENVIRONMENTS, REPOSITORY
from programs import Simulator
from singer_messages import assert_rows_match, messages
from singer_sdk import Stream, Tap
from singer_sdk.testing import factory
from singer_sdk.testing.runners import TapTestRunner
from singer_sdk.testing.suites import tap_stream_attribute_tests, tap_stream_tests, tap_tests
from tap import stream_of

EXECUTABLE = Path(os.environ.get("KOMETSALES", REPOSITORY / "target/release/kometsales"))
CUSTOMERS = 2000

# The suite is made when this file is read; where the simulator listens is known when the tests start.
CONFIG = {"authentication_token": "not known yet"}


@pytest.fixture(scope="module", autouse=True)
def simulated(tmp_path_factory):
    # With new fields, every column that there can be has a value somewhere.
    api = Simulator(EXECUTABLE, tmp_path_factory.mktemp("simulator"), CUSTOMERS, ("new-fields",))
    CONFIG.update(api.config())
    yield api
    api.stop()


def execute(*arguments: str, config: dict | None = None) -> subprocess.CompletedProcess:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(EXECUTABLE), *arguments]
        if config is not None:
            file = Path(folder, "config.json")
            file.write_text(json.dumps(config))
            command += ["--config", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)


class ExecutableStream(Stream):
    def get_records(self, context):
        raise NotImplementedError("the records come from the executable")


class ExecutableTap(Tap):
    name = "tap-kometsales"
    config_jsonschema = json.loads(execute("--about", "--format=json").stdout)["settings"]

    @property
    def catalog_dict(self) -> dict:
        return json.loads(execute("--discover").stdout)

    def run_discovery(self) -> str:
        return execute("--discover").stdout

    def discover_streams(self) -> list[Stream]:
        found = []
        for entry in self.catalog_dict["streams"]:
            stream = ExecutableStream(tap=self, name=entry["tap_stream_id"], schema=entry["schema"])
            stream.primary_keys, stream.replication_key = entry["key_properties"], entry["replication_key"]
            found.append(stream)
        return found

    def run_connection_test(self) -> bool:
        execute("--test", config=dict(CONFIG))
        return True

    @classmethod
    def print_version(cls, print_fn=print) -> None:
        assert execute("--version").stdout.strip()

    @classmethod
    def print_about(cls, output_format=None) -> None:
        assert execute("--about", *([f"--format={output_format}"] if output_format else [])).stdout.strip()


class ExecutableRunner(TapTestRunner):
    def _execute_sync(self) -> tuple[str, str]:
        done = execute(config=dict(CONFIG))
        return done.stdout, done.stderr


with mock.patch.object(factory, "TapTestRunner", ExecutableRunner):
    TestTap = factory.TapTestClassFactory(ExecutableTap, config=CONFIG).new_test_class(parse_env_config=False)


def test_every_test_of_the_suite_that_can_apply_is_run():
    offered = {f"test_{suite.kind}_{test.name}" for suite in (tap_tests, tap_stream_tests, tap_stream_attribute_tests) for test in suite.tests}
    # No column is a number with decimals.
    assert {name for name in dir(TestTap) if name.startswith("test_")} == offered - {"test_tap_stream_attribute_is_numeric"}


def test_what_the_suite_misses():
    catalog = json.loads(execute("--discover").stdout)
    found = messages(execute(config=dict(CONFIG)).stdout.encode())
    assert (found[0]["type"], found[-1]["type"]) == ("SCHEMA", "STATE")
    assert {message["type"] for message in found} == {"SCHEMA", "RECORD", "STATE"}
    assert found[0]["schema"] == stream_of(catalog)["schema"]
    assert found[0]["key_properties"] == stream_of(catalog)["key_properties"]
    rows = [message["record"] for message in found if message["type"] == "RECORD"]
    assert len(rows) == CUSTOMERS
    assert_rows_match(rows, found[0]["schema"])
    bookmark = found[-1]["value"]["bookmarks"]["customers"]
    assert bookmark["replication_key_value"] == max(row["updatedOn"] for row in rows if row["updatedOn"])


@pytest.mark.parametrize("fault", ["healthy", "mixed-types", "invalid-values", "fractions", "new-fields", "not-found"])
def test_singer_check_tap_by_pipe(simulator, tap, fault):
    """By pipe: its own way to run a tap, -t, now and then reads a run to its end too late and fails it."""
    said = tap.sync(simulator(fault, customers=CUSTOMERS).config()).succeeded()
    done = subprocess.run(
        [ENVIRONMENTS / "check-tap/bin/singer-check-tap"], input=said.run.stdout, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done
    assert f"contained {len(said.messages)} messages for 1 streams" in done.stdout.decode(), done
