"""Turns: what a handler may do to itself, and never to anybody else."""

from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest
import structlog
from structlog.testing import capture_logs

from bridge.errors import ClaimLost, Unavailable
from bridge.log import configure_logs, finish_logs
from bridge.messages import Text
from bridge.routing.router import Router
from tests.support.turn_engine import ATTEMPTS, turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.conversation.turn import Turn


class Nameless(Exception):
    """Cannot even be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Impossible(BaseException):
    """Not even an Exception."""


def recurse() -> NoReturn:
    recurse()


def exhaust() -> NoReturn:
    raise MemoryError


def leave() -> NoReturn:
    sys.exit(3)


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def throw() -> NoReturn:
        raise error

    return throw


RAISED: Final[dict[str, Callable[[], NoReturn]]] = {
    "ValueError": raising(ValueError("no good")),
    "sys.exit": leave,
    "SystemExit": raising(SystemExit(0)),
    "KeyboardInterrupt": raising(KeyboardInterrupt()),
    "CancelledError": raising(asyncio.CancelledError()),
    "GeneratorExit": raising(GeneratorExit()),
    "StopIteration": raising(StopIteration(1)),
    "StopAsyncIteration": raising(StopAsyncIteration()),
    "RecursionError": recurse,
    "MemoryError": exhaust,
    "TimeoutError": raising(TimeoutError()),
    "an error without words": raising(Nameless()),
    "no exception at all": raising(Impossible()),
    "a group": raising(BaseExceptionGroup("two", [ValueError(), Impossible()])),
    "ClaimLost": raising(ClaimLost("mine")),
    "Unavailable": raising(Unavailable("mine")),
}


def bot(failing: Callable[[], object], *, threaded: bool = False, waiting: bool = False) -> Router:
    """Says what it hears, but for "bad", where it does as told: at once, in a thread, or after it has waited."""
    router = Router("bot")

    @router.message(text="bad")
    async def bad(turn: Turn) -> Any:
        turn.state["touched"] = True
        turn.say("never said")
        return failing()

    @router.message()
    async def good(turn: Turn) -> str:
        assert "touched" not in turn.state
        return f"heard {turn.event.text}"  # type: ignore[attr-defined] # a message rule's event has a text

    if not threaded and not waiting:
        return router
    other = Router("other")

    if waiting:

        @other.message(text="bad")
        async def bad_after_a_wait(turn: Turn) -> Any:
            turn.state["touched"] = True
            turn.say("never said")
            await asyncio.sleep(0)
            return failing()

    @other.message(text="bad")
    def bad_in_thread(turn: Turn) -> Any:
        turn.state["touched"] = True
        turn.say("never said")
        return failing()

    other.include(router)
    return other


@pytest.mark.parametrize(
    ("kind", "name"),
    [({}, "bad"), ({"waiting": True}, "bad_after_a_wait"), ({"threaded": True}, "bad_in_thread")],
    ids=["async def", "async def with await", "def"],
)
@pytest.mark.parametrize("failing", RAISED.values(), ids=RAISED.keys())
@pytest.mark.slow
async def test_whatever_a_handler_raises_harms_only_its_own_thread(
    failing: Callable[[], NoReturn], kind: dict[str, bool], name: str
) -> None:
    """F59: five tries, then a dead letter; its thread goes on behind it, the others never waited."""
    async with turns(bot(failing, **kind)) as world:
        with capture_logs() as lines:
            await world.heard("bad", "m-1")
            await world.heard("one", "m-2")
            await world.heard("two", "m-3", "bob")
            await world.settle()
            assert await world.said("bob") == ["heard two"]
            assert (await world.said(), await world.reasons()) == ([], [])
            await world.wait_out()
        (reason,) = await world.reasons()
        assert reason.startswith(f"given up after {ATTEMPTS} tries: ")
        assert await world.said() == ["heard one"]
    failed = [line for line in lines if line["event"] == "turn_failed"]
    assert [line["attempt"] for line in failed] == [1, 2, 3, 4, 5]
    assert {line["handler"].rpartition(".")[2] for line in failed} == {name}


@pytest.mark.parametrize("then", [lambda: "never said", raising(ValueError("no good"))], ids=["returns", "raises"])
async def test_a_handler_that_cancels_the_task_it_runs_in_harms_only_its_own_thread(then: Callable[[], object]) -> None:
    """A handler without an await runs in a task of ours."""

    def cancel() -> object:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return then()

    async with turns(bot(cancel), attempts=1) as world:
        await world.heard("bad", "m-1")
        await world.heard("one", "m-2")
        await world.settle()
        assert len(await world.reasons()) == 1
        assert await world.said() == ["heard one"]


async def test_what_a_handler_sets_in_its_context_ends_with_its_turn() -> None:
    """So it does in a task, and a handler without an await has none."""
    seen, mood = [], ContextVar("mood", default="calm")
    router = Router()

    @router.message()
    async def answer(turn: Turn) -> str:
        seen.append(mood.get())
        mood.set("excited")
        return f"heard {turn.event.text}"  # type: ignore[attr-defined] # a message rule's event has a text

    async with turns(router) as world:
        for number in range(3):
            await world.heard(f"{number}", f"m-{number}")
        await world.settle()
        assert await world.said() == ["heard 0", "heard 1", "heard 2"]
    assert seen == ["calm"] * 3


@pytest.mark.parametrize(
    "nonsense", [object(), 5, True, {"text": "x"}, b"bytes", [None], ["fine", 7], Text, RuntimeError("returned")]
)
async def test_what_cannot_be_said_fails_the_whole_turn(nonsense: object) -> None:
    async with turns(bot(lambda: nonsense)) as world:
        await world.heard("bad", "m-1")
        await world.wait_out()
        assert len(await world.reasons()) == 1
        assert await world.said() == []


@pytest.mark.parametrize(
    "state",
    [{"a": object()}, {"a": float("nan")}, {1: 2}, {"a": "\ud800"}, {"a": 2**70}, {"a": "x" * 70_000}],
    ids=["object", "nan", "number as a key", "surrogate", "large number", "too long"],
)
async def test_state_that_cannot_be_kept_fails_the_whole_turn(state: Any) -> None:
    router = Router()

    @router.default()
    async def keep(turn: Turn) -> str:
        turn.state.update(state)
        return "kept"

    async with turns(router, attempts=1) as world:
        await world.heard("hi", "m-1")
        await world.settle()
        assert await world.said() == []
        assert len(await world.reasons()) == 1


async def test_an_error_handler_answers_in_place_of_the_failed_one() -> None:
    router = bot(raising(LookupError("no such order")))

    @router.error(LookupError)
    async def sorry(turn: Turn, error: LookupError) -> str:
        return f"sorry: {error}, {dict(turn.state)}"

    async with turns(router) as world:
        await world.heard("bad", "m-1")
        await world.settle()
        assert (await world.said(), await world.reasons()) == (["sorry: no such order, {}"], [])


async def test_an_error_handler_that_fails_changes_nothing() -> None:
    router = bot(raising(LookupError("no such order")))

    @router.error(LookupError)
    async def sorry(turn: Turn, error: LookupError) -> None:
        turn.say("never said")
        raise KeyError(error) from error

    async with turns(router) as world:
        await world.heard("bad", "m-1")
        await world.wait_out()
        (reason,) = await world.reasons()
        assert (await world.said(), "no such order" in reason) == ([], True)


async def test_an_error_handler_is_only_for_its_own_errors() -> None:
    router = bot(raising(ValueError("other")))

    @router.error(LookupError)
    async def sorry(turn: Turn, error: LookupError) -> str:
        del turn, error
        return "sorry"

    async with turns(router, attempts=1) as world:
        await world.heard("bad", "m-1")
        await world.settle()
        assert (await world.said(), len(await world.reasons())) == ([], 1)


@pytest.mark.parametrize("where", ["step", "words"])
async def test_what_the_store_cannot_take_is_a_failed_attempt_and_in_the_end_a_dead_letter(where: str) -> None:
    """Half a character, in what is kept of a turn or in why it failed: it is not tried for ever."""
    router = Router("bot")

    @router.message(text="bad")
    async def bad(turn: Turn) -> None:
        if where == "words":
            raise ValueError("\ud83d")
        turn.step = "\ud83d"

    @router.default()
    async def good(turn: Turn) -> None:
        del turn

    async with turns(router) as world:
        await world.heard("bad", "m-1")
        await world.heard("good", "m-2")
        await world.wait_out()
        (reason,) = await world.reasons()
        assert reason.startswith(f"given up after {ATTEMPTS} tries: ")
        assert [each.state for each in await world.history() if each.direction == "in"] == ["dead", "done"]


async def test_events_of_an_account_that_is_configured_no_more_are_dead_letters_that_say_so() -> None:
    heard: list[str] = []
    router = Router("bot")

    @router.default()
    async def hear(turn: Turn) -> None:
        heard.append(turn.event.id)

    async with turns(router) as world:
        accounts = dict(world.dispatcher._accounts)
        world.dispatcher._accounts = {"relay": accounts["relay"]}
        await world.heard("hi", "m-1")
        await world.settle()
        assert (heard, await world.reasons()) == ([], ["the account shop is not configured"])
        world.dispatcher._accounts = accounts
        (letter,) = await world.store.dead_letters()
        await world.store.replay(letter.id, world.clock.now())
        await world.settle()
        assert (heard, await world.reasons()) == (["m-1"], [])


async def test_no_log_line_holds_what_somebody_said(capfd: pytest.CaptureFixture[str]) -> None:
    """An error's words may be a contact's; they are kept with the dead letter, and nowhere else."""
    router = Router("bot")

    @router.message()
    async def bad(turn: Turn) -> None:
        try:
            int(turn.event.text)  # type: ignore[attr-defined] # a message has a text
        except ValueError as error:
            raise KeyError(turn.event.contact.id) from error

    before = structlog.get_config()
    try:
        configure_logs(level="debug", as_json=True)
        async with turns(router) as world:
            await world.heard("canary-text", "m-1", "canary-contact")
            await world.wait_out()
            (reason,) = await world.reasons()
        finish_logs()
    finally:
        structlog.configure(**before)
    printed = capfd.readouterr().err
    assert "canary-contact" in reason
    assert "turn_failed" in printed
    assert "KeyError" in printed
    assert "canary" not in printed
