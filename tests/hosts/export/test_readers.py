"""What readers of the last five years find in tables and files: the same values as `read` emits.

Each reader has an environment of its own, which `run` makes of readers/*.txt. Spark is a part of tests/long: its environments
are large.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from odd_company import exported, read_by

REPOSITORY = Path(__file__).resolve().parents[3]
ENVIRONMENTS = REPOSITORY / ".venvs/export"

# An environment (`newest` is that of these tests), and a function of readers/read.py.
OF_FILES = [
    ("pyarrow-10", "pyarrow"),
    ("fastparquet", "fastparquet"),
    ("newest", "pyarrow"),
    ("newest", "duckdb"),
    ("newest", "polars"),
]
OF_TABLES = [
    ("deltalake-0.15", "deltalake"),
    ("deltalake-0.25", "deltalake"),
    ("newest", "deltalake"),
    ("newest", "polars_delta"),
]


def python(environment: str) -> Path:
    return Path(sys.executable) if environment == "newest" else ENVIRONMENTS / environment / "bin/python"


@pytest.fixture(scope="module")
def company(executable, tmp_path_factory):
    return exported(executable, tmp_path_factory.mktemp("readers"))


@pytest.mark.parametrize(("environment", "reader"), OF_FILES)
def test_a_reader_of_files_finds_what_read_emits(company, environment, reader):
    assert read_by(python(environment), reader, [company.file]) == company.emitted
    assert read_by(python(environment), reader, company.table_files()) == company.kept


@pytest.mark.parametrize(("environment", "reader"), OF_TABLES)
def test_a_reader_of_tables_finds_what_read_emits(company, environment, reader):
    assert read_by(python(environment), reader, [company.table]) == company.kept
