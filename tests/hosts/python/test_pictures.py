"""The pictures and the table of README.md are what their programs write, and the README is short."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import REPOSITORY

README = REPOSITORY / "README.md"
PEERS = REPOSITORY / "benches/peers"


def _shown():
    spec = importlib.util.spec_from_file_location("shown", PEERS / "shown.py")
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up.
    sys.modules["shown"] = module
    spec.loader.exec_module(module)
    return module


shown = _shown()


def _lines(picture: Path) -> list[str]:
    """What a picture says, without times, days, and the folder that is another one each time."""
    root = ElementTree.fromstring(picture.read_text())
    texts = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    # The one line that is wider than the terminal breaks where the folder's name says.
    text = re.sub(r"\n(?=\S*customers'\)\))", "", "\n".join(texts))
    text = re.sub(r"/\S*kometsales-demo-\w+", "FOLDER", text)
    text = re.sub(r"\d{4}-\d{2}-\d{2}(T[\d:]+Z)?", "DAY", text)
    return re.sub(r" +[\d.,]+ m?s$", " TIME", text, flags=re.MULTILINE).split("\n")


def test_the_picture_of_the_demonstration_is_what_it_prints(executable, tmp_path):
    drawn = tmp_path / "demo.svg"
    subprocess.run([REPOSITORY / "packaging/demo-svg", executable, drawn], check=True, timeout=120)
    kept = REPOSITORY / "docs/demo.svg"
    assert _lines(drawn) == _lines(kept), "renew it: packaging/demo-svg EXECUTABLE docs/demo.svg"
    for picture in (drawn, kept):
        text = picture.read_text()
        assert "@keyframes" in text and "prefers-reduced-motion" in text
        assert all(len(line) <= 80 for line in "\n".join(_lines(picture)).split("\n") if "FOLDER" not in line)
    assert "docs/demo.svg" in "\n".join(README.read_text().splitlines()[:12]), "it is on the first screen"


def test_the_readme_has_the_table_and_the_picture_that_were_measured():
    figures = shown.read(PEERS / "figures.json")
    assert shown.section(figures) in README.read_text(), "benches/peers/run --keep writes it"
    assert (REPOSITORY / "docs/peers.svg").read_text() == shown.picture(figures)
    ElementTree.fromstring(shown.picture(figures))
    assert "docs/peers.svg" in README.read_text()
    assert figures.customers == 1_000_000 and figures.rounds >= 3


def test_the_figures_are_those_of_the_versions_that_are_pinned():
    readers = shown.read(PEERS / "figures.json").readers
    pinned = "\n".join(path.read_text() for path in (PEERS / "requirements").glob("*.txt")).splitlines()
    versions = {reader.version for reader in readers if reader.version}
    assert len(versions) == 5
    for version in versions:
        assert any(line.endswith(f"=={version}") for line in pinned), version
    for path in (PEERS / "requirements").glob("*.in"):
        wanted = {re.sub(r"\[.*?\]", "", line) for line in path.read_text().split() if "==" in line}
        assert wanted <= set(pinned), path.name


def test_ours_is_right_in_everything_that_is_tried():
    ours = [reader for reader in shown.read(PEERS / "figures.json").readers if reader.is_ours]
    assert len(ours) == 2
    for reader in ours:
        assert {key: reader.answers[key] for key in shown.RIGHT} == shown.RIGHT, reader.name


@pytest.fixture
def figures():
    right = {**shown.RIGHT, "forbidden": "error"}
    return shown.Figures(
        customers=1_000_000,
        bytes=205_000_000,
        rounds=3,
        cores=2,
        load=0.3,
        readers=[
            shown.Reader("curl -o FILE", "", "the reply", 0.25, 10, {}),
            shown.Reader("kometsales export", "", "a Parquet file", 0.5, 52, right),
            shown.Reader("a <peer> & more", "1.2.3", "records", 31.6, 1500, {**right, "inactive": "true"}),
        ],
    )


def test_a_table_has_units_multiples_and_bold_for_what_is_wrong(figures):
    head, rule, curl, ours, peer = shown.table(figures).splitlines()
    assert head.count("|") == rule.count("|") == curl.count("|") == ours.count("|") == peer.count("|")
    assert curl == "| `curl -o FILE` | the reply | 0.25 s | 1.0 × | 10 MiB | – | – | – | – |"
    assert ours == "| **kometsales export** | a Parquet file | 0.50 s | 2.0 × | 52 MiB | false | error | error | hidden |"
    assert peer == "| a <peer> & more 1.2.3 | records | 32 s | 126 × | 1.5 GiB | **true** | error | error | hidden |"


def test_figures_of_a_busy_machine_say_so(figures):
    assert "other work" not in shown.table(figures)
    figures.load = 9.0
    assert "medians of 3, beside much other work" in shown.table(figures) and "other work" in shown.picture(figures)


def test_the_bars_of_a_picture_are_in_proportion(figures):
    root = ElementTree.fromstring(shown.picture(figures))
    bars = [int(one.get("width")) for one in root.iter("{http://www.w3.org/2000/svg}rect") if one.get("x")]
    # Time and memory of ours, then of the peer; curl, of which nothing is tried, has none.
    assert bars == [4, 9, shown.BAR, shown.BAR]
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a <peer> & more" in texts and "1,000,000 customers (205 MB), 2 cores, medians of 3" in texts


def test_the_table_is_written_between_the_marks_alone_and_twice_is_as_once(figures, tmp_path):
    document = tmp_path / "README.md"
    document.write_text(f"before\n\n{shown.BEGIN}old\n{shown.END}\nafter\n")
    for _ in range(2):
        shown.write_into(document, figures)
        assert document.read_text() == f"before\n\n{shown.section(figures)}\nafter\n"
    kept = tmp_path / "figures.json"
    from dataclasses import asdict

    kept.write_text(json.dumps(asdict(figures)))
    assert shown.read(kept) == figures


def test_the_readme_fits_in_two_pages():
    text = README.read_text()
    assert len(text.splitlines()) <= 130
    for part in ("uvx kometsales demo", "cargo run --release -- demo", "tests/all", "## Why not a script", "**When not to use it**"):
        assert part in text, part
