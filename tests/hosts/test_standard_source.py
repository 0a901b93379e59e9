"""airbyte-cdk's standard source tests, pointed at our executable.

The suite is made for connectors in Python: it runs everything in the same process, through one function, `_run_command`. Here
that function starts the executable instead. All of the suite's tests that do not need a Docker image run; none is skipped.

What is left out, and `test_nothing_but_docker_is_left_out` holds it to that:
- `test_docker_image_…`: they build, or start, an image of the connector.
- `test_discover` for configurations that are expected to fail: the suite itself skips it for these.
- `test_config_matches_spec` for a configuration that does not match the specification on purpose.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from airbyte_cdk.test import entrypoint_wrapper
from airbyte_cdk.test.entrypoint_wrapper import EntrypointOutput
from airbyte_cdk.test.models import ConnectorTestScenario
from airbyte_cdk.test.standard_tests import SourceTestSuiteBase

# The suite only warns of what its next version will refuse.
pytestmark = pytest.mark.filterwarnings("error:The discovered catalog has problems")

WRONG_TOKEN = "wr0ng-t0ken-8812&%é"

# What each configuration is expected to do in `check` (`exception`: an error in place of a status), and the tests it is not for.
SCENARIOS = {
    "a good token": ("succeed", []),
    "every setting": ("succeed", []),
    "settings as text": ("succeed", ["test_config_matches_spec"]),
    "a wrong token": ("failed", ["test_discover"]),
    "no token": ("failed", ["test_discover", "test_config_matches_spec"]),
    "a wrong setting": ("failed", ["test_discover", "test_config_matches_spec"]),
    "a server that fails": ("exception", ["test_discover"]),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" in metafunc.fixturenames:
        names = [name for name, (_, left_out) in SCENARIOS.items() if metafunc.function.__name__ not in left_out]
        metafunc.parametrize("scenario", names, indirect=True)


class Executable:
    """What the suite takes for a connector: anything that has a `spec`."""

    def spec(self, logger: object) -> None:
        raise AssertionError("the suite is to run the executable")


class TestSource(SourceTestSuiteBase):
    @classmethod
    def get_connector_root_dir(cls) -> Path:
        # Only its name is used, in messages.
        return Path("source-kometsales")

    @classmethod
    def create_connector(cls, scenario: ConnectorTestScenario | None) -> Executable:
        return Executable()

    @pytest.fixture
    def scenario(self, request: pytest.FixtureRequest, simulator, connector) -> ConnectorTestScenario:
        status, _ = SCENARIOS[request.param]
        api = simulator("server-error:500") if request.param == "a server that fails" else simulator()
        settings = {
            "every setting": {
                "start_date": "2000-01-01",
                "include_inactive": True,
                "timezone": "America/Bogota",
                "lookback_hours": 24,
                "max_rejects": 0,
                "request_timeout_seconds": 60,
                "retry_window_seconds": 10,
            },
            "settings as text": {"include_inactive": "true", "lookback_hours": "7", "start_date": ""},
            "a wrong token": {"authentication_token": WRONG_TOKEN},
            "no token": {"authentication_token": None},
            "a wrong setting": {"lookback_hours": 721},
        }
        config = api.config(**settings.get(request.param, {}))
        config = {key: value for key, value in config.items() if value is not None}
        return ConnectorTestScenario(config_path=connector.file("config.json", config), status=status)

    @pytest.fixture(autouse=True)
    def through_the_executable(self, connector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def run(source, args, expecting_exception=None, *, expected_outcome=None) -> EntrypointOutput:
            done = connector.run(*args)
            # A host goes by the exit code, the suite by the messages: they have to agree.
            assert (done.exit_code == 0) == (not done.errors), done
            return EntrypointOutput(
                messages=[line.decode() for line in done.stdout.splitlines()],
                command=done.command,
                stderr=done.stderr.decode(),
            )

        monkeypatch.setattr(entrypoint_wrapper, "_run_command", run)
        # The suite leaves configurations behind where temporary files go.
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def _tests_of(suite: type) -> set[str]:
    return {name for name in dir(suite) if name.startswith("test_") and getattr(suite, name) is not None}


for name in _tests_of(SourceTestSuiteBase):
    if name.startswith("test_docker_image_"):
        setattr(TestSource, name, None)


def test_nothing_but_docker_is_left_out() -> None:
    assert _tests_of(TestSource) == {
        "test_spec",
        "test_check",
        "test_discover",
        "test_config_matches_spec",
        "test_basic_read",
        "test_fail_read_with_bad_catalog",
    }
    assert all("docker" in name for name in _tests_of(SourceTestSuiteBase) - _tests_of(TestSource))
