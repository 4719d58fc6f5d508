"""kill -9 at random moments under load: what was answered 200 has its turn once, and its reply at the gateway."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from tests.faults.checker import check
from tests.faults.harness import Gateways
from tests.faults.traffic import chatter, traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEED = 20261123


async def killed(folder: Path, cycles: int, seed: int) -> str:
    dice = random.Random(seed)
    starts: list[float] = []
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(folder)
        home.environment["BOT_SLOWEST"] = "0.01"
        async with traffic(home, gateways) as talk:
            try:
                async with talk.flowing(80, chatter(40, dice.random), insist=True):
                    for _ in range(cycles):
                        process = home.start()
                        starts.append(await home.ready(process))
                        await asyncio.sleep(dice.uniform(0.0, 0.4))
                        process.kill()
                        process.wait()
                    await home.ready(home.start())
                await home.settled()
                counts = check(home, talk, gateways)
            finally:
                home.kill()
    assert counts.acked == len(talk.said)
    assert counts.turns == counts.stored == counts.acked
    assert counts.doubles_unkeyed <= counts.unknown
    starts.sort()
    return f"{cycles} kills (seed {seed}): {counts}; ready again after {starts[-1]:.2f} s at most"


async def test_fifty_kills_lose_nothing_and_repeat_no_effect(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await killed(tmp_path, 50, SEED))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
async def test_three_hundred_kills_lose_nothing_and_repeat_no_effect(
    tmp_path: Path, report: Callable[[str], None], seed: int
) -> None:
    report(await killed(tmp_path, 300, seed))
