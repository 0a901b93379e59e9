"""Meltano, run as its users run it: by its command, in a project folder."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import yaml
from secrecy import assert_absent

REPOSITORY = Path(__file__).resolve().parents[3]
DEFINITION = yaml.safe_load((REPOSITORY / "examples/meltano/tap-kometsales.yml").read_text())
STATE_ID = "dev:tap-kometsales-to-{loader}"

# Nothing but loopback can be reached: there is no Hub, and what asks for a web page or a package gets no answer.
_DEAD = "http://127.0.0.1:9"
_OFFLINE = {
    "MELTANO_HUB_URL": _DEAD,
    "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
    "NO_COLOR": "1",
    "UV_OFFLINE": "1",
    "PIP_NO_INDEX": "1",
    **{name: _DEAD for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")},
    "no_proxy": "127.0.0.1,localhost",
    "NO_PROXY": "127.0.0.1,localhost",
}


@dataclass
class Done:
    """One finished command of Meltano."""

    command: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    def succeeded(self) -> Done:
        assert self.exit_code == 0, self
        return self

    def failed(self) -> Done:
        assert self.exit_code != 0, self
        return self

    def __str__(self) -> str:
        return f"meltano {' '.join(self.command)}: exit code {self.exit_code}\n{self.stdout[-3000:]}\n{self.stderr[-6000:]}"


def meltano(folder: Path, *arguments: str, timeout: int = 120, **environment: str) -> Done:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MELTANO", "TAP_", "TARGET_", "SINGER_", "VIRTUAL_ENV")) and not name.lower().endswith("_proxy")
    }
    home = folder / ".home"
    home.mkdir(exist_ok=True)
    binaries = Path(sys.executable).parent
    path = f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        [binaries / "meltano", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=folder,
        env={**inherited, **_OFFLINE, "HOME": str(home), "PATH": path, **environment},
        check=False,
    )
    return Done(arguments, done.returncode, done.stdout, done.stderr)


class Installation:
    """A project in which Meltano has installed the wheel, from which others are copied: an installation takes seconds."""

    def __init__(self, folder: Path, environments: Path, wheel: Path) -> None:
        self.folder, self.environments, self.wheel = folder, environments, wheel
        self.extractor = {**deepcopy(DEFINITION), "pip_url": f"--no-deps {wheel}"}
        _write(folder, {"extractors": [self.extractor]})
        meltano(folder, "install").succeeded()
        meltano(folder, "--environment=dev", "state", "list").succeeded()  # makes Meltano's database

    def loader(self, name: str, **config: object) -> dict:
        """A target as meltano.yml has it, in the environment that tests/hosts/singer/run made for it."""
        return {
            "name": name,
            "namespace": name.replace("-", "_"),
            "executable": str(self.environments / name / "bin" / name),
            "settings": [{"name": key} for key in config],
            "config": config,
        }


@dataclass
class Project:
    """A Meltano project of one pipeline. The token is in `.env`, and must be nowhere else after any command."""

    folder: Path
    token: str
    loader: str
    _lines: int = 0

    @classmethod
    def made(cls, installation: Installation, folder: Path, config: dict, loader: dict | None = None, **extras: object) -> Project:
        settings = {key: value for key, value in config.items() if key != "authentication_token"}
        loader = loader or installation.loader("target-jsonl", destination_path="output", do_timestamp_file=False)
        extractor = {**deepcopy(installation.extractor), "config": settings, **extras}
        _write(folder, {"extractors": [extractor], "loaders": [loader]})
        (folder / ".env").write_text(f"TAP_KOMETSALES_AUTHENTICATION_TOKEN={json.dumps(config['authentication_token'])}\n")
        (folder / "output").mkdir()
        own = folder / ".meltano"
        own.mkdir()
        (own / "extractors").symlink_to(installation.folder / ".meltano/extractors")
        shutil.copy(installation.folder / ".meltano/meltano.db", own / "meltano.db")
        return cls(folder, config["authentication_token"], loader["name"])

    def __call__(self, *arguments: str, **environment: str) -> Done:
        """Runs a command, and searches all that it said and left behind for the token."""
        done = meltano(self.folder, *arguments, **environment)
        assert_absent(self.token, done.output.encode(), f"what meltano {arguments[0]} says")
        for place, _, names in os.walk(self.folder):
            for name in names:
                path = Path(place, name)
                if name != ".env":
                    assert_absent(self.token, path.read_bytes(), f"{path.relative_to(self.folder)}, after meltano {arguments[0]}")
        return done

    def run(self, *flags: str, **environment: str) -> Done:
        return self("run", *flags, "tap-kometsales", self.loader, **environment)

    def loaded(self) -> list[dict]:
        """What target-jsonl wrote since this was last asked for."""
        file = self.folder / "output/customers.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        new, self._lines = lines[self._lines :], len(lines)
        return [json.loads(line) for line in new]

    def state(self) -> dict:
        """The state that Meltano keeps of the pipeline, out of its database: `meltano state get` takes seconds."""
        with closing(sqlite3.connect(self.folder / ".meltano/meltano.db")) as database:
            query = "SELECT completed_state FROM state WHERE state_id = ?"
            ((kept,),) = database.execute(query, [STATE_ID.format(loader=self.loader)]).fetchall()
        return json.loads(kept)["singer_state"]

    def bookmark(self) -> dict:
        return self.state()["bookmarks"]["customers"]


def _write(folder: Path, plugins: dict) -> None:
    project = {
        "project_id": "tests",
        "default_environment": "dev",
        "environments": [{"name": "dev"}],
        "plugins": plugins,
    }
    (folder / "meltano.yml").write_text(yaml.safe_dump(project, sort_keys=False))
