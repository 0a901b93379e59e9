"""The executable as a Singer tap, run as a plain process."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property

from programs import FAILURES, Connector, Run
from singer_messages import messages


@dataclass
class TapRun:
    """One finished run of the tap."""

    run: Run

    @property
    def stderr(self) -> str:
        return self.run.stderr.decode()

    @cached_property
    def messages(self) -> list[dict]:
        """What it said, each line proved to be a Singer message, in an order that loses nothing."""
        return messages(self.run.stdout)

    def of(self, kind: str) -> list[dict]:
        return [message for message in self.messages if message["type"] == kind]

    @property
    def types(self) -> set[str]:
        return {message["type"] for message in self.messages}

    @property
    def rows(self) -> list[dict]:
        return [message["record"] for message in self.of("RECORD")]

    @property
    def schema(self) -> dict:
        (message,) = self.of("SCHEMA")
        return message["schema"]

    @property
    def state(self) -> dict:
        """The state that this run ended with."""
        assert self.messages[-1]["type"] == "STATE", self.messages[-1]
        return self.messages[-1]["value"]

    @property
    def bookmark(self) -> dict:
        return self.state["bookmarks"]["customers"]

    def succeeded(self) -> TapRun:
        assert self.run.exit_code == 0, self.run
        assert "CRITICAL" not in self.stderr, self.run
        return self

    def failed(self, kind: str) -> str:
        """Its last line on stderr, having proved that it failed in this way and sent no state."""
        assert self.run.exit_code == FAILURES[kind][1], f"expected a failure of kind {kind}\n{self.run}"
        assert not self.of("STATE"), self.run
        last = self.stderr.splitlines()[-1]
        assert last.startswith("CRITICAL "), self.run
        return last


@dataclass
class Tap:
    """Runs the tap. After every run its whole output is searched for the tokens it was given."""

    connector: Connector

    def __call__(self, *arguments: object, **options: object) -> TapRun:
        return TapRun(self.connector.run(*map(str, arguments), **options))

    def discover(self) -> dict:
        """The catalog of `--discover`."""
        return json.loads(self("--discover").succeeded().run.stdout)

    def sync(self, config: dict, catalog: dict | None = None, state: object = None, **options: object) -> TapRun:
        arguments = ["--config", self.connector.file("config.json", config)]
        if catalog is not None:
            arguments += ["--catalog", self.connector.file("catalog.json", catalog)]
        if state is not None:
            arguments += ["--state", self.connector.file("state.json", state)]
        return self(*arguments, **options)


def stream_of(catalog: dict) -> dict:
    (stream,) = catalog["streams"]
    return stream


def metadata_of(catalog: dict, *breadcrumb: str) -> dict:
    """The metadata of the stream, or of a field: `metadata_of(catalog, "properties", "name")`. It can be changed."""
    (entry,) = [entry for entry in stream_of(catalog)["metadata"] if entry["breadcrumb"] == list(breadcrumb)]
    return entry["metadata"]


def selecting(catalog: dict, *names: str) -> dict:
    """The catalog as Meltano writes it when these fields are selected: first nothing is, the automatic fields neither."""
    catalog = deepcopy(catalog)
    for entry in stream_of(catalog)["metadata"]:
        entry["metadata"]["selected"] = not entry["breadcrumb"] or entry["breadcrumb"][-1] in names
    return catalog
