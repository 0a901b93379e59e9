"""Delta tables, read by delta-rs and Polars: every value as Airbyte's `read` emits it, and what each mode leaves."""

from __future__ import annotations

import json
import re
import time
from collections import Counter

import duckdb
import polars
import pytest
from exporter import assert_failed, has_time
from rows import (
    COLUMNS,
    TABLE_ARROW,
    TABLE_POLARS,
    UPDATED_ON,
    emitted,
    extracted_at,
    found,
    microseconds,
    newest,
    once,
    source,
)

DELTA_TYPES = {"int64": "long", "string": "string", "bool": "boolean", "timestamp[us, tz=UTC]": "timestamp"}

REPLIES = [
    "healthy",
    "mixed-types",
    "invalid-values",
    "new-fields",
    "fractions",
    "duplicate-keys",
    "duplicate-ids",
    "status-last",
    "one-object",
    "no-date",
    "not-found",
]


def table_of(place):
    """The rows of a merge table: the same for delta-rs and Polars, and no id twice."""
    rows = once(found(place.table().to_pyarrow_table()))
    assert once(found(read_by_polars(place))) == rows
    return rows


def read_by_polars(place):
    return polars.read_delta(f"{place.url}/customers", storage_options=place.options)


def fresh_read(connector, config):
    """What Airbyte's `read` emits when it reads everything."""
    return emitted(connector.read(config, "full_refresh").succeeded().stdout)


# ------------------------------------------------------------------------------------------------ values


@pytest.mark.parametrize("fault", REPLIES)
def test_a_table_holds_what_airbyte_reads_from_the_same_reply(exporter, connector, simulator, folder, fault):
    config = simulator(fault).config()
    summary = exporter.export(config, folder)
    read = fresh_read(connector, config)
    assert bool(read) == (fault != "not-found")
    assert table_of(folder) == newest(read)
    assert (summary["received"], summary["rows"], summary["table_rows"]) == (len(read), len(newest(read)), len(newest(read)))


def test_local_times_are_those_that_airbyte_reads(exporter, connector, simulator, folder):
    config = simulator("fractions").config(timezone="America/Bogota")
    exporter.export(config, folder)
    assert table_of(folder) == set(fresh_read(connector, config))


def test_every_store_holds_the_same_and_is_kept_current(exporter, connector, simulator, place):
    api = simulator()
    config = api.config()
    first = exporter.export(config, place)
    assert (first["kind"], first["mode"], first["rejects"], first["committed"]) == ("table", "merge", 0, True)
    assert (first["received"], first["rows"], first["table_rows"]) == (api.customers,) * 3
    assert table_of(place) == set(fresh_read(connector, config)) == source(api)

    changed = api.change(20)
    second = exporter.export(config, place)
    assert (second["rows"], second["table_rows"], second["committed"]) == (len(changed), api.customers, True)
    assert second["version"] > first["version"] and second["cursor"] > first["cursor"]
    assert second["run"] != first["run"]
    assert table_of(place) == set(fresh_read(connector, config)) == source(api)

    third = exporter.export(config, place)
    assert (third["rows"], third["committed"], third["version"]) == (0, False, second["version"])
    assert third["unchanged"] == third["received"] >= len(changed)
    assert third["cursor"] == second["cursor"]
    assert place.table().version() == second["version"]


def test_types_and_nulls_are_declared_as_documented(exporter, simulator, folder):
    exporter.export(simulator("invalid-values").config(), folder)
    schema = json.loads(folder.table().schema().to_json())
    declared = [(field["name"], field["type"], field["nullable"]) for field in schema["fields"]]
    assert declared == [(field.name, DELTA_TYPES[str(field.type)], field.nullable) for field in TABLE_ARROW]
    assert folder.table().metadata().partition_columns == []
    assert folder.table().to_pyarrow_table().schema.equals(TABLE_ARROW)
    assert read_by_polars(folder).schema == TABLE_POLARS


def test_nulls_booleans_and_new_fields_are_there_to_compare(exporter, simulator, folder):
    # The tests above compare; this one shows that there is something of every kind to compare.
    exporter.export(simulator("invalid-values").config(), folder / "invalid")
    exporter.export(simulator("new-fields").config(), folder / "new")
    columns = list(zip(*found((folder / "invalid").table().to_pyarrow_table()), strict=True))
    for name, values in zip(COLUMNS, columns, strict=True):
        assert (None in values) == (name not in ("id", "name")), name
    assert set(columns[COLUMNS.index("active")]) == {True, False, None}
    extra = found((folder / "new").table().to_pyarrow_table())[0][COLUMNS.index("_extra")]
    assert '"NET 30"' in extra


