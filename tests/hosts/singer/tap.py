"""The executable as a Singer tap, run as a plain process. What it answers is the matter of tests/it/singer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from programs import Connector, Run
from singer_messages import messages


@dataclass
class TapRun:
    """One finished run of the tap."""

    run: Run

    @cached_property
    def messages(self) -> list[dict]:
        """What it said, each line proved to be a Singer message, in an order that loses nothing."""
        return messages(self.run.stdout)

    @property
    def rows(self) -> list[dict]:
        return [message["record"] for message in self.messages if message["type"] == "RECORD"]

    def succeeded(self) -> TapRun:
        assert self.run.exit_code == 0, self.run
        assert b"CRITICAL" not in self.run.stderr, self.run
        return self


@dataclass
class Tap:
    """Runs the tap. After every run its whole output is searched for the tokens it was given."""

    connector: Connector

    def __call__(self, *arguments: object) -> TapRun:
        return TapRun(self.connector.run(*map(str, arguments)))

    def sync(self, config: dict) -> TapRun:
        """Reads everything."""
        return self("--config", self.connector.file("config.json", config))


def stream_of(catalog: dict) -> dict:
    (stream,) = catalog["streams"]
    return stream
