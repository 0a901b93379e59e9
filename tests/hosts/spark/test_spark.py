"""examples/spark: rows equal those of the tables, a failing company is a row, and no token is where Spark keeps what it is told."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import kometsales_spark
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
import pyspark
import pytest
from komet import EXECUTABLE, Komet, sorted_rows, tables
from kometsales_spark import PARTITIONS, Customers, Reader
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from secrecy import assert_absent

EXAMPLE = Path(kometsales_spark.__file__)
# Two batches per company.
COMPANIES, CUSTOMERS = 8, 8_400
# Of the figures.
ROUNDS = 3
REFUSED, CUT = "company-0003", "company-0006"
OTHERS = [f"company-{number:04}" for number in range(1, COMPANIES + 1) if number != 3]
STORE_KEY, STORE_SECRET = "AKIDKOMETSALESTEST00", "s3cr3t/of+the=Store&7kQ9zR2wXv5bN8mJ4hL1pT6y"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("spark")


@pytest.fixture(scope="module")
def komet(folder: Path) -> Iterator[Komet]:
    one = Komet(folder, COMPANIES, CUSTOMERS, f"token-refused@{REFUSED}")
    yield one
    one.stop()


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """The environment with which a bucket `lake` of a running moto is reached."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    origin = f"http://127.0.0.1:{port}"
    command = [os.environ["STORE_PYTHON"], "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                direct.open(urllib.request.Request(f"{origin}/lake", method="PUT"), timeout=20).close()
                break
            except OSError:
                assert time.monotonic() < deadline and process.poll() is None, "moto did not start"
                time.sleep(0.1)
        yield {
            "AWS_ACCESS_KEY_ID": STORE_KEY,
            "AWS_SECRET_ACCESS_KEY": STORE_SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": origin,
            "AWS_ALLOW_HTTP": "true",
        }
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def spark(folder: Path, komet: Komet, store: dict[str, str]) -> Iterator[SparkSession]:
    """A session whose executors have the program, and the store's credentials, in their environment."""
    events = folder / "events"
    events.mkdir()
    before = dict(os.environ)
    os.environ.update(store, PATH=f"{komet.bin}:{os.environ['PATH']}")
    builder = SparkSession.builder.master(os.environ["MASTER"])
    settings = {
        "spark.ui.enabled": "false",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": events.as_uri(),
        "spark.local.dir": str(folder),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # Snappy's native library takes some machines for others, where it does not load.
        "spark.sql.parquet.compression.codec": "uncompressed",
        # As examples/spark/README.md has it for executors of one core.
        "spark.executor.extraJavaOptions": "-XX:+UseSerialGC",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.addPyFile(str(EXAMPLE))
    session.dataSource.register(Customers)
    work = work_of(session)
    yield session
    session.stop()
    os.environ.clear()
    os.environ.update(before)
    shutil.rmtree(work, ignore_errors=True)


def work_of(session: SparkSession) -> Path:
    """Where executors of their own keep what they say, and the files that they are sent."""
    return Path(pyspark.__file__).parent / "work" / session.sparkContext.applicationId


@pytest.fixture(scope="module")
def expected(folder: Path, komet: Komet) -> pa.Table:
    """The rows of the tables that the program writes by itself."""
    done = komet.export(folder / "lake")
    assert done.returncode == 77, done
    return tables(str(folder / "lake"), OTHERS)


def written(folder: Path) -> tuple[pa.Table, list[tuple[str, str]]]:
    """What Spark wrote: the rows, and who failed and why."""
    rows = pyarrow.parquet.read_table(folder)
    is_failure = pa.compute.is_valid(rows.column("_failure"))
    failed = rows.filter(is_failure)
    for name in set(rows.column_names) - {"company", "_failure"}:
        assert failed.column(name).null_count == failed.num_rows, name
    whole = rows.filter(pa.compute.invert(is_failure)).drop_columns(["_failure"])
    assert whole.column("_extracted_at").null_count == 0
    failures = zip(failed.column("company").to_pylist(), failed.column("_failure").to_pylist(), strict=True)
    return sorted_rows(whole), list(failures)


def asked(komet: Komet, before: dict[str, int]) -> dict[str, int]:
    return {company: count - before[company] for company, count in komet.requests().items()}


def everything_that_spark_keeps(folder: Path, spark: SparkSession) -> bytes:
    """The event log, and what executors of their own said."""
    files = [path for place in (folder / "events", work_of(spark)) for path in place.rglob("*") if path.is_file() and path.suffix != ".jar"]
    return b"".join(path.read_bytes() for path in files)


def test_the_rows_are_those_of_the_tables_a_refused_company_is_one_row_and_each_is_asked_once(spark, komet, expected, folder):
    before = komet.requests()
    customers = spark.read.format("kometsales").option("partitions", "4").load(str(komet.tokens))
    customers.write.parquet(str(folder / "clean"))
    assert asked(komet, before) == {company: 1 for company in komet.secrets}
    rows, failures = written(folder / "clean")
    assert rows.equals(expected), (rows.schema, expected.schema, rows.num_rows)
    ((company, why),) = failures
    assert company == REFUSED and why.startswith("auth: ") and "Token not found" in why


def test_a_stream_that_is_cut_between_two_batches_is_read_again_and_never_half(spark, komet, expected, folder):
    komet.cut.write_text(CUT)
    before = komet.requests()
    customers = spark.read.format("kometsales").option("partitions", "4").load(str(komet.tokens))
    customers.write.parquet(str(folder / "cut"))
    assert not komet.cut.exists(), "it was cut"
    assert asked(komet, before)[CUT] == 2
    rows, failures = written(folder / "cut")
    assert rows.equals(expected)
    assert [company for company, _ in failures] == [REFUSED]


def test_executors_export_to_s3_and_each_company_is_a_row_of_the_report(spark, komet, expected, store):
    report = kometsales_spark.export(spark, str(komet.tokens), "s3://lake/komet", partitions=4)
    before = komet.requests()
    told = {row["company"]: row.asDict() for row in report.collect()}
    assert asked(komet, before) == {company: 1 for company in komet.secrets}
    refused = told.pop(REFUSED)
    assert (refused["outcome"], refused["kind"], refused["rows"]) == ("failed", "auth", None)
    assert {company: row["rows"] for company, row in told.items()} == dict.fromkeys(OTHERS, CUSTOMERS)
    options = {**store, "aws_conditional_put": "etag"}
    assert tables("s3://lake/komet", OTHERS, options).equals(expected)
    # Once more: a task that is run twice changes nothing.
    again = {row["company"]: row.asDict() for row in report.where("outcome = 'exported'").collect()}
    assert {row["rows"] for row in again.values()} == {0} and {row["version"] for row in again.values()} == {0}


def test_a_token_is_refused_as_an_option_without_being_shown(spark, komet):
    for name in ("authentication_token", "Authentication_Token", "hash_key", "token"):
        secret = "a-token-in-the-wrong-place"
        with pytest.raises(Exception) as refused:
            spark.read.format("kometsales").option(name, secret).load(str(komet.tokens)).count()
        assert name.lower() in str(refused.value)
        assert_absent(secret, str(refused.value).encode(), "the refusal")
    with pytest.raises(ValueError, match="must not be an option"):
        kometsales_spark.export(spark, str(komet.tokens), "s3://lake/komet", hash_key="a-key-in-the-wrong-place")


def test_no_token_is_in_a_plan_or_in_what_spark_keeps(spark, komet, folder):
    """Runs behind the others: the log has all that they did."""
    customers = spark.read.format("kometsales").option("timezone", "America/Bogota").load(str(komet.tokens))
    report = kometsales_spark.export(spark, str(komet.tokens), "s3://lake/komet")
    plans = "".join(frame._jdf.queryExecution().toString() for frame in (customers, report))
    assert "kometsales" in plans and "MapInArrow" in plans
    kept = everything_that_spark_keeps(folder, spark)
    assert b"kometsales" in kept and b"SparkListenerTaskEnd" in kept
    for secret in (*komet.secrets.values(), STORE_SECRET, "a-token-in-the-wrong-place"):
        assert_absent(secret, plans.encode(), "a plan")
        assert_absent(secret, kept, "the event log or what an executor said")


def test_the_page_runs_as_it_is_written(spark, komet, expected, folder, store):
    page = (EXAMPLE.parent / "README.md").read_text()
    code = "".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    places = {"kometsales_spark.py": str(EXAMPLE), "/run/secrets/komet": str(komet.tokens), "s3://lake/raw": str(folder / "raw"), "s3://lake/komet": "s3://lake/page"}
    for written_there, here in places.items():
        assert f'"{written_there}' in code
        code = code.replace(written_there, here)
    exec(compile(code, "README.md", "exec"), {"spark": spark})  # noqa: S102 - it is this repository's own page
    rows, _ = written(folder / "raw" / "customers")
    # It reads times in a zone of its own.
    assert rows.drop_columns(["updatedOn"]).equals(expected.drop_columns(["updatedOn"]))
    options = {**store, "aws_conditional_put": "etag"}
    assert tables("s3://lake/page", OTHERS, options).equals(rows)


# What follows needs no session: a reader is an object that yields batches.


@pytest.fixture
def reader(komet: Komet, monkeypatch):
    monkeypatch.setenv("PATH", f"{komet.bin}:{os.environ['PATH']}")

    def of(**options: str) -> Iterator[pa.RecordBatch]:
        return Reader({"path": str(komet.tokens), "partitions": "1", **options}).read(InputPartition(0))

    return of


def test_pyarrow_takes_the_cut_stream_for_whole_and_the_exit_code_does_not(komet, reader):
    komet.cut.write_text(CUT)
    words = ["export", f"--companies={komet.tokens}", "--company", CUT, "--to=-", "--json"]
    process = subprocess.Popen([komet.bin / "kometsales", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    half = pa.ipc.open_stream(process.stdout).read_all()
    process.stdout.close()
    assert process.wait(20) == -9 and 0 < half.num_rows < CUSTOMERS
    komet.cut.write_text(CUT)
    batches = []
    with pytest.raises(RuntimeError, match="ended with -9"):
        batches.extend(reader())
        pytest.fail(f"{len(batches)} batches look whole")


def test_a_message_that_is_cut_or_rows_that_are_missing_fail_the_task(komet, reader, monkeypatch, tmp_path):
    """A program that ends well and did not say everything."""
    for cut, said in (("head -c -3000", "not whole"), ("cat", "of them came")):
        script = f'#!/bin/bash\nset -o pipefail\n"{EXECUTABLE}" "$@" | {cut}\nexit 0\n'
        if cut == "cat":
            # The report of all, and the rows of all but one.
            script = f'#!/bin/bash\n"{EXECUTABLE}" "$@" > {tmp_path}/all\n"{EXECUTABLE}" "$@" --company {OTHERS[0]} 2> {tmp_path}/told\nexit 0\n'
        (tmp_path / "kometsales").write_text(script)
        (tmp_path / "kometsales").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        with pytest.raises(RuntimeError, match=said):
            list(reader())


def test_companies_with_one_token_fail_the_task_before_any_request(komet, reader, tmp_path):
    for company in ("rosas", "lirios"):
        (tmp_path / company).write_text(komet.secrets["company-0001"])
    before = komet.requests()
    with pytest.raises(RuntimeError, match="the same token") as refused:
        list(reader(path=str(tmp_path)))
    assert komet.requests() == before
    assert_absent(komet.secrets["company-0001"], str(refused.value).encode(), "the refusal")


def test_companies_whose_turn_never_came_are_rows_too(reader, tmp_path):
    for number in range(14):
        (tmp_path / f"c-{number}").write_text(f"token-number-{number}")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/api"
        (batch,) = reader(path=str(tmp_path), base_url=url, retry_window_seconds="0")
    told = batch.to_pylist()
    assert {row["company"] for row in told} == {f"c-{number}" for number in range(14)}
    assert all(row["_failure"].startswith("transient: ") for row in told)
    assert sum("not started" in row["_failure"] for row in told) == 4


def test_a_company_without_rows_or_a_part_without_companies_is_nothing(komet, reader, tmp_path):
    (tmp_path / "only").write_text((komet.tokens / OTHERS[0]).read_text())
    parts = [Reader({"path": str(tmp_path), "partitions": "5"}).read(InputPartition(part)) for part in range(5)]
    assert sorted(sum(batch.num_rows for batch in part) for part in parts) == [0, 0, 0, 0, CUSTOMERS]
    assert list(reader(path=str(tmp_path), code="nobody has")) == []


def test_a_reader_that_leaves_early_leaves_no_program(komet, reader, monkeypatch, tmp_path):
    """Also where the program has nothing to write and would wait."""
    script = f'#!/bin/bash\n"{EXECUTABLE}" "$@" --company {OTHERS[0]}\nexec sleep 300\n'
    (tmp_path / "kometsales").write_text(script)
    (tmp_path / "kometsales").chmod(0o755)
    before = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{tmp_path}:{before}")
    started = time.monotonic()
    batches = reader()
    assert next(batches).num_rows > 0
    batches.close()
    assert time.monotonic() - started < 100
    monkeypatch.setenv("PATH", f"{komet.bin}:{before}")
    batches = reader()
    next(batches)
    batches.close()
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(komet.tokens) not in running


def test_the_batches_are_as_declared_and_every_setting_but_the_secret_ones_is_an_option(komet, reader):
    assert {batch.schema for batch in reader(partitions="1")} == {kometsales_spark._arrow(kometsales_spark.ROWS)}
    spec = subprocess.run([EXECUTABLE, "spec"], capture_output=True, check=True).stdout
    settings = json.loads(spec)["spec"]["connectionSpecification"]["properties"]
    assert kometsales_spark.SETTINGS | kometsales_spark.SECRETS == set(settings)
    secret = {name for name, setting in settings.items() if setting.get("airbyte_secret")}
    assert kometsales_spark.SECRETS == secret


def _asking_nobody(spark: SparkSession, folder: Path) -> tuple[Callable[[], None], ...]:
    """What Spark does for a read and for an export by itself: as many partitions and the same columns, and no program."""

    # Within a function, so that executors get the classes themselves: they have no module of that name.
    class Nobody(DataSource):
        @classmethod
        def name(cls) -> str:
            return "nobody"

        def schema(self) -> str:
            return kometsales_spark._ddl(kometsales_spark.ROWS)

        def reader(self, schema: object) -> DataSourceReader:
            class Nothing(DataSourceReader):
                def partitions(self) -> list[InputPartition]:
                    return [InputPartition(number) for number in range(PARTITIONS)]

                def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
                    return iter(())

            return Nothing()

    def nothing(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            pass
        return iter(())

    spark.dataSource.register(Nobody)

    def read() -> None:
        spark.read.format("nobody").load().write.format("noop").mode("overwrite").save()

    def read_and_write() -> None:
        spark.read.format("nobody").load().write.mode("overwrite").parquet(str(folder / "nothing"))

    def export() -> None:
        parts = spark.range(0, PARTITIONS, numPartitions=PARTITIONS)
        assert parts.mapInArrow(nothing, kometsales_spark._ddl(kometsales_spark.REPORT)).where("outcome = 'exported'").count() == 0

    return read, read_and_write, export


@pytest.mark.skipif(os.environ.get("FIGURES") != "1", reason="it takes minutes: FIGURES=1 measures")
def test_a_thousand_companies_take_at_most_1_3_times_as_long_as_in_one_run(spark, tmp_path):
    """With as many companies at work at once: two tasks with two each. Spark's own start is beside it: the same job without any company,
    by a session that is as warm. Reading is shown by itself, and with Spark's own writing of the rows to Parquet. Medians of rounds, in
    each of which all are measured."""
    komet = Komet(tmp_path, 1000, 5000)
    fresh = (str(tmp_path / str(number)) for number in itertools.count())

    def customers() -> DataFrame:
        return spark.read.format("kometsales").option("partitions", str(PARTITIONS)).option("jobs", "2").load(str(komet.tokens))

    def read() -> None:
        customers().write.format("noop").mode("overwrite").save()

    def read_and_write() -> None:
        customers().write.option("parquet.enable.dictionary", "false").parquet(next(fresh))

    def export() -> None:
        report = kometsales_spark.export(spark, str(komet.tokens), next(fresh), PARTITIONS, jobs=2)
        assert report.where("outcome = 'exported'").count() == 1000

    def seconds(work: Callable[[], None]) -> float:
        started = time.monotonic()
        work()
        return time.monotonic() - started

    def alone() -> None:
        done = komet.export(next(fresh))
        assert done.returncode == 0, done

    works = {"reading": read, "reading and writing Parquet": read_and_write, "exporting": export}
    starts = dict(zip(works, _asking_nobody(spark, tmp_path), strict=True))
    for nobody in starts.values():
        nobody()
    took = defaultdict(list)
    try:
        for _ in range(ROUNDS):
            took["companies"].append(seconds(alone))
            for name, work in works.items():
                took["start of " + name].append(seconds(starts[name]))
                took[name].append(seconds(work))
    finally:
        komet.stop()
    medians = {name: statistics.median(times) for name, times in took.items()}
    companies = medians["companies"]
    print(f"--companies {companies:.1f} s; medians of {ROUNDS} rounds")
    shares = {name: medians[name] / (1.3 * companies + medians["start of " + name]) for name in works}
    for name, share in shares.items():
        start, of_all = medians["start of " + name], ", ".join(f"{time:.1f}" for time in took[name])
        print(f"Spark {name} {medians[name]:.1f} s ({of_all}), its start {start:.1f} s: {share:.2f} of what is allowed")
    assert all(share <= 1 for share in shares.values())
