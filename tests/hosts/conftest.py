"""What the tests share: the executable, a simulator, and a guard against speaking to anything but loopback."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

# PyAirbyte reads these when it is imported: no connector registry, no telemetry, nothing outside this directory.
_scratch = tempfile.TemporaryDirectory(prefix="kometsales-hosts-")
os.environ.update(
    AIRBYTE_OFFLINE_MODE="1",
    DO_NOT_TRACK="1",
    AIRBYTE_PROJECT_DIR=_scratch.name,
    AIRBYTE_LOGGING_ROOT=_scratch.name,
    AIRBYTE_TEMP_DIR=_scratch.name,
    NO_COLOR="1",
)
# The connector must not pick up settings of whoever runs the tests.
for name in [name for name in os.environ if name.startswith(("KOMETSALES_", "TAP_KOMETSALES_"))]:
    del os.environ[name]

from programs import Connector, Simulator  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def executable() -> Path:
    """The executable under test."""
    path = Path(os.environ.get("KOMETSALES", REPOSITORY / "target/release/kometsales")).absolute()
    assert os.access(path, os.X_OK), f"There is no executable at {path}: run 'cargo build --release', or set KOMETSALES."
    return path


@pytest.fixture(scope="session")
def source(executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executable under the name that Airbyte's tools expect of a source."""
    link = tmp_path_factory.mktemp("bin") / "source-kometsales"
    link.symlink_to(executable)
    return link


@pytest.fixture
def connector(executable: Path, tmp_path: Path) -> Connector:
    return Connector(executable, tmp_path)


@pytest.fixture
def simulator(executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Simulator]]:
    """Starts simulators, `simulator("cut:5000", customers=300)`, and ends them with the test."""
    running: list[Simulator] = []

    def start(*faults: str, customers: int = 300) -> Simulator:
        running.append(Simulator(executable, tmp_path_factory.mktemp("simulator"), customers, faults))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def nobody_listens() -> str:
    """A base URL on loopback at which nothing answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/api"


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuses, and afterwards reports, every attempt of a host to reach another machine."""
    attempts: list[str] = []

    def guarded(method: Callable) -> Callable:
        def connect(self: socket.socket, address: object) -> object:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
                attempts.append(str(address[0]))
                raise ConnectionRefusedError(f"tests speak to loopback only, not to {address[0]}")
            return method(self, address)

        return connect

    look_up = socket.getaddrinfo

    def getaddrinfo(host: object, *rest: object, **more: object) -> object:
        if host and not _is_loopback(host):
            attempts.append(str(host))
            raise socket.gaierror(f"tests speak to loopback only, not to {host}")
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    assert not attempts, f"a host tried to reach {sorted(set(attempts))}"


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
