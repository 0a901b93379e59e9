"""The two programs that the tests run: the connector, and the simulator of the API that it reads."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path

from airbyte_messages import messages
from secrecy import assert_absent

STREAM = "customers"

# What `failure_type` and exit code a failure of each kind has.
FAILURES = {
    "config": ("config_error", 78),
    "auth": ("config_error", 77),
    "transient": ("transient_error", 75),
    "data": ("system_error", 65),
    "system": ("system_error", 70),
}

# Speaks to loopback whatever proxies the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Run:
    """One finished run of the connector."""

    command: list[str]
    exit_code: int
    stdout: bytes
    stderr: bytes

    @cached_property
    def messages(self) -> list[dict]:
        """What it said, each line proved to be an Airbyte message."""
        return messages(self.stdout)

    def of(self, kind: str) -> list[dict]:
        """The payloads of one type of message, such as the `record` of every RECORD."""
        found = [message for message in self.messages if message["type"] == kind]
        return [next(value for key, value in message.items() if key != "type") for message in found]

    def traces(self, kind: str) -> list[dict]:
        return [trace[kind.lower()] for trace in self.of("TRACE") if trace["type"] == kind]

    @property
    def records(self) -> list[dict]:
        return self.of("RECORD")

    @property
    def rows(self) -> list[dict]:
        return [record["data"] for record in self.records]

    @property
    def errors(self) -> list[dict]:
        return self.traces("ERROR")

    @property
    def statuses(self) -> list[str]:
        return [status["status"] for status in self.traces("STREAM_STATUS")]

    @property
    def stream_state(self) -> dict:
        """The state that this read ends with."""
        (state,) = self.of("STATE")
        return state["stream"]["stream_state"]

    @property
    def logs(self) -> str:
        return "\n".join(log["message"] for log in self.of("LOG"))

    def succeeded(self) -> "Run":
        assert self.exit_code == 0, f"exit code {self.exit_code}\n{self}"
        assert not self.errors, self
        return self

    def failed(self, kind: str) -> dict:
        """The one error with which it failed, of the right type and with the right exit code."""
        failure_type, exit_code = FAILURES[kind]
        assert self.exit_code == exit_code, f"exit code {self.exit_code}, expected {exit_code} ({kind})\n{self}"
        assert len(self.errors) == 1, f"{len(self.errors)} TRACE ERROR messages\n{self}"
        (error,) = self.errors
        assert error["failure_type"] == failure_type, error
        assert error["message"].strip(), error
        return error

    def __str__(self) -> str:
        return (
            f"{' '.join(self.command)}\nexit code {self.exit_code}\nstdout: {self.stdout[-2000:].decode(errors='replace')}"
            f"\nstderr: {self.stderr[-2000:].decode(errors='replace')}"
        )


@dataclass
class Connector:
    """The executable under test. After every run its whole output is searched for the tokens it was given."""

    executable: Path
    directory: Path
    _numbers: count = field(default_factory=count)

    def file(self, name: str, content: object) -> Path:
        """Writes a file for the connector to read: text and bytes as they are, everything else as JSON."""
        path = self.directory / f"{next(self._numbers)}-{name}"
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content, ensure_ascii=False)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def run(self, *arguments: str | Path, secrets: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> Run:
        """Runs a verb. `secrets` are tokens to search for besides those in the configurations that it is given."""
        command = [str(self.executable), *map(str, arguments)]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            cwd=self.directory,
            env={**os.environ, **(environment or {})},
            check=False,
        )
        run = Run(command[1:], done.returncode, done.stdout, done.stderr)
        for secret in (*secrets, *_tokens(command)):
            assert_absent(secret, run.stdout, f"stdout of {run.command[0]}")
            assert_absent(secret, run.stderr, f"stderr of {run.command[0]}")
        assert b"panicked" not in run.stderr, run
        return run

    def spec(self) -> dict:
        (spec,) = self.run("spec").succeeded().of("SPEC")
        return spec["connectionSpecification"]

    def check(self, config: dict, *flags: str, **options) -> Run:
        return self.run("check", "--config", self.file("config.json", config), *flags, **options)

    def discover(self, config: dict, *flags: str, **options) -> Run:
        return self.run("discover", "--config", self.file("config.json", config), *flags, **options)

    def stream(self, config: dict) -> dict:
        """The stream that `discover` declares."""
        (catalog,) = self.discover(config).succeeded().of("CATALOG")
        (stream,) = catalog["streams"]
        return stream

    def read(
        self,
        config: dict,
        mode: str = "incremental",
        state: object = None,
        *flags: str,
        catalog: object = None,
        **options,
    ) -> Run:
        """One `read`, of everything that `discover` declares where no catalog is given, without a state file where none is."""
        if catalog is None:
            catalog = configured(self.stream(config), mode)
        arguments = ["read", "--config", self.file("config.json", config), "--catalog", self.file("catalog.json", catalog)]
        if state is not None:
            arguments += ["--state", self.file("state.json", state)]
        return self.run(*arguments, *flags, **options)


def _tokens(command: list[str]) -> list[str]:
    """The tokens in the configurations that a command line names, where they can be read."""
    tokens = []
    for flag, path in zip(command, command[1:], strict=False):
        if flag == "--config":
            try:
                token = json.loads(Path(path).read_bytes())["authentication_token"]
            except (OSError, ValueError, LookupError, TypeError):
                continue
            if isinstance(token, str) and token:
                tokens.append(token)
    return tokens


def configured(stream: dict, mode: str = "incremental") -> dict:
    """The catalog of a connection that reads `stream`."""
    return {
        "streams": [
            {
                "stream": stream,
                "sync_mode": mode,
                "destination_sync_mode": "append_dedup" if mode == "incremental" else "overwrite",
                "cursor_field": stream.get("default_cursor_field", []),
                "primary_key": stream.get("source_defined_primary_key", []),
            }
        ]
    }


def state_of(stream_state: dict | None) -> list[dict]:
    """A state file as a host writes it."""
    stream = {"stream_descriptor": {"name": STREAM}, "stream_state": stream_state}
    return [{"type": "STREAM", "stream": stream}]


class Simulator:
    """A running `simulate`."""

    def __init__(self, executable: Path, directory: Path, customers: int, faults: tuple[str, ...]) -> None:
        self.customers = customers
        said = directory / "simulator.stdout"
        complained = directory / "simulator.stderr"
        arguments = ["simulate", "--port", "0", "--customers", str(customers)]
        for fault in faults:
            arguments += ["--fault", fault]
        with said.open("wb") as stdout, complained.open("wb") as stderr:
            self._process = subprocess.Popen(
                [executable, *arguments], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, cwd=directory
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            text = said.read_text(errors="replace")
            if text.endswith("\n"):
                config = json.loads(text)
                self.url, self.token = config["base_url"], config["authentication_token"]
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.01)
        self.stop()
        raise AssertionError(f"{' '.join(arguments)} did not start: {said.read_text()}{complained.read_text()}")

    def config(self, **settings: object) -> dict:
        """A configuration that reads from here and does not retry unless a setting says so."""
        return {"authentication_token": self.token, "base_url": self.url, "retry_window_seconds": 0, **settings}

    def change(self, customers: int, how: str = "change") -> set[int]:
        """Edits this many customers now, or removes or restores them, and returns their ids."""
        url = f"{self.url.removesuffix('/api')}/simulator/{how}?customers={customers}"
        with _direct.open(urllib.request.Request(url, method="POST"), timeout=20) as reply:
            answer = json.load(reply)
        assert answer["changed"] == customers, answer
        return {int(id) for id in answer["ids"]}

    def reply(self) -> list[dict]:
        """All customers, as the API itself gives them to whoever asks."""
        url = f"{self.url}/customer.list?includeInactive=true&authenticationToken={self.token}"
        with _direct.open(url, timeout=20) as reply:
            return json.load(reply)["customers"]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(timeout=20)
