"""Middleware: around the handlers of a router, or around the search for one; and whom an error is offered to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bridge import CallNext, Depends, Match, Message, Router, Turn
from tests.support.rule_mistakes import assert_refused
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.turn_engine import Turns


async def hear(world: Turns, text: str = "hi") -> None:
    await world.heard(text, f"m-{text}")
    await world.settle()


def layer(name: str, log: list[str]) -> Callable[..., Any]:
    """Middleware that notes its coming and going."""

    async def mw(_turn: Turn, call_next: CallNext) -> None:
        log.append(f"{name} in")
        await call_next()
        log.append(f"{name} out")

    return mw


def nested(log: list[str]) -> Router:
    """Two routers, one in the other, with middleware of both kinds each; in no order."""
    app, shop = Router("app"), Router("shop")

    @shop.message(text="order")
    async def order(_turn: Turn) -> str:
        log.append("order")
        return "ordered"

    @app.message(text="hello")
    async def hello(_turn: Turn) -> str:
        log.append("hello")
        return "hello"

    shop.middleware(layer("shop 1", log))
    app.include(shop)
    app.middleware(layer("app 1", log))
    shop.outer_middleware(layer("shop outer", log))
    app.outer_middleware(layer("app outer", log))
    app.middleware(layer("app 2", log))
    shop.middleware(layer("shop 2", log))
    return app


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("order", ["app 1", "app 2", "shop 1", "shop 2", "order"]),
        ("hello", ["app 1", "app 2", "hello"]),
        ("what?", []),
    ],
)
async def test_middleware_goes_from_the_outermost_router_inwards_and_back(text: str, inside: list[str]) -> None:
    log: list[str] = []
    async with turns(nested(log)) as world:
        await hear(world, text)
    layers = ["app outer", "shop outer", *(each for each in inside if each != text)]
    handled = [text] if inside else []
    assert log == [*(f"{each} in" for each in layers), *handled, *(f"{each} out" for each in reversed(layers))]


async def test_a_def_handler_runs_inside_of_middleware_too() -> None:
    router, log = Router(), list[str]()
    router.middleware(layer("it", log))

    @router.message(regex=r"(?P<no>\d+)")
    def order(_turn: Turn, no: int) -> str:
        log.append("order")
        return f"no {no}"

    async with turns(router) as world:
        await hear(world, "7")
        assert (await world.said(), log) == (["no 7"], ["it in", "order", "it out"])


async def test_what_is_inside_has_replied_when_call_next_returns_and_its_own_answer_follows() -> None:
    router, seen = Router(), list[Any]()

    @router.middleware
    async def count(turn: Turn, call_next: CallNext, match: Match) -> str:
        turn.say(f"{match.handler.name.rpartition('.')[2]} {dict(match.arguments)}")
        await call_next()
        seen.extend(turn.replies)
        return "that was it"

    @router.message(regex=r"(?P<no>\d+)")
    async def order(_turn: Turn, no: int) -> str:
        return f"ordered {no}"

    async with turns(router) as world:
        await hear(world, "7")
        assert await world.said() == ["order {'no': 7}", "ordered 7", "that was it"]
        assert [each.text for each in seen] == ["order {'no': 7}", "ordered 7"]


@pytest.mark.parametrize("kind", ["middleware", "outer_middleware"])
async def test_middleware_that_does_not_go_on_answers_itself(kind: str) -> None:
    router = Router()

    async def guard(_turn: Turn, _call_next: CallNext) -> str:
        return "closed"

    getattr(router, kind)(guard)

    @router.message()
    async def never(_turn: Turn) -> str:
        return "open"

    async with turns(router) as world:
        await hear(world)
        assert await world.said() == ["closed"]


async def test_outer_middleware_may_change_the_step_before_rules_are_looked_at() -> None:
    router = Router()

    @router.outer_middleware
    async def reset(turn: Turn, call_next: CallNext) -> None:
        assert turn.step is None
        turn.step = "begin"
        await call_next()

    @router.message(step="begin")
    async def begin(turn: Turn) -> str:
        return f"at {turn.step}"

    async with turns(router) as world:
        await hear(world)
        assert await world.said() == ["at begin"]


async def test_middleware_shares_the_values_of_the_turn_with_the_handler() -> None:
    router, made = Router(), list[str]()

    async def session() -> AsyncIterator[list[str]]:
        made.append("made")
        yield made
        made.append("closed")

    @router.outer_middleware
    async def first(_turn: Turn, call_next: CallNext, session: list[str] = Depends(session)) -> None:
        session.append("first")
        await call_next()
        session.append("last")

    @router.message()
    async def handle(_turn: Turn, session: list[str] = Depends(session)) -> None:
        session.append("handled")

    async with turns(router) as world:
        await hear(world)
    assert made == ["made", "first", "handled", "last", "closed"]


async def test_middleware_sees_an_error_and_may_answer_it() -> None:
    router = Router()

    @router.middleware
    async def calm(_turn: Turn, call_next: CallNext) -> str | None:
        try:
            await call_next()
        except LookupError as error:
            return f"calm: {error}"
        return None

    @router.message()
    async def fail(_turn: Turn) -> None:
        raise LookupError("gone")

    async with turns(router) as world:
        await hear(world)
        assert (await world.said(), await world.reasons()) == (["calm: gone"], [])


@pytest.mark.parametrize("kind", ["middleware", "outer_middleware"])
async def test_what_middleware_raises_goes_to_the_error_handlers(kind: str) -> None:
    router = Router()

    async def fail(turn: Turn, call_next: CallNext) -> None:
        await call_next()
        turn.state["touched"] = True
        raise LookupError("gone")

    getattr(router, kind)(fail)

    @router.message()
    async def handle(_turn: Turn) -> str:
        return "never said"

    @router.error(LookupError)
    async def sorry(turn: Turn, error: LookupError) -> str:
        return f"sorry: {error} {dict(turn.state)}"

    async with turns(router) as world:
        await hear(world)
        assert await world.said() == ["sorry: gone {}"]


async def test_the_handler_never_runs_twice_in_a_turn() -> None:
    router, ran = Router(), list[str]()

    @router.middleware
    async def twice(_turn: Turn, call_next: CallNext) -> None:
        await call_next()
        await call_next()

    @router.message()
    async def handle(turn: Turn[Message]) -> None:
        ran.append(turn.event.text)

    async with turns(router, attempts=1) as world:
        await hear(world)
        assert "called call_next() twice" in (await world.reasons())[0]
        assert ran == ["hi"]


async def test_middleware_counts_as_time_of_the_turn() -> None:
    router = Router()

    @router.middleware
    async def stand(_turn: Turn, _call_next: CallNext) -> None:
        await asyncio.Event().wait()

    @router.message()
    async def handle(_turn: Turn) -> None: ...

    async with turns(router, seconds=0.02, attempts=1) as world:
        await hear(world)
        assert "took longer than" in (await world.reasons())[0]


async def test_a_router_gets_middleware_after_it_was_used() -> None:
    app, router, log = Router(), Router(), list[str]()
    app.include(router)

    @router.message()
    async def handle(_turn: Turn) -> None: ...

    async with turns(app) as world:
        await hear(world, "1")
        router.middleware(layer("inner", log))
        router.outer_middleware(layer("outer", log))
        await hear(world, "2")
    assert log == ["outer in", "inner in", "inner out", "outer out"]


# Errors out of nested routers


def failing(error: Exception, *catching: type[Exception], name: str = "it") -> Router:
    """A router whose handler fails on `name`, and that catches some exceptions."""
    router = Router(name)

    @router.message(text=name)
    async def fail(_turn: Turn) -> None:
        raise error

    for each in catching:

        @router.error(each)
        async def caught(_turn: Turn, error: Exception, each: type[Exception] = each) -> str:
            return f"{name}'s {each.__name__} for {error}"

    return router


async def test_an_error_is_offered_to_its_own_router_first_and_then_outwards() -> None:
    app = failing(ValueError("app"), Exception, name="app")
    shop = failing(ValueError("shop"), ValueError, name="shop")
    cart = failing(KeyError("cart"), IndexError, LookupError, KeyError, name="cart")
    till = failing(ValueError("till"), KeyError, name="till")
    lost = failing(OSError("lost"), name="lost")
    app.include(shop)
    shop.include(cart)
    shop.include(till)
    shop.include(lost)
    async with turns(app) as world:
        for name in ("app", "shop", "cart", "till", "lost"):
            await hear(world, name)
        assert await world.said() == [
            "app's Exception for app",
            "shop's ValueError for shop",
            "cart's LookupError for 'cart'",
            "shop's ValueError for till",
            "app's Exception for lost",
        ]


async def test_an_error_is_never_offered_to_a_router_beside_its_own() -> None:
    app, one, two = Router(), failing(ValueError("one"), name="one"), failing(ValueError("two"), Exception, name="two")
    app.include(two)
    app.include(one)
    async with turns(app, attempts=1) as world:
        await hear(world, "one")
        assert (await world.said(), len(await world.reasons())) == ([], 1)


async def test_a_router_included_twice_offers_errors_to_whoever_was_matched() -> None:
    app, shared = Router(), failing(ValueError("it"), name="it")
    one, two = failing(OSError(), ValueError, name="one"), failing(OSError(), ValueError, name="two")
    one.include(shared)
    two.include(shared)
    app.include(two)
    app.include(one)
    async with turns(app) as world:
        await hear(world, "it")
        assert await world.said() == ["two's ValueError for it"]


async def test_an_error_out_of_a_filter_is_offered_to_all() -> None:
    app, one, two = Router(), Router(), failing(OSError(), ValueError, name="two")

    def broken(_event: Message) -> bool:
        raise ValueError("no filter")

    @one.message(broken)
    async def never(_turn: Turn) -> None: ...

    app.include(one)
    app.include(two)
    async with turns(app) as world:
        await hear(world)
        assert await world.said() == ["two's ValueError for no filter"]


# Mistakes, found when they are written


async def one(_turn: Turn) -> None: ...
async def three(_turn: Turn, _call_next: CallNext, more: int) -> None:
    del more


def plain(_turn: Turn, _call_next: CallNext) -> None: ...
async def of_a_match(_turn: Turn, _call_next: CallNext, match: Match) -> None:
    del match


async def of_a_number(no: int, _call_next: CallNext) -> None:
    del no


def wrong_turn(_turn: Turn[Message]) -> None: ...
def no_turn(no: int) -> None:
    del no


def wrong_error(_turn: Turn, error: KeyError) -> None:
    del error


MISTAKES: dict[str, tuple[Callable[[Any], object], str]] = {
    "no call_next": (lambda r: r.middleware(one), "one: a middleware takes the turn and call_next"),
    "a parameter without a source": (lambda r: r.middleware(three), "three: its parameter 'more' has no source"),
    "a def": (lambda r: r.outer_middleware(plain), "plain: a middleware is an async def"),
    "a match before there is one": (lambda r: r.outer_middleware(of_a_match), "no match to take"),
    "no turn": (lambda r: r.middleware(of_a_number), "is the turn, but 'no' is annotated int"),
    "no function": (lambda r: r.middleware("x"), "a middleware is a function, not a str"),
    "a turn of another event": (
        lambda r: r.postback("x")(wrong_turn),
        r"wrong_turn: its turn is annotated Turn\[Message\].* for a Postback",
    ),
    "a turn of one event by default": (
        lambda r: r.default()(wrong_turn),
        r"annotated Turn\[Message\], but its rule is for a Postback",
    ),
    "a number in the turn's place": (
        lambda r: r.message()(no_turn),
        "no_turn: its first parameter is the turn, but 'no' is annotated int",
    ),
    "another error": (
        lambda r: r.error(ValueError)(wrong_error),
        "'error' is annotated as another error than ValueError",
    ),
}


@pytest.mark.parametrize(("write", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found_where_it_is_written(write: Callable[[Any], object], reason: str) -> None:
    assert_refused(write, reason, __file__)
