"""What is in the log of a table besides its rows, and what becomes of a table that somebody else tends too."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import another_writer
import polars
import pyarrow.compute
import pytest
from deltalake.exceptions import CommitFailedError
from exporter import assert_failed
from log import commits, is_checkpoint, left_over
from odd_company import serving
from rows import COLUMNS, TABLE_ARROW, found, once, source


def rows_of(place):
    rows = once(found(place.table().to_pyarrow_table()))
    assert once(found(polars.read_delta(f"{place.url}/customers", storage_options=place.options))) == rows
    return rows


def test_history_and_protocol_are_what_plain_readers_take(exporter, simulator, place):
    api = simulator()
    exporter.export(api.config(), place)
    api.change(5)
    exporter.export(api.config(), place)
    exporter.export(api.config(), place, "--mode", "overwrite")
    table = place.table()
    history = table.history()
    assert [entry["version"] for entry in history] == [2, 1, 0]
    for entry in history:
        assert entry["operation"].strip() and entry["timestamp"] > 1_500_000_000_000, entry
        assert "kometsales" in json.dumps(entry), entry
    protocol = table.protocol()
    # A reader needs no feature at all to read it.
    assert protocol.min_reader_version == 1 or not protocol.reader_features, protocol
    assert set(protocol.writer_features or []) <= {"domainMetadata", "appendOnly", "invariants"}, protocol
    assert left_over(place) == set()


def test_rows_cursor_and_run_are_in_one_commit(exporter, simulator, place):
    api = simulator()
    summaries = [exporter.export(api.config(), place)]
    api.change(5)
    summaries.append(exporter.export(api.config(), place))
    summaries.append(exporter.export(api.config(), place, "--mode", "overwrite"))
    found_commits = commits(place.files())
    assert [commit.version for commit in found_commits] == [summary["version"] for summary in summaries]
    for commit, summary in zip(found_commits, summaries, strict=True):
        assert commit.of("add")
        assert len(commit.of("commitInfo")) == 1
        (domain,) = commit.of("domainMetadata")
        assert "kometsales" in domain["domain"] and not domain["removed"]
        assert summary["cursor"] in domain["configuration"], domain
        assert json.loads(domain["configuration"])
        assert commit.of("txn"), commit.actions
        assert summary["run"] in json.dumps(commit.actions), commit.actions
    # The first commit is the table's birth; nothing is declared again without need.
    assert [len(commit.of("metaData")) for commit in found_commits] == [1, 0, 0]
    assert [len(commit.of("protocol")) for commit in found_commits] == [1, 0, 0]
    assert [bool(commit.of("remove")) for commit in found_commits] == [False, True, True]


@pytest.mark.parametrize("fault", ["healthy", "invalid-values", "fractions"])
def test_each_file_has_statistics_in_the_log(exporter, simulator, folder, fault):
    exporter.export(simulator(fault, customers=2000).config(), folder)
    rows = 0
    for commit in commits(folder.files()):
        for add in commit.of("add"):
            statistics = json.loads(add["stats"])
            file = Path(folder.url) / "customers" / add["path"]
            table = pyarrow.parquet.read_table(file)
            assert add["size"] == file.stat().st_size
            assert statistics["numRecords"] == table.num_rows
            rows += table.num_rows
            for name in (*COLUMNS, "_extracted_at"):
                column = table.column(name)
                assert statistics["nullCount"][name] == column.null_count, name
                if name == "active" or column.null_count == len(column):
                    continue
                assert_bounds(statistics["minValues"][name], statistics["maxValues"][name], column, name)
    assert rows == 2000


def assert_bounds(least, most, column, name):
    known = column.drop_null().to_pylist()
    if isinstance(known[0], int):
        assert (least, most) == (min(known), max(known)), name
    elif isinstance(known[0], str):
        # Long texts may be cut, but to what still bounds them.
        assert least <= min(known) and most >= max(known), (name, least, min(known), most, max(known))
    else:
        # In milliseconds, which a reader knows to take for the whole millisecond.
        least, most = (polars.Series([text]).str.to_datetime(time_unit="us", time_zone="UTC")[0] for text in (least, most))
        assert timedelta(0) <= min(known) - least < timedelta(milliseconds=1), name
        assert timedelta(milliseconds=-1) < max(known) - most < timedelta(milliseconds=1), name


# ------------------------------------------------------------------------------------------- checkpoints


def test_after_some_commits_there_is_a_checkpoint_and_older_commits_are_not_needed(exporter, simulator, folder):
    api = simulator(customers=400)
    for _ in range(13):
        api.change(7)
        exporter.export(api.config(), folder)
        assert rows_of(folder) == source(api)
    files = folder.files()
    assert any(map(is_checkpoint, files)), sorted(files)
    assert_goes_on_without_older_commits(exporter, api, folder)


def test_a_checkpoint_of_somebody_else_keeps_the_cursor(exporter, simulator, place):
    api = simulator()
    for _ in range(3):
        api.change(7)
        exporter.export(api.config(), place)
    place.table().create_checkpoint()
    assert any(map(is_checkpoint, place.files()))
    if place.store.name == "local":
        assert_goes_on_without_older_commits(exporter, api, place)
    else:
        assert_goes_on(exporter, api, place)


def assert_goes_on_without_older_commits(exporter, api, folder):
    log = Path(folder.url) / "customers/_delta_log"
    last = json.loads((log / "_last_checkpoint").read_text())["version"]
    older = [log / f"{commit.version:020}.json" for commit in commits(folder.files()) if commit.version < last]
    assert older
    for path in older:
        path.unlink()
    assert rows_of(folder) == source(api)
    assert_goes_on(exporter, api, folder)


def assert_goes_on(exporter, api, place):
    """The next export starts at the cursor, merges, and the one after it has nothing to do."""
    shown = exporter.show(place)
    assert shown["rows"] == api.customers and shown["cursor"]
    changed = api.change(9)
    summary = exporter.export(api.config(), place)
    assert (summary["rows"], summary["table_rows"]) == (len(changed), api.customers)
    assert summary["received"] < api.customers, "it read everything: the cursor was lost"
    assert rows_of(place) == source(api)
    assert exporter.export(api.config(), place)["committed"] is False


# ---------------------------------------------------------------------------------------- somebody else


def test_delta_rs_refuses_to_write_where_it_does_not_know_domain_metadata(exporter, simulator, folder):
    # The day this fails, another_writer.py can leave the writing to it, and the README can name it as a tool.
    api = simulator()
    exporter.export(api.config(), folder)
    api.change(9)
    exporter.export(api.config(), folder)
    files = folder.files()
    for write in (
        lambda table: table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False),
        lambda table: table.optimize.z_order(["id"]),
        lambda table: table.delete("id % 2 = 0"),
    ):
        with pytest.raises(CommitFailedError, match="DomainMetadata"):
            write(folder.table())
        assert set(folder.files()) >= set(files)
        assert rows_of(folder) == source(api)
    assert_goes_on(exporter, api, folder)


def test_a_vacuumed_table_is_readable_and_goes_on(exporter, simulator, folder):
    api = simulator()
    for _ in range(4):
        exporter.export(api.config(), folder)
        api.change(30)
    exporter.export(api.config(), folder)
    assert another_writer.vacuum(folder) >= 1
    assert rows_of(folder) == source(api)
    assert_goes_on(exporter, api, folder)


def test_a_table_that_somebody_compacted_merges_rightly(exporter, simulator, folder):
    api = simulator(customers=500)
    for _ in range(3):
        api.change(20)
        exporter.export(api.config(), folder)
    another_writer.rewrite(folder, "OPTIMIZE", lambda rows: rows)
    assert rows_of(folder) == source(api)
    assert_goes_on(exporter, api, folder)


def test_a_history_that_somebody_compacted_and_shuffled_is_appended_to_rightly(exporter, simulator, folder):
    api = simulator(customers=500)
    versions = set()
    for _ in range(3):
        api.change(20)
        exporter.export(api.config(), folder, "--mode", "append")
        versions |= source(api)
    another_writer.rewrite(folder, "OPTIMIZE", lambda rows: rows.sort_by("name"))
    assert exporter.export(api.config(), folder, "--mode", "append", "--full-refresh")["rows"] == 0
    changed = api.change(9)
    assert exporter.export(api.config(), folder, "--mode", "append")["rows"] == len(changed)
    rows = found(folder.table().to_pyarrow_table())
    assert len(rows) == len(set(rows)) and set(rows) == versions | source(api)


def without_odd_ids(rows):
    return rows.filter(pyarrow.compute.equal(pyarrow.compute.bit_wise_and(rows["id"], 1), 0))


def test_rows_that_somebody_deleted_stay_away_until_a_full_refresh(exporter, simulator, folder):
    api = simulator(customers=500)
    exporter.export(api.config(), folder)
    another_writer.rewrite(folder, "DELETE", without_odd_ids)
    kept = rows_of(folder)
    assert 0 < len(kept) < api.customers

    changed = api.change(40)
    summary = exporter.export(api.config(), folder)
    now = {row[0]: row for row in source(api)}
    expected = {now[id] for id in {row[0] for row in kept} | changed}
    returned = {row for row in rows_of(folder) if row not in expected}
    # The look-back brings a customer or two that nobody edited.
    assert returned <= source(api) and len(returned) <= 2
    assert rows_of(folder) >= expected
    assert summary["table_rows"] == len(rows_of(folder))

    exporter.export(api.config(), folder, "--full-refresh")
    assert rows_of(folder) == source(api)


def test_a_file_that_is_gone_is_reported_and_nothing_is_committed(exporter, simulator, folder):
    api = simulator()
    summary = exporter.export(api.config(), folder)
    for path in folder.table().file_uris():
        Path(path.removeprefix("file://")).unlink()
    api.change(300)
    run = exporter.run(api.config(), folder)
    assert run.exit_code == 78 and b"is not there" in run.stderr, run
    assert commits(folder.files())[-1].version == summary["version"]


def test_the_schema_of_a_reader_is_the_one_that_was_written(exporter, simulator, place):
    exporter.export(simulator().config(), place)
    assert place.table().to_pyarrow_table().schema.equals(TABLE_ARROW)


def test_times_that_another_program_wrote_as_spark_does_stay_what_they_are(exporter, folder):
    """Spark writes INT96 unless told otherwise, which holds days beyond the nanoseconds of a 64-bit number."""
    updated = {1: "0001-01-01T00:00:00", 2: "1582-10-15T12:30:00", 3: "1969-12-31T23:59:59.999999", 4: "2262-04-12T00:00:00", 5: "9999-12-31T23:59:59"}
    before = [{"id": str(number), "name": "n", "updatedOn": time} for number, time in updated.items()]
    after = [{**customer, "name": "m"} if customer["id"] == "3" else customer for customer in before]
    bodies = [json.dumps({"status": "1", "customers": listed}).encode() for listed in (before, after)]
    with serving(bodies) as url:
        config = {"authentication_token": "token-of-the-odd-company", "base_url": url}
        exporter.export(config, folder, "--full-refresh")
        times = folder.table().to_pyarrow_table().sort_by("id").column("updatedOn")
        another_writer.rewrite(folder, "OPTIMIZE", lambda rows: rows, use_deprecated_int96_timestamps=True)
        assert exporter.export(config, folder, "--full-refresh")["rows"] == 1
    rows = folder.table().to_pyarrow_table().sort_by("id")
    assert rows.column("name").to_pylist() == ["n", "n", "m", "n", "n"]
    assert rows.column("updatedOn").cast("int64") == times.cast("int64")
    assert rows.column("updatedOn").null_count == 0


def test_a_value_that_its_column_cannot_hold_is_refused_and_no_null_is_made_of_it(exporter, simulator, folder):
    api = simulator(customers=40)
    exporter.export(api.config(), folder)

    def with_texts(rows: pyarrow.Table) -> pyarrow.Table:
        texts = pyarrow.array(["nine"] * rows.num_rows)
        return rows.set_column(rows.schema.get_field_index("salesPersonId"), "salesPersonId", texts)

    another_writer.rewrite(folder, "OPTIMIZE", with_texts)
    api.change(5)
    before = folder.files()
    message = assert_failed(exporter.run(api.config(), folder), "config")
    assert "cannot be read as Parquet" in message and "nine" in message, message
    assert folder.files() == before
