"""The wheel in clean environments: uvx, pip, and PyAirbyte, which installs a connector by `pip_url`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import kometsales
import pytest
from conftest import BINARIES, REPOSITORY

UV = BINARIES / "uv"
# What the wheel depends on; no index is asked.
LINKS = REPOSITORY / ".venvs/python/links"
OFFLINE = ["--offline", "--no-index", f"--find-links={LINKS}"]
HOSTS = REPOSITORY / ".venvs/hosts/requirements/bin/python"

READ = """
import kometsales, shutil
assert shutil.which("kometsales") is None
with kometsales.simulate(customers=20) as komet:
    rows = kometsales.read(**komet)
    assert len(rows) == 20 and rows.columns[0] == "id"
    print(kometsales.export("lake", **komet)["rows"])
"""

PYAIRBYTE = """
import json, sys, airbyte
source = airbyte.get_source("source-kometsales", pip_url=sys.argv[1], config=json.loads(sys.stdin.read()), streams=["customers"])
source.check()
cache = airbyte.new_local_cache("wheel")
print("read", source.read(cache=cache)["customers"].to_pandas().shape[0])
"""


def _environment(folder: Path) -> dict[str, str]:
    """A user who has nothing but uv: no program of ours on PATH, a home of his own."""
    tools = folder / "tools"
    if not tools.exists():
        tools.mkdir()
        (tools / "uv").symlink_to(UV)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KOMETSALES", "PYTHON", "VIRTUAL_ENV"))}
    return {**clean, "HOME": str(folder), "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin", "UV_CACHE_DIR": str(folder / "cache")}


def _run(*command: object, folder: Path, input: str | None = None) -> str:
    words = [str(word) for word in command]
    environment = _environment(folder)
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, env=environment, input=input, timeout=280, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["kometsales", "demo", "--customers", "50"], "2. Keep it current"),
        (["tap-kometsales", "--about"], "# `tap-kometsales`"),
        (["source-kometsales", "spec"], '"type":"SPEC"'),
    ],
)
def test_uvx_runs_it_from_nothing(command, said, wheel, tmp_path):
    assert said in _run(UV, "tool", "run", *OFFLINE, f"--python={sys.executable}", "--from", wheel, *command, folder=tmp_path)


@pytest.mark.parametrize("where", ["environment", "target"])
def test_pip_installs_a_module_that_finds_its_program(where, wheel, tmp_path):
    python = tmp_path / "venv/bin/python"
    _run(UV, "venv", "--quiet", "--offline", "--no-project", f"--python={sys.executable}", tmp_path / "venv", folder=tmp_path)
    install = [UV, "pip", "install", "--quiet", *OFFLINE, f"--python={python}"]
    if where == "environment":
        _run(*install, wheel, folder=tmp_path)
        said = _run(python, "-c", READ, folder=tmp_path)
    else:
        _run(*install, f"--target={tmp_path / 'packages'}", wheel, folder=tmp_path)
        said = _run(python, "-c", f"import sys; sys.path.insert(0, 'packages')\n{READ}", folder=tmp_path)
    assert said.strip() == "20"


def test_pyairbyte_installs_it_by_pip_url(wheel, tmp_path):
    with kometsales.simulate(customers=40) as komet:
        code = f"import os; os.environ.update(AIRBYTE_OFFLINE_MODE='1', DO_NOT_TRACK='1')\n{PYAIRBYTE}"
        said = _run(HOSTS, "-c", code, f"--no-deps {wheel}", folder=tmp_path, input=json.dumps(dict(komet)))
    assert "read 40" in said, said
