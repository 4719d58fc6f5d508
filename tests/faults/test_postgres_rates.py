"""Bridges that share an account with a rate: one that has all the work has nearly all of the rate, and no more."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import asyncpg

from tests.faults.checker import check
from tests.faults.fleet import Fleet
from tests.faults.harness import Gateways
from tests.faults.traffic import traffic
from tests.support.postgres import new_database, plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.providers.port import Seen

RATE = 20
MESSAGES = 60
_DIVIDED = "SELECT count(*) = 2 FROM threadbridge.processes WHERE claims LIKE '%shop%'"


class Timed(list["Seen"]):
    """What reached a gateway, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def append(self, seen: Seen) -> None:
        self.times.append(time.monotonic())
        super().append(seen)


async def test_a_process_with_all_the_work_has_nearly_all_of_the_rate(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    database = await asyncio.to_thread(new_database, "rates")
    async with Gateways().listening() as gateways:
        arrivals = gateways.konnek.seen = Timed()
        fleet = Fleet(tmp_path, shop=gateways.shop.url, relay=gateways.relay.url)
        fleet.database = database
        fleet.environment |= {
            "THREADBRIDGE_STORAGE__URL": plain(database),
            "THREADBRIDGE_STORAGE__DURABILITY": "relaxed",
            "THREADBRIDGE_ACCOUNTS__SHOP__RATE": f"{RATE}/s",
        }
        fleet.begin(2)
        async with fleet.flying():
            await divided(database)
            fleet.port = fleet.ports[0]
            fleet.url = f"http://127.0.0.1:{fleet.port}"
            async with traffic(fleet, gateways) as talk:
                for number in range(MESSAGES):
                    assert await talk.say("shop", f"c{number}", f"say shop c{number} {number}") == 200
                await fleet.settled(30)
                counts = check(fleet, talk, gateways)
    most = max(sum(at <= other < at + 1 for other in arrivals.times) for at in arrivals.times)
    assert RATE / 2 < most <= RATE  # equal parts would be half of it each
    report(f"{counts}; {most} in one second at most, of {RATE}")


async def divided(database: str) -> None:
    """Wait until each of them knows of the other."""
    connection = await asyncpg.connect(plain(database))
    began = time.monotonic()
    while not await connection.fetchval(_DIVIDED):
        assert time.monotonic() - began < 30
        await asyncio.sleep(0.05)
    await connection.close()
