"""The figures as a Markdown table and as a picture (SVG), the same text for the same figures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path

BEGIN, END = "<!-- benches/peers/run --keep writes this -->\n", "<!-- to here -->\n"

OUR_COLOR, OTHER_COLOR, MEMORY_COLOR = "#0f766e", "#94a3b8", "#cbd5e1"
# What is right to do with each reply that is tried. Anything else is set in bold.
RIGHT = {"inactive": "false", "refused": "error", "cut": "error", "token": "hidden"}

ROW, LEFT, BAR, GAP = 34, 230, 250, 90


@dataclass
class Reader:
    name: str
    # Empty where it is ours or everybody's.
    version: str
    # What it makes of the list.
    output: str
    seconds: float
    peak_mib: int
    # What it made of the replies that were tried: inactive, refused, cut, forbidden, token.
    answers: dict[str, str]

    @property
    def is_ours(self) -> bool:
        return self.name.startswith("kometsales")

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass
class Figures:
    customers: int
    # Of the reply.
    bytes: int
    rounds: int
    cores: int
    # What else the machine did before: the average of a minute.
    load: float
    readers: list[Reader]

    @property
    def is_busy(self) -> bool:
        return self.load > 1


def read(path: Path) -> Figures:
    kept = json.loads(path.read_text())
    return Figures(**{**kept, "readers": [Reader(**one) for one in kept["readers"]]})


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def times(value: float) -> str:
    return f"{value:.1f} ×" if value < 10 else f"{value:.0f} ×"


def memory(mib: float) -> str:
    return f"{mib:,.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"


def table(figures: Figures) -> str:
    """A line for each reader; times also as multiples of the first one, which only writes the reply to a file."""
    head = [caption(figures), "makes", "time", "× curl", "peak memory", '`"active": "0"`', '`"status": 0`', "cut JSON", "token in its output"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    base = figures.readers[0].seconds
    for reader in figures.readers:
        name = f"**{reader.title}**" if reader.is_ours else reader.title.replace("curl -o FILE", "`curl -o FILE`")
        ratio = times(reader.seconds / base)
        cells = [name, reader.output, seconds(reader.seconds), ratio, memory(reader.peak_mib)]
        for key, right in RIGHT.items():
            answer = reader.answers.get(key, "–")
            cells.append(answer if answer in ("–", right) else f"**{answer}**")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def caption(figures: Figures) -> str:
    beside = ", beside much other work" if figures.is_busy else ""
    return f"{figures.customers:,} customers ({figures.bytes / 1e6:,.0f} MB), {figures.cores} cores, medians of {figures.rounds}{beside}"


def picture(figures: Figures) -> str:
    """Two columns of bars, time and memory; the bars of each column are in proportion."""
    readers = [reader for reader in figures.readers if reader.answers]
    slowest = max(reader.seconds for reader in readers)
    largest = max(reader.peak_mib for reader in readers)
    width, height = LEFT + 2 * (BAR + GAP), 58 + ROW * len(readers) + 30
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="14" role="img">',
        f"<title>Time and peak memory: {escape(caption(figures))}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        text(LEFT, 32, "time", "#334155", bold=True),
        text(LEFT + BAR + GAP, 32, "peak memory", "#334155", bold=True),
    ]
    for number, reader in enumerate(readers):
        top = 46 + ROW * number
        color = OUR_COLOR if reader.is_ours else OTHER_COLOR
        lines.append(text(LEFT - 12, top + 19, reader.name, "#0f172a", end=True, bold=reader.is_ours))
        columns = [
            (LEFT, reader.seconds / slowest, seconds(reader.seconds)),
            (LEFT + BAR + GAP, reader.peak_mib / largest, memory(reader.peak_mib)),
        ]
        for left, share, label in columns:
            length = max(2, round(BAR * share))
            lines.append(f'<rect x="{left}" y="{top + 4}" width="{length}" height="20" rx="3" fill="{color}"/>')
            lines.append(text(left + length + 8, top + 19, label, "#334155"))
    lines.append(text(LEFT, height - 14, caption(figures), "#64748b", size=12))
    return "\n".join([*lines, "</svg>"]) + "\n"


def text(left: int, baseline: int, words: str, color: str, *, end: bool = False, bold: bool = False, size: int = 14) -> str:
    anchor = ' text-anchor="end"' if end else ""
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{left}" y="{baseline}" fill="{color}" font-size="{size}"{anchor}{weight}>{escape(words)}</text>'


def section(figures: Figures) -> str:
    """What stands in README.md between the two marks."""
    return f"{BEGIN}\n{table(figures)}\n{END}"


def write_into(document: Path, figures: Figures) -> None:
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(before + section(figures) + after)
