"""What Spark 3.3 and Spark 4 find in files and in the files of a table: the same values as `read` emits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from odd_company import exported, read_by

REPOSITORY = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    return exported(Path(os.environ["KOMETSALES"]), tmp_path_factory.mktemp("spark"))


@pytest.mark.parametrize("environment", ["spark-3.3", "spark-4"])
def test_spark_finds_what_read_emits(company, environment):
    python = REPOSITORY / ".venvs/spark" / environment / "bin/python"
    assert read_by(python, "spark", [company.file]) == company.emitted
    assert read_by(python, "spark", company.table_files()) == company.kept
