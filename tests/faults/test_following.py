"""kill -9 while others follow the conversations: each fact is told, with one id and one body, in its thread's order."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from contextlib import asynccontextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from standardwebhooks import Webhook

from tests.faults.fleet import Fleet
from tests.faults.harness import Gateways
from tests.faults.kills import killed
from tests.faults.traffic import chatter, traffic
from tests.support.postgres import new_database, plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.faults.harness import Home

SECRET: Final = f"whsec_{'A' * 32}"
SEED: Final = 20261130


class Receiver:
    """Takes nine of ten events, refuses some, and takes some without an answer."""

    def __init__(self) -> None:
        self.dice = random.Random(SEED)
        self.tries: list[tuple[str, bytes, dict[str, Any], bool]] = []
        """Of each try the id, the body, what it says, and whether it was taken."""
        self.url = ""
        self._verifier = Webhook(SECRET)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Receiver]:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        try:
            yield self
        finally:
            await runner.cleanup()

    @property
    def settings(self) -> str:
        return f'[events]\nwebhooks = [{{ url = "{self.url}", secret = "env:FOLLOWER_SECRET" }}]\n'

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        told = self._verifier.verify(body, dict(request.headers))
        luck = self.dice.random()
        self.tries.append((request.headers["webhook-id"], body, told, luck < 0.95))
        if luck < 0.9:
            return web.Response(status=204)
        if luck < 0.95:  # taken, and nobody hears of it
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=500)

    def check(self, home: Home) -> str:
        """Compare with what the store has."""
        taken = {event_id for event_id, *_, was_taken in self.tries if was_taken}
        bodies: dict[str, set[bytes]] = defaultdict(set)
        threads: dict[str, list[str]] = defaultdict(list)
        facts: dict[tuple[str, str], set[str]] = defaultdict(set)
        for event_id, body, told, _ in self.tries:
            bodies[event_id].add(body)
            threads[told["data"]["thread"]["id"]].append(event_id)
            facts[told["type"], told["data"]["message"]["id"]].add(event_id)
        assert all(len(same) == 1 for same in bodies.values())
        assert all(len(ids) == 1 for ids in facts.values())
        for tries in threads.values():
            runs = [event_id for event_id, _ in groupby(tries)]
            assert len(runs) == len(set(runs)), "one was told again after the next"
        stored = home.rows("SELECT event_key, thread_id FROM inbox WHERE kind = 'message' ORDER BY seq")
        sent = home.rows("SELECT key FROM outbox WHERE status = 'sent' AND account NOT LIKE ':events:%'")
        heard = {name for kind, name in facts if kind == "message.received"}
        assert heard == {str(key) for key, _ in stored}
        assert {name for kind, name in facts if kind == "message.sent"} == {str(key) for (key,) in sent}
        assert {event_id for ids in facts.values() for event_id in ids} == taken
        for thread_id, tries in threads.items():
            names = [self._heard(event_id) for event_id, _ in groupby(tries)]
            assert [name for name in names if name] == [key for key, of in stored if str(of) == thread_id]
        return f"{len(bodies)} events, {len(self.tries)} tries"

    def _heard(self, event_id: str) -> str:
        told = next(told for known, _, told, _ in self.tries if known == event_id)
        return str(told["data"]["message"]["id"]) if told["type"] == "message.received" else ""


async def test_twenty_kills_lose_no_fact_and_change_no_order(tmp_path: Path, report: Callable[[str], None]) -> None:
    async with Gateways(delay_ms=3).listening() as gateways, Receiver().listening() as receiver:
        home = gateways.home(tmp_path, handlers_more=receiver.settings)
        home.environment |= {"BOT_SLOWEST": "0.01", "FOLLOWER_SECRET": SECRET}
        counts, _ = await killed(home, gateways, random.Random(SEED), 20, contacts=5)
        report(f"20 kills (seed {SEED}): {counts}; {receiver.check(home)}")


async def test_processes_that_die_on_one_database_lose_no_fact_and_change_no_order(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    url = await asyncio.to_thread(new_database, "followed")
    dice = random.Random(SEED)
    async with Gateways(delay_ms=3).listening() as gateways, Receiver().listening() as receiver:
        more = receiver.settings
        fleet = Fleet(tmp_path, shop=gateways.shop.url, relay=gateways.relay.url, handlers_more=more)
        fleet.database = url
        fleet.environment |= {
            "BOT_SLOWEST": "0.01",
            "FOLLOWER_SECRET": SECRET,
            "THREADBRIDGE_STORAGE__URL": plain(url),
            "THREADBRIDGE_STORAGE__DURABILITY": "relaxed",
        }
        fleet.begin(2)
        async with traffic(fleet.anywhere, gateways) as talk, fleet.flying():
            async with talk.flowing(10, chatter(5, dice.random), insist=True):
                for _ in range(6):
                    await asyncio.sleep(dice.uniform(0.5, 2.0))
                    process = dice.choice([each for each in fleet.slots if each is not None])
                    process.kill()
            await fleet.settled(120)
        report(f"6 kills of 2 processes (seed {SEED}): {receiver.check(fleet)}")
