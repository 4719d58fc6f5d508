"""A bot for tests of handoff: it remembers what it heard and what it missed; and what such tests wait for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bridge import Dialog, Message, Returned, Router, Turn
from bridge.engine.dead_letters import Letters

if TYPE_CHECKING:
    from bridge.testing.contacts import Contact
    from bridge.testing.world import World


async def late(turn: Turn[Any]) -> str:
    del turn
    return "still there?"


def handing_over() -> Router:
    """Remembers what it heard and what it missed, and says so."""
    router = Router()

    @router.message(text="person")
    async def person(turn: Turn[Any]) -> str:
        turn.handoff("asked for a person")
        return "somebody will come"

    @router.message(text="slow")
    async def slow(turn: Turn[Any]) -> str:
        await asyncio.sleep(5)
        turn.state["heard"] = [*turn.state.get("heard", []), "slow"]
        return "heard slow"

    @router.message(text="later")
    async def later(turn: Turn[Any]) -> None:
        turn.after("10min", late)
        turn.after("20min", late, unless="replied")

    @router.message(text="go")
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(quiz)

    @router.dialog()
    async def quiz(d: Dialog) -> str:
        first = await d.ask("one?", timeout="30min", on_timeout="too late")
        await d.handoff("the second one is for you")
        return f"{first}, {await d.ask('two?')}"

    @router.on(Returned)
    async def back(turn: Turn[Returned]) -> str:
        missed = [each.text if isinstance(each, Message) else each.tag for each in turn.event.missed]
        turn.state["missed"] = [*turn.state.get("missed", []), *missed]
        return f"missed {len(missed)}"

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        turn.state["heard"] = [*turn.state.get("heard", []), turn.event.text]
        return f"heard {turn.event.text}"

    return router


async def letters(world: World) -> list[str]:
    found = await world.inside(world.bridge.store.dead_letters())
    return [each.reason for each in found]


async def replayed(world: World) -> None:
    store, clock = world.bridge.store, world.bridge.clock
    (letter,) = await world.inside(store.dead_letters())
    assert await world.inside(Letters(store, world.bridge.reread, clock).replay(letter.id))


async def begun(world: World, account: str = "konnek", channel: str = "whatsapp") -> Contact:
    """A contact who has said hello and was answered."""
    ann = world.contact(account, channel, "ann")
    await ann.says("hello")
    await world.settle()
    ann.saw_once("heard hello")
    ann.clears()
    return ann


async def tried(world: World, turns: int = 2) -> None:
    """Wait until that many turns are committed, and a message of theirs could not be sent."""

    def is_paused() -> bool:
        events = [line["event"] for line in world.log]
        return events.count("turn_committed") >= turns and "account_paused" in events

    assert await world.until(is_paused)


async def held(world: World) -> None:
    """Wait until a person has the thread."""
    assert await world.until(lambda: any(line["event"] == "thread_held" for line in world.log))
