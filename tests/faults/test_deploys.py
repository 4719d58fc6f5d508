"""Deploys under load: a new process takes over from the old one, and no sender notices."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

import pytest

from bridge.workers.words import DEPLOY
from tests.faults.checker import check
from tests.faults.deploying import deployed
from tests.faults.harness import Gateways
from tests.faults.parents import asked, workers
from tests.faults.sharded import ShardedHome
from tests.faults.traffic import chatter, traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEED: Final = 20261129


async def on_sqlite(folder: Path, deploys: int, *, punctual: bool) -> str:
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(folder)
        home.environment["BOT_SLOWEST"] = "0.02"
        return await deployed(home, gateways, random.Random(SEED), deploys, punctual=punctual)


async def test_twenty_deploys_under_load_go_unnoticed(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await on_sqlite(tmp_path, 20, punctual=False))


async def test_deploys_with_two_databases_go_unnoticed(tmp_path: Path, report: Callable[[str], None]) -> None:
    async with Gateways(delay_ms=3).listening() as gateways:
        home = ShardedHome(tmp_path, shop=gateways.shop.url, relay=gateways.relay.url)
        home.environment["BOT_SLOWEST"] = "0.02"
        report(await deployed(home, gateways, random.Random(SEED), 5))
    for store in home.stores:
        with closing(sqlite3.connect(store)) as db:
            assert db.execute("SELECT count(*) FROM inbox").fetchone()[0] > 0


@pytest.mark.soak
async def test_two_hundred_deploys_under_load_go_unnoticed(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await on_sqlite(tmp_path, 200, punctual=True))


async def cut_short(folder: Path, cycles: int) -> str:
    """Deploy, and kill one of the processes that take part, at a random moment; senders insist."""
    dice = random.Random(SEED)
    outcomes = {"deployed": 0, "deploy_failed": 0}
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(folder)
        home.environment["BOT_SLOWEST"] = "0.02"
        parent = home.start(options=["--workers", "1"])
        async with traffic(home, gateways) as talk:
            try:
                await home.ready(parent)
                async with talk.flowing(80, chatter(40, dice.random), insist=True):
                    for _ in range(cycles):
                        deploy = asyncio.create_task(asked(home, DEPLOY))
                        await asyncio.sleep(dice.uniform(0, 0.6))
                        if victims := sorted((await workers(home)).values()):
                            with suppress(ProcessLookupError):  # the old one may come to its end meanwhile
                                os.kill(dice.choice(victims), signal.SIGKILL)
                        outcomes[(await deploy)[-1]["action"]] += 1
                await home.settled()
                counts = check(home, talk, gateways)
                assert await home.stopped(parent) == 0
            finally:
                home.kill()
    assert counts.acked == len(talk.said) > 0
    assert counts.turns == counts.stored == counts.acked
    assert counts.doubles_unkeyed <= counts.unknown
    return f"{cycles} deploys (seed {SEED}) with a process killed in each: {outcomes}; {counts}"


async def test_a_deploy_that_is_cut_short_loses_nothing(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await cut_short(tmp_path, 8))


@pytest.mark.soak
async def test_many_deploys_that_are_cut_short_lose_nothing(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await cut_short(tmp_path, 150))
