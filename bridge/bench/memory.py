"""Memory after many messages, and with many events that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.bench.closed_loop import Demand
from bridge.bench.ingest import HELD, open_events
from bridge.bench.replies import ECHO
from bridge.bench.report import Report
from bridge.bench.slices import running

if TYPE_CHECKING:
    from bridge.bench.processes import Subject
    from bridge.bench.slices import Settings

_MB = 1_000_000
_PARTS = 5


async def memory(settings: Settings) -> Report:
    """Resident memory in MB (a million bytes) at the start, at every fifth of the way, and at the end."""
    report = Report("memory")
    await _measure(ECHO, "messages", settings, report)
    await _measure(HELD, "queued events", settings, report)
    return report


async def _measure(subject: Subject, what: str, settings: Settings, report: Report) -> None:
    async with running([subject], settings) as (server,):
        report.add(subject.name, f"memory at the start, before {what}", "MB", [server.process.bytes() / _MB])
        for part in range(1, _PARTS + 1):
            done = settings.messages * part // _PARTS
            settings.tell(f"{what}: {done:,} of {settings.messages:,}")
            await server.slice(Demand(messages=done - server.answered))
            report.add(subject.name, f"memory after {done:,} {what}", "MB", [server.process.bytes() / _MB])
        report.problems += server.problems
        if not subject.replies and (queued := await open_events(server)) < server.answered:
            report.problems.append(f"{subject.name}: {server.answered - queued} queued events are missing")
