"""Servers measured side by side: short slices in random order, so that what slows the machine slows all of them."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.bench.closed_loop import ClosedLoop, Demand
from bridge.bench.measures import quantile
from bridge.bench.processes import Outside, cores, started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from bridge.bench.closed_loop import Round
    from bridge.bench.processes import Process, Subject

BUSY: Final = 0.85
"""The share of its core beyond which the load may be the bottleneck."""
_REST: Final = 0.05
_IDLE: Final = 0.1
"""The share of a core below which a server counts as at rest, looked at for `_REST` seconds at a time."""
_RESTS: Final = 100
_WARM_UP: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long is measured; `tell` hears what is measured at the moment."""

    seconds: float = 4.0
    rounds: int = 5
    rate: float = 300.0
    messages: int = 100_000
    is_full: bool = False
    postgres: str = ""
    """The URL of a PostgreSQL server's database; "": one of our own."""
    tell: Callable[[str], None] = lambda _: None

    def telling(self, tell: Callable[[str], None]) -> Settings:
        """The same, told to `tell`."""
        return replace(self, tell=tell)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What one slice showed.

    `rate` is messages a second, `micros` the processor time a message, `load` the load's share of its core. Quantiles
    are in milliseconds, from the webhook to the reply or to its answer. `backends` and `background` are the processor
    time a message of a database server.
    """

    messages: int
    rate: float
    micros: float
    p50: float
    p99: float
    ack_p50: float
    ack_p99: float
    load: float
    backends: float = 0.0
    background: float = 0.0

    @property
    def total(self) -> float:
        """The processor time a message, the database server's included."""
        return self.micros + self.backends + self.background


@dataclass(slots=True)
class Running:
    """A server at work with the load that belongs to it, and what was found wrong with it."""

    subject: Subject
    process: Process
    loop: ClosedLoop
    slices: list[Slice] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    answered: int = 0
    """Webhooks answered 200 so far."""

    async def slice(self, demand: Demand) -> Slice:
        """Ask this much of each of its processes, then let it come to rest."""
        demand = demand.of(self.subject.processes)
        await self.loop.connect(self.process.ports, demand.connections)
        outside = await self._outside()
        spent, own = self.process.seconds(), time.process_time()
        figures = await self.loop.run(demand)
        own = time.process_time() - own
        self.loop.close()
        await self._rest()
        self.answered += figures.answered
        self.problems += problems_of(self.subject, figures)
        spent = self.process.seconds() - spent
        beside = await self._outside()
        messages = figures.replies if self.subject.replies else figures.answered
        took = figures.latencies if self.subject.replies else figures.acks
        return Slice(
            messages=messages,
            rate=messages / figures.seconds if figures.seconds else 0.0,
            micros=spent / max(messages, 1) * 1e6,
            p50=quantile(took, 0.5) * 1000,
            p99=quantile(took, 0.99) * 1000,
            ack_p50=quantile(figures.acks, 0.5) * 1000,
            ack_p99=quantile(figures.acks, 0.99) * 1000,
            load=own / figures.seconds if figures.seconds else 0.0,
            backends=_spent(outside.backends, beside.backends) / max(messages, 1) * 1e6,
            background=_spent(outside.background, beside.background) / max(messages, 1) * 1e6,
        )

    async def _outside(self) -> Outside:
        return Outside({}, {}) if self.subject.outside is None else await self.subject.outside()

    async def _rest(self) -> None:
        """What is left to do belongs to this slice, and not to the next one on the same core."""
        spent = self.process.seconds()
        for _ in range(_RESTS):
            await asyncio.sleep(_REST)
            before, spent = spent, self.process.seconds()
            if spent - before < _REST * _IDLE:
                return


def _spent(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Seconds between two looks at processes, some of which may be new."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def problems_of(subject: Subject, figures: Round) -> list[str]:
    """What does not add up in a round: each webhook has one answer 200, and one reply where the subject replies."""
    counts = {
        "were answered otherwise than 200": figures.refused,
        "were not answered": figures.sent - figures.answered - figures.refused,
        "had no reply": figures.answered - figures.replies if subject.replies else 0,
        "had a reply that belongs to none": figures.doubled,
    }
    found = [
        f"{subject.name}: {count} of {figures.sent} webhooks {what}" for what, count in counts.items() if count > 0
    ]
    return found if figures.sent else [f"{subject.name}: no webhook was sent"]


@asynccontextmanager
async def running(
    subjects: Sequence[Subject], settings: Settings, *, wide: bool = False
) -> AsyncIterator[list[Running]]:
    """All subjects on the server's core, with `wide` on all but the load's; the load runs here, on its own."""
    server_core, load_core = cores()
    before = os.sched_getaffinity(0)
    on = (before - {load_core} or before) if wide else {server_core}
    async with AsyncExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, before)
        os.sched_setaffinity(0, {load_core})
        at_work = []
        for subject in subjects:
            settings.tell(f"start {subject.name}")
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="threadbridge-bench-", dir=Path.cwd()))
            subject.prepare(Path(folder))
            loop = ClosedLoop(subject.dialect, replies=subject.replies)
            gateway, port = await loop.gateway()
            stack.callback(gateway.close)
            process = await stack.enter_async_context(started(subject, on=on, gateway=port, folder=Path(folder)))
            at_work.append(Running(subject, process, loop))
        yield at_work


async def interleaved(at_work: Sequence[Running], settings: Settings, demand: Demand) -> None:
    """Add a slice of each to its `slices`, in every round; the order is another one each time."""
    for server in at_work:
        settings.tell(f"warm up {server.subject.name}")
        await server.slice(replace(demand, seconds=min(_WARM_UP, demand.seconds)))
    for number in range(settings.rounds):
        for server in random.SystemRandom().sample(at_work, len(at_work)):
            settings.tell(f"round {number + 1} of {settings.rounds}: {server.subject.name}")
            server.slices.append(await server.slice(demand))


def column(server: Running, name: str) -> list[float]:
    """One measure of all slices."""
    return [float(getattr(measured, name)) for measured in server.slices]
