"""The wheel that Meltano installs the tap from."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

from conftest import REPOSITORY
from packaging.utils import parse_wheel_filename


def test_it_is_for_every_python_and_every_c_library(wheel, target):
    name, _, _, tags = parse_wheel_filename(wheel.name)
    machine = target.split("-")[0]
    assert name == "tap-kometsales"
    assert {(tag.interpreter, tag.abi) for tag in tags} == {("py3", "none")}
    assert {f"manylinux_2_17_{machine}", f"musllinux_1_2_{machine}"} <= {tag.platform for tag in tags}


def test_it_is_whole_and_holds_the_executable_alone(wheel, executable, target):
    with zipfile.ZipFile(wheel) as archive:
        (record,) = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
        listed = {path: digest for path, digest, _ in csv.reader(io.StringIO(archive.read(record).decode()))}
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert set(listed) == set(contents)
    for name, content in contents.items():
        if name != record:
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert listed[name] == f"sha256={digest}", name
    (script,) = [name for name in contents if "/scripts/" in name]
    assert script.endswith(".data/scripts/kometsales")
    assert not any(name.endswith(".py") for name in contents)
    for name, content in contents.items():
        if ".dist-info/" in name:
            assert str(REPOSITORY).encode() not in content, f"{name} tells where it was built"
    # A program without an interpreter, in the words of ELF, needs no shared libraries: neither glibc nor musl.
    assert b"/ld-linux" not in contents[script] and b"/ld-musl" not in contents[script]
    if executable == REPOSITORY / "target" / target / "release/kometsales":
        assert contents[script] == executable.read_bytes(), "the wheel was built another time than the executable under test"


def test_it_installs_without_a_package_index_and_its_command_runs(wheel, tmp_path):
    uv = Path(sys.executable).parent / "uv"
    for command in (
        [uv, "venv", "--quiet", "--offline", "--no-project", f"--python={sys.executable}", tmp_path / "venv"],
        [uv, "pip", "install", "--quiet", "--offline", "--no-index", f"--python={tmp_path}/venv/bin/python", wheel],
    ):
        subprocess.run(command, check=True, timeout=60, cwd=tmp_path)
    command = tmp_path / "venv/bin/kometsales"
    version = parse_wheel_filename(wheel.name)[1]
    said = subprocess.run([command, "--version"], check=True, timeout=60, capture_output=True, text=True).stdout
    assert str(version) in said
    about = subprocess.run([command, "--about", "--format=json"], check=True, timeout=60, capture_output=True).stdout
    assert json.loads(about)["version"] == str(version)
