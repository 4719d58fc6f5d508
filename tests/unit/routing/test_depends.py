"""Dependencies: made once in a turn, cleaned up before it is committed, and replaced in tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator  # noqa: TC003 - the router reads annotations
from typing import Annotated, Any

import pytest

from bridge import Depends, Router, Turn
from tests.support.dependency_bots import Orders, get_orders, hear, shop
from tests.support.turn_engine import turns


class Log(list[str]):
    """What happened, in order."""


def of_kind(kind: str, log: Log) -> Callable[..., Any]:
    """A dependency of each kind that makes an Orders."""

    async def awaited() -> Orders:
        log.append("made")
        return Orders()

    def called() -> Orders:
        log.append("made")
        return Orders()

    async def streamed() -> AsyncIterator[Orders]:
        log.append("made")
        yield Orders()
        log.append("cleaned up")

    def generated() -> Iterator[Orders]:
        log.append("made")
        yield Orders()
        log.append("cleaned up")

    return {"async": awaited, "def": called, "async generator": streamed, "generator": generated, "class": Orders}[kind]


@pytest.mark.parametrize("threaded", [False, True], ids=["async def", "def"])
@pytest.mark.parametrize("kind", ["async", "def", "async generator", "generator", "class"])
async def test_a_dependency_of_any_kind_reaches_a_handler_of_any_kind(kind: str, *, threaded: bool) -> None:
    router, log = Router(), Log()
    get = of_kind(kind, log)
    if threaded:

        @router.message(regex=r"(?P<no>\d+)")
        def order(_turn: Turn, no: int, orders: Orders = Depends(get)) -> str:
            log.append("handled")
            return f"{orders.name} {no + 1}"
    else:

        @router.message(regex=r"(?P<no>\d+)")
        async def order_(_turn: Turn, no: int, orders: Orders = Depends(get)) -> str:
            log.append("handled")
            return f"{orders.name} {no + 1}"

    async with turns(router) as world:
        await hear(world, "7")
        assert await world.said() == ["real 8"]
    expected = ["made", "handled", "cleaned up"] if "generator" in kind else ["made", "handled"]
    assert log == (expected if kind != "class" else ["handled"])


async def test_a_value_is_made_once_in_a_turn_and_anew_in_the_next() -> None:
    router, made = Router(), Log()

    async def number() -> int:
        made.append("number")
        return len(made)

    async def double(number: int = Depends(number)) -> int:
        return number * 2

    async def text(turn: Turn, number: int = Depends(number), double: int = Depends(double)) -> str:
        return f"{turn.event.text}: {number} {double}"  # type: ignore[attr-defined] # a message rule's event has a text

    @router.message()
    async def say(_turn: Turn, text: Annotated[str, Depends(text)], number: int = Depends(number)) -> str:
        return f"{text} {number}"

    async with turns(router) as world:
        await hear(world, "a")
        await hear(world, "b")
        assert await world.said() == ["a: 1 2 1", "b: 2 4 2"]


async def test_clean_up_goes_backwards_and_ends_before_the_turn_is_committed() -> None:
    router, log = Router(), Log()

    def first() -> Iterator[str]:
        yield "first"
        log.append("first closed")

    async def second(first: str = Depends(first)) -> AsyncIterator[str]:
        yield f"{first}, second"
        assert await world.said() == []
        log.append("second closed")

    @router.message()
    async def say(_turn: Turn, second: str = Depends(second)) -> str:
        return second

    async with turns(router) as world:
        await hear(world)
        assert (await world.said(), log) == (["first, second"], ["second closed", "first closed"])


@pytest.mark.parametrize("threaded", [False, True], ids=["async", "def"])
async def test_a_dependency_sees_the_handlers_error_and_cannot_stop_it(*, threaded: bool) -> None:
    router, log = Router(), Log()

    def plain() -> Iterator[None]:
        try:
            yield
        except LookupError as error:
            log.append(f"saw {error}")

    async def streamed() -> AsyncIterator[None]:
        try:
            yield
        except LookupError as error:
            log.append(f"saw {error}")

    watch: Callable[..., Any] = plain if threaded else streamed

    @router.message()
    async def fail(_turn: Turn, _nothing: None = Depends(watch)) -> None:
        raise LookupError("it is gone")

    async with turns(router, attempts=1) as world:
        await hear(world)
        assert log == ["saw it is gone"]
        assert await world.reasons() == ["given up after 1 tries: LookupError: it is gone"]


@pytest.mark.parametrize("stop", [StopIteration, StopAsyncIteration])
async def test_an_error_that_ends_iterations_passes_through_generators_unchanged(stop: type[Exception]) -> None:
    router = Router()

    def plain() -> Iterator[int]:
        yield 1

    async def streamed() -> AsyncIterator[int]:
        yield 2

    @router.message()
    def fail(_turn: Turn, _one: int = Depends(plain), _two: int = Depends(streamed)) -> None:
        raise stop("gone")

    async with turns(router, attempts=1) as world:
        await hear(world)
        (reason,) = await world.reasons()
        assert "gone" in reason or stop.__name__ in reason


async def test_a_clean_up_that_fails_fails_the_turn_and_the_others_are_cleaned_up_all_the_same() -> None:
    router, log = Router(), Log()

    async def first() -> AsyncIterator[None]:
        try:
            yield
        finally:
            log.append("first closed")

    async def second(_first: None = Depends(first)) -> AsyncIterator[None]:
        yield
        raise OSError("the connection is lost")

    @router.message()
    async def say(_turn: Turn, _nothing: None = Depends(second)) -> str:
        return "never said"

    async with turns(router, attempts=1) as world:
        await hear(world)
        (reason,) = await world.reasons()
        assert (await world.said(), log, "OSError: the connection is lost" in reason) == ([], ["first closed"], True)


async def test_a_handler_that_takes_too_long_is_cleaned_up_after() -> None:
    router, log = Router(), Log()

    async def get() -> AsyncIterator[None]:
        try:
            yield
        finally:
            log.append("closed")

    @router.message()
    async def wait(_turn: Turn, _nothing: None = Depends(get)) -> None:
        await asyncio.Event().wait()

    async with turns(router, seconds=0.02, attempts=1) as world:
        await hear(world)
        (reason,) = await world.reasons()
        assert (log, "took longer than" in reason) == (["closed"], True)


async def test_all_of_a_turn_that_may_block_runs_in_one_thread() -> None:
    router, seen = Router(), set[int]()

    def get() -> Iterator[None]:
        seen.add(threading.get_ident())
        yield
        seen.add(threading.get_ident())

    @router.message()
    def handle(_turn: Turn, _nothing: None = Depends(get)) -> None:
        seen.add(threading.get_ident())

    async with turns(router) as world:
        await hear(world)
    assert len(seen) == 1
    assert threading.get_ident() not in seen


async def test_error_handlers_have_dependencies_too() -> None:
    router = Router()

    @router.message()
    async def fail(_turn: Turn) -> None:
        raise LookupError("order 7")

    @router.error(LookupError)
    async def sorry(_turn: Turn, error: LookupError, orders: Orders = Depends(Orders)) -> str:
        return f"no {error} in the {orders.name} ones"

    async with turns(router) as world:
        await hear(world)
        assert await world.said() == ["no order 7 in the real ones"]


async def test_a_dependency_is_replaced_until_the_block_ends() -> None:
    outer, inner = Router(), shop()
    outer.include(inner)
    async with turns(outer) as world:
        with inner.override(get_orders, lambda: Orders("fake")):
            await hear(world, "1")
            with outer.override(get_orders, lambda: Orders("outer")), inner.override(get_orders, Orders):
                await hear(world, "2")
            await hear(world, "3")
        await hear(world, "4")
        assert await world.said() == ["fake", "outer", "fake", "real"]


async def test_an_override_of_another_router_changes_nothing() -> None:
    outer, inner, other = Router(), shop(), Router()
    outer.include(other)
    outer.include(inner)
    other.override(get_orders, lambda: Orders("fake"))
    async with turns(outer) as world:
        await hear(world)
        assert await world.said() == ["real"]


async def test_an_override_without_a_block_lasts_until_it_is_undone() -> None:
    router = shop()
    replaced = router.override(get_orders, lambda: Orders("fake"))
    async with turns(router) as world:
        await hear(world, "1")
        replaced.undo()
        await hear(world, "2")
        assert await world.said() == ["fake", "real"]


async def test_a_fake_may_depend_on_what_it_replaces() -> None:
    router = shop()

    async def spy(turn: Turn, real: Orders = Depends(get_orders)) -> Orders:
        return Orders(f"{real.name}, watched for {turn.contact.id}")

    with router.override(get_orders, spy):
        async with turns(router) as world:
            await hear(world)
            assert await world.said() == ["real, watched for ann"]
