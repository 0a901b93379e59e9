"""Exports that are killed, or asked to end, at any moment: whoever reads the table sees the old rows or the new ones.

What a merge commits is what the company had at one moment, so a table that is whole equals one of the moments that were, and
never goes back to an earlier one.
"""

from __future__ import annotations

import os
import random
import signal
import time
from statistics import median

import pytest
from exporter import Exporter
from log import left_over
from rows import found, once, source

# tests/long kills more of them.
KILLS = int(os.environ.get("KILLS", 250))

INTERRUPTIONS = {signal.SIGTERM, signal.SIGINT}


class Scenario:
    """A company that is edited, and exports of it that are stopped."""

    def __init__(self, exporter: Exporter, api, place, seed: int) -> None:
        self.exporter, self.api, self.place = exporter, api, place
        self.config = api.config()
        self.random = random.Random(seed)
        self.moments = [source(api)]
        # Which of the moments the table has; none before there is a table.
        self.seen = -1
        self.uncommitted = self.committed = 0

    def edit(self, customers: int) -> None:
        self.api.change(customers)
        self.moments.append(source(self.api))

    def take_time(self, *flags: str) -> None:
        """Learns how long an export takes that nobody stops."""
        times = []
        for _ in range(3):
            self.edit(200)
            started = time.monotonic()
            self.exporter.export(self.config, self.place, *flags)
            times.append(time.monotonic() - started)
        self.duration = median(times)
        self.look()

    def stop(self, number: signal.Signals, *flags: str) -> int:
        """Starts an export, sends it a signal at a random moment, and looks at the table. Returns how it ended."""
        process = self.exporter.start(self.config, self.place, *flags)
        time.sleep(self.random.uniform(0, 1.1 * self.duration))
        process.send_signal(number)
        run = self.exporter.finish(process, self.config, self.place)
        before = self.seen
        self.look()
        # The more there is to merge the longer it takes, so the span to choose from follows: about every fifth gets through.
        if self.seen == before:
            self.uncommitted += 1
            self.duration *= 1.025
        else:
            self.committed += 1
            self.duration *= 0.9
        return run.exit_code

    def __str__(self) -> str:
        return f"{self.uncommitted} stopped before the commit, {self.committed} after it; {self.duration:.3f} s an export"

    def look(self) -> None:
        """The table is one of the moments that were, the last that was seen or a later one."""
        if self.seen < 0 and not self.place.is_table():
            return
        rows = once(found(self.place.table().to_pyarrow_table()))
        for moment in range(len(self.moments) - 1, max(self.seen, 0) - 1, -1):
            if rows == self.moments[moment]:
                self.seen = moment
                return
        raise AssertionError(f"the table has {len(rows)} rows as the company never had them since moment {self.seen}")

    def converge(self) -> None:
        """One export that nobody stops, and the table equals the source."""
        self.edit(10)
        summary = self.exporter.export(self.config, self.place)
        self.look()
        assert self.seen == len(self.moments) - 1
        assert summary["table_rows"] == self.api.customers


def test_hundreds_of_kills_leave_a_whole_table_each_time(exporter, simulator, folder):
    scenario = Scenario(exporter, simulator(customers=5000), folder, seed=20170802)
    scenario.take_time()
    for _ in range(KILLS):
        scenario.edit(scenario.random.choice([1, 30, 400]))
        assert scenario.stop(signal.SIGKILL) in (0, -signal.SIGKILL)
    # Kills that all came too early or too late would have shown nothing.
    assert scenario.uncommitted >= 50 and scenario.committed >= 10, str(scenario)
    scenario.converge()


def test_kills_of_the_first_export_leave_no_table_or_a_whole_one(exporter, simulator, folder):
    api = simulator(customers=3000)
    timed = Scenario(exporter, api, folder / "timed", seed=1)
    timed.take_time()
    for number in range(15):
        scenario = Scenario(exporter, api, folder / str(number), seed=number)
        scenario.duration = timed.duration
        scenario.stop(signal.SIGKILL)
        scenario.converge()


def test_kills_in_a_bucket_leave_a_whole_table_each_time(exporter, simulator, bucket):
    # One writer at a time, so that moto's races do not come in.
    scenario = Scenario(exporter, simulator(customers=1500), bucket, seed=7)
    scenario.take_time()
    for _ in range(20):
        scenario.edit(scenario.random.choice([1, 30, 400]))
        assert scenario.stop(signal.SIGKILL) in (0, -signal.SIGKILL)
    assert scenario.uncommitted >= 2, str(scenario)
    scenario.converge()


# ---------------------------------------------------------------------------------------- asked to end


@pytest.mark.parametrize("flags", [[], ["--mode", "overwrite"]], ids=["merge", "overwrite"])
def test_an_export_that_is_asked_to_end_leaves_nothing_in_the_folder(exporter, simulator, folder, flags):
    scenario = Scenario(exporter, simulator(customers=10_000), folder, seed=3)
    scenario.take_time(*flags)
    assert_interruptions_leave_nothing(scenario, 30, flags)


def test_an_export_that_is_asked_to_end_leaves_nothing_in_the_bucket(exporter, simulator, bucket):
    scenario = Scenario(exporter, simulator(customers=3000), bucket, seed=4)
    scenario.take_time()
    assert_interruptions_leave_nothing(scenario, 8, [])
    assert bucket.store.unfinished_uploads(bucket.url) == []


def assert_interruptions_leave_nothing(scenario, times, flags):
    ended = []
    for number in range(times):
        scenario.edit(300)
        asked = [signal.SIGTERM, signal.SIGINT][number % 2]
        seen = scenario.seen
        exit_code = scenario.stop(asked, *flags)
        assert exit_code in (0, -asked, 128 + asked), exit_code
        assert exit_code != 0 or scenario.seen == len(scenario.moments) - 1
        told = f"after {asked!r} in run {number}, which ended with {exit_code}: moment {seen}, then {scenario.seen}"
        assert left_over(scenario.place) == set(), told
        ended.append(exit_code)
    assert any(exit_code != 0 for exit_code in ended), ended
    assert scenario.uncommitted >= 2, str(scenario)
    scenario.converge()


@pytest.mark.parametrize("asked", INTERRUPTIONS)
@pytest.mark.parametrize("name", [None, "customers.parquet", "-"], ids=["table", "file", "stream"])
def test_an_export_that_waits_for_the_api_ends_at_once(exporter, simulator, folder, asked, name):
    api = simulator("drip:30")
    config = api.config()
    to = {None: folder, "-": type(folder)("-", folder.store)}.get(name, folder / str(name))
    process = exporter.start(config, to)
    time.sleep(0.5)
    assert process.poll() is None
    asked_at = time.monotonic()
    process.send_signal(asked)
    run = exporter.finish(process, config, to)
    assert time.monotonic() - asked_at < 2
    assert run.exit_code in (-asked, 128 + asked), run
    assert not folder.is_table()
    assert folder.files() == {}
