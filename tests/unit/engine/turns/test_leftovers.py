"""Handlers that outlive their turns: bounded, never twice at once for one event, and nothing of them is lost."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Depends, Router, Turn
from bridge.engine.turns.execution import Blocking
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.turn_engine import Turns

SECONDS = 0.03


class Hanging:
    """A blocking handler that hangs while the text is "hang", until it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.begun: list[str] = []
        self.running = self.most = 0
        self.lock = threading.Lock()
        self.router = Router()
        self.router.message()(self.handle)

    def handle(self, turn: Turn[Any]) -> str:
        with self.lock:
            self.begun.append(turn.event.id)
            self.running += 1
            self.most = max(self.most, self.running)
        if turn.event.text == "hang":
            self.release.wait(20)
        with self.lock:
            self.running -= 1
        return "done"

    async def come_back(self, world: Turns) -> None:
        """Let the hanging ones end, and the bridge hear of it."""
        leftovers, heard = world.dispatcher._leftovers, asyncio.Event()
        ended = leftovers.ended

        def hear(ticket: Any) -> None:
            ended(ticket)
            if not leftovers.shares.total:
                heard.set()

        leftovers.ended = hear  # type: ignore[method-assign]
        self.release.set()
        await asyncio.wait_for(heard.wait(), 10)


@pytest.fixture
def hanging() -> Hanging:
    return Hanging()


async def test_an_event_runs_again_only_when_its_last_run_has_ended(hanging: Hanging) -> None:
    async with turns(hanging.router, seconds=SECONDS) as world:
        await world.heard("hang", "m-1")
        await world.settle()
        for _ in range(3):
            world.clock.advance(SECONDS)
            await world.settle()
        assert hanging.begun == ["m-1"]
        await hanging.come_back(world)
        await world.wait_out()
        assert (hanging.begun, hanging.most) == (["m-1", "m-1"], 1)
        assert (await world.said(), await world.reasons()) == (["done"], [])


async def test_an_event_whose_run_never_ends_is_dead_and_the_thread_goes_on(hanging: Hanging) -> None:
    async with turns(hanging.router, seconds=SECONDS) as world:
        await world.heard("hang", "m-1")
        await world.heard("say", "m-2")
        await world.wait_out()
        assert hanging.begun == ["m-1", "m-2"]
        assert await world.reasons() == ["given up: its last run did not end"]
        assert await world.said() == ["done"]
        await hanging.come_back(world)


async def test_calls_that_outlive_their_turns_are_bounded_and_no_event_loses_a_try(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.engine.turns.leftovers.MOST", 4)
    async with turns(hanging.router, seconds=SECONDS) as world:
        for number in range(4):
            await world.heard("hang", f"m-{number}", f"who-{number}")
            await world.settle()
            await world.heard("say", f"n-{number}", f"else-{number}")  # so that the handler is not paused
            await world.settle()
        await world.heard("say", "m-4", "ann")
        await world.heard("say", "m-5", "room", account="relay")
        await world.settle()
        assert await world.said("ann") == []
        assert await world.said("room", account="relay") == ["done"]
        await hanging.come_back(world)
        world.clock.advance(2)
        await world.settle()
        assert await world.said("ann") == ["done"]
        assert await world.reasons() == []


async def test_a_system_without_a_thread_costs_no_event_a_try(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with turns(hanging.router) as world:
        with monkeypatch.context() as patch:
            patch.setattr("bridge.engine.turns.execution.threading.Thread.start", refuse)
            await world.heard("say", "m-1")
            await world.settle()
            for _ in range(10):
                world.clock.advance(2)
                await world.settle()
        assert hanging.begun == []
        world.clock.advance(2)
        await world.settle()
        assert (await world.said(), await world.reasons()) == (["done"], [])


async def test_what_outlives_its_turn_is_marked_until_it_ends(hanging: Hanging) -> None:
    marked: set[int] = set()

    def wrap(store: Any) -> Any:
        mark = store.mark

        def noting(slot: str, row_id: int, *, running: bool) -> None:
            (marked.add if running else marked.discard)(row_id)
            mark(slot, row_id, running=running)

        store.mark = noting
        return store

    async with turns(hanging.router, seconds=SECONDS, wrap=wrap) as world:
        await world.heard("hang", "m-1")
        await world.settle()
        assert marked == {1}
        await hanging.come_back(world)
        assert marked == set()


class Stubborn:
    """A coroutine that ignores its end until it is released."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.begun: list[str] = []
        self.router = Router()
        self.router.message()(self.handle)

    async def handle(self, turn: Turn[Any]) -> str:
        self.begun.append(turn.event.id)
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                continue
        return "done"


async def test_a_coroutine_that_ignores_its_end_does_not_run_twice_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.engine.turns.execution._GRACE", 0.01)
    stubborn = Stubborn()
    async with turns(stubborn.router, seconds=SECONDS) as world:
        await world.heard("hi", "m-1")
        await world.settle()
        world.clock.advance(SECONDS)
        await world.settle()
        assert stubborn.begun == ["m-1"]
        stubborn.release.set()
        for _ in range(5):
            await asyncio.sleep(0)
        await world.wait_out()
        assert stubborn.begun == ["m-1", "m-1"]
        assert await world.said() == ["done"]


async def test_a_coroutine_that_never_ends_runs_once_and_its_event_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.engine.turns.execution._GRACE", 0.01)
    stubborn = Stubborn()
    async with turns(stubborn.router, seconds=SECONDS) as world:
        await world.heard("hi", "m-1")
        await world.wait_out()
        stubborn.release.set()
        assert stubborn.begun == ["m-1"]
        assert await world.reasons() == ["given up: its last run did not end"]


class Held:
    """An executor whose worker keeps the calls it is given."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def start(self, call: Callable[[], None], name: str) -> None:
        del name
        self.calls.append(call)

    def worker(self, name: str) -> Held:
        del name
        return self

    def put(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def end(self) -> None: ...


async def test_a_blocking_function_does_not_begin_after_its_turn_has_ended() -> None:
    executor, ran = Held(), list[str]()
    waiting = asyncio.create_task(Blocking(executor, "dependency").call(ran.append, "late"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    (call,) = executor.calls
    call()
    assert ran == []


async def test_a_blocking_dependency_outlives_its_turn_once(hanging: Hanging) -> None:
    router, supplied = Router(), list[str]()

    def supply(turn: Turn[Any]) -> str:
        supplied.append(turn.event.id)
        hanging.release.wait(20)
        return "so"

    @router.message()
    async def handle(_: Turn[Any], so: str = Depends(supply)) -> str:
        return so

    async with turns(router, seconds=SECONDS) as world:
        await world.heard("hi", "m-1")
        await world.settle()
        world.clock.advance(SECONDS)
        await world.settle()
        assert supplied == ["m-1"]
        await hanging.come_back(world)
        await world.wait_out()
        assert (supplied, await world.said()) == (["m-1", "m-1"], ["so"])
