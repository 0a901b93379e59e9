"""Exports to an S3 that keeps its word, killed and raced: an acknowledged run is in exactly one version, and no row is lost.

`tests/long ceph` makes 100 exports and 12 races of eight.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import count

import polars
import pyarrow.compute
import pytest
from cluster import Ceph
from exporter import assert_failed
from log import commits, left_over
from lossy import lossy
from rows import found, once, source
from stores import Place
from test_concurrency import assert_commits_are_whole, assert_versions_are_apart

EXPORTS = int(os.environ.get("EXPORTS", 12))
RACES = int(os.environ.get("RACES", 2))
SUCCESS, CONFLICT, KILLED = 0, 75, -signal.SIGKILL
# A table keeps its mode; these two are both of the kind that has one row of each customer.
MODES = {"current": ["merge", "overwrite"], "every": ["append"], "history": ["history"]}
EVERY_MODE = [(kind, mode) for kind, choices in MODES.items() for mode in choices]

_numbers = count()


@pytest.fixture(scope="module")
def ceph() -> Iterator[Ceph]:
    with Ceph() as cluster:
        yield cluster


@pytest.fixture
def place(ceph: Ceph) -> Place:
    """A folder in an empty bucket."""
    return ceph.place(f"ceph-{next(_numbers)}")


class Book:
    """One table, the exports into it, and what they promised."""

    def __init__(self, exporter, api, place: Place, kind: str) -> None:
        self.exporter, self.api, self.place, self.kind = exporter, api, place, kind
        self.config = api.config(retry_window_seconds=20)
        self.moments = [source(api)]
        # The moment that the table has at least, and the version of each run that was acknowledged.
        self.promised = -1
        self.acknowledged: dict[str, int] = {}
        # How many rows the table has with a version, by the run that made it.
        self.table_rows: dict[int, int] = {}
        self.refused = 0
        # Exports that may have committed without a word, and those that may have left files: each of them one at most.
        self.may_have_committed = self.may_have_left = 0
        self.silent: dict[int, str] = {}

    def edit(self, customers: int) -> None:
        self.api.change(customers)
        self.moments.append(source(self.api))

    def start(self, mode: str):
        return self.exporter.start(self.config, self.place, "--mode", mode, "--json"), len(self.moments) - 1

    def finish(self, process, moment: int, is_gateway_killed: bool = False) -> int:
        run = self.exporter.finish(process, self.config, self.place)
        assert run.exit_code in (SUCCESS, CONFLICT, KILLED), run
        is_killed = run.exit_code == KILLED
        self.may_have_committed += is_killed or (is_gateway_killed and run.exit_code != SUCCESS)
        self.may_have_left += is_killed or is_gateway_killed
        if run.exit_code == SUCCESS:
            summary = json.loads(run.stdout)
            self.promised = max(self.promised, moment)
            if summary["committed"]:
                assert summary["run"] not in self.acknowledged, run
                self.acknowledged[summary["run"]] = summary["version"]
                self.table_rows[summary["version"]] = summary["table_rows"]
        elif run.exit_code == CONFLICT:
            assert_failed(run, "transient")
            self.refused += 1
        return run.exit_code

    def look(self) -> None:
        """What was acknowledged is in one version each, and the rows are those of the moments since."""
        if self.promised < 0 and not self.place.is_table():
            return
        files = self.place.files()
        assert_commits_are_whole(self.place)
        runs = {commit.version: _run_of(commit) for commit in commits(files)}
        again = [run for run, times in Counter(runs.values()).items() if times > 1]
        assert not again, f"runs that are in two versions: {again}"
        for run, version in self.acknowledged.items():
            assert runs.get(version) == run, f"run {run} was acknowledged as version {version}, which is of {runs.get(version)}"
        self.silent = {version: run for version, run in runs.items() if run not in self.acknowledged}
        assert len(self.silent) <= self.may_have_committed, f"more versions than runs that were killed: {self.silent}"
        left = {_run_in(name) for name in left_over(self.place)}
        assert len(left) <= self.may_have_left, f"files of more runs than were killed: {left}"
        opened = self.place.table()
        table = opened.to_pyarrow_table()
        rows = self.table_rows.get(opened.version(), table.num_rows)
        assert rows == table.num_rows, f"version {opened.version()} has {table.num_rows} rows, and its run reported {rows}"
        read = polars.read_delta(f"{self.place.url}/customers", storage_options=self.place.options)
        assert Counter(found(read)) == Counter(found(table)), "delta-rs and Polars differ"
        if self.kind == "history":
            assert_versions_are_apart(table)
            table = table.filter(pyarrow.compute.field("_is_current"))
        if self.kind == "every":
            self._every_version(found(table))
        else:
            self._current(once(found(table)))

    def _current(self, rows: set) -> None:
        since = defaultdict(set)
        for moment in self.moments[max(self.promised, 0) :]:
            for row in moment:
                since[row[0]].add(row)
        assert {row[0] for row in rows} == set(since), "a customer is lost"
        stale = [row for row in rows if row not in since[row[0]]]
        assert not stale, f"{len(stale)} rows are older than what a run that was acknowledged has read: {stale[:2]}"

    def _every_version(self, rows: list) -> None:
        twice = [row for row, times in Counter(rows).items() if times > 1]
        assert not twice, f"{len(twice)} rows are there twice: {twice[:2]}"
        assert set(rows) >= self.moments[max(self.promised, 0)], "a row is lost"
        assert set(rows) <= set().union(*self.moments), "a row that the company never had"

    def converge(self) -> None:
        """One export that nobody disturbs, and the table is what the company is now."""
        self.edit(3)
        process, moment = self.start(MODES[self.kind][0])
        assert self.finish(process, moment) == SUCCESS
        self.look()
        assert self.promised == len(self.moments) - 1


    def vacuum(self) -> None:
        """Nothing of the table goes, and of what it once had nothing stays."""
        rows = Counter(found(self.place.table().to_pyarrow_table()))
        removed = self.exporter.vacuum(self.place, "--retain", "0h", "--allow-short-retention")
        # Of a table that only grows there is nothing that it once had.
        assert self.kind == "every" or removed["files"]["count"] > 0, removed
        table = self.place.table()
        assert Counter(found(table.to_pyarrow_table())) == rows
        named = {f"customers/{uri.rsplit('/', 1)[1]}" for uri in table.file_uris()}
        there = {name for name in self.place.files() if "/_delta_log/" not in name}
        # What a killed export has left is as young as what belongs to one that still runs.
        left = {_run_in(name) for name in there - named}
        assert named <= there and len(left) <= self.may_have_left, left


def _run_in(name: str) -> str:
    """The run in the name of a file that it has written; the name, of other files."""
    found = re.search(r"\d{8}T\d{6}Z-[0-9a-f]{16}", name)
    return found[0] if found else name


def _run_of(commit) -> str:
    """The run that made this version, by its note."""
    (domain,) = commit.of("domainMetadata")
    return json.loads(domain["configuration"])["run"]


@pytest.mark.timeout(1800)
def test_exports_in_mixed_modes_a_third_killed_and_the_gateway_too(exporter, simulator, ceph, place):
    chosen = random.Random(20170802)
    books = [Book(exporter, simulator(customers=600), place / kind, kind) for kind in MODES]
    ended: Counter = Counter()
    # From the start of the third export to the kill, in seconds: it follows how long an export takes, so that many are killed
    # just before their commit and some just after it.
    span = 0.5
    while sum(ended.values()) < EXPORTS:
        turn = []
        for _ in range(3):
            book = chosen.choice(books)
            book.edit(40)
            process, moment = book.start(chosen.choice(MODES[book.kind]))
            turn.append((book, process, moment))
        time.sleep(span * chosen.random() ** 0.5)
        # The answer to a commit that was applied is lost with the gateway.
        is_gateway_killed = chosen.random() < 0.25
        if is_gateway_killed:
            ceph.kill_gateway()
        victim = turn[chosen.randrange(3)][1]
        victim.kill()
        if is_gateway_killed:
            ceph.start_gateway()
        for book, process, moment in turn:
            ended[book.finish(process, moment, is_gateway_killed)] += 1
        span *= 1.15 if victim.returncode == KILLED else 0.8
        for book in books:
            book.look()
    # Kills that all came too late, or exports that were all refused, would have shown nothing.
    assert ended[KILLED] >= EXPORTS // 6 and ended[SUCCESS] >= EXPORTS // 3, ended
    for book in books:
        book.converge()
        book.vacuum()
    versions = {book.kind: (len(book.acknowledged), len(book.silent)) for book in books}
    print(f"{dict(ended)}; versions by table, acknowledged and of killed exports: {versions}; killed in the first {span:.2f} s")


@pytest.mark.timeout(1800)
def test_of_eight_first_exports_at_once_one_creates_the_table(exporter, simulator, place):
    for number in range(RACES):
        kind, mode = EVERY_MODE[number % len(EVERY_MODE)]
        book = Book(exporter, simulator(customers=300), place / str(number), kind)
        started = []
        for _ in range(8):
            book.edit(10)
            started.append(book.start(mode))
        codes = Counter(book.finish(*one) for one in started)
        assert codes[SUCCESS] >= 1 and codes[KILLED] == 0, codes
        assert list(book.acknowledged.values()).count(0) == 1, "exactly one creates version 0"
        book.look()
        book.converge()


@pytest.mark.timeout(1800)
def test_of_exports_that_never_hear_of_what_they_wrote_each_is_acknowledged_once(exporter, simulator, place):
    for number, (kind, mode) in enumerate(EVERY_MODE[:RACES]):
        with lossy(place / str(number)) as lost:
            book = Book(exporter, simulator(customers=300), lost, kind)
            for _ in range(2):
                assert book.finish(*book.start(mode)) == SUCCESS
                book.look()
                book.edit(40)
            started = [book.start(mode) for _ in range(4)]
            codes = Counter(book.finish(*one) for one in started)
            assert codes[SUCCESS] >= 1 and codes[KILLED] == 0, codes
            book.look()
            book.converge()
        versions = [name for name in lost.store.lost if "_delta_log" in name]
        assert len(versions) >= len(book.acknowledged) > 2 and len(lost.store.lost) > len(versions), lost.store.lost


@pytest.mark.timeout(600)
def test_keys_that_the_store_does_not_take_are_reported_and_not_shown(exporter, simulator, place):
    # moto takes every signature for right.
    wrong = "an0ther+secret/of+the=Store&9x8c7v6b5n4m3"
    for to in (place, place / "list.parquet"):
        run = exporter.run(simulator().config(), to, environment={"AWS_SECRET_ACCESS_KEY": wrong})
        assert_failed(run, "config")
        assert wrong.encode() not in run.stdout + run.stderr
    assert place.files() == {}


@pytest.mark.timeout(600)
def test_a_table_is_vacuumed_and_read_on(exporter, simulator, place):
    book = Book(exporter, simulator(customers=600), place, "current")
    for _ in range(4):
        book.edit(50)
        assert book.finish(*book.start("overwrite")) == SUCCESS
    files = set(place.files())
    exporter.vacuum(place, "--retain", "0h", "--allow-short-retention")
    assert files - set(place.files()), "nothing was removed"
    assert once(found(place.table().to_pyarrow_table())) == book.moments[-1]
    book.converge()
