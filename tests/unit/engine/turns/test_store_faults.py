"""The store fails under an author's code: the code does not hear of it, and the turn runs again, uncounted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Dialog, Router, Turn
from bridge.engine.handoff import Handoffs
from bridge.errors import Unavailable
from tests.support.dialog_bots import asking
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.store.port import Store


class Failing:
    """A store of which one method fails for some calls, or hangs until it is released."""

    def __init__(self, store: Store, method: str, times: int) -> None:
        self._store = store
        self._method = method
        self.left = times

    def __getattr__(self, name: str) -> Any:
        return self._fail if name == self._method else getattr(self._store, name)

    async def _fail(self, *arguments: Any, **named: Any) -> Any:
        if self.left:
            self.left -= 1
            raise Unavailable("the database is busy")
        return await getattr(self._store, self._method)(*arguments, **named)


def failing(method: str, times: int = 1) -> Callable[[Store], Any]:
    return lambda store: Failing(store, method, times)


@pytest.mark.parametrize("method", ["start_step", "end_step"])
async def test_a_step_that_acted_is_no_failed_step_while_the_store_is_away(method: str) -> None:
    charged: list[str] = []

    async def charge(*, key: str) -> str:
        charged.append(key)
        return "R-7"

    async def script(d: Dialog) -> str:
        try:
            receipt = await d.step(charge)
        except Exception as error:  # noqa: BLE001 - as a careful author writes it
            return f"declined: {type(error).__name__}"
        return f"paid, {receipt}"

    async with turns(asking(script), attempts=1, wrap=failing(method, 3)) as world:
        await world.heard("go", "m-1")
        for _ in range(8):
            await asyncio.sleep(0.02)
            world.clock.advance(0.5)
        await world.settle()
        assert (await world.said(), len(charged)) == (["paid, R-7"], 1)
        assert await world.reasons() == []


async def test_a_step_that_acted_is_not_repeated_when_its_turn_ran_out_of_time_before_the_store_came_back() -> None:
    charged: list[str] = []

    async def charge(*, key: str) -> str:
        charged.append(key)
        return "R-7"

    async def script(d: Dialog) -> str:
        return f"paid, {await d.step(charge)}"

    async with turns(asking(script), attempts=1, seconds=0.05, wrap=failing("end_step", 2)) as world:
        await world.heard("go", "m-1")
        await world.settle()
        await world.wait_out()
        assert (await world.said(), len(charged)) == (["paid, R-7"], 1)
        assert await world.reasons() == []


async def quiet(turn: Turn[Any]) -> str:
    try:
        return f"{len(await turn.history())} said"
    except Exception:  # noqa: BLE001 - as a careful author writes it
        return "it failed"


async def swallowing(turn: Turn[Any]) -> str:
    try:
        return f"{len(await turn.history())} said"
    except:  # noqa: E722 - as a careless author writes it
        return "it failed"


async def gathering(turn: Turn[Any]) -> str:
    said, *_ = await asyncio.gather(turn.history(), return_exceptions=True)
    return f"{len(said)} said" if isinstance(said, list) else "it failed"


async def grouping(turn: Turn[Any]) -> str:
    async with asyncio.TaskGroup() as group:
        said = group.create_task(turn.history())
    return f"{len(said.result())} said"


@pytest.mark.parametrize("handler", [quiet, swallowing, gathering, grouping])
@pytest.mark.parametrize("recovers", [False, True])
async def test_no_handler_hears_that_the_history_could_not_be_read(
    handler: Callable[..., Any], *, recovers: bool
) -> None:
    router = Router()
    if recovers:

        @router.default()
        async def fails(_turn: Turn[Any]) -> None:
            raise OSError("no")

        @router.error()
        async def recover(turn: Turn[Any], _error: Exception) -> str:
            return str(await handler(turn))
    else:
        router.default()(handler)
    async with turns(router, attempts=1, wrap=failing("history", 2)) as world:
        await world.heard("hi", "m-1")
        await world.settle()
        await world.wait_out()
        assert (await world.said(), await world.reasons()) == (["0 said"], [])


async def test_a_store_that_is_away_is_no_missing_conversation() -> None:
    router = Router("bot")
    router.default()(lambda _: "hello")
    async with turns(router) as world:
        await world.heard("hi", "m-1")
        away: Any = Failing(world.store, "thread", 1)
        with pytest.raises(Unavailable, match="the database is busy"):
            await Handoffs(away, world.clock).hand_off(1, "")
        assert not await Handoffs(world.store, world.clock).hand_off(4711, "")


async def test_a_pause_from_while_the_clock_was_ahead_silences_no_conversation(tmp_path: Path) -> None:
    url, fails = f"sqlite:///{tmp_path}/x.db", [True]
    router = Router("bot")

    @router.message()
    async def answer(_: Turn) -> str:
        if fails.pop() if fails else False:
            raise RuntimeError("not now")
        return "hello"

    async with turns(router, url=url) as world:
        world.clock.set_by(7200)
        await world.heard("hi", "m-1")
        await world.settle()
    async with turns(router, url=url) as world:
        await world.heard("hi", "m-2")
        world.clock.advance(60)
        await world.settle()
        assert await world.said() == ["hello", "hello"]


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("with_handler", [False, True])
async def test_on_a_full_disk_a_handler_runs_once_and_only_its_end_is_written_again(
    *, raises: bool, with_handler: bool
) -> None:
    calls: list[str] = []
    router = Router("bot")

    @router.message()
    async def costs(_: Turn) -> str:
        calls.append("hi")
        if raises and len(calls) == 1:
            raise RuntimeError("not now")
        return "answer"

    if with_handler:

        @router.error(RuntimeError)
        async def failed(_turn: Turn, _error: RuntimeError) -> str:
            calls.append("error")
            return "sorry"

    writing = "commit_turn" if with_handler or not raises else "retry_turn"
    async with turns(router, wrap=failing(writing, 20)) as world:
        await world.heard("hi", "m-1")
        for _ in range(19):
            await world.settle()
            world.clock.advance(0.5)
        await world.settle()
        assert calls == (["hi", "error"] if raises and with_handler else ["hi"])
        await world.wait_out()
        assert await world.said() == ["sorry" if raises and with_handler else "answer"]
        assert calls.count("hi") == (2 if raises and not with_handler else 1)
