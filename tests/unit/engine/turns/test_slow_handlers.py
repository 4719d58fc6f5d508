"""Handlers that say they take long: nobody waits for them, and they have no more time than they ask for."""

from __future__ import annotations

import asyncio

from bridge import Router, Turn
from tests.support.bursting_bots import Gate
from tests.support.turn_engine import turns


async def test_slow_handlers_do_not_hold_up_quick_ones() -> None:
    """More slow turns than all places together: everybody else is answered meanwhile."""
    gate = Gate()
    router = Router("slow")
    router.message(regex="^slow", timeout="10min")(gate.handle)

    @router.message()
    async def quick(_: Turn) -> str:
        return "quick"

    async with turns(router) as world:
        for at in range(100):
            await world.heard("slow", f"s-{at}", f"slow-{at}")
        for at in range(30):
            await world.heard("hi", f"q-{at}", f"quick-{at}")
        async with asyncio.timeout(30):
            while len([each for each in await world.store.threads() if each.version]) < 30:  # noqa: ASYNC110 - the store
                await asyncio.sleep(0)
        assert len(gate.begun) == 64
        gate.open.set()
        await world.settle()
        assert len(gate.begun) == 100


async def test_a_handler_has_the_time_it_asks_for_and_no_more() -> None:
    router = Router("timed")

    @router.message(text="long", timeout="1min")
    async def long(_: Turn) -> str:
        await asyncio.sleep(0.1)
        return "done"

    @router.message(text="short", timeout="10ms")
    async def short(_: Turn) -> str:
        await asyncio.sleep(5)
        return "never"

    async with turns(router, seconds=0.05, attempts=1) as world:
        await world.heard("long", "m-1")
        await world.heard("short", "m-2")
        await world.settle()
        assert await world.said() == ["done"]
        (reason,) = await world.reasons()
        assert "took longer than 0.01 s" in reason
