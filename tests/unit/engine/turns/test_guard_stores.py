"""A conversation that answers itself is held alike on both stores, and nothing of it is lost."""

from __future__ import annotations

from typing import Any

import pytest

from bridge import Message, Returned, Router, Turn
from bridge.engine.turns.loops import GuardPolicy
from tests.support.guarded import DEFAULTS
from tests.support.postgres import empty_store
from tests.support.turn_engine import turns

WORDS = "Thank you for your message"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty store."""
    return "sqlite://" if request.param == "sqlite" else empty_store()


def repeating() -> Router:
    router = Router()

    @router.message()
    async def repeat(turn: Turn[Message]) -> str:
        turn.state["heard"] = [*turn.state.get("heard", []), turn.event.id]
        return turn.event.text

    @router.on(Returned)
    async def back(turn: Turn[Any]) -> str:
        return f"missed {len(turn.event.missed)}"

    return router


async def test_a_loop_is_held_with_its_reason_and_returned_with_what_it_missed(url: str) -> None:
    async with turns(repeating(), url=url, guard=DEFAULTS) as world:
        for number in range(10):
            world.clock.advance(0.5)
            await world.heard(WORDS, f"m-{number}")
            await world.settle()
        assert await world.said() == [WORDS] * 6
        (thread,) = await world.store.threads(held=True)
        assert thread.note == "loop guard: the contact said back what the bot said, 6 times in 2 s"
        assert (thread.kept_events, thread.open_events) == (4, 0)
        assert await world.handoffs.give_back(thread.id)
        await world.settle()
        await world.heard("thanks", "m-10")
        await world.settle()
        assert await world.said() == [*[WORDS] * 6, "missed 4", "thanks"]
        assert await world.store.threads(held=True) == []


async def test_a_flood_is_stored_and_waits_for_its_turns(url: str) -> None:
    async with turns(repeating(), url=url, guard=GuardPolicy(flood_per_minute=6)) as world:
        for number in range(10):
            await world.heard(str(number), f"m-{number}")
        await world.settle()
        assert await world.said() == [str(number) for number in range(6)]
        (thread,) = await world.store.threads()
        assert thread.open_events == 4
        for _ in range(4):
            world.clock.advance(10)
            await world.settle()
        assert await world.said() == [str(number) for number in range(10)]
        assert await world.reasons() == []
