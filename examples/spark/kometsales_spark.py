"""The customers of many companies in Spark: read them as a DataFrame, or have the executors export them.

    spark.sparkContext.addPyFile("kometsales_spark.py")
    spark.dataSource.register(kometsales_spark.Customers)
    customers = spark.read.format("kometsales").load("/run/secrets/komet")

Needs PySpark 4.0 or later, and on each executor the program `kometsales` (beside its Python, as `pip install kometsales` puts it,
or on PATH), pyarrow and pandas. /run/secrets/komet is a path on the executors, as `--companies` takes it: a folder with a file per company,
or a .jsonl file. Tokens are read there and by the program alone: none is in an option, a plan, a log or this Python.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

# The one declaration of the rows: Spark's schema and the batches are made of it.
ROWS = {
    "company": "string",
    "id": "bigint",
    "accountingCode": "string",
    "name": "string",
    "code": "string",
    "active": "boolean",
    "salesPerson": "string",
    "salesPersonId": "bigint",
    "customerType": "string",
    "updatedOn": "timestamp",
    "_extra": "string",
    "_extracted_at": "timestamp",
    # Null but in the one row of a company that failed, in which all else but its name is null.
    "_failure": "string",
}

# What became of a company, in the words of `export --json`.
REPORT = {
    "company": "string",
    "outcome": "string",
    "kind": "string",
    "message": "string",
    "rows": "bigint",
    "unchanged": "bigint",
    "deleted": "bigint",
    "requests": "bigint",
    "version": "bigint",
    "cursor": "string",
}

# Settings that may be options: all but the secret ones. The others are in the files of the companies.
SETTINGS = {
    "start_date",
    "include_inactive",
    "timezone",
    "lookback_hours",
    "customer_id",
    "sales_person_id",
    "location_id",
    "name",
    "code",
    "max_rejects",
    "full_list_hours",
    "exclude_fields",
    "hash_fields",
    "base_url",
    "request_timeout_seconds",
    "retry_window_seconds",
}
SECRETS = {"authentication_token", "hash_key"}

PARTITIONS = 8

# Companies that one task has at work at once: Komet Sales is asked as often at once as there are tasks, times this.
JOBS = 1

# Exit codes after which the report says what became of each company: 70, a signal and the like leave that open.
REPORTED = {0, 65, 75, 77, 78}

_ARROW = {"string": pa.string(), "bigint": pa.int64(), "boolean": pa.bool_(), "timestamp": pa.timestamp("us", tz="UTC")}


class Customers(DataSource):
    """`spark.read.format("kometsales").option("timezone", "America/Bogota").load(COMPANIES)`: a row per customer.

    The companies are shared by `partitions` (8), by their names. Each task has `jobs` (1) of them at work at once. A company that fails is
    one row with `_failure`; a task whose program did not end as it should fails, and Spark tries it again. Every action asks Komet Sales
    once per company.
    """

    def __init__(self, options: dict[str, str]) -> None:
        super().__init__(options)
        # What must not be an option is refused at once, before Spark plans anything.
        self._reader = Reader(options)

    @classmethod
    def name(cls) -> str:
        return "kometsales"

    def schema(self) -> str:
        return _ddl(ROWS)

    def reader(self, schema: object) -> DataSourceReader:
        return self._reader


class Reader(DataSourceReader):
    def __init__(self, options: dict[str, str]) -> None:
        options = {name.lower(): value for name, value in options.items()}
        companies = options.pop("path", None)
        if not companies:
            raise ValueError("Name the companies: .load(PATH), a folder with a file per company or a .jsonl file.")
        self.count = int(options.pop("partitions", PARTITIONS))
        self.jobs = int(options.pop("jobs", JOBS))
        self.arguments = _arguments(companies, options)

    def partitions(self) -> list[InputPartition]:
        return [InputPartition(number) for number in range(self.count)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The rows of one part of the companies, and a row for each of them that failed."""
        command = [_program(), *self.arguments, f"--shard={partition.value}/{self.count}", "--to=-", f"--jobs={self.jobs}"]
        sent: Counter[str] = Counter()
        with tempfile.TemporaryFile() as told:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told)
            broken = None
            try:
                with pa.ipc.open_stream(child.stdout) as stream:
                    for batch in stream:
                        for one in batch.column("company").value_counts():
                            sent[one["values"].as_py()] += one["counts"].as_py()
                        yield _declared(batch)
            except (pa.ArrowInvalid, OSError) as error:
                broken = error
            except BaseException:
                # A reader that leaves early (LIMIT) ends the program, too.
                child.kill()
                raise
            finally:
                child.stdout.close()
                code = child.wait()
            told.seek(0)
            companies = _report(told.read(), code)
        if broken is not None:
            raise RuntimeError(f"kometsales ended with {code}, and its rows are not whole: {broken}")
        for company in companies:
            rows = company["rows"] if company["outcome"] == "exported" else 0
            # A stream that is cut between two batches looks whole.
            if sent[company["company"]] != rows:
                raise RuntimeError(f"{company['company']} has {rows} rows, and {sent[company['company']]} of them came.")
        failures = [{"company": company["company"], "_failure": _why(company)} for company in companies if company["outcome"] != "exported"]
        if failures:
            yield pa.RecordBatch.from_pylist(failures, schema=_arrow(ROWS))


