"""kill -9 at random moments, and deploys, under load on PostgreSQL: nothing is lost, and no effect comes twice."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.faults.deploying import deployed
from tests.faults.fleet import PostgresHome
from tests.faults.harness import Gateways
from tests.faults.kills import killed
from tests.support.postgres import new_database, plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

SEED: Final = 20261129


@asynccontextmanager
async def home_on_postgres(folder: Path, name: str) -> AsyncIterator[tuple[PostgresHome, Gateways]]:
    """A bridge on a database of its own, between its gateways."""
    url = await asyncio.to_thread(new_database, name)
    async with Gateways(delay_ms=3).listening() as gateways:
        home = PostgresHome(folder, shop=gateways.shop.url, relay=gateways.relay.url)
        home.database = url
        home.environment |= {
            "BOT_SLOWEST": "0.01",
            "THREADBRIDGE_STORAGE__URL": plain(url),
            "THREADBRIDGE_STORAGE__DURABILITY": "relaxed",
            "XDG_STATE_HOME": str(folder),
        }
        yield home, gateways


async def on_postgres(folder: Path, cycles: int) -> str:
    async with home_on_postgres(folder, "killed") as (home, gateways):
        counts, slowest = await killed(home, gateways, random.Random(SEED), cycles, contacts=20, earliest=0.1)
    return f"{cycles} kills on PostgreSQL (seed {SEED}): {counts}; ready again after {slowest:.2f} s at most"


async def deployed_on_postgres(folder: Path, deploys: int) -> str:
    async with home_on_postgres(folder, "deployed") as (home, gateways):
        return await deployed(home, gateways, random.Random(SEED), deploys, workers=2)


async def test_kills_lose_nothing_and_repeat_no_effect(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await on_postgres(tmp_path, 4))


@pytest.mark.soak
async def test_many_kills_lose_nothing_and_repeat_no_effect(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await on_postgres(tmp_path, 100))


async def test_deploys_of_two_workers_go_unnoticed(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await deployed_on_postgres(tmp_path, 2))


@pytest.mark.soak
async def test_many_deploys_of_two_workers_go_unnoticed(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await deployed_on_postgres(tmp_path, 50))
