"""A company with every odd value that the columns can hold, what an export of it leaves, and what a reader finds in that."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from programs import Connector
from rows import EXTRA, Row, canonical, emitted, newest

READ = Path(__file__).parent / "readers/read.py"

# More than a row group has, so that dictionaries, pages and row groups have to be right as well.
CUSTOMERS = 110_000

ODD = [
    {"id": "-9223372036854775808", "name": "", "salesPersonId": "9223372036854775807", "updatedOn": "0001-01-01T00:00:00"},
    {"id": "9223372036854775807", "name": "é🌹\u0000\n\"", "code": "007", "active": "0", "updatedOn": "9999-12-31T23:59:59.999999"},
    {"id": "0", "updatedOn": None, "active": None, "loyalty": {"tier": [1, None]}},
    {"id": "-1", "name": "x" * 70_000, "customerType": " ", "updatedOn": "1582-10-04T23:59:59.000001", "salesPersonId": -1},
    {"id": "-2", "updatedOn": "1969-12-31T23:59:59.999999", "active": True},
]


def customers() -> list[dict]:
    """The odd ones among many others, each value of which is null now and then."""
    many = [
        {
            "id": str(number),
            "name": None if number % 11 == 0 else f"Flores {number * 7919 % 1_000_003}",
            "accountingCode": f"ACC{number % 97}" if number % 5 else None,
            "code": f"{number * 31 % 99_991:05}",
            "active": "1" if number % 3 else "0",
            "salesPerson": ["Ana", "Ben", "", None][number % 4],
            "salesPersonId": None if number % 7 == 0 else number * number,
            "customerType": None,
            "updatedOn": None if number % 13 == 0 else f"20{number % 20 + 10}-03-{number % 28 + 1:02}T{number % 24:02}:15:17.{number:06}",
        }
        for number in range(1, CUSTOMERS)
    ]
    return many + ODD


@contextmanager
def serving(replies: list[bytes]) -> Iterator[str]:
    """The base URL of an API that gives these replies in turn, the last one again and again."""
    left = list(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api"
        finally:
            server.shutdown()


@dataclass
class Exported:
    """A table that was merged into, a file, and the rows that `read` emits of the same reply."""

    table: Path
    file: Path
    emitted: Counter[Row]
    kept: Counter[Row]

    def table_files(self) -> list[Path]:
        """The data files of the newest version."""
        live: set[str] = set()
        for commit in sorted((self.table / "_delta_log").glob("*.json")):
            for action in map(json.loads, commit.read_text().splitlines()):
                live |= {action["add"]["path"]} if "add" in action else set()
                live -= {action["remove"]["path"]} if "remove" in action else set()
        return [self.table / name for name in sorted(live)]


def exported(executable: Path, folder: Path) -> Exported:
    """Exports the company: into a table first with a few other values, so that a merge copies the rest."""
    now = customers()
    before = [{**customer, "name": "before"} if customer["id"] in ("7", "70000") else customer for customer in now]
    bodies = [json.dumps({"status": "1", "customers": list}).encode() for list in (before, now)]
    connector = Connector(executable, folder)
    with serving(bodies) as url:
        config = {"authentication_token": "token-of-the-odd-company", "base_url": url}
        path = connector.file("config.json", config)
        for to in (folder, folder, folder / "customers.parquet"):
            run = connector.run("export", "--config", path, "--to", to, "--full-refresh" if to == folder else "--json")
            assert run.exit_code == 0, run
        rows = emitted(connector.read(config, "full_refresh").succeeded().stdout)
    assert len(rows) == len(now)
    return Exported(folder / "customers", folder / "customers.parquet", Counter(rows), Counter(newest(rows)))


def read_by(interpreter: Path, reader: str, paths: list[Path]) -> Counter[Row]:
    """What a reader of readers/read.py finds, in the environment of a Python."""
    command = [str(interpreter), str(READ), reader, *map(str, paths)]
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=280, check=False)
    assert done.returncode == 0, f"{reader}: {done.stderr[-3000:].decode(errors='replace')}"
    found: Counter[Row] = Counter()
    # Spark 3.3 logs to stdout as well.
    for line in filter(lambda line: line.startswith(b"["), done.stdout.splitlines()):
        *row, extracted_at = json.loads(line)
        assert extracted_at > 1_500_000_000_000_000, row
        row[EXTRA] = canonical(row[EXTRA])
        found[tuple(row)] += 1
    return found
