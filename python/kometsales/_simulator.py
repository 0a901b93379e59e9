"""A simulated Komet Sales on this machine."""

from __future__ import annotations

import atexit
import json
import signal
import subprocess
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from ._errors import of_exit_code
from ._program import end, executable


class Simulator(Mapping[str, str]):
    """A simulated Komet Sales, and the settings with which it is read: ``kometsales.read(**komet)``.

    It ends with its ``with`` block, by ``close()``, or with this Python.
    """

    def __init__(self, arguments: list[str]) -> None:
        # Its requests are for people at a terminal.
        self._process = subprocess.Popen(
            [executable(), "simulate", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        atexit.register(self.close)
        try:
            assert self._process.stdout is not None and self._process.stderr is not None
            line = self._process.stdout.readline()
            if not line:
                told = self._process.stderr.read().decode(errors="replace")
                message = told.removeprefix("error: ").split("\n\n")[0].strip()
                raise of_exit_code(self._process.wait(), message)
            self._process.stderr.close()
        except BaseException:
            self.close()
            raise
        self._settings: dict[str, str] = json.loads(line)
        self._settings.pop("company", None)

    def close(self) -> None:
        """Ends it."""
        end(self._process, signal.SIGTERM)
        atexit.unregister(self.close)

    def __getitem__(self, key: str) -> str:
        return self._settings[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def __repr__(self) -> str:
        return f"<kometsales.Simulator at {self['base_url']}>"

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def change(self, customers: int = 1) -> Any:
        """Edits so many of its customers, as people do while a table is kept current."""
        import urllib.request

        origin = self["base_url"].removesuffix("/api")
        request = urllib.request.Request(f"{origin}/simulator/change?customers={customers}", method="POST")
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=60) as reply:
            return json.loads(reply.read())
