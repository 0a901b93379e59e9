"""The image `kometsales`: the whole program and nothing else, for schedulers.

tests/hosts/image/run starts these tests where EVERYTHING names the static executable with the feature `export`.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from secrecy import assert_absent

REPOSITORY = Path(__file__).resolve().parents[3]
VERSION = re.search(r'^version = "(.+)"', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)[1]
BINARY = Path(os.environ["EVERYTHING"])
EXECUTABLE = "/usr/local/bin/kometsales"


def run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> str:
    return run(REPOSITORY / "packaging/image/build", "--everything", BINARY)


@pytest.fixture
def container(image: str) -> Iterator[str]:
    name = run("buildah", "from", image)
    yield name
    run("buildah", "rm", name)


def test_it_is_called_and_configured_as_a_scheduler_wants_it(image):
    assert image == f"kometsales:{VERSION}"
    settings = json.loads(run("buildah", "inspect", "--type", "image", image))["OCIv1"]["config"]
    assert settings["Entrypoint"] == [EXECUTABLE] and "Cmd" not in settings
    assert settings["User"] == "65532:65532"
    assert not any("AIRBYTE" in line for line in settings["Env"])


def test_it_has_the_program_and_no_shell_and_its_user_can_write_nowhere(container):
    root = Path(run("buildah", "mount", container))
    files = {f"/{path.relative_to(root)}" for path in root.rglob("*") if path.is_file()}
    assert files == {
        EXECUTABLE,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/passwd",
        "/etc/group",
        "/usr/share/doc/kometsales/LICENSE",
    }
    for path in [root, *root.rglob("*")]:
        found = path.lstat()
        assert (found.st_uid, found.st_gid) == (0, 0) and not stat.S_IMODE(found.st_mode) & 0o6022, path
    assert "nonroot:x:65532:65532:" in (root / "etc/passwd").read_text()


def test_it_exports_many_companies_with_a_folder_for_temporary_files_alone(container, tmp_path):
    tokens, scratch, lake = (tmp_path / name for name in ("tokens", "scratch", "lake"))
    for folder in (tokens, scratch, lake):
        folder.mkdir()
        os.chown(folder, 65532, 65532)
    simulator = subprocess.Popen(
        [BINARY, "simulate", "--companies", "12", "--customers", "50", "--fault", "token-refused@company-0003"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        for _ in range(12):
            line = json.loads(simulator.stdout.readline())
            settings = {key: line[key] for key in ("authentication_token", "base_url")}
            (tokens / line["company"]).write_text(json.dumps(settings))
        mounts = [f"--volume={tokens}:/run/secrets/komet:ro", f"--volume={scratch}:/scratch", f"--volume={lake}:/lake"]
        words = [EXECUTABLE, "export", "--companies", "/run/secrets/komet", "--to", "/lake", "--json"]
        command = ["buildah", "run", *mounts, "--env=TMPDIR=/scratch", container, "--", *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    finally:
        simulator.kill()
        simulator.wait(20)
        simulator.stdout.close()
    assert done.returncode == 77, done
    summary = json.loads(done.stdout.splitlines()[-1])["summary"]
    assert (summary["exported"], summary["kinds"]) == (11, {"auth": 1})
    for place, said in (("stdout", done.stdout), ("stderr", done.stderr)):
        assert_absent("demo-token-0003", said, place)
    assert list(scratch.iterdir()) == []
    owners = {path.stat().st_uid for path in lake.rglob("*")}
    assert owners == {65532}
