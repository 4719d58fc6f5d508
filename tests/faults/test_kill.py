"""kill -9 at random moments under load: what was answered 200 has its turn once, and its reply at the gateway."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.faults.harness import Gateways
from tests.faults.kills import killed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEED = 20261123


async def on_sqlite(folder: Path, cycles: int, seed: int) -> str:
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(folder)
        home.environment["BOT_SLOWEST"] = "0.01"
        counts, slowest = await killed(home, gateways, random.Random(seed), cycles, contacts=40)
    return f"{cycles} kills (seed {seed}): {counts}; ready again after {slowest:.2f} s at most"


async def test_fifty_kills_lose_nothing_and_repeat_no_effect(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await on_sqlite(tmp_path, 50, SEED))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
async def test_three_hundred_kills_lose_nothing_and_repeat_no_effect(
    tmp_path: Path, report: Callable[[str], None], seed: int
) -> None:
    report(await on_sqlite(tmp_path, 300, seed))
