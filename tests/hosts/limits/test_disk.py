"""A disk that is full, and disk calls that fail: nothing half done, and the next run goes on as if nothing had been."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from machine import KIB, MIB, disk, files, run
from served import Served

CUSTOMERS = 60_000

# Where the disk ends: parts of what a run needs.
POINTS = range(1, 21)


@pytest.fixture
def config(served: Served, replies: Callable[..., Path], tmp_path: Path) -> Path:
    return served.config("list", replies(CUSTOMERS), tmp_path)


def test_a_temporary_folder_that_is_full_at_twenty_points(
    executable: Path, config: Path, catalog: Path, tmp_path: Path
) -> None:
    read = [executable, "read", "--config", config, "--catalog", catalog]
    export = [executable, "export", "--config", config, "--to", tmp_path / "lake"]
    spool = 16 * MIB
    failures = 0
    for point in POINTS:
        with disk(tmp_path / f"disk-{point}", spool * point // (len(POINTS) + 1)) as folder:
            environment = {"TMPDIR": str(folder)}
            for command in (read, export):
                done = run(command, tmp_path, environment)
                if done.exit_code == 0:
                    continue
                failures += 1
                assert done.exit_code == 70, done
                said = done.stdout + done.stderr
                assert str(folder).encode() in said and b"space" in said, done
                assert b'"type":"STATE"' not in done.stdout and b'"type":"RECORD"' not in done.stdout, done
                assert not (tmp_path / "lake").exists(), done
            assert files(folder) == []
            if (tmp_path / "lake").exists():
                break
    assert failures >= 10, f"the disk was full in {failures} runs alone"
    done = run(export, tmp_path)
    assert done.exit_code == 0, done


@pytest.mark.parametrize("name", ["lake", "customers.parquet"])
def test_a_place_that_is_full_at_twenty_points(
    executable: Path, config: Path, served: Served, replies: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    """First with nothing there, then over what an earlier run left: that stays as it was."""
    whole = tmp_path / "whole"
    whole.mkdir()
    assert run([executable, "export", "--config", config, "--to", whole / name], tmp_path).exit_code == 0
    needs = sum((whole / file).stat().st_size for file in files(whole))
    failures = 0
    for point in POINTS:
        with disk(tmp_path / f"disk-{point}", (needs * point // (len(POINTS) + 1)) // (4 * KIB) * (4 * KIB)) as folder:
            done = run([executable, "export", "--config", config, "--to", folder / name], tmp_path)
            assert done.exit_code == 70, done
            assert b"space" in done.stderr and str(folder).encode() in done.stderr, done
            assert [file for file in files(folder) if file.endswith((".json", ".parquet"))] == [], done
            failures += 1
    assert failures == len(POINTS)
    served.files["list"] = replies(CUSTOMERS, seed="b")
    for point in (2, 10, 18):
        with disk(tmp_path / f"full-{point}", needs + needs * point // 20) as folder:
            served.files["list"] = replies(CUSTOMERS)
            export = [executable, "export", "--config", config, "--to", folder / name, "--json"]
            first = run(export, tmp_path)
            assert first.exit_code == 0, first
            before = {file: (folder / file).read_bytes() for file in files(folder)}
            served.files["list"] = replies(CUSTOMERS, seed="b")
            done = run([*export, *(["--full-refresh"] if name == "lake" else [])], tmp_path)
            assert done.exit_code == 70, f"{needs} bytes at point {point}, {files(folder)}, {done}"
            assert {file: (folder / file).read_bytes() for file in files(folder)} == before, done


# The calls with which a run puts files where they belong. The first of each fails the run; which others do is a matter of threads.
CALLS = ["fsync,fdatasync", "rename,renameat,renameat2,link,linkat"]


def failing(calls: str, error: str, number: int, folder: Path) -> list:
    """Runs a command of which one of these calls fails."""
    inject = f"inject={calls}:error={error}:when={number}"
    return ["strace", "-f", "-qq", "-o", folder / "calls", "-e", f"trace={calls}", "-e", inject]


@pytest.mark.parametrize("calls", CALLS)
def test_a_disk_call_that_fails_leaves_the_table_as_it_was(
    executable: Path, config: Path, served: Served, replies: Callable[..., Path], tmp_path: Path, calls: str
) -> None:
    lake = tmp_path / "lake"
    export = [executable, "export", "--config", config, "--to", lake, "--json", "--full-refresh"]
    assert run(export, tmp_path).exit_code == 0
    failed = []
    for attempt in range(1, 13):
        served.files["list"] = replies(CUSTOMERS, seed="b" if attempt % 2 else "a")
        before = shown(executable, lake, tmp_path)
        done = run([*failing(calls, "EIO", attempt, tmp_path), *export], tmp_path)
        after = shown(executable, lake, tmp_path)
        if done.exit_code == 0:
            assert after["version"] == before["version"] + json.loads(done.stdout)["committed"], done
        else:
            failed.append(attempt)
            assert done.exit_code == 75, done
            assert b"cannot be reached: Input/output error" in done.stderr, done
            assert (after["version"], after["rows"]) == (before["version"], before["rows"]), done
    assert failed[:1] == [1]
    clean = run(export, tmp_path)
    assert clean.exit_code == 0, clean
    assert shown(executable, lake, tmp_path)["rows"] == CUSTOMERS


def test_a_folder_that_cannot_be_made_is_reported_and_left_without_files(
    executable: Path, config: Path, tmp_path: Path
) -> None:
    exit_codes = []
    for attempt in range(1, 7):
        lake = tmp_path / f"lake-{attempt}"
        export = [executable, "export", "--config", config, "--to", lake]
        done = run([*failing("mkdir,mkdirat", "EACCES", attempt, tmp_path), *export], tmp_path)
        exit_codes.append(done.exit_code)
        if done.exit_code:
            assert b"cannot be read or written: Permission denied" in done.stderr, done
            assert str(lake).encode() in done.stderr, done
            assert not lake.exists() or files(lake) == [], done
    # The fifth is not called.
    assert exit_codes == [78, 78, 78, 78, 0, 0]


def shown(executable: Path, lake: Path, folder: Path) -> dict:
    done = run([executable, "show", lake, "--json"], folder)
    assert done.exit_code == 0, done
    return json.loads(done.stdout)
