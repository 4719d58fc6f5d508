"""Dialogs in the middle of everything else: bursts, timers, interruptions, secrets, and all faults at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Dialog, Message, NoAnswer, Router, Timer, Turn, debounce
from bridge.testing.world import World
from tests.support.dialog_bots import asking
from tests.support.searches import seeds
from tests.support.turn_engine import turns
from tests.support.worlds import ALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge import CallNext


async def nudge(_turn: Turn[Timer]) -> str:
    return "Still there?"


@dataclass
class Till:
    """The world outside: what was paid, by key."""

    paid: dict[str, str] = field(default_factory=dict)

    async def pay(self, what: str, *, key: str) -> str:
        self.paid.setdefault(key, what)
        return what


def busy(till: Till) -> Router:
    """A bot that does everything at once: a dialog that goes round, timers, and rules that gather what waits."""
    router = Router()

    @router.dialog()
    async def order(d: Dialog, who: str) -> str:
        d.turn.state["runs"] = d.turn.state.get("runs", 0) + 1
        d.turn.after("1h", nudge, name="nudge", unless="replied")
        try:
            what = await d.ask(f"What, {who}?", choices=["tea", "cake"], retry="Which?", timeout="10min")
        except NoAnswer:
            what = await d.ask("Again?")
        paid = await d.step(till.pay, what)
        d.turn.state["paid"] = [*d.turn.state.get("paid", []), paid]
        many = await d.ask("Many?", parse=int)
        if many > 3:
            await d.turn.begin(order, "again")
        d.turn.cancel("nudge")
        return f"{many} {what}"

    @router.message(regex="go (?P<who>.*)", overlap="merge")
    async def go(turn: Turn[Message], who: str) -> None:
        turn.state["went"] = turn.state.get("went", 0) + len(turn.events)
        await turn.begin(order, who)

    @router.message(text="help", anytime=True, overlap="latest")
    async def help_(turn: Turn[Message]) -> str:
        turn.state["helps"] = turn.state.get("helps", 0) + 1 + len(turn.skipped)
        return "help"

    return router


def test_whatever_goes_wrong_each_word_answers_its_question_and_nothing_is_paid_twice() -> None:
    async def scenario(world: World) -> None:
        till.paid.clear()
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("go you", "help", "beer", "help"):
            await ann.says(word)
        await world.settle()
        await ann.clicks("tea")
        for word in ("help", "7"):
            await ann.says(word)
        await world.settle()
        for word in ("cake", "2"):
            await ann.says(word)
        await world.settle()
        assert await ann.state() == {"went": 1, "runs": 2, "helps": 3, "paid": ["tea", "cake"]}, ann.phone()
        assert sorted(till.paid.values()) == ["cake", "tea"]
        said = [text.partition("\n")[0] for text in ann.texts if text != "help"]
        assert said == ["What, you?", "Which?", "Many?", "What, again?", "Many?", "2 cake"], ann.phone()
        await world.advance("2h")
        ann.saw_nothing("Still there?")

    till = Till()
    with World(busy(till)) as world:
        assert world.explore(scenario, seeds=seeds(60), faults=ALL).runs == seeds(60)


async def test_what_a_dialog_sets_and_says_has_its_effect_once_however_often_it_is_played() -> None:
    async def script(d: Dialog) -> str:
        d.turn.after(60, nudge)
        d.turn.after(60, nudge, name="second")
        d.turn.say("Begun.")
        first = await d.ask("One?")
        d.turn.cancel("second")
        d.turn.step = "asked"
        d.turn.say("Half.")
        return f"{first} {await d.ask('Two?')} {await d.ask('Three?')} {d.turn.step}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("go", "a", "b", "c"):
            await ann.says(word)
            await world.settle()
            await world.crash()
        await world.advance("1h")
        assert ann.texts == ["Begun.", "One?", "Half.", "Two?", "Three?", "a b c asked", "Still there?"]


async def test_a_backlog_answers_question_after_question_with_what_others_gather_between() -> None:
    async def script(d: Dialog) -> str:
        return f"got {await d.ask('One?')} {await d.ask('Two?')}"

    router = asking(script)

    @router.message(regex="note", anytime=True, overlap="merge")
    async def note(turn: Turn[Message]) -> str:
        return f"{len(turn.events)} noted"

    async with turns(router) as world:
        await world.heard("go", "m-go")
        await world.settle()
        await world.dispatcher.lanes.stop(1)
        for number, word in enumerate(("note a", "note b", "XL", "note c", "note d", "M", "note e", "well")):
            await world.heard(word, f"m-{number}")
        await world.dispatcher.lanes.start()
        await world.settle()
        assert await world.said() == [
            *("One?", "2 noted", "Two?", "2 noted", "got XL M", "1 noted", "other: well"),
        ]


async def test_what_begins_a_dialog_may_wait_for_quiet_and_an_answer_ends_that() -> None:
    async def script(d: Dialog) -> str:
        return f"{len(d.turn.events)} {await d.ask('Well?')}"

    router = Router()
    router.dialog()(script)

    @router.message(regex="go", overlap=debounce("1h"))
    async def go(turn: Turn[Message]) -> None:
        await turn.begin(script)

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("go 1", "go 2", "XL"):
            await ann.says(word)
        await world.advance("1min")
        assert ann.texts == ["Well?", "2 XL"]


async def test_an_interrupted_step_is_taken_again_under_its_key_in_the_turn_that_follows() -> None:
    keys: list[str] = []
    begun = asyncio.Event()

    async def slow(*, key: str) -> str:
        keys.append(key)
        begun.set()
        if len(keys) == 1:
            await asyncio.Event().wait()
        return "done"

    async def script(d: Dialog) -> str:
        return f"{await d.step(slow)} {d.turn.event.text}, {await d.ask('Well?')}"

    router = Router()
    router.dialog()(script)

    @router.message(regex="go", overlap="interrupt")
    async def go(turn: Turn[Message]) -> None:
        await turn.begin(script)

    async with turns(router) as world:
        await world.heard("go 1", "m-1")
        await begun.wait()
        await world.heard("go 2", "m-2")
        await world.settle()
        await world.heard("yes", "m-3")
        await world.settle()
        assert await world.said() == ["Well?", "done go 2, yes"]
        assert (len(keys), len(set(keys))) == (2, 1)


async def raising(d: Dialog) -> None:
    raise ValueError(f"bad word {await d.ask('Word?')}")


async def changing(d: Dialog) -> None:
    d.turn.state["n"] = [await d.ask(f"Word {len(SEEN)}?")]
    SEEN.append(1)


async def choosing(d: Dialog) -> None:
    await d.step(int, await d.ask("Word?", retry="No."))


SEEN: list[int] = []


@pytest.mark.parametrize("script", [raising, changing, choosing])
async def test_what_the_contact_said_is_in_no_line_of_the_log_whatever_fails(script: Callable[..., Any]) -> None:
    SEEN.clear()
    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("go", "xyzzy", "xyzzy"):
            await ann.says(word)
            await world.settle()
            SEEN.append(1)
        lines = [line for line in world.log if line["event"] in {"turn_failed", "dialog_changed", "event_dead"}]
        assert lines
        assert all(line.get("handler") for line in lines if line["event"] != "event_dead")
        assert not [line for line in world.log if "xyzzy" in str(line)]


async def test_steps_with_partials_are_told_apart_by_what_these_add() -> None:
    taken: list[int] = []

    async def pay(no: int, *, of: int) -> int:
        taken.append(of)
        return no

    async def script(d: Dialog) -> str:
        paid = await d.step(partial(partial(pay, of=len(taken)), 7))
        if len(taken) == 1:
            raise OSError("no")
        return f"{paid}"

    async with turns(asking(script)) as world:
        await world.heard("go", "m-1")
        await world.wait_out()
        assert (await world.said(), taken) == (["7"], [0, 1])


async def test_steps_at_once_are_taken_one_after_the_other() -> None:
    running: list[int] = []

    async def fetch(no: int) -> int:
        assert running == []
        running.append(no)
        await asyncio.sleep(0)
        running.clear()
        return no

    async def script(d: Dialog) -> str:
        found = await asyncio.gather(*(d.step(fetch, no) for no in range(3)))
        return f"{found} {await d.ask('Well?')} {await d.ask('So?')}"

    async with turns(asking(script)) as world:
        for number, word in enumerate(("go", "a", "b")):
            await world.heard(word, f"m-{number}")
        await world.settle()
        assert await world.said() == ["Well?", "So?", "[0, 1, 2] a b"]


async def nested(d: Dialog) -> None:
    async def outer() -> None:
        await d.say("in the middle")

    await d.step(outer)


async def careless(d: Dialog) -> None:
    await d.step(d.turn.transcript)
    await d.turn.history()


async def silent(d: Dialog) -> None:
    await d.ask([], choices=[1, 2])


async def unheard(d: Dialog) -> None:
    await d.step(object)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (careless, "a dialog reads what was said before in a step: await d.step(d.turn.transcript, 20)"),
        (nested, "neither a step nor what reads an answer does anything else in its dialog"),
        (silent, "choices go with a text; nothing said"),
        (unheard, "a step's result is kept as JSON: the result of builtins:object is a object, which is not JSON"),
    ],
)
async def test_a_mistake_in_a_dialog_is_told_in_the_dead_letter(script: Callable[..., Any], reason: str) -> None:
    async with turns(asking(script), attempts=1) as world:
        await world.heard("go", "m-1")
        await world.settle()
        assert [each.partition("HandlerError: ")[2] for each in await world.reasons()] == [reason]


async def test_an_event_is_to_a_dialog_what_it_will_be_when_played_again_and_whole_to_all_others() -> None:
    """A journal keeps no webhook: what a dialog could read only once, it does not see at all."""
    seen: list[tuple[str, bool]] = []

    async def script(d: Dialog) -> None:
        for number in range(3):
            seen.append((f"at {number}", bool(d.turn.event.raw)))
            await d.ask(f"{number}?")

    router = Router()
    router.dialog()(script)

    @router.middleware
    async def around(turn: Turn[Any], call_next: CallNext) -> None:
        await call_next()
        seen.append(("after", bool(turn.event.raw)))

    @router.message(text="go")
    async def go(turn: Turn[Message]) -> None:
        await turn.begin(script)
        seen.append(("begun", bool(turn.event.raw)))

    async with turns(router) as world:
        for number, word in enumerate(("go", "a")):
            await world.heard(word, f"m-{number}")
        await world.settle()
    assert [name for name, raw in seen if not raw] == ["at 0", "at 0", "at 1"]
    assert [name for name, raw in seen if raw] == ["begun", "after", "after"]


async def test_what_begins_a_dialog_before_any_rule_is_no_answer_to_it() -> None:
    router = Router()

    @router.dialog()
    async def script(d: Dialog) -> str:
        return f"got {await d.ask('Well?')}"

    @router.outer_middleware
    async def always(turn: Turn[Any], call_next: CallNext) -> None:
        if turn.event.text == "go":
            await turn.begin(script)
        await call_next()

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        return f"other: {turn.event.text}"

    async with turns(router) as world:
        for number, word in enumerate(("go", "yes")):
            await world.heard(word, f"m-{number}")
        await world.settle()
        assert await world.said() == ["Well?", "other: go", "got yes"]
