"""Workers behind one socket: whichever is scraped tells what each of them did, and what they share once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.request import urlopen

from tests.faults.fleet import PostgresHome
from tests.faults.harness import Gateways, until
from tests.faults.traffic import traffic
from tests.support.postgres import new_database, plain
from tests.support.scraping import Scraped

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = 20


async def test_the_worker_that_is_scraped_tells_of_each(tmp_path: Path) -> None:
    database = await asyncio.to_thread(new_database, "metrics")
    async with Gateways().listening() as gateways:
        home = PostgresHome(tmp_path, shop=gateways.shop.url, relay=gateways.relay.url)
        home.database = database
        home.environment |= {
            "THREADBRIDGE_STORAGE__URL": plain(database),
            "THREADBRIDGE_STORAGE__DURABILITY": "relaxed",
        }

        def scraped() -> Scraped:
            with urlopen(f"{home.url}/metrics", timeout=10) as answer:  # noqa: S310 - a URL of this test
                return Scraped(answer.read().decode())

        parent = home.start(options=["--workers", "2"])
        try:
            await home.ready(parent)
            both = {("1", "1"): 1.0, ("2", "2"): 1.0}
            await until("both workers", lambda: scraped().counts("ready", "worker", "worker") == both)
            async with traffic(home, gateways) as talk:
                for number in range(MESSAGES):
                    assert await talk.say("shop", f"c{number}", f"say shop c{number} {number}") == 200
                await home.settled(30)
            seen = scraped()
            answers = seen.counts("webhooks_total", "account", "status", "worker")
            assert {key[:2] for key in answers} == {("shop", "200")}
            assert sum(answers.values()) == MESSAGES
            assert sum(seen.counts("turns_total", "outcome", "worker").values()) == MESSAGES
            assert seen.value("processes") == 2
            assert seen.value("backlog_messages", account="shop") == 0
            assert await home.stopped(parent) == 0
        finally:
            home.kill()
