"""What these tests share besides what tests/hosts/conftest.py has: the module, which finds the executable under test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
MODULE = REPOSITORY / "python"
BINARIES = Path(sys.executable).parent


@pytest.fixture(scope="session", autouse=True)
def program(executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The executable under test as `kometsales` on PATH: the module is not installed here, so that it looks there."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "kometsales").symlink_to(executable)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        yield folder / "kometsales"


@pytest.fixture
def komet() -> Iterator[dict]:
    """The settings of a simulated company of 3,000 customers."""
    import kometsales

    with kometsales.simulate(customers=3000) as company:
        yield {**company, "retry_window_seconds": 0}


@pytest.fixture
def python() -> Callable[..., subprocess.Popen]:
    """Starts another Python with the module, which runs a program."""

    def start(code: str, *arguments: str) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(MODULE)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, **pipes)

    return start


@pytest.fixture(scope="session")
def wheel(executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that WHEEL names; else it is built where the executable under test was, and nothing is built twice."""
    if "WHEEL" in os.environ:
        return Path(os.environ["WHEEL"]).absolute()
    folder = tmp_path_factory.mktemp("wheel")
    checkout = executable.resolve().parents[2]
    checkout = checkout if (checkout / "Cargo.toml").exists() else REPOSITORY
    environment = {**os.environ, "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}", "CARGO_NET_OFFLINE": "true"}
    command = ["maturin", "build", "--release", "--locked", "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=checkout, env=environment, timeout=2400, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built
