"""Bursts of messages for tests: a handler that waits at a gate, and which turn answered which event."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bridge import Contact, Message, Router, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.turn_engine import Turns


BURST = 50


def account_for(turn: Turn) -> None:
    """Note in the thread's state, which is committed with the turn, what this turn answered."""
    ids = [event.id for event in (*turn.skipped, *turn.events)]
    turn.state["turns"] = [*turn.state.get("turns", []), ids]


def message(**changes: Any) -> Message:
    return Message(id="m", contact=Contact(id="ann"), at=datetime(2026, 1, 1, 12, tzinfo=UTC), **changes)


class Gate:
    """A handler that notes what it is given; its first turn waits until the gate is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = asyncio.Event()
        self.begun: list[list[str]] = []
        self.fail: Callable[[Sequence[str]], bool] = lambda _: False

    async def handle(self, turn: Turn[Message]) -> str:
        account_for(turn)
        ids = [event.id for event in turn.events]
        self.begun.append(ids)
        self.entered.set()
        if self.fail([*(event.id for event in turn.skipped), *ids]):
            raise ValueError("no")
        await self.open.wait()
        return f"{len(turn.skipped)}+{len(turn.events)} {turn.event.text}"


def bot(gate: Gate, overlap: Any, **more: Any) -> Router:
    router = Router("bot")

    @router.message(text="stop")
    async def stop(turn: Turn) -> str:
        account_for(turn)
        return "stopped"

    router.message(overlap=overlap, **more)(gate.handle)
    return router


async def answered(world: Turns, who: str = "ann") -> list[list[str]]:
    """The events of each committed turn of a thread, in order."""
    summaries = await world.store.threads()
    (thread,) = [each for each in summaries if each.ref.conversation_id == who]
    found: list[list[str]] = json.loads((await world.store.thread(thread.id)).state).get("turns", [])
    return found


async def say_burst(world: Turns, number: int = BURST) -> list[str]:
    keys = [f"m-{at}" for at in range(1, number + 1)]
    for key in keys:
        await world.heard(key, key)
    return keys
