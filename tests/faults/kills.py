"""kill -9 again and again at random moments under load, wherever the store is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from tests.faults.checker import check
from tests.faults.traffic import chatter, traffic

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from tests.faults.checker import Counts
    from tests.faults.forks import Fork
    from tests.faults.harness import Gateways, Home


class Kills(NamedTuple):
    """What there was in the end, and the seconds of the slowest start."""

    counts: Counts
    slowest: float


async def killed(
    home: Home,
    gateways: Gateways,
    dice: random.Random,
    cycles: int,
    *,
    contacts: int,
    earliest: float = 0.0,
    latest: float = 0.4,
    kill: Callable[[Fork], Awaitable[None]] | None = None,
    noted: bool = True,
) -> Kills:
    """Start the bridge, kill it between `earliest` and `latest` seconds, and so on; then let all come to its end.

    Webhooks come at a rate of two a second for each of the `contacts`, and again until they are taken. `kill` does
    more than kill -9; `noted` is explained at `check`.
    """
    starts: list[float] = []
    async with traffic(home, gateways) as talk:
        try:
            async with talk.flowing(2 * contacts, chatter(contacts, dice.random), insist=True):
                for _ in range(cycles):
                    process = home.start()
                    starts.append(await home.ready(process))
                    await asyncio.sleep(dice.uniform(earliest, latest))
                    if kill is not None:
                        await kill(process)
                    process.kill()
                    process.wait()
                await home.ready(home.start())
            await home.settled()
            counts = check(home, talk, gateways, noted=noted)
        finally:
            home.kill()
    assert counts.acked == len(talk.said) > 0
    assert counts.turns == counts.stored == counts.acked
    assert counts.doubles_unkeyed <= counts.unknown or not noted
    return Kills(counts, max(starts))
