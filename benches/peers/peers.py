"""Measures and tries the readers of one list; see run, which starts this."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import measured
import pyarrow.parquet
import shown
from shown import Figures, Reader

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
KOMETSALES = os.environ["KOMETSALES"]
ENVIRONMENTS = REPOSITORY / ".venvs/peers"
TOKEN = "peers-t0ken-5d1c44aa02"
TRIED = 200
MAX_SECONDS = 900
PARQUET, LINES = "a Parquet file", "records on stdout"


def version(package: str) -> str:
    pinned = (HERE / f"requirements/{package}.txt").read_text()
    return re.search(rf"^{re.escape(package)}==(.+)$", pinned, re.MULTILINE)[1]


def python(environment: str, program: str, *arguments: str) -> list[str]:
    return [str(ENVIRONMENTS / environment / "bin/python"), str(HERE / "readers" / program), *arguments]


def commands(url: str, folder: Path) -> dict[str, tuple[str, str, list[str]]]:
    """Each reader by its name: its version, what it makes, and its command for the list at `url`."""
    config, catalog = str(folder / "config.json"), str(folder / "catalog.json")
    request = f"{url}/customer.list?includeInactive=true&authenticationToken={TOKEN}"
    cdk = [str(ENVIRONMENTS / "airbyte-cdk/bin/source-declarative-manifest"), "read"]
    where = [url, TOKEN, str(folder)]
    return {
        "curl -o FILE": ("", "the reply", ["curl", "--silent", "--fail", "--output", str(folder / "copy"), request]),
        "kometsales export": ("", PARQUET, [KOMETSALES, "export", "--config", config, "--to", str(folder / "customers.parquet")]),
        "kometsales read": ("", LINES, [KOMETSALES, "read", "--config", config, "--catalog", catalog]),
        "a script: requests, pyarrow": (version_of_script(), PARQUET, python("script", "script.py", *where)),
        "curl, then DuckDB": (version("duckdb"), PARQUET, python("duckdb", "duckdb_query.py", *where)),
        "dlt": (version("dlt"), PARQUET, python("dlt", "dlt_pipeline.py", *where)),
        "Airbyte's low-code CDK": (
            version("airbyte-cdk"),
            LINES,
            [*cdk, "--config", config, "--catalog", catalog, "--manifest-path", str(HERE / "readers/customers.yaml")],
        ),
        "Meltano's Singer SDK": (version("singer-sdk"), LINES, python("singer-sdk", "singer_sdk_tap.py", "--config", config)),
    }


def version_of_script() -> str:
    pinned = (HERE / "requirements/script.txt").read_text()
    return re.search(r"^pyarrow==(.+)$", pinned, re.MULTILINE)[1]


def prepare(folder: Path, url: str) -> dict[str, str]:
    """An empty folder with the files that readers ask for, and the environment that a reader runs in."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # A failure is to be seen at once; nobody else knows this setting.
    settings = {"authentication_token": TOKEN, "base_url": url, "retry_window_seconds": 0}
    (folder / "config.json").write_text(json.dumps(settings))
    stream = {"name": "customers", "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    configured = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    (folder / "catalog.json").write_text(json.dumps({"streams": [configured]}))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KOMETSALES", "TAP_", "PYTHON"))}
    silent = {"DO_NOT_TRACK": "1", "RUNTIME__DLTHUB_TELEMETRY": "false", "NO_COLOR": "1"}
    return {**kept, **silent, "HOME": str(folder), "TMPDIR": str(folder)}


@contextmanager
def program(*command: object) -> Iterator[str]:
    """A program of ours in the background; gives the first line that it prints."""
    words = [str(word) for word in command]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
    try:
        yield process.stdout.readline()
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


@contextmanager
def simulator(customers: int, fault: str = "healthy") -> Iterator[str]:
    """The URL of a simulated company."""
    command = (KOMETSALES, "simulate", "--customers", customers, "--token", TOKEN, "--fault", fault)
    with program(*command) as line:
        yield json.loads(line)["base_url"]


# ---------------------------------------------------------------------------------------------- what comes out


def rows(folder: Path, output: Path) -> list[dict]:
    """What a reader has given out: rows of its Parquet files, or records among its lines."""
    # dlt keeps copies among its pipelines, and tables of its own.
    files = [*folder.glob("*.parquet"), *folder.glob("output/komet/customers/*.parquet")]
    if files:
        return [row for path in files for row in pyarrow.parquet.read_table(path).to_pylist()]
    found = []
    for line in output.read_bytes().splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        record = message.get("record") if isinstance(message, dict) and message.get("type") == "RECORD" else None
        if record is not None:
            found.append(record.get("data", record))
    return found


