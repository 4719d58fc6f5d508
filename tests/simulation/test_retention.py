"""Retention in worlds: a conversation goes on as if nothing had ever been removed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge import Dialog, Router, Turn
from bridge.store.retention import Kept
from bridge.testing.world import World
from tests.support.searches import IS_WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.providers.port import Hook

SHORTEST: Final = {"retention": dict.fromkeys(map(str, Kept), "1h")}
SEEDS: Final = 40 if IS_WHOLE else 1
STEPS: Final = 15
SAID: Final = ("count", "count", "remind", "order", "yes", "7", "fail", "hold")
PEOPLE: Final = (("konnek", "whatsapp"), ("ginalne", "whatsapp"), ("aelyst", "telegram"))


def counting() -> Router:
    """A bot that counts, asks, sets timers and fails."""
    router = Router("counting")

    @router.message(text="count")
    async def count(turn: Turn[Any]) -> str:
        turn.state["count"] = turn.state.get("count", 0) + 1
        return f"{turn.state['count']} said"

    @router.message(text="remind")
    async def remind(turn: Turn[Any]) -> str:
        turn.after("30h", reminder)
        return "I will"

    @router.message(text="order")
    async def order(turn: Turn[Any]) -> None:
        await turn.begin(ordering)

    @router.dialog(version=1)
    async def ordering(d: Dialog) -> str:
        how_many = await d.ask("How many?")
        sure = await d.ask(f"{how_many}: sure?")
        return f"ordered {how_many}, {sure}"

    @router.message(text="fail")
    async def fail(_turn: Turn[Any]) -> None:
        raise LookupError

    @router.message(text="hold")
    async def hold(turn: Turn[Any]) -> None:
        turn.handoff("please")

    return router


async def reminder(turn: Turn[Any]) -> str:
    return f"reminded at {turn.now:%d %H:%M}"


async def lived(world: World, seed: int) -> list[list[str]]:
    """Three people talk for weeks, webhooks come again within a week, messages are read; what each saw."""
    dice = Random(seed)
    people = [world.contact(account, channel, f"p{number}") for number, (account, channel) in enumerate(PEOPLE)]
    posted: list[tuple[float, Any, Sequence[tuple[Hook, str]]]] = []
    post = world.post

    def noted(contact: Any, hooks: Sequence[tuple[Hook, str]], speaker: object = None) -> None:
        posted.append((world.now.timestamp(), contact, hooks))
        post(contact, hooks, speaker)

    world.post = noted  # type: ignore[method-assign] # what comes in is to come again
    for _ in range(STEPS):
        contact = dice.choice(people)
        match dice.choice(["say", "say", "say", "again", "read", "return"]):
            case "say":
                await contact.says(dice.choice(SAID))
            case "again":
                week_old = [old for old in posted if world.now.timestamp() - old[0] < 7 * 86_400]
                if week_old:
                    _, whose, hooks = dice.choice(week_old)
                    post(whose, hooks)
            case "read" if contact.seen:
                await contact.reads()
            case "return" if await contact.handoff() is not None:
                await world.hand_over(contact, None)
        await world.settle()
        await world.advance(dice.choice([1, 60, 600, 7200, 86_400]))
    await world.advance("40h")
    return [contact.texts for contact in people]


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_people_see_the_same_whether_the_past_is_removed_or_kept(seed: int) -> None:
    with World(counting()) as world:
        kept = await lived(world, seed)
    with World(counting(), settings=SHORTEST) as world:
        assert await lived(world, seed) == kept
        kinds = {entry["kind"] for entry in world.log if entry["event"] == "rows_removed"}
    assert {"event contents", "message contents"} <= kinds
