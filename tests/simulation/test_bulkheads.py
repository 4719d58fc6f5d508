"""Bulkhead drill: one account is flooded, hangs or waits, and another answers within twice its idle time."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Router, Turn, debounce
from bridge.engine.lanes import Lanes
from bridge.testing import World
from tests.support.searches import IS_WHOLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.testing.contacts import Contact

PLACES = 8
THREADS = 2_000 if IS_WHOLE else 100
"""Threads in memory; the account in trouble has up to five times as many."""
ASKED = 20


def bot(trouble: Callable[[], Awaitable[object]], overlap: Any = "queue") -> Router:
    router = Router("bulkheads")

    @router.message(account="konnek", overlap=overlap)
    async def busy(_: Turn[Any]) -> str:
        await trouble()
        return "at last"

    @router.message()
    async def quick(_: Turn[Any]) -> str:
        await asyncio.sleep(0.05)
        return "at once"

    return router


def answered(contact: Contact) -> bool:
    return contact.texts == ["at once"]


async def slowest(world: World) -> int:
    """The longest that a contact of the other account waits for an answer, in microseconds of virtual time."""
    waits = []
    for number in range(ASKED):
        zoe = world.contact("ginalne", "whatsapp", f"zoe-{number}")
        began = world._begun().now
        await zoe.says("hi")
        assert await world.until(partial(answered, zoe))
        waits.append(world._begun().now - began)
    return max(waits)


async def seconds(count: float) -> None:
    await asyncio.sleep(count)


@pytest.mark.parametrize(
    ("router", "people"),
    [
        pytest.param(bot(partial(seconds, 1)), 4 * THREADS, id="flooded"),
        pytest.param(bot(partial(seconds, 3600)), 2 * PLACES, id="hanging"),
        pytest.param(bot(partial(seconds, 0), debounce("60s")), 5 * THREADS, id="debouncing"),
    ],
)
async def test_one_account_in_trouble_delays_no_other(
    router: Router, people: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.engine.turns.dispatcher.Lanes", partial(Lanes, capacity=THREADS))
    settings = {"handlers": {"concurrency": PLACES, "timeout": 4000}}
    with World(router, settings=settings, counts=False) as world:
        idle = await slowest(world)
    with World(router, settings=settings, counts=False) as world:
        crowd = [world.contact("konnek", "whatsapp", f"p{number}") for number in range(people)]
        stage = world._begun()
        for contact in crowd:
            await contact.says("hi")
            while stage.step():  # one webhook after the other: each step looks at all that are on their way
                pass
        assert await slowest(world) <= 2 * idle
        assert not all(contact.texts for contact in crowd), "the trouble is not over"
