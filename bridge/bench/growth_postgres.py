"""What a message costs on PostgreSQL with a long past behind it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bridge.bench import growth
from bridge.bench.closed_loop import Demand
from bridge.bench.postgres import databases
from bridge.bench.report import Report
from bridge.bench.scale import add_costs, add_ratios
from bridge.bench.slices import interleaved, running
from bridge.own import own_module

if TYPE_CHECKING:
    from bridge.bench.postgres import Database
    from bridge.bench.slices import Settings


_MEASURES: Final = {"micros": "bridge's time", "backends": "backends' time", "total": "whole time"}


async def growth_postgres(settings: Settings) -> Report:
    """Processor time a message, of the bridge and of the server's backends, as a ratio of that of an empty store."""
    report = Report("growth-postgres")
    async with databases(settings) as made:
        subjects = [(await made.make("empty")).subject("empty store")]
        for number, (messages, threads) in enumerate(growth.shapes_of(settings)):
            database = await made.make(f"past_{number}")
            subjects.append(database.subject(name := growth.name_of(messages, threads)))
            await _write(database, name, messages, threads, settings)
        async with running(subjects, settings, wide=True) as at_work:
            await interleaved(at_work, settings, Demand(seconds=settings.seconds))
            add_costs(at_work, report)
            empty, *aged = at_work
            for server in aged:
                add_ratios(server, empty, _MEASURES, report)
            await made.note(report)
            report.heard_of(at_work)
    return report


async def _write(database: Database, name: str, messages: int, threads: int, settings: Settings) -> None:
    past = own_module("storage.postgres.synthetic_past")
    await past.write_past(
        database.url,
        past.Past(messages=messages, threads=threads, until=time.time_ns() // 1000),
        lambda written: settings.tell(f"write {name}: {written:,}"),
    )