def try_out(folder: Path) -> dict[str, dict[str, str]]:
    """What each reader makes of four replies, by its name."""
    answers: dict[str, dict[str, str]] = {}
    with simulator(TRIED) as url:
        whole = json.load(urllib.request.urlopen(f"{url}/customer.list?includeInactive=true&authenticationToken={TOKEN}"))
        inactive = {int(customer["id"]) for customer in whole["customers"] if customer["active"] == "0"}
        for name, (exit_code, found, _) in each(url, folder):
            if exit_code != 0 or len(found) != TRIED:
                sys.exit(f"{name} has read {len(found)} of {TRIED} customers, exit code {exit_code}: see {folder}")
            (value,) = {row["active"] for row in found if int(row["id"]) in inactive}
            answers[name] = {"inactive": json.dumps(value)}
    shows = dict.fromkeys(answers, False)
    for key, fault in (("refused", "token-refused"), ("cut", "cut:20000"), ("forbidden", "forbidden")):
        with simulator(TRIED, fault) as url:
            for name, (exit_code, found, said) in each(url, folder):
                answers[name][key] = outcome(exit_code, len(found))
                shows[name] |= TOKEN in said
    for name, shown_token in shows.items():
        answers[name]["token"] = "shown" if shown_token else "hidden"
    return answers


def outcome(exit_code: int, given: int) -> str:
    """How a read of a reply that is none ended, with the number of rows that it gave out all the same."""
    if exit_code == 0:
        return f"success, {given} rows"
    return f"error after {given} rows" if given else "error"


def each(url: str, folder: Path) -> Iterator[tuple[str, tuple[int, list[dict], str]]]:
    """Runs every reader but curl once: its exit code, its rows, and all that it said."""
    for name in commands(url, folder):
        if name.startswith("curl -o"):
            continue
        environment = prepare(folder, url)
        command = commands(url, folder)[name][2]
        output = folder / "stdout"
        done = measured.run(command, folder, environment, output, MAX_SECONDS)
        said = output.read_text(errors="replace") + (folder / "log").read_text(errors="replace")
        yield name, (done.exit_code, rows(folder, output), said)


# ---------------------------------------------------------------------------------------------- how fast


def time_all(customers: int, rounds: int, folder: Path) -> tuple[int, dict[str, list[measured.Run]]]:
    """The size of the reply in bytes, and the runs of each reader."""
    reply = folder.parent / "reply.json"
    with simulator(customers) as url:
        request = f"{url}/customer.list?includeInactive=true&authenticationToken={TOKEN}"
        subprocess.run(["curl", "--silent", "--fail", "--output", str(reply), request], check=True)
    runs: dict[str, list[measured.Run]] = {}
    with program(sys.executable, HERE / "served.py", reply) as port:
        url = f"http://127.0.0.1:{port.strip()}/api"
        for number in range(rounds):
            for name in commands(url, folder):
                environment = prepare(folder, url)
                command = commands(url, folder)[name][2]
                output = Path("/dev/null") if commands(url, folder)[name][1] == LINES else folder / "stdout"
                done = measured.run(command, folder, environment, output, MAX_SECONDS)
                if done.exit_code != 0:
                    sys.exit(f"{name} failed with exit code {done.exit_code}")
                runs.setdefault(name, []).append(done)
                print(f"round {number + 1}: {name}: {done.seconds:.2f} s, {done.peak / 2**20:.0f} MiB", file=sys.stderr, flush=True)
    return reply.stat().st_size, runs


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--customers", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--keep", action="store_true")
    options = arguments.parse_args()
    load = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory(prefix="kometsales-peers-") as work:
        folder = Path(work) / "reader"
        answers = try_out(folder)
        size, runs = time_all(options.customers, options.rounds, folder)
    readers = []
    for name, (release, output, _) in commands("", folder).items():
        seconds = statistics.median(run.seconds for run in runs[name])
        peak = max(run.peak for run in runs[name])
        readers.append(Reader(name, release, output, round(seconds, 3), round(peak / 2**20), answers.get(name, {})))
    figures = Figures(options.customers, size, options.rounds, os.cpu_count() or 1, load, readers)
    print(shown.table(figures))
    if options.keep:
        (HERE / "figures.json").write_text(json.dumps(asdict(figures), indent=1) + "\n")
        (REPOSITORY / "docs/peers.svg").write_text(shown.picture(figures))
        shown.write_into(REPOSITORY / "README.md", figures)


if __name__ == "__main__":
    main()
