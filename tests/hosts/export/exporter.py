"""`export` and `show` as programs: run to their end, or started for a test to stop."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass

from programs import FAILURES, Connector, Run
from secrecy import assert_absent
from stores import Folders, Place

STDOUT = Place("-", Folders())

SUMMARY = {
    "to",
    "kind",
    "mode",
    "run",
    "received",
    "rows",
    "unchanged",
    "rejects",
    "rejects_to",
    "not_returned",
    "deleted",
    "restored",
    "withheld",
    "bytes",
    "files",
    "seconds",
    "version",
    "committed",
    "cursor",
    "extracted_at",
    "table_rows",
    "vacuumed",
}
KINDS = {"inserted", "updated", "deleted", "restored", "unchanged"}
DIFFERENCE = {"to", "kind", "mode", "dry_run", "version", "received", "rejects", "extracted_at", "is_complete", "withheld"} | KINDS
SHOWN = {
    *("to", "kind", "mode", "rows", "keys", "deleted", "active", "excluded", "hashed"),
    *("version", "cursor", "bytes", "files", "runs", "months"),
}
VACUUMED = {"to", "dry_run", "version", "oldest_version", "retain_seconds", "files", "orphans", "log", "rejects"}


@dataclass
class Exporter:
    """The executable under test, as a tool that exports."""

    connector: Connector

    def run(self, config: dict, to: Place, *flags: str, environment: dict[str, str] | None = None) -> Run:
        """Runs `export` to its end. No secret of the store may be in what it says, nor the token."""
        return self.connector.run(
            *self._arguments(config, to, flags),
            secrets=to.secrets,
            environment={**to.environment, **(environment or {})},
        )

    def export(self, config: dict, to: Place, *flags: str, environment: dict[str, str] | None = None) -> dict:
        """Runs an `export` that succeeds, and returns its summary."""
        run = self.run(config, to, *flags, "--json", environment=environment)
        assert run.exit_code == 0, run
        return _object(run, SUMMARY)

    def dry_run(self, config: dict, to: Place, *flags: str) -> dict:
        """Asks what an `export` would change."""
        run = self.run(config, to, *flags, "--json", "--dry-run")
        assert run.exit_code == 0, run
        return _object(run, DIFFERENCE)

    def show(self, place: Place) -> dict:
        run = self.connector.run("show", place.url, "--json", secrets=place.secrets, environment=place.environment)
        assert run.exit_code == 0, run
        return _object(run, SHOWN)

    def vacuum(self, place: Place, *flags: str) -> dict:
        """Runs a `vacuum` that succeeds, and returns what it says."""
        run = self.connector.run(
            "vacuum", place.url, "--json", *flags, secrets=place.secrets, environment=place.environment
        )
        assert run.exit_code == 0, run
        return _object(run, VACUUMED)

    def start_vacuum(self, place: Place, *flags: str) -> subprocess.Popen:
        return self._start(["vacuum", place.url, *flags], place)

    def start(self, config: dict, to: Place, *flags: str) -> subprocess.Popen:
        return self._start(self._arguments(config, to, flags), to)

    def _start(self, arguments: list, to: Place) -> subprocess.Popen:
        return subprocess.Popen(
            [str(self.connector.executable), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.connector.directory,
            env={**os.environ, **to.environment},
        )

    def finish(self, process: subprocess.Popen, config: dict, to: Place) -> Run:
        """Waits for an `export` that was started."""
        try:
            stdout, stderr = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=20)
            raise
        run = Run([*map(str, process.args[1:])], process.returncode, stdout, stderr)
        for secret in (config["authentication_token"], *to.secrets):
            assert_absent(secret, stdout + stderr, "what export said")
        assert b"panicked" not in stderr, run
        return run

    def _arguments(self, config: dict, to: Place, flags: tuple[str, ...]) -> list:
        return ["export", "--config", self.connector.file("config.json", config), "--to", to.url, *flags]


def _object(run: Run, keys: set[str]) -> dict:
    """The one object on stdout, on a line of its own."""
    assert run.stdout.count(b"\n") == 1 and run.stdout.endswith(b"\n"), run
    said = json.loads(run.stdout)
    assert set(said) == keys, f"{set(said) ^ keys}\n{run}"
    return said


def assert_failed(run: Run, kind: str) -> str:
    """That it failed in this way, without a result; returns what it said for people."""
    _, exit_code = FAILURES[kind]
    assert run.exit_code == exit_code, f"exit code {run.exit_code}, expected {exit_code} ({kind})\n{run}"
    if "--json" in run.command:
        error = json.loads(run.stdout)["error"]
        assert (error["kind"], error["exit_code"], error["retry"]) == (kind, exit_code, kind == "transient"), run
    else:
        assert run.stdout == b"", run
    said = run.stderr.decode()
    assert said.strip(), run
    return said


def has_time(text: str) -> bool:
    """Whether this is an instant in UTC, as states have it."""
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", text) is not None
