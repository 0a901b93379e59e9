"""A program on a machine with limits: its peak of memory, and a disk that is soon full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

KIB = 1024
MIB = 1024 * KIB


@dataclass
class Ended:
    """A process that ended."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    # The largest resident set that it ever had.
    peak_mib: float

    def __str__(self) -> str:
        said = f"{self.stdout[-800:].decode(errors='replace')}\n{self.stderr[-800:].decode(errors='replace')}"
        return f"exit code {self.exit_code}, {self.peak_mib:.0f} MiB\n{said}"


# Starts a program and writes how it ended: its exit code, and wait4's `ru_maxrss` (VmHWM). It does so from a small
# process, since a program counts as having had the memory of the process that started it.
MEASURE = """
import os, sys
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
open(sys.argv[1], "w").write(f"{os.waitstatus_to_exitcode(status)} {usage.ru_maxrss}")
"""


def start(command: list, folder: Path, stdout: int | BinaryIO, environment: dict[str, str] | None = None) -> subprocess.Popen:
    """Starts a program whose end is to be measured."""
    measured = [sys.executable, "-S", "-E", "-c", MEASURE, folder / "measured", *command]
    with (folder / "stderr").open("wb") as stderr:
        return subprocess.Popen(
            list(map(str, measured)),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env={**os.environ, **(environment or {})},
        )


def ended(process: subprocess.Popen, folder: Path, stdout: bytes = b"") -> Ended:
    """Waits for a program that was started in a folder."""
    process.wait(timeout=240)
    exit_code, peak_kib = map(int, (folder / "measured").read_text().split())
    return Ended(exit_code, stdout, (folder / "stderr").read_bytes(), peak_kib / KIB)


def run(command: list, folder: Path, environment: dict[str, str] | None = None, is_read: bool = True) -> Ended:
    """Runs a program to its end. Its stdout goes to a file, so that this process is not what it waits for."""
    to = folder / "stdout" if is_read else Path(os.devnull)
    with to.open("wb") as stdout:
        done = ended(start(command, folder, stdout, environment), folder)
    done.stdout = to.read_bytes() if is_read else b""
    return done


@contextmanager
def disk(at: Path, size: int) -> Iterator[Path]:
    """A file system of this many bytes."""
    at.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", at], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


def files(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
