"""Turns with dialogs and timers under attack: begun in vain, slow, gone, given up, and all at once."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from bridge import Dialog, HandlerError, Handoff, Message, NoAnswer, Postback, Returned, Router, Timer, Turn
from bridge.testing.world import World
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from tests.support.turn_engine import Turns


async def nudge(_turn: Turn[Timer]) -> str:
    return "Still there?"


async def told(turn: Turn[Timer], no: int) -> str:
    turn.say("told")
    return f"{no}"


async def due(world: Turns, seconds: float) -> None:
    """Let time pass, and what is due then happen."""
    world.clock.advance(seconds)
    await world.store.fire_timers(world.clock.now(), 1000)
    await world.settle()


async def test_a_dialog_that_fails_to_begin_leaves_the_one_that_waits_with_its_timer() -> None:
    router = Router()

    @router.dialog()
    async def first(d: Dialog) -> str:
        return f"got {await d.ask('Well?', timeout=60, on_timeout='Late.')}"

    @router.dialog()
    async def second(_d: Dialog) -> None:
        raise LookupError("no")

    @router.message(text="first")
    async def begin_first(turn: Turn[Message]) -> None:
        await turn.begin(first)

    @router.message(text="second", anytime=True)
    async def begin_second(turn: Turn[Message]) -> str:
        try:
            await turn.begin(second)
        except LookupError:
            return "Sorry."
        return "never"

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("first", "second"):
            await ann.says(word)
        await world.advance("10min")
        assert ann.texts == ["Well?", "Sorry.", "Late."]


async def test_of_two_dialogs_begun_in_one_turn_the_second_waits_and_the_first_has_no_timer() -> None:
    router = Router()

    @router.dialog()
    async def asking(d: Dialog, no: int) -> str:
        return f"{no}: {await d.ask(f'{no}?', timeout=60, on_timeout=f'{no} late.')}"

    @router.default()
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(asking, 1)
        await turn.begin(asking, 2)

    async with turns(router) as world:
        await world.heard("go", "m-1")
        await world.settle()
        with capture_logs() as lines:
            await due(world, 100)
        assert await world.said() == ["1?", "2?", "2 late."]
        assert [line["event_key"] for line in lines if line["event"] == "turn_committed"] == ["timer:1"]


async def test_a_dialog_may_say_that_its_turns_take_long() -> None:
    """Also when nobody answered: that is a turn of it like any other."""
    router = Router()

    async def slow() -> int:
        await asyncio.sleep(0.2)
        return 1

    @router.dialog(timeout="1min")
    async def patient(d: Dialog) -> str:
        try:
            await d.ask("Well?", timeout=60)
        except NoAnswer:
            await d.say("Late.")
        return f"{await d.step(slow)}"

    @router.message(text="go")
    async def go(turn: Turn[Message]) -> None:
        await turn.begin(patient)

    async with turns(router, seconds=0.05, attempts=1) as world:
        for number, word in enumerate(("go", "yes", "go")):
            await world.heard(word, f"m-{number}")
            await world.settle()
        await due(world, 100)
        assert (await world.said(), await world.reasons()) == (["Well?", "1", "Well?", "Late.", "1"], [])
    with pytest.raises(HandlerError, match="timeout is more than nothing and at most a day"):
        router.dialog(2, timeout="8d")


async def test_what_was_said_counts_as_a_reply_also_when_its_turn_was_given_up() -> None:
    router = Router()

    @router.message(text="set")
    async def set_it(turn: Turn[Message]) -> None:
        turn.after(60, nudge, unless="replied")

    @router.message(text="hello")
    async def broken(_turn: Turn[Message]) -> None:
        raise LookupError("no")

    async with turns(router, attempts=1) as world:
        for who in ("ann", "bob"):
            await world.heard("set", f"m-{who}", who)
        await world.settle()
        await world.heard("hello", "m-hello")
        await world.settle()
        await due(world, 100)
        assert (await world.said("ann"), await world.said("bob")) == ([], ["Still there?"])
        await world.heard("set", "m-again")
        await world.settle()
        await due(world, 100)
        assert await world.said("ann") == ["Still there?"]


async def test_a_timer_whose_function_is_gone_or_takes_something_else_is_named(monkeypatch: Any) -> None:
    async def other(_turn: Turn[Timer], no: dict[str, int]) -> None: ...

    router = Router()

    @router.default()
    async def go(turn: Turn[Any]) -> None:
        turn.after(60, told, no=7)

    here = sys.modules[__name__]
    async with turns(router, attempts=1) as world:
        for who in ("ann", "bob"):
            await world.heard("go", f"m-{who}", who)
        await world.settle()
        with capture_logs() as lines:
            monkeypatch.setattr(here, "told", other)
            world.clock.advance(100)
            await world.store.fire_timers(world.clock.now(), 1)
            await world.settle()
            monkeypatch.delattr(here, "told")
            await due(world, 0)
        monkeypatch.undo()
        gone, changed = await world.reasons()
        assert "the timer's handler tests.simulation.test_adversary_turns:told is not there any more" in gone
        assert "the arguments it was to be called with do not fit it any more" in changed
        failed = [line["handler"] for line in lines if line["event"] == "turn_failed"]
        assert failed == ["tests.simulation.test_adversary_turns:told"] * 2


async def test_a_dialog_may_begin_with_whatever_happens_in_a_conversation() -> None:
    router = Router()

    @router.dialog()
    async def asking(d: Dialog) -> str:
        kind = type(d.turn.event).__name__
        return f"{kind}: {await d.ask('One?')} {await d.ask('Two?')}"

    @router.on(Returned)
    @router.on(Handoff)
    @router.on(Postback)
    async def begin(turn: Turn[Any]) -> None:
        await turn.begin(asking)

    @router.message(text="person")
    async def person(turn: Turn[Message]) -> None:
        turn.handoff()

    async with turns(router) as world:
        await world.heard("person", "m-1")
        await world.heard("missed", "m-2")
        await world.settle()
        await world.handoffs.give_back(1)
        await world.settle()
        for word in ("a", "b"):
            await world.heard(word, f"m-{word}")
        await world.settle()
        assert await world.said() == ["One?", "Two?", "Returned: a b"]
        await world.handoffs.hand_off(1, "mine")
        await world.settle()
        await world.heard("nobody hears this", "m-3")
        await world.settle()
        await world.handoffs.give_back(1)
        await world.settle()
        assert (await world.said())[3:] == ["One?", "One?"]
        assert await world.reasons() == []


async def test_an_answer_takes_the_timer_of_its_question_along() -> None:
    router = Router()

    @router.dialog()
    async def asking(d: Dialog) -> str:
        return f"{await d.ask('One?', timeout=60)} {await d.ask('Two?')}"

    @router.message(text="go")
    async def go(turn: Turn[Message]) -> None:
        await turn.begin(asking)

    async with turns(router) as world:
        for number, word in enumerate(("go", "a")):
            await world.heard(word, f"m-{number}")
        await world.settle()
        with capture_logs() as lines:
            await due(world, 100)
        assert [line for line in lines if line["event"] == "turn_committed"] == []


async def test_a_journal_holds_the_state_once_and_not_for_every_answer() -> None:
    router = Router()

    @router.dialog()
    async def asking(d: Dialog) -> str:
        for number in range(10):
            await d.ask(f"{number}?")
        return "end"

    @router.message(text="go")
    async def go(turn: Turn[Message]) -> None:
        turn.state["much"] = "x" * 50_000
        await turn.begin(asking)

    async with turns(router) as world:
        await world.heard("go", "m-go")
        for number in range(10):
            await world.heard("so", f"m-{number}")
        await world.settle()
        assert ((await world.said())[-1], await world.reasons()) == ("end", [])


async def test_what_cannot_be_reached_for_a_while_is_no_change_of_a_script() -> None:
    """An answer that is no JSON is parsed again each time; when that needs something outside, the turn is retried."""
    away: list[int] = []

    class Found:
        """No JSON."""

    def look_up(_said: str) -> Found:
        if away:
            away.pop()
            raise ConnectionError("not now")
        return Found()

    router = Router()

    @router.dialog()
    async def asking(d: Dialog) -> str:
        found = await d.ask("Which?", parse=look_up)
        return f"{type(found).__name__} {await d.ask('Sure?')}"

    @router.message(text="go")
    async def go(turn: Turn[Message]) -> None:
        await turn.begin(asking)

    async with turns(router) as world:
        for number, word in enumerate(("go", "this", "yes")):
            away[:] = [1, 1] if word == "yes" else []
            await world.heard(word, f"m-{number}")
            await world.wait_out()
        assert await world.said() == ["Which?", "Sure?", "Found yes"]
