"""What a store and several processes give: SQLite with one process, PostgreSQL with one, two and four."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bridge.bench.closed_loop import IN_FLIGHT, Demand
from bridge.bench.measures import ratios
from bridge.bench.postgres import databases
from bridge.bench.replies import ECHO
from bridge.bench.report import RATIO, Report, Row
from bridge.bench.slices import column, interleaved, running

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.bench.slices import Running, Settings

PROCESSES: Final = (1, 2, 4)
_MEASURES: Final = {"rate": "replies", "micros": "bridge's time", "total": "whole time"}


async def scale(settings: Settings) -> Report:
    """Webhook, handler, one reply: how many a second, and the processor time of the bridge and of the server apart."""
    report = Report("scale")
    async with databases(settings) as made:
        of_processes = [(count, await made.make(f"scale_{count}")) for count in PROCESSES]
        subjects = [
            replace(ECHO, name="SQLite, 1 process"),
            *(database.subject(_name(count), processes=count) for count, database in of_processes),
        ]
        async with running(subjects, settings, wide=True) as at_work:
            await interleaved(at_work, settings, Demand(seconds=settings.seconds))
            add_costs(at_work, report)
            sqlite, one, *more = at_work
            for server in (one, *more):
                add_ratios(server, sqlite, _MEASURES, report)
            for server in more:
                add_ratios(server, one, _MEASURES, report)
            await made.note(report)
            report.heard_of(at_work)
            for (_, database), server in zip(of_processes, at_work[1:], strict=True):
                await made.check(database, server, report)
    _explain(report)
    return report


def add_costs(at_work: Sequence[Running], report: Report) -> None:
    """Rows of rates, and of the processor time a message by where it was spent."""
    for server in at_work:
        name = server.subject.name
        report.add(name, "replies", "/s", column(server, "rate"))
        report.add(name, "processor time a message, bridge", "us", column(server, "micros"))
        if any(column(server, "backends")):
            report.add(name, "processor time a message, PostgreSQL's backends", "us", column(server, "backends"))
            report.add(name, "processor time a message, its background", "us", column(server, "background"))


def _name(count: int) -> str:
    return f"PostgreSQL, {count} process{'es' if count > 1 else ''}"


def add_ratios(server: Running, base: Running, measures: Mapping[str, str], report: Report) -> None:
    """Rows of ratios, slice by slice, of measures that the base has; each with the words for it."""
    for measure, what in measures.items():
        if not all(bases := column(base, measure)):
            continue
        spread = ratios(column(server, measure), bases)
        report.rows.append(Row(server.subject.name, f"{what} / {base.subject.name}", RATIO, spread))


def _explain(report: Report) -> None:
    cores = len(os.sched_getaffinity(0))
    report.notes.append(
        f"{max(cores - 1, 1)} of {cores} cores are for the bridges, the others for the load and, where the system "
        "sees fit, for PostgreSQL: where processor time a message stays the same, more cores give more replies"
    )
    report.notes.append(
        f"{IN_FLIGHT} messages a process are in flight; a webhook goes to any process, whichever has the conversation"
    )
