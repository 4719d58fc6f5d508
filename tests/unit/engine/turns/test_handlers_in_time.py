"""Turns: a handler that takes too long, ignores that its time is up, or blocks, harms nobody else."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from bridge.routing.router import Router
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

    from bridge.conversation.turn import Turn


async def test_a_handler_that_hangs_is_stopped_and_others_go_on() -> None:
    ended = []

    async def hang() -> None:
        try:
            await asyncio.sleep(300)
        finally:
            ended.append("cancelled")

    async with turns(waiting_bot(hang), seconds=0.02, attempts=1) as world:
        await world.heard("bad", "m-1")
        await world.heard("two", "m-2", "bob")
        await world.settle()
        assert ended == ["cancelled"]
        assert await world.said("bob") == ["fine"]
        (reason,) = await world.reasons()
        assert "took longer than 0.02 s" in reason


def waiting_bot(wait: Callable[[], Awaitable[object]]) -> Router:
    router = Router()

    @router.message(text="bad")
    async def bad(turn: Turn) -> str:
        await wait()
        turn.say("late")
        return "later"

    @router.message()
    async def good(turn: Turn) -> str:
        del turn
        return "fine"

    return router


async def test_a_handler_that_ignores_its_cancellation_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it says when it comes back at last is told to it as an error, and said to nobody."""
    monkeypatch.setattr("bridge.engine.turns.execution._GRACE", 0.02)
    back, late = asyncio.Event(), []
    router = Router()

    @router.message(text="bad")
    async def bad(turn: Turn) -> None:
        while not back.is_set():
            try:
                await back.wait()
            except asyncio.CancelledError:
                continue
        for write in (lambda: turn.say("late"), lambda: turn.state.update(a=1), lambda: setattr(turn, "step", "late")):
            try:
                write()
            except Exception as error:  # noqa: BLE001 - this is what is tested
                late.append(type(error).__name__)

    async with turns(router, seconds=0.02, attempts=1) as world:
        await world.heard("bad", "m-1")
        await world.settle()
        assert len(await world.reasons()) == 1
        back.set()
        await asyncio.sleep(0.01)
        assert late == ["HandlerError"] * 3
        assert await world.said() == []


async def test_a_blocking_function_runs_beside_the_loop() -> None:
    """Only the other thread's turn can end it: in the loop it would wait for ever."""
    released = threading.Event()
    router = Router()

    @router.message(text="wait")
    def wait(turn: Turn) -> str:
        del turn
        return f"released: {released.wait(5)}"

    @router.message(text="release")
    async def release(turn: Turn) -> str:
        del turn
        released.set()
        return "done"

    async with turns(router) as world:
        await world.heard("wait", "m-1")
        await world.heard("release", "m-2", "bob")
        await world.settle()
        assert (await world.said(), await world.said("bob")) == (["released: True"], ["done"])


async def test_a_blocking_function_that_comes_back_late_says_nothing() -> None:
    released, over = threading.Event(), threading.Event()
    late = []
    router = Router()

    @router.default()
    def wait(turn: Turn) -> str:
        released.wait(5)
        try:
            turn.say("late")
        except Exception as error:  # noqa: BLE001 - this is what is tested
            late.append(type(error).__name__)
        over.set()
        return "later"

    async with turns(router, seconds=0.02, attempts=1) as world:
        await world.heard("hi", "m-1")
        await world.settle()
        released.set()
        await asyncio.to_thread(over.wait, 5)
        await world.settle()
        assert (late, await world.said(), len(await world.reasons())) == (["HandlerError"], [], 1)
