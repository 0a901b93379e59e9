"""What the tests play with: a simulated Komet Sales of many companies, and the program, which can be made to die in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

EXECUTABLE = Path(os.environ["KOMETSALES"])

# The program as executors find it. Where a file `cut` beside it names a company, the first run that has the company dies by SIGKILL
# between two batches of it.
PROGRAM = """#!{python}
import os, subprocess, sys
import pyarrow as pa
cut = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cut")
command = [{executable!r}, *sys.argv[1:]]
if not (os.path.exists(cut) and "--to=-" in sys.argv):
    os.execv(command[0], command)
name = open(cut).read()
real = subprocess.Popen(command, stdout=subprocess.PIPE)
with pa.ipc.open_stream(real.stdout) as stream:
    with pa.ipc.new_stream(sys.stdout.buffer, stream.schema) as copy:
        for batch in stream:
            copy.write_batch(batch)
            if batch.column("company")[0].as_py() == name:
                os.rename(cut, cut + ".done")
                sys.stdout.flush()
                real.kill()
                os.kill(os.getpid(), 9)
sys.stdout.flush()
sys.exit(real.wait())
"""

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Komet:
    """A running `simulate` of many companies, the folder with what is said of each, and the program."""

    def __init__(self, folder: Path, companies: int, customers: int, *faults: str) -> None:
        self.tokens, self.bin = folder / "tokens", folder / "bin"
        self.tokens.mkdir()
        self.bin.mkdir()
        self.cut = self.bin / "cut"
        (self.bin / "kometsales").write_text(PROGRAM.format(python=sys.executable, executable=str(EXECUTABLE)))
        (self.bin / "kometsales").chmod(0o755)
        words = ["simulate", f"--companies={companies}", f"--customers={customers}", *(f"--fault={fault}" for fault in faults)]
        with (folder / "simulator.stderr").open("wb") as stderr:
            self.process = subprocess.Popen([EXECUTABLE, *words], stdout=subprocess.PIPE, stderr=stderr, text=True)
        self.secrets = {}
        for _ in range(companies):
            line = json.loads(self.process.stdout.readline())
            self.secrets[line["company"]] = line["authentication_token"]
            self.origin = line["base_url"].removesuffix("/api")
            settings = {key: line[key] for key in ("authentication_token", "base_url")}
            (self.tokens / line["company"]).write_text(json.dumps(settings | {"retry_window_seconds": 0}))

    def requests(self) -> dict[str, int]:
        """How often each company was asked since the simulator began."""
        with _direct.open(f"{self.origin}/simulator/requests", timeout=20) as reply:
            return json.load(reply)["companies"]

    def export(self, to: Path) -> subprocess.CompletedProcess:
        """The tables of all companies, by the program alone."""
        words = ["export", f"--companies={self.tokens}", f"--to={to}", "--json"]
        return subprocess.run([EXECUTABLE, *words], capture_output=True, check=False, timeout=300)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()


def tables(place: str, companies: list[str], options: dict[str, str] | None = None) -> pa.Table:
    """The rows of these companies' tables below a place, with the company before them, as `sorted_rows` has them."""
    parts = []
    for company in companies:
        table = DeltaTable(f"{place}/{company}/customers", storage_options=options).to_pyarrow_table()
        assert table.column("_deleted_at").null_count == table.num_rows
        parts.append(table.drop_columns(["_deleted_at"]).add_column(0, "company", pa.array([company] * table.num_rows)))
    return sorted_rows(pa.concat_tables(parts))


def sorted_rows(rows: pa.Table) -> pa.Table:
    """Rows without what differs between two requests, in one order."""
    rows = rows.drop_columns(["_extracted_at"]).sort_by([("company", "ascending"), ("id", "ascending")]).combine_chunks()
    return rows.cast(pa.schema([(field.name, field.type) for field in rows.schema]))
