"""The release: workflows that only call scripts, and files that their tools will read."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib

import pytest
import yaml
from conftest import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_holds_no_logic_and_no_more_rights_than_it_needs(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert len(step.get("run", "").splitlines()) <= 1, step
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w.-]+@(v\d+|release/v\d+)", step["uses"]), step


def test_the_release_calls_the_script_for_each_of_its_targets():
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/release.yml").read_text())
    build = workflow["jobs"]["build"]
    script = (REPOSITORY / "packaging/release/build").read_text()
    for one in build["strategy"]["matrix"]["include"]:
        assert one["target"] in script, one
    (called,) = [step["run"] for step in build["steps"] if "packaging/release/build" in step.get("run", "")]
    assert called == "packaging/release/build ${{ matrix.target }} release"
    assert {"id-token", "attestations"} <= set(build["permissions"])


def test_the_configuration_of_cargo_deny_is_toml_and_allows_what_there_is():
    allowed = set(tomllib.loads((REPOSITORY / "deny.toml").read_text())["licenses"]["allow"])
    command = ["cargo", "metadata", "--offline", "--locked", "--format-version=1"]
    done = subprocess.run(command, capture_output=True, cwd=REPOSITORY, check=True, timeout=120)
    for package in json.loads(done.stdout)["packages"]:
        licence = (package["license"] or "").replace("/", " OR ").replace("(", " ").replace(")", " ")
        # One of each choice is allowed; all of what is joined by AND.
        parts = [part.strip() for part in licence.split(" AND ")]
        assert parts != [""] or package["name"] == "ring", package["name"]
        for part in parts:
            choices = {choice.strip() for choice in part.split(" OR ")}
            assert choices & allowed, f"{package['name']}: {licence}"


def test_what_the_executable_is_made_of_is_listed():
    command = [REPOSITORY / "packaging/release/sbom", "x86_64-unknown-linux-gnu"]
    bom = json.loads(subprocess.run(command, capture_output=True, cwd=REPOSITORY, check=True, timeout=120).stdout)
    names = {one["name"] for one in bom["components"]}
    assert {"reqwest", "rustls", "parquet", "delta_kernel"} <= names and not names & {"proptest", "insta", "criterion"}
    assert all(one["licenses"] for one in bom["components"])


def test_the_metadata_of_binstall_names_the_tarball_that_the_script_makes():
    manifest = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["package"]
    url = manifest["metadata"]["binstall"]["pkg-url"]
    assert url == "{ repo }/releases/download/v{ version }/{ name }-{ target }.tar.gz"
    assert 'name=kometsales-$target' in (REPOSITORY / "packaging/release/build").read_text()
