"""Deploys under load: a new process takes over from the old one, and no sender notices."""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING, Any

import pytest

from bridge.workers.words import DEPLOY
from tests.faults.checker import check
from tests.faults.harness import Gateways
from tests.faults.parents import asked
from tests.faults.traffic import chatter, traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RATE = 200
"""Webhooks a second."""
SEED = 20261129


def waited(told: list[dict[str, Any]]) -> float:
    """Seconds for which nobody accepted a connection."""
    at = {line["action"]: line["seconds"] for line in told if "seconds" in line}
    return float(at["worker_serves"] - at["worker_left"])


async def under_load(folder: Path, deploys: int) -> str:
    """Deploy again and again, while webhooks come over kept and over new connections."""
    dice = random.Random(SEED)
    gaps = []
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(folder)
        home.environment["BOT_SLOWEST"] = "0.02"
        parent = home.start(options=["--workers", "1"])
        async with traffic(home, gateways) as talk:
            try:
                await home.ready(parent)
                async with talk.flowing(RATE, chatter(60, dice.random), insist=False):
                    for _ in range(deploys):
                        told = await asked(home, DEPLOY)
                        assert told[-1]["action"] == "deployed", told
                        gaps.append(waited(told))
                await home.settled()
                counts = check(home, talk, gateways)
                assert await home.stopped(parent) == 0
            finally:
                home.kill()
    assert talk.statuses == {200: len(talk.said)}, "a sender noticed"
    assert counts.turns == counts.stored == counts.acked == len(talk.said) > 0
    assert counts.unknown == 0, "a message was cut off"
    assert counts.calls == counts.messages, "a message was sent twice"
    p99 = statistics.quantiles(talk.seconds, n=100)[-1]
    return (
        f"{deploys} deploys (seed {SEED}): {counts}; answers {talk.statuses}; acknowledged p99 {p99 * 1000:.0f} ms, "
        f"slowest {talk.slowest * 1000:.0f} ms; nobody accepted for {statistics.median(gaps) * 1000:.0f} ms, "
        f"{max(gaps) * 1000:.0f} ms at most"
    )


async def test_twenty_deploys_under_load_go_unnoticed(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await under_load(tmp_path, 20))


@pytest.mark.soak
async def test_two_hundred_deploys_under_load_go_unnoticed(tmp_path: Path, report: Callable[[str], None]) -> None:
    report(await under_load(tmp_path, 200))
