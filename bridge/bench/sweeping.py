"""Whether traffic notices retention: answers while old rows are removed, beside answers while they stay."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.bench.closed_loop import Demand
from bridge.bench.growth import MILLION
from bridge.bench.measures import ratios
from bridge.bench.replies import ECHO
from bridge.bench.report import RATIO, Report, Row
from bridge.bench.servers import AGE, DATABASE, database
from bridge.bench.slices import running
from bridge.bench.webhooks import THREADS
from bridge.engine.retention import old_rows
from bridge.own import own_module
from bridge.store.opening import open_reader
from bridge.store.retention import Sweep
from bridge.units import SECOND

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.bench.slices import Running, Settings, Slice

_MB: Final = 1_000_000
_LOAD: Final = 0.5
"""The rate of the measured slices, as a share of what the server takes."""
_MEASURES: Final = {"ack_p50": "answer p50", "ack_p99": "answer p99", "p50": "reply p50", "p99": "reply p99"}


async def retention(settings: Settings) -> Report:
    """Answers at half load with a million messages that are old enough to go, and the size of the file."""
    report = Report("retention")
    swept = replace(ECHO, arguments=("swept",), prepare=partial(_prepare, settings))
    async with running([swept], settings) as (server,):
        settings.tell("how much the server takes")
        await server.slice(Demand(seconds=settings.seconds))  # with a past that is read for the first time
        full = await server.slice(Demand(seconds=settings.seconds))
        demand = Demand(seconds=settings.seconds, rate=full.rate * _LOAD)
        rows, size = await _old_rows(server), _size(server)
        stay, go = await _alternating(server, settings, demand)
        removed = rows - await _old_rows(server)
        for name, measure in _MEASURES.items():
            values = {which: [getattr(one, name) for one in slices] for which, slices in (("stay", stay), ("go", go))}
            report.add("old rows stay", measure, "ms", values["stay"])
            report.add("old rows go", measure, "ms", values["go"])
            report.rows.append(
                Row("old rows go", f"{measure} / of rows that stay", RATIO, ratios(values["go"], values["stay"]))
            )
        report.add("old rows go", "rows removed", "", [removed])
        report.add("old rows go", "file before", "MB", [size / _MB])
        report.add("old rows go", "file after", "MB", [_size(server) / _MB])
        report.notes.append(f"{demand.rate:,.0f} webhooks a second, half of what the server takes")
        report.problems += server.problems
        if not removed:
            report.problems.append("no row was removed")
    return report


async def _alternating(server: Running, settings: Settings, demand: Demand) -> tuple[list[Slice], list[Slice]]:
    """Slices without removal and with it, in another order each round."""
    stay: list[Slice] = []
    go: list[Slice] = []
    for number in range(settings.rounds):
        for slices in random.SystemRandom().sample((stay, go), 2):
            settings.tell(f"round {number + 1} of {settings.rounds}: old rows {'go' if slices is go else 'stay'}")
            if slices is go:
                _signal(server, signal.SIGUSR1)
            slices.append(await server.slice(demand))
            if slices is go:
                _signal(server, signal.SIGUSR2)
    return stay, go


def _signal(server: Running, number: signal.Signals) -> None:
    for pid in server.process.pids:
        os.kill(pid, number)


async def _old_rows(server: Running) -> int:
    """How many events are old enough to go."""
    store = await open_reader(database(str(server.process.folder)))
    try:
        return await old_rows(store, Sweep.EVENTS, time.time_ns() // 1000 - AGE * SECOND)
    finally:
        await store.close()


def _size(server: Running) -> int:
    return (server.process.folder / DATABASE).stat().st_size


def _prepare(settings: Settings, folder: Path) -> None:
    """Write a past that ended before all of it was old."""
    past = own_module("storage.sqlite.synthetic_past")
    until = time.time_ns() // 1000 - 2 * AGE * SECOND

    def tell(written: int) -> None:
        settings.tell(f"write {MILLION:,} messages: {written:,}")

    past.write_past(folder / DATABASE, past.Past(messages=MILLION, threads=THREADS, until=until), tell)