def test_each_row_has_when_it_was_extracted(exporter, simulator, folder):
    api = simulator()
    before = time.time_ns() // 1000
    first = exporter.export(api.config(), folder)
    after = time.time_ns() // 1000
    assert has_time(first["extracted_at"])
    assert extracted_at(folder.table().to_pyarrow_table()) == {microseconds(first["extracted_at"])}
    assert before <= microseconds(first["extracted_at"]) <= after

    changed = api.change(7)
    second = exporter.export(api.config(), folder)
    table = folder.table().to_pyarrow_table()
    times = dict(zip(table.column("id").to_pylist(), table.column("_extracted_at").to_pylist(), strict=True))
    newest_time = max(times.values())
    assert {id for id, at in times.items() if at == newest_time} == changed
    assert extracted_at(table) == {microseconds(first["extracted_at"]), microseconds(second["extracted_at"])}


def test_readers_that_skip_by_statistics_find_the_row(exporter, simulator, folder):
    # Some of the newest times have microseconds, which the statistics of a Delta log, in milliseconds, cannot say.
    api = simulator("fractions")
    api.change(20)
    exporter.export(api.config(), folder)
    rows = table_of(folder)
    table = folder.table().to_pyarrow_table()
    last = max(table.column("updatedOn").drop_null().to_pylist())
    assert last.microsecond % 1000 != 0, "the scenario wants a last time with microseconds"
    wanted = {row for row in rows if row[UPDATED_ON] == max(row[UPDATED_ON] or 0 for row in rows)}
    assert set(found(folder.table().to_pyarrow_table(filters=[("updatedOn", ">=", last)]))) == wanted
    lazy = polars.scan_delta(f"{folder.url}/customers")
    assert set(found(lazy.filter(polars.col("updatedOn") >= last).collect())) == wanted
    for row in (min(rows), max(rows)):
        assert found(folder.table().to_pyarrow_table(filters=[("id", "=", row[0])])) == [row]
        assert found(lazy.filter(polars.col("id") == row[0]).collect()) == [row]


def test_duckdb_reads_the_files_that_delta_rs_names(exporter, simulator, folder):
    api = simulator()
    exporter.export(api.config(), folder)
    api.change(9)
    exporter.export(api.config(), folder)
    files = folder.table().file_uris()
    assert once(found(duckdb.read_parquet(files).to_arrow_table())) == source(api)


# ------------------------------------------------------------------------------------------------- modes


@pytest.mark.parametrize("lookback", [0, 1, 720])
def test_many_small_exports_end_where_a_fresh_read_does(exporter, simulator, folder, lookback):
    api = simulator(customers=120)
    config = api.config(lookback_hours=lookback)
    for changes in (0, 3, 40, 1, 0, 120, 5):
        api.change(changes)
        summary = exporter.export(config, folder)
        assert table_of(folder) == source(api)
        assert summary["version"] == folder.table().version()


def test_append_keeps_history(exporter, connector, simulator, place):
    api = simulator()
    config = api.config()
    first = exporter.export(config, place, "--mode", "append")
    before = source(api)
    changed = api.change(20)
    second = exporter.export(config, place, "--mode", "append")
    assert (second["mode"], second["rows"], second["table_rows"]) == ("append", len(changed), api.customers + len(changed))
    after = source(api)

    rows = found(place.table().to_pyarrow_table())
    assert Counter(rows) == Counter(before | after)
    assert Counter(found(read_by_polars(place))) == Counter(rows)
    # The first version is still there to read.
    assert once(found(place.table(first["version"]).to_pyarrow_table())) == before
    # What was extracted last of each customer is what a fresh read gives.
    table = place.table().to_pyarrow_table()
    last = {}
    for _, row in sorted(zip(table.column("_extracted_at").to_pylist(), rows, strict=True), key=lambda pair: pair[0]):
        last[row[0]] = row
    assert set(last.values()) == set(fresh_read(connector, config))

    third = exporter.export(config, place, "--mode", "append")
    assert (third["rows"], third["committed"], third["version"]) == (0, False, second["version"])


