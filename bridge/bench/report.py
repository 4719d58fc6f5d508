"""What a benchmark found: rows of medians between quartiles, as JSON and as tables for people."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge.bench.measures import Spread, ratios
from bridge.bench.slices import BUSY, column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.bench.slices import Running

PACKAGES: Final = ("threadbridge", "aiohttp", "uvloop", "aiosqlite")
RATIO: Final = "ratio"


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one subject; the unit is "ratio" where it is one."""

    subject: str
    measure: str
    unit: str
    spread: Spread


@dataclass(slots=True)
class Report:
    """The rows of one benchmark, what was found wrong, and what a reader has to know."""

    benchmark: str
    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, subject: str, measure: str, unit: str, values: Sequence[float]) -> None:
        """One row of the spread of `values`."""
        self.rows.append(Row(subject, measure, unit, Spread.of(values)))

    def compare(self, server: Running, base: Running, name: str, measure: str) -> None:
        """The ratio of the two servers in each round; it stands at `base`."""
        spread = ratios(column(server, name), column(base, name))
        self.rows.append(Row(base.subject.name, f"{measure}, {server.subject.name} / this", RATIO, spread))

    def heard_of(self, at_work: Sequence[Running]) -> None:
        """Take over what was found wrong with the servers, and how busy the load was; their slices are done with."""
        load, busiest = max((max(column(server, "load")), server.subject.name) for server in at_work)
        warning = "; it may be the bottleneck" if load > BUSY else ""
        self.notes.append(f"the load took {load:.0%} of its core at most, with {busiest}{warning}")
        for server in at_work:
            self.problems += server.problems
            server.problems, server.slices = [], []

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "benchmark": self.benchmark,
            "rows": [
                {
                    "subject": row.subject,
                    "measure": row.measure,
                    "unit": row.unit,
                    "median": row.spread.median,
                    "quartiles": [row.spread.low, row.spread.high],
                }
                for row in self.rows
            ],
            "problems": self.problems,
            "notes": self.notes,
        }

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        yield self.benchmark
        widths = [max((len(text) for text in texts), default=0) for texts in zip(*map(_texts, self.rows), strict=True)]
        for row in self.rows:
            subject, measure, median = _texts(row)
            start = f"  {subject:{widths[0]}}  {measure:{widths[1]}}  {median:>{widths[2]}}"
            yield f"{start} {row.unit:5}  {_quartiles(row)}".rstrip()
        yield from (f"  note: {note}" for note in self.notes)

    def markdown(self) -> Iterator[str]:
        """For a page: a row a measure, a column a subject."""
        subjects = [*dict.fromkeys(row.subject for row in self.rows)]
        measures = [*dict.fromkeys(row.measure for row in self.rows)]
        cells = {(row.subject, row.measure): _cell(row) for row in self.rows}
        yield f"| {self.benchmark} | {' | '.join(subjects)} |"
        yield f"|---|{'---|' * len(subjects)}"
        for measure in measures:
            yield f"| {measure} | {' | '.join(cells.get((subject, measure), '') for subject in subjects)} |"
        yield ""
        yield from (f"{note[0].upper()}{note[1:]}." for note in self.notes)


def _cell(row: Row) -> str:
    unit = "" if row.unit == RATIO else f" {row.unit}"
    quartiles = _quartiles(row)
    return f"{number(row.spread.median)}{unit}{f' ({quartiles})' if quartiles else ''}"


def _texts(row: Row) -> tuple[str, str, str]:
    return row.subject, row.measure, number(row.spread.median)


def _quartiles(row: Row) -> str:
    low, high = number(row.spread.low), number(row.spread.high)
    return f"{low} to {high}" if row.spread.low != row.spread.high else ""


def number(value: float) -> str:
    """Three digits that count, and no fewer than the whole ones."""
    if abs(value) >= 100:  # noqa: PLR2004 - the three digits
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004 - the same


def surroundings() -> dict[str, str]:
    """The day, the machine and the versions that figures belong to."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        **{name: found for name in PACKAGES if (found := _version(name))},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    return text.partition("model name")[2].partition(":")[2].partition("\n")[0].strip() or platform.machine()
