"""`vacuum`: what it leaves is read by delta-rs and Polars at every version that is kept, whatever stops it, and what it removes is
what delta-rs would."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import polars
import pytest
from rows import found, once, source
from stores import Folders, Place

# How many are stopped, every other one by a signal that asks for it.
STOPS = int(os.environ.get("STOPS", 80))

HOUR = 3600
DAY = 24 * HOUR
# Enough for a removal that takes a while.
ORPHANS = 400
AT_ONCE = ("--retain", "0s", "--allow-short-retention")


def rows_of(place: Place, version: int | None = None) -> list:
    """The rows of a version, as delta-rs and Polars both read them."""
    rows = once(found(place.table(version).to_pyarrow_table()))
    frame = polars.read_delta(f"{place.url}/customers", version=version, storage_options=place.options)
    assert once(found(frame)) == rows
    return rows


def data_files(place: Place) -> set[str]:
    return {name for name in place.files() if name.startswith("customers/part-")}


def make_old(place: Place, seconds_of) -> None:
    """Makes each file of a local table so old; a function of the version of a commit, or of None for everything else."""
    for path in Path(place.url).rglob("*"):
        if path.is_file():
            is_commit = path.suffix == ".json" and path.stem.isdigit()
            time_of = time.time() - seconds_of(int(path.stem) if is_commit else None)
            os.utime(path, (time_of, time_of))


def test_after_200_merges_few_files_are_left_and_every_version_in_the_retention_reads(exporter, simulator, folder):
    api = simulator(customers=300)
    config = api.config()
    merges, step = 200, 12 * HOUR
    moments = []
    for number in range(merges):
        if number:
            api.change(random.Random(number).choice([1, 7, 60]))
        assert exporter.export(config, folder)["version"] == number
        moments.append(source(api))
    make_old(folder, lambda version: 40 * DAY if version is None else (merges - version) * step - HOUR)
    # The newest from before the retention is what a reader may have begun with.
    oldest = merges - 7 * DAY // step - 1
    begun = folder.table(oldest)
    begun_scan = polars.scan_delta(f"{folder.url}/customers", version=oldest)
    dry = exporter.vacuum(folder, "--dry-run")
    vacuumed = exporter.vacuum(folder)
    assert vacuumed["files"] == dry["files"] and vacuumed["log"] == dry["log"]
    assert (vacuumed["oldest_version"], vacuumed["version"]) == (oldest, merges - 1)
    assert vacuumed["log"]["count"] > 100
    assert len(data_files(folder)) <= 20, data_files(folder)
    for version in range(oldest, merges):
        assert rows_of(folder, version) == moments[version], version
    assert once(found(begun.to_pyarrow_table())) == moments[oldest]
    assert once(found(begun_scan.collect())) == moments[oldest]
    assert exporter.vacuum(folder)["files"]["count"] == 0
    api.change(9)
    exporter.export(config, folder)
    assert rows_of(folder) == source(api)


def test_what_goes_is_what_delta_rs_lists(exporter, simulator, place):
    api = simulator(customers=200)
    for _ in range(12):
        exporter.export(api.config(), place)
        api.change(5)
    rows = rows_of(place)
    # The clocks of stores count seconds.
    time.sleep(1.1)
    listed = place.table().vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=True)
    assert len(listed) == 11
    dry = exporter.vacuum(place, *AT_ONCE, "--dry-run")
    assert sorted(dry["files"]["names"]) == sorted(listed)
    before = set(place.files())
    vacuumed = exporter.vacuum(place, *AT_ONCE)
    assert vacuumed["files"] == dry["files"]
    assert before - set(place.files()) == {f"customers/{name}" for name in listed}
    assert rows_of(place) == rows
    assert exporter.vacuum(place, *AT_ONCE)["files"]["count"] == 0
    exporter.export(api.config(), place)
    assert rows_of(place) == source(api)


def test_two_vacuums_and_an_export_at_once_leave_a_whole_table(exporter, simulator, place):
    api = simulator(customers=200)
    config = api.config()
    exporter.export(config, place)
    for _ in range(6):
        api.change(20)
        running = [
            exporter.start_vacuum(place, *AT_ONCE),
            exporter.start(config, place),
            exporter.start_vacuum(place, *AT_ONCE),
        ]
        for process in running:
            run = exporter.finish(process, config, place)
            assert run.exit_code == 0, run
        assert rows_of(place) == source(api)


# ------------------------------------------------------------------------------------------------ stopped


@pytest.fixture
def old_table(exporter, simulator, folder, tmp_path) -> tuple[Place, list, int]:
    """A table of which most could go, its newest rows, and how many versions it has."""
    api, versions = simulator(customers=100), 45
    for _ in range(versions):
        exporter.export(api.config(), folder)
        api.change(5)
    make_old(folder, lambda version: 40 * DAY)
    for number in range(ORPHANS):
        orphan = Path(folder.url) / f"customers/part-20260101T000000Z-{number:016x}-00-00000.zstd.parquet"
        orphan.write_bytes(b"x")
        os.utime(orphan, (time.time() - 8 * DAY,) * 2)
    return folder, rows_of(folder), versions


def names_in(place: Place) -> set[str]:
    return {str(path.relative_to(place.url)) for path in Path(place.url).rglob("*") if path.is_file()}


def is_own(name: str) -> bool:
    # A local file has a `#` and a number at its end until it is whole.
    return name.startswith("customers/.kometsales-") or ".checkpoint.parquet" in name or "/_last_checkpoint#" in name


@pytest.mark.timeout(900)
def test_whatever_stops_it_the_table_is_whole_and_the_next_one_goes_on(exporter, old_table, tmp_path):
    table, rows, versions = old_table
    place = Folders().place(tmp_path / "copy")

    def copy() -> None:
        shutil.rmtree(place.url, ignore_errors=True)
        shutil.copytree(table.url, place.url)

    copy()
    started = time.monotonic()
    vacuumed = exporter.vacuum(place)
    assert vacuumed["files"]["count"] == versions - 1
    duration = time.monotonic() - started
    whole = names_in(place)
    kept = whole & names_in(table)
    # The first that goes.
    first = Path(place.url) / "customers" / vacuumed["files"]["names"][0]
    moments = random.Random(20261125)
    stopped = {signal.SIGKILL: 0, signal.SIGTERM: 0}
    halfway = 0  # between the first removal and the last
    enough = STOPS // 8
    # A vacuum that is asked to end may have ended already, on a busy machine most of them: then more are stopped.
    for number in range(4 * STOPS):
        if number >= STOPS and halfway and min(stopped.values()) >= enough:
            break
        copy()
        before = names_in(place)
        asked = [signal.SIGKILL, signal.SIGTERM][number % 2]
        process = exporter.start_vacuum(place)
        if number % 4 < 2:
            time.sleep(moments.uniform(0, 1.1 * duration))
        else:
            deadline = time.monotonic() + 30
            while first.exists() and process.poll() is None:
                assert time.monotonic() < deadline
            time.sleep(moments.uniform(0, 0.1 * duration))
        process.send_signal(asked)
        process.communicate(timeout=60)
        assert process.returncode in (0, -asked, 128 + asked), process.returncode
        stopped[asked] += process.returncode != 0
        left = names_in(place)
        halfway += kept < left & before < before
        # What tells the time, and a checkpoint, may be there or half written, and nothing else.
        assert all(is_own(name) for name in left - before), left - before
        assert rows_of(place) == rows
        exporter.vacuum(place)
        left = names_in(place)
        assert kept == left & before and whole - left == set(), left ^ whole
        assert rows_of(place) == rows
    assert min(stopped.values()) >= enough, stopped
    assert halfway >= 1, "every signal came too early or too late"


def test_a_signal_ends_it_with_the_code_of_the_signal(exporter, old_table):
    place, rows, _ = old_table
    for asked in (signal.SIGINT, signal.SIGTERM):
        process = exporter.start_vacuum(place)
        process.send_signal(asked)
        process.communicate(timeout=60)
        assert process.returncode in (-asked, 128 + asked), process.returncode
    assert rows_of(place) == rows