def test_append_of_everything_again_adds_nothing(exporter, simulator, folder):
    api = simulator()
    first = exporter.export(api.config(), folder, "--mode", "append")
    again = exporter.export(api.config(), folder, "--mode", "append", "--full-refresh")
    assert (again["received"], again["rows"], again["unchanged"]) == (api.customers, 0, api.customers)
    assert (again["committed"], again["version"]) == (False, first["version"])


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_an_id_that_comes_twice_in_a_reply_is_one_row(exporter, connector, simulator, folder, mode):
    config = simulator("duplicate-ids").config()
    exporter.export(config, folder, "--mode", mode)
    rows = table_of(folder)
    assert rows == newest(fresh_read(connector, config))
    again = exporter.export(config, folder, "--mode", mode, "--full-refresh")
    assert (again["rows"], again["committed"]) == (0, False)


@pytest.mark.parametrize(("has", "asked"), [("merge", "append"), ("append", "merge")])
def test_append_and_merge_refuse_tables_of_each_other(exporter, simulator, folder, has, asked):
    api = simulator()
    summary = exporter.export(api.config(), folder, "--mode", has)
    files = folder.files()
    said = assert_failed(exporter.run(api.config(), folder, "--mode", asked), "config")
    assert f"--mode {has}" in said, said
    assert folder.files() == files
    assert folder.table().version() == summary["version"]


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_overwrite_leaves_exactly_the_reply(exporter, connector, simulator, place, mode):
    api = simulator()
    exporter.export(api.config(), place, "--mode", mode)
    api.change(30)
    config = api.config(include_inactive=False)
    summary = exporter.export(config, place, "--mode", "overwrite")
    read = fresh_read(connector, config)
    assert 0 < len(read) < api.customers
    assert table_of(place) == set(read)
    assert (summary["mode"], summary["rows"], summary["table_rows"]) == ("overwrite", len(read), len(read))
    assert extracted_at(place.table().to_pyarrow_table()) == {microseconds(summary["extracted_at"])}
    # Nobody ever saw an empty table: what replaces and what is replaced are one commit.
    assert place.table().version() == summary["version"] == 1


def test_a_merge_goes_on_where_an_overwrite_ended(exporter, simulator, folder):
    api = simulator()
    exporter.export(api.config(), folder)
    api.change(10)
    exporter.export(api.config(), folder, "--mode", "overwrite")
    changed = api.change(10)
    summary = exporter.export(api.config(), folder)
    assert summary["rows"] == len(changed)
    assert table_of(folder) == source(api)


def test_an_overwrite_with_less_than_half_of_the_rows_is_refused_unless_allowed(exporter, simulator, folder):
    api = simulator("healthy@1", "not-found")
    first = exporter.export(api.config(), folder)
    said = assert_failed(exporter.run(api.config(), folder, "--mode", "overwrite"), "data")
    assert "--allow-shrink" in said
    assert folder.table().version() == first["version"]
    assert len(table_of(folder)) == api.customers

    summary = exporter.export(api.config(), folder, "--mode", "overwrite", "--allow-shrink")
    assert (summary["table_rows"], summary["committed"]) == (0, True)
    assert table_of(folder) == set()


def test_a_full_refresh_merges_everything_and_writes_what_differs(exporter, simulator, folder):
    api = simulator()
    exporter.export(api.config(), folder)
    changed = api.change(15)
    summary = exporter.export(api.config(), folder, "--full-refresh")
    assert (summary["received"], summary["rows"]) == (api.customers, len(changed))
    assert summary["unchanged"] == api.customers - len(changed)
    assert table_of(folder) == source(api)


def test_another_scope_reads_everything_and_counts_who_did_not_return(exporter, simulator, folder):
    api = simulator()
    everybody = exporter.export(api.config(), folder)
    assert not everybody["not_returned"]
    run = exporter.run(api.config(include_inactive=False), folder, "--json")
    assert run.exit_code == 0, run
    assert b"WARN" in run.stderr.upper(), run
    summary = json.loads(run.stdout)
    active = {row for row in source(api) if row[COLUMNS.index("active")]}
    assert (summary["received"], summary["not_returned"]) == (len(active), api.customers - len(active))
    assert table_of(folder) == source(api)
    # And back: everybody is there already.
    assert not exporter.export(api.config(), folder)["rows"]


