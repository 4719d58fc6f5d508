"""Deploys under load, wherever the store is: webhooks over kept and over new connections all the time."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any, Final

from bridge.workers.words import DEPLOY
from tests.faults.checker import check
from tests.faults.parents import asked
from tests.faults.traffic import chatter, traffic

if TYPE_CHECKING:
    import random

    from tests.faults.harness import Gateways, Home

RATE: Final = 200
"""Webhooks a second."""


def waited(told: list[dict[str, Any]]) -> float:
    """Seconds for which nobody accepted a connection, as the parent saw it; less than 0 where two did."""
    left = {line["worker"]: line["seconds"] for line in told if line["action"] == "worker_left"}
    serves = {line["worker"]: line["seconds"] for line in told if line["action"] == "worker_serves"}
    return max(float(serves[worker] - left.get(worker, serves[worker])) for worker in serves)


async def deployed(
    home: Home, gateways: Gateways, dice: random.Random, deploys: int, workers: int = 1, *, punctual: bool = False
) -> str:
    """Deploy again and again under load, and then let all come to its end; what there was.

    No sender may notice, and nothing may be lost or done twice. `punctual`: the rate holds on a busy machine, too.
    """
    gaps = []
    parent = home.start(options=["--workers", str(workers)])
    async with traffic(home, gateways) as talk:
        try:
            await home.ready(parent)
            began = time.monotonic()
            async with talk.flowing(RATE, chatter(60, dice.random), insist=False, punctual=punctual):
                for _ in range(deploys):
                    told = await asked(home, DEPLOY)
                    assert told[-1]["action"] == "deployed", told
                    gaps.append(waited(told))
            seconds = time.monotonic() - began
            await home.settled(60 + 3 * deploys)  # on a slow machine turns fall behind from deploy to deploy
            counts = check(home, talk, gateways)
            assert await home.stopped(parent) == 0
        finally:
            home.kill()
    assert talk.statuses == {200: len(talk.said)}, f"a sender noticed: {talk.statuses}"
    assert counts.turns == counts.stored == counts.acked == len(talk.said) > 0
    assert counts.unknown == 0, "a message was cut off"
    assert counts.calls == counts.messages, "a message was sent twice"
    p99 = statistics.quantiles(talk.seconds, n=100)[-1]
    return (
        f"{deploys} deploys of {workers} at {len(talk.said) / seconds:.0f} webhooks a second: {counts}; "
        f"answers {talk.statuses}; acknowledged p99 {p99 * 1000:.0f} ms, slowest {talk.slowest * 1000:.0f} ms; "
        f"nobody accepted for {statistics.median(gaps) * 1000:.0f} ms, {max(gaps) * 1000:.0f} ms at most"
    )
