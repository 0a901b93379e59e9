"""The release: workflows that only call scripts, dependencies that may be shipped, and a release made and tried."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path

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


def _actionlint(*files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["actionlint", *files], capture_output=True, text=True, cwd=REPOSITORY, timeout=60, check=False)


def test_actionlint_finds_nothing_in_the_workflows():
    done = _actionlint(*WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_what_is_wrong(tmp_path):
    wrong = (REPOSITORY / ".github/workflows/release.yml").read_text().replace("matrix.runner", "matrix.machine", 1)
    (tmp_path / "release.yml").write_text(wrong)
    done = _actionlint(tmp_path / "release.yml")
    assert done.returncode == 1 and 'property "machine" is not defined' in done.stdout, done.stdout + done.stderr


def _deny(*what: str, config: Path = REPOSITORY / "deny.toml") -> subprocess.CompletedProcess[str]:
    command = ["cargo", "deny", "--locked", "--config", config, "check", *what]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=300, check=False)


def test_dependencies_have_licences_that_may_be_shipped_and_no_second_version_where_that_is_a_fault():
    done = _deny("bans", "licenses", "sources")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("what", "allowed", "instead", "said"),
    [
        ("licenses", '"ISC",', "", "license"),
        ("bans", '{ name = "rustls", deny', '{ name = "getrandom", deny', "getrandom"),
        ("bans", '{ name = "native-tls"', '{ name = "reqwest"', "reqwest"),
        ("sources", "unknown-registry", 'allow-registry = []\nunknown-registry', "source"),
    ],
)
def test_cargo_deny_finds_what_is_wrong(what, allowed, instead, said, tmp_path):
    text = (REPOSITORY / "deny.toml").read_text()
    assert text.count(allowed) == 1
    (tmp_path / "deny.toml").write_text(text.replace(allowed, instead))
    done = _deny(what, config=tmp_path / "deny.toml")
    assert done.returncode != 0 and said in done.stderr, done.stderr[-2000:]


def test_no_dependency_has_an_advisory_against_it():
    done = _deny("advisories")
    if "failed to fetch advisory database" in done.stderr:
        pytest.skip("the database of advisories cannot be reached from here")
    assert done.returncode == 0, done.stderr


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


@pytest.mark.skipif("CHECKOUT" not in os.environ, reason="CHECKOUT names no folder in which the program was built")
def test_a_release_is_made_and_each_of_its_artefacts_is_tried(tmp_path):
    target = f"{platform.machine()}-unknown-linux-gnu"
    folder = tmp_path / "release"
    checkout = Path(os.environ["CHECKOUT"])
    command = [checkout / "packaging/release/build", "--small", target, folder]
    done = subprocess.run(command, capture_output=True, text=True, cwd=checkout, timeout=800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # The script ends with the first demonstration that fails; these are the artefacts that it has tried.
    version = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["package"]["version"]
    names = {path.name for path in folder.iterdir()}
    (wheel,) = [name for name in names if name.endswith(".whl")]
    assert wheel.startswith(f"kometsales-{version}-py3-none-")
    tarball, image = f"kometsales-{target}.tar.gz", f"source-kometsales-{target}.tar"
    sums = f"SHA256SUMS-{target}"
    assert names == {wheel, tarball, image, f"kometsales-{target}.cdx.json", sums}
    listed = dict(reversed(line.split("  ")) for line in (folder / sums).read_text().splitlines())
    assert set(listed) == names - {sums}
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    with tarfile.open(folder / tarball) as archive:
        files = {member.name.removeprefix("./") for member in archive.getmembers() if member.isfile()}
    completions = {f"completions/kometsales.{shell}" for shell in ("bash", "zsh", "fish")}
    assert files == {"kometsales", "LICENSE", "README.md", "CHANGELOG.md", "man/kometsales.1", *completions}
    bom = json.loads((folder / f"kometsales-{target}.cdx.json").read_text())
    assert bom["metadata"]["component"]["version"] == version
    assert not {"parquet", "delta_kernel"} & {one["name"] for one in bom["components"]}, "the small one has no export"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "packaging/release/build [--small] TARGET FOLDER"),
        (["x86_64-pc-windows-gnu", "out"], "There is no release for x86_64-pc-windows-gnu."),
        (["x86_64-unknown-linux-gnu", "."], "has files already"),
    ],
)
def test_a_release_that_cannot_be_made_says_why(arguments, said, tmp_path):
    (tmp_path / "a file").touch()
    command = [REPOSITORY / "packaging/release/build", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=20, check=False)
    assert done.returncode == 2 and said in done.stderr, done.stdout + done.stderr
