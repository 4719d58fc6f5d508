"""What a message costs with a long past behind it: in few long conversations, and in many short ones."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.bench.closed_loop import Demand
from bridge.bench.measures import ratios
from bridge.bench.replies import ECHO
from bridge.bench.report import RATIO, Report, Row
from bridge.bench.servers import DATABASE
from bridge.bench.slices import column, interleaved, running
from bridge.bench.webhooks import THREADS
from bridge.own import own_module

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.bench.processes import Subject
    from bridge.bench.slices import Settings

MILLION: Final = 1_000_000
_SHORT: Final = 10
"""Messages of a short conversation."""


async def growth(settings: Settings) -> Report:
    """Processor time a message, as a ratio of that of an empty store."""
    report = Report("growth")
    subjects = [replace(ECHO, name="empty store"), *(_with_past(*shape, settings) for shape in shapes_of(settings))]
    async with running(subjects, settings) as at_work:
        await interleaved(at_work, settings, Demand(seconds=settings.seconds))
        for server in at_work:
            report.add(server.subject.name, "processor time a message", "us", column(server, "micros"))
        empty, *aged = at_work
        for server in aged:
            spread = ratios(column(server, "micros"), column(empty, "micros"))
            report.rows.append(Row(server.subject.name, f"processor time / {empty.subject.name}", RATIO, spread))
        report.heard_of(at_work)
    return report


def shapes_of(settings: Settings) -> list[tuple[int, int]]:
    """The messages and the conversations of each past."""
    pasts = [MILLION, 5 * MILLION] if settings.is_full else [MILLION]
    return [(messages, threads) for messages in pasts for threads in (THREADS, messages // _SHORT)]


def name_of(messages: int, threads: int) -> str:
    """What a store with that past is called."""
    return f"{messages:,} messages in {threads:,} conversations"


def _with_past(messages: int, threads: int, settings: Settings) -> Subject:
    name = name_of(messages, threads)

    def prepare(folder: Path) -> None:
        past = own_module("storage.sqlite.synthetic_past")
        told = partial(_tell, settings, name)
        past.write_past(
            folder / DATABASE, past.Past(messages=messages, threads=threads, until=time.time_ns() // 1000), told
        )

    return replace(ECHO, name=name, prepare=prepare)


def _tell(settings: Settings, name: str, written: int) -> None:
    settings.tell(f"write {name}: {written:,}")
