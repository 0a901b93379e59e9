"""Many companies to S3 in one run: no failure, few requests to the store, and tables that other programs read."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import deltalake
import duckdb
import polars
import pyarrow.compute
import pytest
from log import commits
from secrecy import assert_absent

COMPANIES, CUSTOMERS = 200, 30
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Many:
    """A running `simulate` of many companies."""

    def __init__(self, executable: Path, folder: Path) -> None:
        self.executable, self.folder = executable, folder
        words = ["simulate", "--companies", str(COMPANIES), "--customers", str(CUSTOMERS)]
        with (folder / "simulator.stderr").open("wb") as stderr:
            self.process = subprocess.Popen([executable, *words], stdout=subprocess.PIPE, stderr=stderr, text=True)
        self.lines = [self.process.stdout.readline() for _ in range(COMPANIES)]
        self.origin = json.loads(self.lines[0])["base_url"].removesuffix("/api")
        self.secrets = [json.loads(line)["authentication_token"] for line in self.lines]

    def export(self, to, *flags: str) -> tuple[list[dict], dict]:
        words = [self.executable, "export", "--companies", "-", "--to", to.url, "--json", *flags]
        done = subprocess.run(
            words, input="".join(self.lines), env={**os.environ, **to.environment}, capture_output=True, text=True, timeout=240, check=False
        )
        for secret in (*self.secrets, *to.secrets):
            assert_absent(secret, (done.stdout + done.stderr).encode(), "what export said")
        *companies, last = [json.loads(line) for line in done.stdout.splitlines()]
        assert (done.returncode, len(companies)) == (0, COMPANIES), done.stderr
        return companies, last["summary"]

    def requests(self) -> dict:
        with _direct.open(f"{self.origin}/simulator/requests", timeout=20) as reply:
            return json.load(reply)

    def change(self, customers: int) -> None:
        url = f"{self.origin}/simulator/change?customers={customers}"
        with _direct.open(urllib.request.Request(url, method="POST"), timeout=20) as reply:
            assert json.load(reply)["changed"] == customers * COMPANIES

    def ids(self, number: int) -> set[int]:
        line = json.loads(self.lines[number])
        url = f"{line['base_url']}/customer.list?includeInactive=true&authenticationToken={line['authentication_token']}"
        with _direct.open(url, timeout=20) as reply:
            return {int(customer["id"]) for customer in json.load(reply)["customers"]}


@pytest.fixture
def many(executable: Path, tmp_path: Path) -> Iterator[Many]:
    one = Many(executable, tmp_path)
    yield one
    one.process.kill()
    one.process.wait(20)
    one.process.stdout.close()


@pytest.mark.timeout(600)
def test_two_hundred_companies_are_exported_without_a_failure_and_read_by_others(many, bucket):
    companies, summary = many.export(bucket, "--jobs", "8")
    assert (summary["exported"], summary["rows"], summary["requests"]) == (COMPANIES, COMPANIES * CUSTOMERS, COMPANIES)
    counted = many.requests()
    assert counted["requests"] == COMPANIES and counted["most_at_once"] <= 8
    _, again = many.export(bucket, "--jobs", "8")
    assert (again["exported"], again["rows"]) == (COMPANIES, 0)
    many.change(3)
    _, changed = many.export(bucket, "--jobs", "8")
    assert changed["rows"] == 3 * COMPANIES
    seen: set[int] = set()
    for number in (0, 57, COMPANIES - 1):
        name = json.loads(many.lines[number])["company"]
        url = f"{bucket.url}/{name}/customers"
        table = deltalake.DeltaTable(url, storage_options=bucket.store.options)
        ids = set(table.to_pyarrow_table(columns=["id"])["id"].to_pylist())
        assert ids == many.ids(number) and len(ids) == CUSTOMERS
        assert set(polars.read_delta(url, storage_options=bucket.store.options)["id"]) == ids
        assert not ids & seen, "a customer of another company"
        seen |= ids


@pytest.mark.timeout(600)
def test_four_shards_at_once_share_the_companies(many, bucket):
    words = [many.executable, "export", "--companies", "-", "--to", bucket.url, "--json", "--jobs", "2"]
    (many.folder / "companies.jsonl").write_text("".join(many.lines))
    words[3] = str(many.folder / "companies.jsonl")
    running = [
        subprocess.Popen([*words, "--shard", f"{index}/4"], env={**os.environ, **bucket.environment}, stdout=subprocess.PIPE, text=True)
        for index in range(4)
    ]
    names = []
    for process in running:
        said, _ = process.communicate(timeout=240)
        *companies, last = [json.loads(line) for line in said.splitlines()]
        assert process.returncode == 0, last
        names += [company["company"] for company in companies]
    assert len(names) == len(set(names)) == COMPANIES
    assert many.requests()["requests"] == COMPANIES


def in_one_table(many: Many, place) -> dict[str, set[int]]:
    """The ids of each company in the one table of all, as delta-rs and Polars find them."""
    url = f"{place.url}/customers"
    table = deltalake.DeltaTable(url, storage_options=place.options)
    assert table.metadata().partition_columns == ["company"]
    assert table.schema().fields[0].name == "company"
    rows = table.to_pyarrow_table(columns=["company", "id"])
    found: dict[str, set[int]] = {}
    for company, id in zip(rows["company"].to_pylist(), rows["id"].to_pylist(), strict=True):
        ids = found.setdefault(company, set())
        assert id not in ids, "a customer is there twice"
        ids.add(id)
    counted = polars.read_delta(url, storage_options=place.options).group_by("company").len()
    assert dict(counted.iter_rows()) == {company: len(ids) for company, ids in found.items()}
    return found


def assert_files_are_named_once(place) -> None:
    added = [add["path"] for commit in commits(place.files()) for add in commit.of("add")]
    assert len(added) == len(set(added))


@pytest.mark.timeout(600)
def test_two_hundred_companies_in_one_table_are_read_by_others(many, bucket):
    _, summary = many.export(bucket, "--one-table", "--jobs", "8")
    assert (summary["exported"], summary["rows"], summary["requests"]) == (COMPANIES, COMPANIES * CUSTOMERS, COMPANIES)
    assert summary["commits"] <= 6 and summary["rebases"] == 0
    _, again = many.export(bucket, "--one-table", "--jobs", "8")
    assert (again["rows"], again["commits"]) == (0, 0)
    many.change(3)
    _, changed = many.export(bucket, "--one-table", "--jobs", "8")
    assert changed["rows"] == 3 * COMPANIES
    found = in_one_table(many, bucket)
    assert len(found) == COMPANIES
    for number in (0, 57, COMPANIES - 1):
        assert found[json.loads(many.lines[number])["company"]] == many.ids(number)
    assert_files_are_named_once(bucket)


@pytest.mark.timeout(600)
def test_one_company_is_read_alone_by_duckdb_and_pyarrow(many, folder):
    many.export(folder, "--one-table", "--jobs", "8")
    company, ids = json.loads(many.lines[57])["company"], sorted(many.ids(57))
    dataset = folder.table().to_pyarrow_dataset()
    # What is partitioned is known to be so: the files of other companies are not opened.
    files = list(dataset.get_fragments(filter=pyarrow.compute.field("company") == company))
    assert len(files) == 1
    rows = dataset.to_table(columns=["id"], filter=pyarrow.compute.field("company") == company)
    assert sorted(rows["id"].to_pylist()) == ids
    assert duckdb.sql(f"select id from dataset where company = '{company}' order by id").fetchall() == [(id,) for id in ids]


# Never on moto, which lets two writers win the same race.
@pytest.fixture(params=["folder", "container"])
def arbiter(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


def start(many: Many, place, *flags: str) -> subprocess.Popen:
    companies = many.folder / "companies.jsonl"
    if not companies.exists():
        # Those that began before are reading it.
        companies.write_text("".join(many.lines))
    words = [many.executable, "export", "--companies", companies, "--to", place.url, "--json", "--one-table", *flags]
    return subprocess.Popen(words, env={**os.environ, **place.environment}, stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen) -> dict:
    said, _ = process.communicate(timeout=240)
    last = json.loads(said.splitlines()[-1]).get("summary")
    assert last, said
    assert (process.returncode, last["failed"], last["not_started"]) == (0, 0, 0), said
    return last


@pytest.mark.timeout(600)
def test_four_shards_at_once_write_into_one_table(many, arbiter):
    running = [start(many, arbiter, "--jobs", "2", "--shard", f"{index}/4") for index in range(4)]
    summaries = [ended(process) for process in running]
    assert sum(summary["exported"] for summary in summaries) == COMPANIES
    assert sum(summary["rebases"] for summary in summaries) > 0
    # Nobody changes another shard's companies, so nobody is asked twice.
    assert many.requests()["requests"] == COMPANIES
    found = in_one_table(many, arbiter)
    assert len(found) == COMPANIES and all(len(ids) == CUSTOMERS for ids in found.values())
    assert_files_are_named_once(arbiter)


@pytest.mark.timeout(600)
def test_two_runs_at_once_into_one_table_both_succeed(many, arbiter):
    many.export(arbiter, "--one-table", "--jobs", "8")
    many.change(3)
    summaries = [ended(process) for process in [start(many, arbiter, "--jobs", "4") for _ in range(2)]]
    assert sum(summary["rebases"] for summary in summaries) > 0
    found = in_one_table(many, arbiter)
    assert found[json.loads(many.lines[57])["company"]] == many.ids(57)
    assert len(found) == COMPANIES and all(len(ids) == CUSTOMERS for ids in found.values())
    assert_files_are_named_once(arbiter)


@pytest.mark.timeout(600)
def test_runs_that_are_killed_leave_whole_companies_and_the_next_run_does_the_rest(many, folder):
    chosen = random.Random(20170802)
    many.export(folder, "--one-table", "--jobs", "8")
    started = time.monotonic()
    many.change(3)
    many.export(folder, "--one-table", "--jobs", "8")
    duration = time.monotonic() - started
    between = 0
    for _ in range(30):
        many.change(3)
        expected = len(commits(folder.files()))
        process = start(many, folder, "--jobs", "8")
        time.sleep(chosen.uniform(0, 1.1 * duration))
        process.kill()
        process.communicate(timeout=60)
        found = in_one_table(many, folder)
        assert len(found) == COMPANIES and all(len(ids) == CUSTOMERS for ids in found.values())
        between += len(commits(folder.files())) > expected
    assert between >= 3, "the kills all came before the first commit"
    _, summary = many.export(folder, "--one-table", "--jobs", "8")
    assert summary["exported"] == COMPANIES
    _, again = many.export(folder, "--one-table", "--jobs", "8", "--full-refresh")
    assert again["rows"] == 0, "as if nothing had happened"
    assert_files_are_named_once(folder)
