"""What these tests share besides what tests/hosts/conftest.py has: the wheel, Meltano projects and a PostgreSQL server."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# tests/hosts/run, whose environment lacks what is needed here, passes these tests over.
collect_ignore_glob = [] if importlib.util.find_spec("meltano") else ["*"]

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
ENVIRONMENTS = REPOSITORY / ".venvs/singer"
EXAMPLE = REPOSITORY / "examples/meltano"

if not collect_ignore_glob:
    from meltano_project import Installation, Project
    from postgres import Postgres
    from tap import Tap


@pytest.fixture
def tap(connector) -> Tap:
    return Tap(connector)


@pytest.fixture(scope="session")
def target() -> str:
    """What Rust calls this machine."""
    said = subprocess.run(["rustc", "--version", "--verbose"], capture_output=True, text=True, check=True, timeout=60).stdout
    (host,) = [line.removeprefix("host: ") for line in said.splitlines() if line.startswith("host: ")]
    return host


@pytest.fixture(scope="session")
def wheel(target: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as the README says."""
    folder = tmp_path_factory.mktemp("wheel")
    binaries = Path(sys.executable).parent

    def run(*command: object, **environment: str) -> None:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            timeout=1200,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    run(
        *(binaries / "maturin", "build", "--release", "--locked", "--target", target, "--out", folder),
        RUSTFLAGS="-C target-feature=+crt-static",
        CARGO_NET_OFFLINE="true",
    )
    (built,) = folder.glob("*.whl")
    machine = target.split("-")[0]
    run(sys.executable, "-m", "wheel", "tags", "--remove", f"--platform-tag=+musllinux_1_2_{machine}", built)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The tap, installed by Meltano from the wheel."""
    return Installation(tmp_path_factory.mktemp("meltano"), ENVIRONMENTS, wheel)


@pytest.fixture
def project(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    """Makes a Meltano project with the tap in it: `project(config, loaders=…)`."""

    def make(config: dict, **parts: object) -> Project:
        return Project.made(installation, tmp_path_factory.mktemp("project"), config, **parts)

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server
