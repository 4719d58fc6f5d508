"""Mistakes in dependencies, found when they are written, or when they run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator  # noqa: TC003 - the router reads annotations
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from bridge import Depends, HandlerError, Router, Turn
from bridge.routing.router import rulebook_of
from tests.support.dependency_bots import Orders, get_orders, hear, shop
from tests.support.rule_mistakes import assert_refused
from tests.support.turn_engine import turns


def wants_more(size: int, colour: str) -> int:  # the first one would be the turn
    return size + len(colour)


def wants_no_turn(turn: Turn, colour: str) -> str:
    return f"{turn} {colour}"


@contextmanager
def wrapped() -> Iterator[Orders]:
    yield Orders()


@asynccontextmanager
async def wrapped_async() -> AsyncIterator[Orders]:
    yield Orders()


def text() -> str:
    return "no orders"


async def texts() -> AsyncIterator[str]:
    yield "no orders"


def itself(_more: int = 0) -> int:
    return 0


itself.__defaults__ = (Depends(itself),)


def needing(dependency: Callable[..., Any]) -> Callable[..., object]:
    async def handler(_turn: Turn, orders: Orders = Depends(dependency)) -> None:
        del orders

    return handler


MISTAKES: dict[str, tuple[Callable[..., Any], str]] = {
    "a first parameter that is no turn": (
        wants_more,
        "wants_more: its first parameter is the turn, but 'size' is annota",
    ),
    "a parameter without a source": (wants_no_turn, "wants_no_turn: its parameter 'colour' has no source"),
    "a context manager": (wrapped, "wrapped: its decorator hides that it yields"),
    "an async context manager": (wrapped_async, "wrapped_async: its decorator hides that it yields"),
    "another class": (text, "handler: its parameter 'orders' is annotated Orders, but .*text makes str"),
    "a stream of another class": (texts, "annotated Orders, but .*texts makes str"),
    "itself": (itself, "itself: it needs itself: .*handler needs .*itself needs .*itself"),
}


def says_nothing():  # type: ignore[no-untyped-def] # noqa: ANN201 - that is what is tried
    return Orders()


def says_any() -> Any:
    return Orders()


@pytest.mark.parametrize("dependency", [says_nothing, says_any, lambda: 7])
def test_a_function_that_says_nothing_of_its_value_fits_anything(dependency: Callable[..., Any]) -> None:
    router = Router()
    handler: Any = needing(dependency)
    router.message()(handler)
    assert len(rulebook_of(router).handlers()) == 1


@pytest.mark.parametrize(("dependency", "reason"), MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("write", ["message", "error", "middleware", "outer_middleware"])
def test_a_mistake_is_found_where_it_is_written(dependency: Callable[..., Any], reason: str, write: str) -> None:
    handler: Any = needing(dependency)
    if write == "error":

        async def handler(_turn: Turn, _error: Exception, orders: Orders = Depends(dependency)) -> None:
            del orders
    elif "middleware" in write:

        async def handler(_turn: Turn, _call_next: Any, orders: Orders = Depends(dependency)) -> None:
            del orders

    def decorate(router: Router) -> None:
        decorator = getattr(router, write)
        (decorator if "middleware" in write else decorator())(handler)

    assert_refused(decorate, reason, __file__)


def test_what_is_no_function_is_refused_at_its_line() -> None:
    with pytest.raises(HandlerError, match=rf"{re.escape(__file__)}:\d+: Depends\(\) takes a function, not a int"):
        Depends(7)  # type: ignore[call-overload] # the mistake


def test_a_fake_that_cannot_work_is_refused_when_it_is_written() -> None:
    with pytest.raises(HandlerError, match="wants_no_turn: its parameter 'colour' has no source"):
        shop().override(get_orders, wants_no_turn)


async def empty() -> AsyncIterator[int]:
    if False:
        yield 1


def twice() -> Iterator[int]:
    yield 1
    yield 2


@pytest.mark.parametrize(("dependency", "reason"), [(empty, "yielded nothing"), (twice, "yielded twice")])
async def test_a_generator_that_does_not_yield_once_fails_the_turn(dependency: Callable[..., Any], reason: str) -> None:
    router = Router()

    @router.message()
    async def say(_turn: Turn, _one: int = Depends(dependency)) -> str:
        return "never said"

    async with turns(router, attempts=1) as world:
        await hear(world)
        assert reason in (await world.reasons())[0]
        assert await world.said() == []
