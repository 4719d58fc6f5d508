"""Webhook in, handler, reply out over HTTP: how fast, at what cost, and after how long."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bridge.bench.checkout import from_checkout, is_checkout, peer_versions
from bridge.bench.closed_loop import Demand
from bridge.bench.ingest import SERVERS
from bridge.bench.processes import Subject
from bridge.bench.report import Report
from bridge.bench.servers import FOLLOWER
from bridge.bench.slices import column, interleaved, running
from bridge.bench.webhooks import konnek

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.bench.slices import Running, Settings

ECHO: Final = Subject(name="threadbridge", module=SERVERS, arguments=("echo",))
FOLLOWED: Final = Subject(
    name="followed",
    module=SERVERS,
    arguments=("followed",),
    dialect=replace(konnek(), about=FOLLOWER.encode()),
)


async def e2e(settings: Settings) -> Report:
    """Replies a second with 128 messages in flight; in a checkout beside the bare pipeline."""
    report = Report("e2e")
    bare = from_checkout("bare") if is_checkout() else ()
    async with running([ECHO, *bare], settings) as at_work:
        await _at_full_speed(at_work, settings, report)
    return report


async def events(settings: Settings) -> Report:
    """What it costs to tell one follower of every message, beside a bridge without followers."""
    report = Report("events")
    async with running([FOLLOWED, ECHO], settings) as at_work:
        await _at_full_speed(at_work, settings, report)
    return report


async def latency(settings: Settings) -> Report:
    """How long an answer and a reply take at an even rate."""
    report = Report("latency")
    async with running([ECHO], settings) as at_work:
        await _at_a_rate(at_work, settings, report)
    return report


async def peers(settings: Settings) -> Report:
    """The same work done by other frameworks, which keep none of the promises."""
    report = Report("peers")
    subjects = from_checkout("peers")
    async with running([ECHO, *subjects], settings) as at_work:
        await _at_full_speed(at_work, settings, report)
        await _at_a_rate(at_work, settings, report)
    report.notes.append(f"versions of the peers: {peer_versions()}")
    return report


async def _at_full_speed(at_work: Sequence[Running], settings: Settings, report: Report) -> None:
    await interleaved(at_work, settings, Demand(seconds=settings.seconds))
    ours, *others = at_work
    for server in at_work:
        report.add(server.subject.name, "replies", "/s", column(server, "rate"))
        report.add(server.subject.name, "processor time a message", "us", column(server, "micros"))
    for other in others:
        report.compare(ours, other, "rate", "replies")
        report.compare(ours, other, "micros", "processor time")
    report.heard_of(at_work)


async def _at_a_rate(at_work: Sequence[Running], settings: Settings, report: Report) -> None:
    await interleaved(at_work, settings, Demand(seconds=settings.seconds, rate=settings.rate))
    ours, *others = at_work
    where = f"at {settings.rate:g}/s"
    measures = {"ack_p50": "answer p50", "ack_p99": "answer p99", "p50": "reply p50", "p99": "reply p99"}
    for name, measure in measures.items():
        for server in at_work:
            report.add(server.subject.name, f"{measure} {where}", "ms", column(server, name))
        for other in others:
            report.compare(ours, other, name, f"{measure} {where}")
    report.heard_of(at_work)
