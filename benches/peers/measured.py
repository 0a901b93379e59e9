"""One run of a program: how long it took, and how much memory it and all that it started held at once."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.005


@dataclass
class Run:
    exit_code: int
    seconds: float
    # In bytes: the largest sum of the resident sets of the program and of what it started.
    peak: int


def run(command: list[str], folder: Path, environment: dict[str, str], output: Path, timeout: float) -> Run:
    """Runs a command in `folder`; what it prints goes to `output`, and what it complains of to the folder's file `log`."""
    with output.open("wb") as stdout, (folder / "log").open("wb") as stderr:
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
        )
        ended, peaks = threading.Event(), [0]
        watch = threading.Thread(target=_watch, args=(process.pid, ended, peaks))
        watch.start()
        try:
            exit_code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            raise
        finally:
            seconds = time.monotonic() - started
            ended.set()
            watch.join()
    return Run(exit_code, seconds, peaks[0])


def _watch(pid: int, ended: threading.Event, peaks: list[int]) -> None:
    # A program that is over soon is looked at too.
    while True:
        processes = [pid, *_below(pid)]
        now = sum(_status(process, "VmRSS") for process in processes)
        # The kernel keeps the peak of each process, which a sample may have missed.
        alone = max(_status(process, "VmHWM") for process in processes)
        peaks[0] = max(peaks[0], now, alone)
        if ended.wait(SAMPLE_SECONDS):
            return


def _below(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = [int(child) for child in children.read_text().split()]
        except OSError:
            continue
        for child in found:
            yield child
            yield from _below(child)


def _status(pid: int, name: str) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
