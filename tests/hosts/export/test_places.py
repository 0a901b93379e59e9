"""Where an export may go, and what it says of where it may not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from exporter import assert_failed
from stores import Folders, Place


@pytest.fixture
def unreachable_api(nobody_listens) -> dict:
    """A configuration whose API is not there: whoever asks it gets a passing failure."""
    return {"authentication_token": "any-token-5521", "base_url": nobody_listens, "retry_window_seconds": 0}


def test_a_check_of_a_place_that_works_leaves_nothing_behind(exporter, simulator, place):
    run = exporter.run(simulator().config(), place, "--check")
    assert run.exit_code == 0, run
    assert place.files() == {}
    assert not place.is_table()


def test_a_check_of_a_table_leaves_it_as_it_was(exporter, simulator, place):
    config = simulator().config()
    exporter.export(config, place)
    files = place.files()
    assert exporter.run(config, place, "--check").exit_code == 0
    assert exporter.run(config, place / "list.parquet", "--check").exit_code == 0
    assert place.files() == files


@pytest.mark.parametrize("flags", [[], ["--check"]], ids=["export", "check"])
@pytest.mark.parametrize("url", ["s3://no-such-bucket-here/komet", "az://no-such-container-here/komet"])
def test_a_place_that_does_not_exist_is_reported_before_anybody_asks_komet(exporter, moto, azurite, unreachable_api, url, flags):
    missing = Place(url, moto if url.startswith("s3") else azurite)
    said = assert_failed(exporter.run(unreachable_api, missing, *flags), "config")
    assert url.split("/")[2] in said, said
    assert_failed(exporter.run(unreachable_api, missing / "list.parquet", *flags), "config")


@pytest.mark.parametrize("flags", [[], ["--check"]], ids=["export", "check"])
def test_a_store_that_is_not_there_is_a_passing_failure(exporter, unreachable_api, bucket, nobody_listens, flags):
    endpoint = {"AWS_ENDPOINT_URL": nobody_listens.removesuffix("/api")}
    assert_failed(exporter.run(unreachable_api, bucket, *flags, environment=endpoint), "transient")


def test_a_profile_alone_is_answered_with_how_it_becomes_keys(exporter, unreachable_api, bucket, moto):
    profile = {"AWS_PROFILE": "foo", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": moto.origin, "AWS_ALLOW_HTTP": "true"}
    for flags in ([], ["--check"]):
        run = exporter.run(unreachable_api, Place(bucket.url, Folders()), *flags, environment=profile)
        said = assert_failed(run, "config")
        assert "aws configure export-credentials" in said and "--format env" in said, said


def test_keys_win_over_a_profile(exporter, simulator, bucket):
    assert exporter.run(simulator().config(), bucket, environment={"AWS_PROFILE": "foo"}).exit_code == 0


@pytest.mark.parametrize("flags", [[], ["--check"]], ids=["export", "check"])
@pytest.mark.parametrize("name", ["a-file/below", "a-file/list.parquet"])
def test_a_folder_below_a_file_is_a_failure_of_the_config(exporter, unreachable_api, folder, name, flags):
    (Path(folder.url) / "a-file").write_text("in the way")
    assert_failed(exporter.run(unreachable_api, folder / name, *flags), "config")


@pytest.mark.parametrize("url", ["ftp://example.com/komet", "s3://", ""])
def test_a_place_of_no_known_kind_is_refused(exporter, unreachable_api, url):
    run = exporter.run(unreachable_api, Place(url, Folders()))
    assert run.exit_code == 78, run
    assert run.stdout == b"" and run.stderr.strip(), run


@pytest.mark.parametrize("flags", [["--mode", "replace"], ["--mode"], ["--no-such-flag"], ["--to", "twice"]])
def test_a_wrong_command_line_is_reported(exporter, unreachable_api, folder, flags):
    run = exporter.run(unreachable_api, folder, *flags)
    assert run.exit_code == 2, run
    assert run.stdout == b"" and run.stderr.strip(), run


def test_a_folder_that_is_not_there_is_made(exporter, simulator, folder):
    exporter.export(simulator().config(), folder / "two/below")
    exporter.export(simulator().config(), folder / "another/list.parquet")
    assert (folder / "two/below").is_table()
    assert os.path.exists(f"{folder.url}/another/list.parquet")


def test_the_first_export_to_a_place_leaves_nothing_of_its_trial(exporter, simulator, place):
    exporter.export(simulator().config(), place)
    names = set(place.files())
    assert {name.split("/")[0] for name in names} == {"customers"}, names
