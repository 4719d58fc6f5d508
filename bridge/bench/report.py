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
_WIDTHS: Final = (40, 38)


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
        """The ratio of the two servers in each round."""
        spread = ratios(column(server, name), column(base, name))
        self.rows.append(Row(server.subject.name, f"{measure} / {base.subject.name}", RATIO, spread))

    def heard_of(self, at_work: Sequence[Running]) -> None:
        """Take over what was found wrong with the servers, and how busy the load was."""
        for server in at_work:
            self.problems += server.problems
            loads = column(server, "load")
            self.add(server.subject.name, "load's share of its core", "%", [load * 100 for load in loads])
            if max(loads, default=0.0) > BUSY:
                self.notes.append(f"the load took {max(loads):.0%} of its core: {server.subject.name} may do more")

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
        for row in self.rows:
            subject, measure = row.subject.ljust(_WIDTHS[0]), row.measure.ljust(_WIDTHS[1])
            yield f"  {subject} {measure} {number(row.spread.median):>9} {row.unit:8} {_quartiles(row)}".rstrip()
        yield from (f"  note: {note}" for note in self.notes)

    def markdown(self) -> Iterator[str]:
        """For a page."""
        yield f"| {self.benchmark} | measure | median | quartiles |"
        yield "|---|---|---|---|"
        for row in self.rows:
            unit = "" if row.unit == RATIO else f" {row.unit}"
            yield f"| {row.subject} | {row.measure} | {number(row.spread.median)}{unit} | {_quartiles(row)} |"


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
