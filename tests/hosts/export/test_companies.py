"""Many companies to S3 in one run: no failure, few requests to the store, and tables that other programs read."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import deltalake
import polars
import pytest
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
