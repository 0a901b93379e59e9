"""The wheel that Meltano installs the tap from, as the README builds it for one machine, and as it is shipped for all."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import platform
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from packaging.utils import parse_wheel_filename

MODULE = Path(__file__).resolve().parents[3] / "python/kometsales"


def test_the_one_that_is_shipped_is_for_every_python_and_every_c_library(shipped):
    name, _, _, tags = parse_wheel_filename(shipped.name)
    machine = platform.machine()
    assert name == "kometsales"
    assert {(tag.interpreter, tag.abi) for tag in tags} == {("py3", "none")}
    assert {f"manylinux_2_17_{machine}", f"musllinux_1_2_{machine}"} <= {tag.platform for tag in tags}
    executable = _executable(_contents(shipped))
    # A program without an interpreter, in the words of ELF, needs no shared libraries: neither glibc nor musl.
    assert b"/ld-linux" not in executable and b"/ld-musl" not in executable


def test_it_is_whole_and_holds_the_executable_the_module_and_two_more_names(wheel, shipped, executable, checkout):
    for built in (wheel, shipped):
        contents = _contents(built)
        scripts = {name.rpartition("/scripts/")[2] for name in contents if "/scripts/" in name}
        assert scripts == {"kometsales", "tap-kometsales", "source-kometsales"}
        module = {name for name in contents if ".data/" not in name and ".dist-info/" not in name}
        assert module == {f"kometsales/{path.name}" for path in MODULE.iterdir() if path.is_file()}
        assert "kometsales/py.typed" in module
        metadata = next(content.decode() for name, content in contents.items() if name.endswith(".dist-info/METADATA"))
        for line in ("Requires-Dist: nanoarrow>=0.6", "Requires-Python: >=3.9", "Description-Content-Type: text/markdown"):
            assert line in metadata, metadata[:2000]
        assert metadata.count("Requires-Dist:") == 1 and "Classifier: Typing :: Typed" in metadata
        for name, content in contents.items():
            if ".dist-info/" in name:
                assert str(checkout).encode() not in content, f"{name} tells where it was built"
    assert _executable(_contents(wheel)) == executable.read_bytes(), "the wheel was built another time than the executable under test"


def test_discover_starts_within_ten_milliseconds(executable):
    """The best of twenty: what else the machine does must not count."""

    def run() -> float:
        started = time.perf_counter()
        subprocess.run([executable, "--discover"], stdout=subprocess.DEVNULL, check=True, timeout=20)
        return time.perf_counter() - started

    best = min(run() for _ in range(20))
    assert best <= 0.010, f"{best * 1000:.1f} ms"


def _contents(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel, each proved to be the one that its record lists."""
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    (record,) = [name for name in contents if name.endswith(".dist-info/RECORD")]
    listed = {path: digest for path, digest, _ in csv.reader(io.StringIO(contents[record].decode()))}
    assert set(listed) == set(contents)
    for name, content in contents.items():
        if name != record:
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert listed[name] == f"sha256={digest}", name
    return contents


def _executable(contents: dict[str, bytes]) -> bytes:
    (script,) = [name for name in contents if name.endswith(".data/scripts/kometsales")]
    return contents[script]


def test_it_installs_without_a_package_index_and_its_command_runs(wheel, tmp_path):
    uv = Path(sys.executable).parent / "uv"
    for command in (
        [uv, "venv", "--quiet", "--offline", "--no-project", f"--python={sys.executable}", tmp_path / "venv"],
        [uv, "pip", "install", "--quiet", "--offline", "--no-index", "--no-deps", f"--python={tmp_path}/venv/bin/python", wheel],
    ):
        subprocess.run(command, check=True, timeout=60, cwd=tmp_path)
    version = parse_wheel_filename(wheel.name)[1]
    # The tap and the source need nothing but the executable, so they run without what the module needs.
    for name in ("kometsales", "tap-kometsales", "source-kometsales"):
        command = tmp_path / "venv/bin" / name
        said = subprocess.run([command, "--version"], check=True, timeout=60, capture_output=True, text=True).stdout
        assert str(version) in said
    about = subprocess.run([command, "--about", "--format=json"], check=True, timeout=60, capture_output=True).stdout
    assert json.loads(about)["version"] == str(version)
