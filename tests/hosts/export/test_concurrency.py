"""Several exports to one table at once: each succeeds or ends in a clean conflict, no customer is lost, none is there twice.

Never on moto, which lets two writers win the same race.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import pyarrow.compute
import pyarrow.parquet
import pytest
from log import commits
from rows import found, once, source

MERGE, APPEND, OVERWRITE = ["--mode", "merge"], ["--mode", "append"], ["--mode", "overwrite"]
HISTORY = ["--mode", "history"]
SUCCESS, CONFLICT = 0, 75


class Race:
    """Exports that run at once while the company is edited."""

    def __init__(self, exporter, api, place) -> None:
        self.exporter, self.api, self.place = exporter, api, place
        self.config = api.config()
        self.moments = [source(api)]

    def edit(self, customers: int) -> None:
        self.api.change(customers)
        self.moments.append(source(self.api))

    def run(self, modes: list[list[str]], edits: int) -> None:
        started = []
        for mode in modes:
            if edits:
                self.edit(edits)
            started.append((self.exporter.start(self.config, self.place, *mode), len(self.moments) - 1))
        self.runs = [(self.exporter.finish(process, self.config, self.place), moment) for process, moment in started]
        assert {run.exit_code for run, _ in self.runs} <= {SUCCESS, CONFLICT}, "\n".join(str(run) for run, _ in self.runs)
        assert any(run.exit_code == SUCCESS for run, _ in self.runs)

    @property
    def promised(self) -> int:
        """The latest moment that an export, having succeeded, promises to be in the table."""
        return max(moment for run, moment in self.runs if run.exit_code == SUCCESS)

    def assert_current(self, rows: set) -> None:
        """Every customer is there as it was at the promised moment or later."""
        since = defaultdict(set)
        for moment in self.moments[self.promised :]:
            for row in moment:
                since[row[0]].add(row)
        assert {row[0] for row in rows} == set(since), "a customer is lost"
        stale = [row for row in rows if row not in since[row[0]]]
        assert not stale, f"{len(stale)} rows are older than what an export that succeeded has read: {stale[:3]}"

    def converge(self) -> None:
        """One export alone, and the table equals the source."""
        self.edit(5)
        self.exporter.export(self.config, self.place)
        assert once(found(self.place.table().to_pyarrow_table())) == source(self.api)


def assert_commits_are_whole(place) -> None:
    """Each version once, without a gap, and no file added in two of them."""
    found_commits = commits(place.files())
    assert [commit.version for commit in found_commits] == list(range(len(found_commits)))
    added = Counter(add["path"] for commit in found_commits for add in commit.of("add"))
    assert set(added.values()) == {1}, added


def assert_versions_are_apart(table: pyarrow.Table) -> None:
    """Each version of a customer ends, if it does, before the next one begins, and the last one is current."""
    versions = defaultdict(list)
    for id, begins, ends, is_current in zip(
        *(table.column(name).to_pylist() for name in ("id", "_valid_from", "_valid_to", "_is_current")), strict=True
    ):
        assert is_current == (ends is None)
        assert ends is None or begins < ends
        versions[id].append((begins, ends))
    for id, periods in versions.items():
        periods.sort()
        following = [begins for begins, _ in periods[1:]]
        assert [ends for _, ends in periods] == [*following, None], id


@pytest.mark.parametrize("where", ["folder", "container"])
@pytest.mark.parametrize("is_new", [True, False], ids=["a new table", "a table"])
def test_merges_at_once_lose_nobody_and_double_nobody(request, exporter, simulator, where, is_new):
    api = simulator(customers=1500)
    for number in range(3):
        place = request.getfixturevalue(where) / str(number)
        race = Race(exporter, api, place)
        if not is_new:
            exporter.export(race.config, place)
        race.run([MERGE] * 6, edits=60)
        race.assert_current(once(found(place.table().to_pyarrow_table())))
        assert_commits_are_whole(place)
        race.converge()


@pytest.mark.parametrize("where", ["folder", "container"])
def test_appends_at_once_keep_every_version_once(request, exporter, simulator, where):
    place = request.getfixturevalue(where)
    api = simulator(customers=900)
    race = Race(exporter, api, place)
    race.edit(300)
    exporter.export(race.config, place, *APPEND)
    # In all two edits of each customer, so that no version can come a second time.
    race.run([APPEND] * 6, edits=250)
    rows = found(place.table().to_pyarrow_table())
    twice = [row for row, times in Counter(rows).items() if times > 1]
    assert not twice, f"{len(twice)} rows are there twice: {twice[:3]}"
    assert set(rows) >= race.moments[1] | race.moments[race.promised]
    assert set(rows) <= set().union(*race.moments)
    assert_commits_are_whole(place)
    summary = exporter.export(race.config, place, *APPEND)
    assert set(found(place.table().to_pyarrow_table())) >= source(api), summary


def test_appends_at_once_without_edits_add_each_row_once(exporter, simulator, folder):
    api = simulator(customers=900)
    race = Race(exporter, api, folder)
    race.run([APPEND] * 6, edits=0)
    rows = found(folder.table().to_pyarrow_table())
    assert Counter(rows) == Counter(source(api))


def test_histories_at_once_lose_nobody_and_overlap_nowhere(exporter, simulator, folder):
    api = simulator(customers=1500)
    for number in range(3):
        place = folder / str(number)
        race = Race(exporter, api, place)
        race.run([HISTORY] * 6, edits=60)
        table = place.table().to_pyarrow_table()
        assert_versions_are_apart(table)
        race.assert_current(once(found(table.filter(pyarrow.compute.field("_is_current")))))
        assert_commits_are_whole(place)


@pytest.mark.parametrize("where", ["folder", "container"])
def test_merges_and_overwrites_at_once_lose_nobody_and_double_nobody(request, exporter, simulator, where):
    place = request.getfixturevalue(where)
    race = Race(exporter, simulator(customers=1500), place)
    exporter.export(race.config, place)
    race.run([MERGE, OVERWRITE, MERGE, OVERWRITE, MERGE, OVERWRITE], edits=60)
    race.assert_current(once(found(place.table().to_pyarrow_table())))
    assert_commits_are_whole(place)
    race.converge()


def test_merges_and_appends_at_once_do_not_share_a_table(exporter, simulator, folder):
    api = simulator(customers=900)
    config = api.config()
    processes = [(mode, exporter.start(config, folder, *mode)) for mode in [MERGE, APPEND] * 3]
    ended = {tuple(mode): set() for mode in (MERGE, APPEND)}
    for mode, process in processes:
        ended[tuple(mode)].add(exporter.finish(process, config, folder).exit_code)
    won, lost = sorted(ended.values(), key=lambda codes: 0 not in codes)
    assert won <= {SUCCESS, CONFLICT} and SUCCESS in won, ended
    assert lost <= {78, CONFLICT}, ended
    assert once(found(folder.table().to_pyarrow_table())) == source(api)


def test_a_file_that_several_write_at_once_is_whole(exporter, simulator, folder):
    api = simulator(customers=900)
    config = api.config()
    file = folder / "customers.parquet"
    processes = [exporter.start(config, file) for _ in range(4)]
    codes = {exporter.finish(process, config, file).exit_code for process in processes}
    assert codes <= {SUCCESS, CONFLICT} and SUCCESS in codes
    assert set(found(pyarrow.parquet.read_table(file.url))) == source(api)
    assert set(folder.files()) == {"customers.parquet"}
