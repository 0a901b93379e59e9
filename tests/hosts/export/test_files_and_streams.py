"""Parquet files and Arrow streams, read by pyarrow, Polars and DuckDB."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import polars
import pyarrow
import pyarrow.parquet
import pytest
from exporter import STDOUT, assert_failed
from rows import ARROW, POLARS, emitted, extracted_at, found, literal_reply, literally, microseconds, newest, source

REPLIES = ["healthy", "mixed-types", "invalid-values", "new-fields", "fractions", "duplicate-ids", "one-object", "not-found"]
FILE = "customers.parquet"


def content(file):
    """The bytes of a Parquet file that was exported."""
    folder, _, name = file.url.rpartition("/")
    return type(file)(folder, file.store).files()[name]


# ------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("fault", REPLIES)
def test_a_file_holds_every_record_that_airbyte_reads(exporter, connector, simulator, folder, fault):
    config = simulator(fault).config()
    file = folder / FILE
    summary = exporter.export(config, file)
    read = Counter(emitted(connector.read(config, "full_refresh").succeeded().stdout))
    table = pyarrow.parquet.read_table(file.url)
    assert table.schema.equals(ARROW)
    assert Counter(found(table)) == read
    assert Counter(found(duckdb.read_parquet(file.url).to_arrow_table())) == read
    assert Counter(found(polars.read_parquet(file.url))) == read
    assert polars.read_parquet_schema(file.url) == POLARS
    assert extracted_at(table) <= {microseconds(summary["extracted_at"])}
    assert (summary["kind"], summary["received"], summary["rows"]) == ("file", read.total(), read.total())
    assert summary["bytes"] == len(content(file))
    assert summary["version"] is None


def test_duckdb_sees_the_declared_types(exporter, simulator, folder):
    exporter.export(simulator().config(), folder / FILE)
    described = duckdb.sql(f"describe select * from '{folder.url}/{FILE}'").fetchall()
    wanted = {"int64": "BIGINT", "string": "VARCHAR", "bool": "BOOLEAN", "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE"}
    assert [(column[0], column[1]) for column in described] == [(field.name, wanted[str(field.type)]) for field in ARROW]


def test_every_store_takes_a_file_and_replaces_it_whole(exporter, simulator, place):
    api = simulator()
    file = place / FILE
    exporter.export(api.config(), file)
    assert set(found(pyarrow.parquet.read_table(io.BytesIO(content(file))))) == source(api)
    assert set(found(polars.read_parquet(file.url, storage_options=file.options))) == source(api)
    api.change(25)
    exporter.export(api.config(), file)
    assert set(found(pyarrow.parquet.read_table(io.BytesIO(content(file))))) == source(api)
    assert set(place.files()) == {FILE}


@pytest.mark.parametrize("fault", ["cut:9000", "reset:9000", "stall:9000", "token-refused", "two-values"])
def test_a_reply_that_fails_leaves_the_file_as_it_was(exporter, simulator, place, fault):
    api = simulator("healthy@1", fault)
    config = api.config(request_timeout_seconds=1)
    exporter.export(config, place / FILE)
    files = place.files()
    kind = {"token-refused": "auth", "two-values": "data"}.get(fault, "transient")
    assert_failed(exporter.run(config, place / FILE), kind)
    assert place.files() == files
    assert_failed(exporter.run(config, place / "other.parquet"), kind)
    assert place.files() == files


def test_a_file_with_less_than_half_of_the_rows_is_refused_unless_allowed(exporter, simulator, folder):
    api = simulator("healthy@1", "not-found")
    exporter.export(api.config(), folder / FILE)
    files = folder.files()
    assert "--allow-shrink" in assert_failed(exporter.run(api.config(), folder / FILE), "data")
    assert folder.files() == files
    exporter.export(api.config(), folder / FILE, "--allow-shrink")
    assert pyarrow.parquet.read_table(f"{folder.url}/{FILE}").num_rows == 0


# ------------------------------------------------------------------------------------ the insides of files


@pytest.fixture(params=["a file", "a table", "a merged table", "an append table"])
def parquet(request, exporter, simulator, folder):
    """Every Parquet file that an export of a larger company wrote."""
    api = simulator(customers=20_000)
    if request.param == "a file":
        exporter.export(api.config(), folder / FILE)
    else:
        mode = "append" if "append" in request.param else "merge"
        exporter.export(api.config(), folder, "--mode", mode)
        if request.param != "a table":
            api.change(3000)
            exporter.export(api.config(), folder, "--mode", mode)
    paths = [Path(folder.url) / name for name in folder.files() if name.endswith(".parquet") and "_delta_log" not in name]
    assert paths
    return [pyarrow.parquet.ParquetFile(path) for path in paths]


def test_rows_are_sorted_by_id_within_a_row_group(parquet):
    for file in parquet:
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, columns=["id"]).column("id").to_pylist()
            assert ids == sorted(ids)


def test_columns_are_compressed_with_zstd_and_have_statistics_and_a_page_index(parquet):
    for file in parquet:
        for group in range(file.metadata.num_row_groups):
            for number, name in enumerate(ARROW.names):
                chunk = file.metadata.row_group(group).column(number)
                assert chunk.path_in_schema == name
                assert chunk.compression == "ZSTD", name
                assert chunk.has_column_index and chunk.has_offset_index, name
                assert chunk.is_stats_set and chunk.statistics.has_null_count, name
                values = file.read_row_group(group, columns=[name]).column(name)
                assert chunk.statistics.null_count == values.null_count, name
                if values.null_count < len(values):
                    assert chunk.statistics.has_min_max, name
                if name in ("id", "updatedOn", "salesPersonId"):
                    known = values.drop_null().to_pylist()
                    assert (chunk.statistics.min, chunk.statistics.max) == (min(known), max(known)), name


def test_times_are_microseconds_adjusted_to_utc_and_keys_are_required(parquet):
    for file in parquet:
        for name, field in zip(ARROW.names, ARROW, strict=True):
            column = file.schema.column(ARROW.get_field_index(name))
            assert column.name == name
            assert (column.max_definition_level == 0) == (not field.nullable), name
            assert column.max_repetition_level == 0, name
            if pyarrow.types.is_timestamp(field.type):
                kind = json.loads(column.logical_type.to_json())
                assert column.physical_type == "INT64"
                assert (kind["Type"], kind["isAdjustedToUTC"], kind["timeUnit"]) == ("Timestamp", True, "microseconds")
            if pyarrow.types.is_string(field.type):
                assert json.loads(column.logical_type.to_json())["Type"] == "String", name


def test_footers_name_product_and_schema(parquet, connector):
    version = connector.run("--version").stdout.decode().split()[-1].lstrip("v")
    for file in parquet:
        told = {key.decode(): value.decode() for key, value in (file.metadata.metadata or {}).items()}
        ours = {key: value for key, value in told.items() if key.startswith("kometsales")}
        assert any(version in value for value in ours.values()), told
        assert any("schema" in key for key in ours), told


# ----------------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize("fault", REPLIES)
def test_a_stream_holds_every_record_that_airbyte_reads(exporter, connector, simulator, fault):
    config = simulator(fault).config()
    run = exporter.run(config, STDOUT)
    assert run.exit_code == 0, run
    read = emitted(connector.read(config, "full_refresh").succeeded().stdout)
    reader = pyarrow.ipc.open_stream(run.stdout)
    assert reader.schema.equals(ARROW)
    table = reader.read_all()
    table.validate(full=True)
    assert Counter(found(table)) == Counter(read)
    assert len(extracted_at(table)) <= 1
    frame = polars.read_ipc_stream(io.BytesIO(run.stdout))
    assert frame.schema == POLARS
    assert Counter(found(frame)) == Counter(read)
    assert Counter(found(duckdb.from_arrow(pyarrow.ipc.open_stream(run.stdout)).to_arrow_table())) == Counter(read)


def test_the_summary_of_a_stream_goes_to_people(exporter, simulator):
    run = exporter.run(simulator().config(), STDOUT)
    assert b"300" in run.stderr, run
    # Nothing before the stream and nothing after its end mark.
    buffer = pyarrow.BufferReader(run.stdout)
    with pyarrow.ipc.open_stream(buffer) as reader:
        assert reader.read_all().num_rows == 300
    assert buffer.read() == b""


@pytest.mark.parametrize("fault", ["cut:9000", "web-page", "unauthorized", "bad-utf8", "bad-ids"])
def test_a_stream_of_a_reply_that_fails_does_not_end_well(exporter, simulator, fault):
    run = exporter.run(simulator(fault).config(), STDOUT)
    kind = {"unauthorized": 77, "bad-utf8": 65, "bad-ids": 65}.get(fault, 75)
    assert run.exit_code == kind, run
    assert run.stderr.strip(), run
    assert not run.stdout.endswith(b"\xff\xff\xff\xff\0\0\0\0"), "the end mark of a stream that is whole"


READERS = {
    "duckdb": "import duckdb; reader = pyarrow.ipc.open_stream(sys.stdin.buffer); "
    "print(*duckdb.sql('select count(*), count(distinct id), sum(active::int) from reader').fetchall()[0])",
    "polars": "import polars; frame = polars.read_ipc_stream(sys.stdin.buffer); "
    "print(frame.height, frame['id'].n_unique(), frame['active'].sum())",
    "pyarrow": "import pyarrow.compute as c; table = pyarrow.ipc.open_stream(sys.stdin.buffer).read_all(); "
    "print(table.num_rows, c.count_distinct(table['id']), c.sum(table['active']))",
}


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_into_a_reader_is_one_line(exporter, connector, simulator, reader):
    api = simulator(customers=5000)
    # The token comes from the environment, as in the README.
    config = {key: value for key, value in api.config().items() if key != "authentication_token"}
    path = connector.file("config.json", config)
    program = f"import sys, pyarrow; {READERS[reader]}"
    export = shlex.join([str(connector.executable), "export", "--config", str(path), "--to", "-"])
    line = f"{export} | {shlex.join([sys.executable, '-c', program])}"
    environment = {**os.environ, "KOMETSALES_AUTHENTICATION_TOKEN": api.token}
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done
    active = sum(row[4] for row in source(api))
    assert done.stdout.decode().split() == ["5000", "5000", str(active)]


def test_a_token_in_the_environment_wins_over_the_file(exporter, simulator):
    wrong = {"KOMETSALES_AUTHENTICATION_TOKEN": "a-wrong-token-9917"}
    assert exporter.run(simulator().config(), STDOUT, environment=wrong).exit_code == 77


def test_a_reader_that_goes_away_ends_the_export_without_a_crash(exporter, simulator):
    api = simulator(customers=50_000)
    config = api.config()
    process = exporter.start(config, STDOUT)
    process.stdout.read(100)
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(timeout=30) == 70
    assert b"panicked" not in stderr


# ----------------------------------------------------------------------------------------------- rejects


def rejected(api):
    """The elements of the reply that are no customers, with their paths."""
    records = literal_reply(api)
    return {f"customers[{position}]": record for position, record in enumerate(records) if position in range(1, 8)}


def assert_rejects_whole(file, api):
    lines = file.decode().splitlines()
    told = [literally(line) for line in lines]
    assert all(set(one) == {"path", "reason", "record"} and one["reason"].strip() for one in told), told
    wanted = rejected(api)
    assert len(told) == len(wanted) == 7
    for one in told:
        assert one["record"] == wanted[one["path"].removesuffix(".id")], one


@pytest.mark.parametrize("mode", ["merge", "append", "overwrite"])
def test_rejected_records_go_whole_beside_the_table(exporter, connector, simulator, place, mode):
    api = simulator("bad-ids")
    summary = exporter.export(api.config(), place, "--mode", mode)
    assert (summary["rejects"], summary["received"], summary["rows"]) == (7, api.customers - 7, api.customers - 7)
    files = {name: file for name, file in place.files().items() if name.startswith("customers_rejects/")}
    assert list(files) == [f"customers_rejects/{summary['run']}.jsonl"]
    assert summary["rejects_to"].endswith(f"/customers_rejects/{summary['run']}.jsonl")
    assert_rejects_whole(*files.values(), api)
    rows = set(found(place.table().to_pyarrow_table()))
    assert rows == newest(emitted(connector.read(api.config(max_rejects=50), "full_refresh").succeeded().stdout))


def test_rejected_records_go_whole_beside_a_file(exporter, simulator, place):
    api = simulator("bad-ids")
    summary = exporter.export(api.config(), place / "list.parquet")
    assert summary["rejects"] == 7
    assert summary["rejects_to"].endswith("/list.rejects.jsonl")
    files = place.files()
    assert set(files) == {"list.parquet", "list.rejects.jsonl"}
    assert_rejects_whole(files["list.rejects.jsonl"], api)


def test_people_see_the_rejected_records(exporter, simulator, folder):
    run = exporter.run(simulator("bad-ids").config(), folder)
    assert run.exit_code == 0, run
    assert "7" in run.stdout.decode() and "customers_rejects/" in run.stdout.decode(), run


@pytest.mark.parametrize("most", [0, 6])
def test_more_rejected_records_than_allowed_fail_without_a_commit(exporter, simulator, place, most):
    api = simulator("healthy@1", "bad-ids")
    first = exporter.export(api.config(), place)
    api.change(5)
    said = assert_failed(exporter.run(api.config(max_rejects=most), place, "--full-refresh"), "data")
    assert "customers[1]" in said and "7" in said
    assert place.table().version() == first["version"]
    assert_failed(exporter.run(api.config(max_rejects=most), place / "elsewhere"), "data")
    assert not (place / "elsewhere").is_table()


def test_as_many_rejected_records_as_allowed_are_skipped(exporter, simulator, folder):
    api = simulator("bad-ids")
    assert exporter.export(api.config(max_rejects=7), folder)["rejects"] == 7