def export(
    spark: SparkSession, companies: str, to: str, partitions: int = PARTITIONS, flags: tuple[str, ...] = (), jobs: int = JOBS, **settings: object
) -> DataFrame:
    """Has the executors export the companies to tables below `to`, such as "s3://lake/komet"; returns a row per company.

    Each table is committed by the program itself, so a task that Spark runs twice changes nothing twice. The executors need the
    store's credentials in their environment. `flags` are flags of `kometsales export`, such as ("--mode=history",). The DataFrame is
    lazy, and each action on it exports: collect it once.
    """
    arguments = [*_arguments(companies, settings), f"--to={to}", f"--jobs={int(jobs)}", *flags]

    def export_part(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for part in batch.column("part").to_pylist():
                command = [_program(), *arguments, f"--shard={part}/{partitions}"]
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
                lines = [{name: line.get(name) for name in REPORT} for line in _report(done.stdout, done.returncode, done.stderr)]
                yield pa.RecordBatch.from_pylist(lines, schema=_arrow(REPORT))

    parts = spark.range(0, partitions, numPartitions=partitions).withColumnRenamed("id", "part")
    return parts.mapInArrow(export_part, _ddl(REPORT))


def _arguments(companies: str, settings: dict[str, object]) -> list[str]:
    """The arguments that all parts have in common. No value is shown: it may be a secret in the wrong place."""
    given = {name for name, value in settings.items() if value is not None}
    if given & SECRETS:
        raise ValueError(f"{', '.join(sorted(given & SECRETS))} must not be an option, which Spark may show. Put it into the files of the companies.")
    if given - SETTINGS:
        raise ValueError(f"There is no option {', '.join(sorted(given - SETTINGS))}. Available: partitions, jobs, {', '.join(sorted(SETTINGS))}.")
    flags = [f"--{name.replace('_', '-')}={settings[name]}" for name in sorted(given)]
    return ["export", f"--companies={companies}", "--json", *flags]


def _program() -> str:
    """The program on this executor."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
    found = shutil.which("kometsales", path=path)
    if found is None:
        raise FileNotFoundError(f"There is no program kometsales beside {sys.executable} or on PATH. Install kometsales on the executors.")
    return found


def _report(told: bytes, code: int, errors: bytes = b"") -> list[dict]:
    """The line of each company. Raises where there is no whole report."""
    lines = told.decode(errors="replace").splitlines()
    companies = [json.loads(line) for line in lines if line.startswith("{")]
    summary = companies.pop().get("summary") if companies else None
    if code not in REPORTED or summary is None or summary["companies"] != len(companies):
        last = (errors.decode(errors="replace").splitlines() or lines or [""])[-1]
        raise RuntimeError(f"kometsales ended with {code}: {last}")
    return companies


def _why(company: dict) -> str:
    if company["outcome"] == "not_started":
        return f"{company['kind']}: It was not started, since the companies before it failed. Run again."
    return f"{company['kind']}: {company['message']}"


def _declared(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch as it is declared; one that has other columns is none of this version's."""
    columns = [batch.column(field.name) for field in _arrow(ROWS) if field.name != "_failure"]
    if batch.num_columns != len(columns):
        raise RuntimeError(f"The rows have the columns {', '.join(batch.schema.names)}, which this file does not declare.")
    return pa.RecordBatch.from_arrays([*columns, pa.nulls(batch.num_rows, pa.string())], schema=_arrow(ROWS))


def _ddl(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def _arrow(columns: dict[str, str]) -> pa.Schema:
    return pa.schema([(name, _ARROW[kind]) for name, kind in columns.items()])
