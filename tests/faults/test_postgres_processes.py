"""Several bridges on one PostgreSQL, killed, frozen and cut off under load: nothing is lost, no effect comes twice."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest

from bridge.store.watch import LEASE
from tests.faults.checker import check
from tests.faults.fleet import Fleet
from tests.faults.harness import Gateways
from tests.faults.traffic import chatter, traffic
from tests.support.postgres import new_database, plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.faults.forks import Fork

SEED: Final = 20261129
CONTACTS: Final = 20
_LOOK: Final = 0.05
"""Seconds between two looks."""
_HELD: Final = """
SELECT count(*) FROM threads t WHERE t.holder = $1 AND (
    EXISTS (SELECT 1 FROM inbox i WHERE i.thread_id = t.id AND i.status = 'open')
    OR EXISTS (SELECT 1 FROM outbox o WHERE o.thread_id = t.id AND o.status = 'open'))
"""


class Reaper:
    """Does one thing after another to a fleet, and measures how long the others take to take over."""

    def __init__(self, fleet: Fleet, dice: random.Random) -> None:
        self.fleet = fleet
        self.dice = dice
        self.kills = self.cuts = self.frozen = 0
        self.takeovers: list[float] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def reap(self, seconds: float) -> None:
        """Kill one or cut its connections, twice a second or so; freeze one past its lease each half a minute."""
        began, frozen_at = time.monotonic(), -1e9
        async with self._connected() as database:
            while (now := time.monotonic()) - began < seconds:
                process = self.dice.choice([each for each in self.fleet.slots if each is not None])
                if now - frozen_at > 3 * LEASE and seconds - (now - began) > LEASE:
                    frozen_at = now
                    self._aside(self._freeze(process))
                elif self.dice.random() < 0.5:
                    self.cuts += await database.fetchval(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                        "WHERE application_name LIKE 'threadbridge ' || $1::text || ' %'",
                        str(process.pid),
                    )
                elif process.poll() is None:
                    await self._kill(process, database)
                await asyncio.sleep(self.dice.uniform(0.1, 0.7))
            await asyncio.gather(*self.tasks)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        settings = {"search_path": "threadbridge"}
        connection = await asyncpg.connect(plain(self.fleet.database), server_settings=settings)
        try:
            yield connection
        finally:
            await connection.close()

    def _aside(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)

    async def _kill(self, process: Fork, database: asyncpg.Connection) -> None:
        epoch = await database.fetchval(
            "SELECT epoch FROM processes WHERE name LIKE $1::text || ' on %' ORDER BY epoch DESC LIMIT 1",
            str(process.pid),
        )
        process.kill()
        self.kills += 1
        if epoch is not None:
            self._aside(self._wait_for_heirs(epoch))

    async def _wait_for_heirs(self, epoch: int) -> None:
        began = time.monotonic()
        async with self._connected() as database:
            while await database.fetchval(_HELD, epoch):  # noqa: ASYNC110 - other processes do that
                await asyncio.sleep(_LOOK)
        self.takeovers.append(time.monotonic() - began)

    async def _freeze(self, process: Fork) -> None:
        self.frozen += 1
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(LEASE + 4)
            process.send_signal(signal.SIGCONT)


async def reaped(folder: Path, seconds: float) -> str:
    url = await asyncio.to_thread(new_database, "fleet")
    async with Gateways(delay_ms=3).listening() as gateways:
        fleet = Fleet(folder, shop=gateways.shop.url, relay=gateways.relay.url)
        fleet.database = url
        fleet.environment |= {
            "BOT_SLOWEST": "0.01",
            "THREADBRIDGE_STORAGE__URL": plain(url),
            "THREADBRIDGE_STORAGE__DURABILITY": "relaxed",
        }
        fleet.begin(4)
        dice = random.Random(SEED)
        reaper = Reaper(fleet, dice)
        async with traffic(fleet.anywhere, gateways) as talk:
            async with fleet.flying():
                async with talk.flowing(2 * CONTACTS, chatter(CONTACTS, dice.random), insist=True):
                    await reaper.reap(seconds)
                await fleet.settled()
            counts = check(fleet, talk, gateways)
    assert counts.acked == len(talk.said) > 0
    assert counts.turns == counts.stored == counts.acked
    assert counts.doubles_unkeyed <= counts.unknown
    slowest = sorted(reaper.takeovers)[int(len(reaper.takeovers) * 0.99)]
    assert slowest < LEASE + 2
    return (
        f"4 processes for {seconds:g} s: {reaper.kills} kills, {reaper.frozen} frozen, {reaper.cuts} connections cut "
        f"(seed {SEED}): {counts}; take-over p99 {slowest:.2f} s"
    )


async def test_processes_that_die_at_random_lose_nothing_and_repeat_no_effect(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    report(await reaped(tmp_path, 20))


@pytest.mark.soak
async def test_processes_that_die_at_random_for_five_minutes_lose_nothing_and_repeat_no_effect(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    report(await reaped(tmp_path, 300))
