"""Customers that the company no longer lists, read by delta-rs, Polars and DuckDB."""

from __future__ import annotations

import duckdb
import polars
import pytest
from rows import DELETED_AT, found, microseconds, once, source


def read(place) -> polars.DataFrame:
    """The table as delta-rs and Polars read it, which DuckDB reads just so from its files."""
    table = polars.from_arrow(place.table().to_pyarrow_table())
    by_polars = polars.read_delta(f"{place.url}/customers", storage_options=place.options)
    assert by_polars.sort("id", "_extracted_at").equals(table.sort("id", "_extracted_at"))
    files = place.table().file_uris()
    ((count,),) = duckdb.sql(f"SELECT count(*) FROM read_parquet({files}) WHERE {DELETED_AT} IS NULL").fetchall()
    assert count == table.filter(polars.col(DELETED_AT).is_null()).height
    return table


def newest(table: polars.DataFrame) -> polars.DataFrame:
    return table.sort("_extracted_at").unique("id", keep="last")


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_what_is_gone_is_filtered_by_one_condition_and_what_returns_is_there(exporter, simulator, folder, mode):
    api = simulator()
    everything = ("--mode", mode, "--full-refresh")
    exporter.export(api.config(), folder, *everything)
    for how, customers, told in (("remove", 7, [7, 0]), ("change", 20, [0, 0]), ("restore", 3, [0, 3])):
        before = source(api)
        api.change(customers, how)
        summary = exporter.export(api.config(), folder, *everything)
        assert [summary["deleted"], summary["restored"]] == told, how
        table = newest(read(folder))
        living = table.filter(polars.col(DELETED_AT).is_null())
        assert once(found(living)) == source(api), how
        if how == "remove":
            gone = table.filter(polars.col(DELETED_AT).is_not_null())
            assert once(found(gone)) == before - source(api), "their values stay"
            assert set(gone[DELETED_AT].dt.epoch("us")) == {microseconds(summary["extracted_at"])}
    again = exporter.export(api.config(), folder, *everything)
    assert again["committed"] is False


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_a_dry_run_writes_nothing_and_says_that_the_table_is_equal(exporter, simulator, folder, mode):
    api = simulator()
    everything = ("--mode", mode, "--full-refresh")
    exporter.export(api.config(), folder, *everything)
    api.change(4, "remove")
    for written, count in ((False, 4), (True, 0)):
        if written:
            exporter.export(api.config(), folder, *everything)
        version = folder.table().version()
        difference = exporter.dry_run(api.config(), folder, *everything)
        assert difference["deleted"]["count"] == len(difference["deleted"]["ids"]) == count
        assert folder.table().version() == version
