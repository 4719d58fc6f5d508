"""Webhooks durably stored a second, as a ratio of a plain aiohttp handler's answers. No turn runs: all of them wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.bench.checkout import from_checkout, is_checkout
from bridge.bench.closed_loop import Demand
from bridge.bench.processes import Subject
from bridge.bench.report import Report
from bridge.bench.servers import SHIPPED, database
from bridge.bench.slices import column, interleaved, running
from bridge.store.opening import open_reader

if TYPE_CHECKING:
    from bridge.bench.slices import Running, Settings

CONNECTIONS: Final = (64, 256)
SERVERS: Final = "bridge.bench"
PLAIN: Final = tuple(
    Subject(name=f"plain aiohttp, {how}", module=SERVERS, arguments=(name,), replies=False)
    for how, name in {"as shipped": SHIPPED, "at its best": "plain"}.items()
)
"""On asyncio's own loop, and on uvloop."""
HELD: Final = Subject(name="threadbridge", module=SERVERS, arguments=("held",), replies=False)


async def ingest(settings: Settings) -> Report:
    """Durable ingest at synchronous=FULL beside plain aiohttp; in a checkout beside the bare pipeline too."""
    report = Report("ingest")
    bare = from_checkout("bare", "storing") if is_checkout() else ()
    async with running([HELD, *PLAIN, *bare], settings) as at_work:
        ours, *others = at_work
        for connections in CONNECTIONS:
            demand = Demand(seconds=settings.seconds, in_flight=connections, connections=connections)
            await interleaved(at_work, settings, demand)
            where = f"at {connections} connections"
            for server in at_work:
                report.add(server.subject.name, f"webhooks {where}", "/s", column(server, "rate"))
                report.add(server.subject.name, f"processor time {where}", "us", column(server, "micros"))
                report.add(server.subject.name, f"answered, p99 {where}", "ms", column(server, "ack_p99"))
            for other in others:
                report.compare(ours, other, "rate", f"webhooks {where}")
                report.compare(ours, other, "micros", f"processor time {where}")
            report.heard_of(at_work)
        stored = await open_events(ours)
        if stored < ours.answered:
            report.problems.append(f"threadbridge: {ours.answered - stored} webhooks were answered 200 and not stored")
    return report


async def open_events(server: Running) -> int:
    """How many events wait in the store of a server."""
    store = await open_reader(database(str(server.process.folder)))
    try:
        return sum(account.open_events for account in await store.accounts())
    finally:
        await store.close()