def test_a_customer_updated_in_the_future_is_a_row_and_not_the_cursor(exporter, simulator, folder):
    api = simulator("future")
    summary = exporter.export(api.config(), folder)
    rows = table_of(folder)
    now = time.time_ns() // 1000
    assert any(row[UPDATED_ON] > now for row in rows)
    assert microseconds(summary["cursor"]) == max(row[UPDATED_ON] for row in rows if row[UPDATED_ON] <= now)


def test_without_a_dated_customer_there_is_no_cursor(exporter, simulator, folder):
    assert exporter.export(simulator("not-found").config(), folder)["cursor"] is None


@pytest.mark.parametrize("fault", ["cut:100", "cut-chunked:100", "web-page", "server-error:503", "unauthorized", "bad-utf8"])
def test_a_reply_that_fails_leaves_the_table_as_it_was(exporter, simulator, folder, fault):
    kind = {"unauthorized": "auth", "bad-utf8": "data"}.get(fault, "transient")
    api = simulator("healthy@1", fault)
    exporter.export(api.config(), folder)
    files = folder.files()
    for flags in ([], ["--full-refresh"], ["--mode", "overwrite"]):
        assert_failed(exporter.run(api.config(), folder, *flags), kind)
        assert folder.files() == files
    assert_failed(exporter.run(api.config(), folder / "elsewhere"), kind)
    assert not (folder / "elsewhere").is_table()


def test_a_url_of_a_file_is_the_folder_it_names(exporter, simulator, folder):
    api = simulator()
    exporter.export(api.config(), type(folder)(f"file://{folder.url}", folder.store))
    assert table_of(folder) == source(api)


def test_people_get_a_summary(exporter, simulator, folder):
    run = exporter.run(simulator().config(), folder)
    assert run.exit_code == 0, run
    said = run.stdout.decode()
    assert "300" in said and not said.startswith("{"), run
    assert "\r" not in run.stderr.decode(), "a progress bar where nobody looks"


# -------------------------------------------------------------------------------------------------- show


def test_show_reports_what_is_in_the_table(exporter, simulator, place):
    api = simulator()
    exporter.export(api.config(), place)
    api.change(20)
    summary = exporter.export(api.config(), place)
    shown = exporter.show(place)
    rows = table_of(place)
    assert (shown["kind"], shown["mode"]) == ("table", "merge")
    assert shown["rows"] == shown["keys"] == len(rows)
    assert shown["active"] == sum(row[COLUMNS.index("active")] for row in rows)
    assert shown["version"] == place.table().version()
    assert shown["cursor"] == summary["cursor"]
    actions = place.table().get_add_actions(flatten=True)
    assert shown["files"] == actions.num_rows
    assert shown["bytes"] == sum(actions.column("size_bytes").to_pylist())
    months = polars.from_arrow(place.table().to_pyarrow_table()).group_by(polars.col("updatedOn").dt.strftime("%Y-%m")).len()
    assert shown["months"] == dict(months.iter_rows())
    assert [run["version"] for run in shown["runs"]] == [1, 0]
    assert shown["runs"][0]["run"] == summary["run"]
    assert [run["rows"] for run in shown["runs"]] == [20, api.customers]
    for run in shown["runs"]:
        assert set(run) == {"version", "run", "mode", "rows", "at"} and run["mode"] == "merge" and has_time(run["at"])


def test_show_for_people_has_the_figures_and_a_bar_for_each_month(exporter, connector, simulator, folder):
    exporter.export(simulator(customers=1500).config(), folder)
    run = connector.run("show", folder.url)
    assert run.exit_code == 0, run
    said = run.stdout.decode()
    assert "1,500" in said and "merge" in said, run
    assert re.search(r"^ *2026-06 +█", said, re.MULTILINE), run


def test_show_of_nothing_says_so(connector, folder):
    run = connector.run("show", folder.url, "--json")
    assert_failed(run, "config")


def test_demo_ends_with_a_table_that_others_read(connector, folder):
    run = connector.run("demo", "--customers", "500", "--to", folder.url)
    assert run.exit_code == 0, run
    rows = table_of(folder)
    assert len(rows) == 500
    assert run.stderr == b"", run
