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
BINARIES = Path(sys.executable).parent
EXAMPLE = REPOSITORY / "examples/meltano"

if not collect_ignore_glob:
    from meltano_project import Installation, Project
    from postgres import Postgres
    from tap import Tap


@pytest.fixture
def tap(connector) -> Tap:
    return Tap(connector)


@pytest.fixture(scope="session")
def checkout(executable: Path) -> Path:
    """The folder in which the executable under test was built, and where nothing is built twice."""
    folder = executable.parents[2]
    return folder if (folder / "Cargo.toml").exists() else REPOSITORY


@pytest.fixture(scope="session")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel for this machine, built as the README says."""
    folder = tmp_path_factory.mktemp("wheel")
    _build(checkout, BINARIES / "maturin", "build", "--release", "--locked", "--out", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def shipped(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel for every machine. tests/long builds it whole; else its executable is the image's, which is there already."""
    folder = tmp_path_factory.mktemp("shipped")
    flags = [] if "WHOLE_WHEEL" in os.environ else ["--no-default-features"]
    _build(checkout, checkout / "packaging/wheel", folder, *flags)
    (built,) = folder.glob("*.whl")
    return built


def _build(folder: Path, *command: object) -> None:
    environment = {**os.environ, "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}", "CARGO_NET_OFFLINE": "true"}
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, env=environment, timeout=2400, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


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
