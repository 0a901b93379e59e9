"""How much memory a run takes at its peak. What the documents promise is asserted of the program as it is shipped."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from machine import MIB, ended, run, start
from served import Served

CUSTOMERS = 1_000_000

READ_MIB = 40
EXPORT_MIB = 64
# 32 bytes a row of the reply, beside what an export takes.
MERGE_MIB = EXPORT_MIB + CUSTOMERS * 32 / MIB + 24
# What a run may take more while nobody reads what it says: pieces of the reply on their way.
WAITING_MIB = 8
# What a run takes beside one large record.
SMALL_RUN_MIB = 40


@pytest.fixture
def config(served: Served, replies: Callable[..., Path], tmp_path: Path) -> Path:
    return served.config("list", replies(CUSTOMERS), tmp_path)


def test_a_read_of_a_million_customers(executable: Path, config: Path, catalog: Path, tmp_path: Path) -> None:
    done = run([executable, "read", "--config", config, "--catalog", catalog], tmp_path, is_read=False)
    assert done.exit_code == 0, done
    assert done.peak_mib <= READ_MIB, done


@pytest.mark.parametrize("to", ["lake", "customers.parquet"])
def test_an_export_of_a_million_customers(executable: Path, config: Path, tmp_path: Path, to: str) -> None:
    done = run([executable, "export", "--config", config, "--to", to, "--json"], tmp_path)
    assert done.exit_code == 0, done
    assert json.loads(done.stdout)["rows"] == CUSTOMERS
    assert done.peak_mib <= EXPORT_MIB, done


@pytest.mark.parametrize("mode", ["merge", "history"])
def test_a_merge_of_a_million_customers_into_as_many(
    executable: Path, config: Path, served: Served, replies: Callable[..., Path], tmp_path: Path, mode: str
) -> None:
    export = [executable, "export", "--mode", mode, "--full-refresh", "--json", "--to", "lake", "--config"]
    assert run([*export, config], tmp_path).exit_code == 0
    again = run([*export, config], tmp_path)
    assert again.exit_code == 0, again
    assert json.loads(again.stdout)["unchanged"] == CUSTOMERS
    assert again.peak_mib <= MERGE_MIB, again
    # The same address with other records: every row has changed.
    served.files["list"] = replies(CUSTOMERS, seed="b")
    changed = run([*export, config], tmp_path)
    assert changed.exit_code == 0, changed
    assert json.loads(changed.stdout)["rows"] == CUSTOMERS
    assert changed.peak_mib <= MERGE_MIB, changed


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_a_list_of_a_million_customers_that_lacks_one_in_a_hundred(
    executable: Path, config: Path, served: Served, replies: Callable[..., Path], tmp_path: Path, mode: str
) -> None:
    export = [executable, "export", "--full-refresh", "--json", "--mode", mode, "--to", "lake", "--config", config]
    assert run(export, tmp_path).exit_code == 0
    served.files["list"] = replies(CUSTOMERS, lacks=100)
    fewer = run(export, tmp_path)
    assert fewer.exit_code == 0, fewer
    assert json.loads(fewer.stdout)["deleted"] == CUSTOMERS // 100
    assert fewer.peak_mib <= MERGE_MIB, fewer


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("one text", {"name": "x" * (60 * MIB)}),
        ("one unknown text", {"terms": "x" * (60 * MIB)}),
        ("many unknown fields", {f"field {number}": "x" * 6000 for number in range(9_900)}),
        ("one unknown list", {"terms": [0] * (20 * MIB)}),
    ],
)
def test_a_record_takes_at_most_three_times_its_size(
    executable: Path, served: Served, catalog: Path, tmp_path: Path, name: str, fields: dict
) -> None:
    reply = tmp_path / "reply.json"
    record = json.dumps({"id": 7, **fields}, separators=(",", ":"))
    reply.write_text('{"status": 1, "customers": [' + record + "]}")
    config = served.config("record", reply, tmp_path)
    done = run([executable, "read", "--config", config, "--catalog", catalog], tmp_path, is_read=False)
    assert done.exit_code == 0, done
    assert done.peak_mib <= SMALL_RUN_MIB + 3 * len(record) / MIB, done


def test_a_record_of_too_many_fields_is_refused_in_little_memory(
    executable: Path, served: Served, catalog: Path, tmp_path: Path
) -> None:
    reply = tmp_path / "reply.json"
    members = ",".join(f'"{number}":0' for number in range(2_000_000))
    reply.write_text('{"status": 1, "customers": [{"id": 7,' + members + "}]}")
    config = served.config("record", reply, tmp_path)
    done = run([executable, "read", "--config", config, "--catalog", catalog], tmp_path)
    assert done.exit_code == 65, done
    assert b"10,000" in done.stdout, done
    assert done.peak_mib <= SMALL_RUN_MIB + 3 * len(members) / MIB, done


def test_a_reader_that_does_not_read_costs_no_memory(
    executable: Path, config: Path, catalog: Path, tmp_path: Path
) -> None:
    read = [executable, "read", "--config", config, "--catalog", catalog]
    free = run(read, tmp_path, is_read=False)
    process = start(read, tmp_path, subprocess.PIPE)
    # Long enough for the whole reply, which nobody takes from the pipe.
    time.sleep(5)
    assert process.poll() is None
    lines = sum(line.startswith(b'{"type":"RECORD"') for line in process.stdout)
    process.stdout.close()
    done = ended(process, tmp_path)
    assert (done.exit_code, lines) == (0, CUSTOMERS), done
    assert done.peak_mib <= free.peak_mib + WAITING_MIB, f"{free}\n{done}"


@pytest.mark.parametrize("mib", [30, 60, 90, 120, 200, 400, 800])
def test_a_read_that_is_given_too_little_memory(
    executable: Path, served: Served, replies: Callable[..., Path], catalog: Path, tmp_path: Path, mib: int
) -> None:
    """Whatever it is given: all rows and a state behind them, or a failure and no state."""
    customers = 100_000
    config = served.config("list", replies(customers), tmp_path)
    limited = ["prlimit", f"--as={mib * MIB}", executable, "read", "--config", config, "--catalog", catalog]
    done = run(limited, tmp_path)
    records = sum(line.startswith(b'{"type":"RECORD"') for line in done.stdout.splitlines())
    has_state = b'"type":"STATE"' in done.stdout
    assert (done.exit_code == 0) == has_state, done
    assert records == customers or not has_state, done
    assert done.exit_code == 0 or mib < 800, done
