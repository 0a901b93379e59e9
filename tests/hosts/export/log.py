"""The log of a Delta table, read as the files it is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from stores import Place

_COMMIT = re.compile(r"customers/_delta_log/(\d{20})\.json")
_LOG = re.compile(r"customers/_delta_log/(\d{20}\.json|\d{20}\.checkpoint(\.[\w.-]+)?\.parquet|_last_checkpoint|\d{20}\.crc)")


@dataclass
class Commit:
    version: int
    actions: list[dict]

    def of(self, kind: str) -> list[dict]:
        return [action[kind] for action in self.actions if kind in action]


def commits(files: dict[str, bytes]) -> list[Commit]:
    """The commits that are there as JSON, in order."""
    found = []
    for name, content in files.items():
        if match := _COMMIT.fullmatch(name):
            lines = content.splitlines()
            actions = [json.loads(line) for line in lines]
            assert all(len(action) == 1 for action in actions), f"{name}: {actions}"
            found.append(Commit(int(match[1]), actions))
    return sorted(found, key=lambda commit: commit.version)


def is_checkpoint(name: str) -> bool:
    return name.startswith("customers/_delta_log/") and ".checkpoint" in name


def left_over(place: Place) -> set[str]:
    """The files in the folder of the table that no commit ever named: what a run that did not commit has left."""
    files = place.files()
    named = {f"customers/{add['path']}" for commit in commits(files) for add in commit.of("add")}
    return {name for name in files if name not in named and not _LOG.fullmatch(name)}
