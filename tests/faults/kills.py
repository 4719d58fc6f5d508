"""kill -9 again and again at random moments under load, wherever the store is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from tests.faults.checker import check
from tests.faults.traffic import chatter, traffic

if TYPE_CHECKING:
    import random

    from tests.faults.checker import Counts
    from tests.faults.harness import Gateways, Home


class Kills(NamedTuple):
    """What there was in the end, and the seconds of the slowest start."""

    counts: Counts
    slowest: float


async def killed(
    home: Home, gateways: Gateways, dice: random.Random, cycles: int, *, contacts: int, earliest: float = 0.0
) -> Kills:
    """Start the bridge, kill it within 0.4 s from `earliest` on, and so on; then let all come to its end.

    Webhooks come at a rate of two a second for each of the `contacts`, and again until they are taken.
    """
    starts: list[float] = []
    async with traffic(home, gateways) as talk:
        try:
            async with talk.flowing(2 * contacts, chatter(contacts, dice.random), insist=True):
                for _ in range(cycles):
                    process = home.start()
                    starts.append(await home.ready(process))
                    await asyncio.sleep(dice.uniform(earliest, 0.4))
                    process.kill()
                    process.wait()
                await home.ready(home.start())
            await home.settled()
            counts = check(home, talk, gateways)
        finally:
            home.kill()
    assert counts.acked == len(talk.said) > 0
    assert counts.turns == counts.stored == counts.acked
    assert counts.doubles_unkeyed <= counts.unknown
    return Kills(counts, max(starts))
