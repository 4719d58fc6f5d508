"""Dialogs under attack: what authors, contacts and crashes do to them that nobody planned."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Button, Buttons, Depends, Dialog, Key, Router, Turn
from bridge.conversation.journal import digest
from bridge.errors import StepFailed
from bridge.testing.world import World
from tests.support.dialog_bots import asking
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bridge import CallNext


class Track(Key):
    no: int


async def told(router: Router, *words: str) -> list[str]:
    """What is said to somebody who says these words, one after the other."""
    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in words:
            await ann.says(word)
            await world.settle()
        return ann.texts


async def test_what_a_dialog_keeps_before_its_question_is_no_part_of_what_it_found() -> None:
    """Played again and again, it finds the state of its beginning, not what it made of that itself."""

    async def script(d: Dialog) -> str:
        seen = d.turn.state.setdefault("seen", [])
        await d.say("Hello." if not seen else "Hello again.")
        seen.append(len(seen))
        words = [await d.ask(f"Word {number}?") for number in range(3)]
        return f"{' '.join(words)} {d.turn.state['seen']}"

    router = Router()
    router.dialog()(script)

    @router.default()
    async def go(turn: Turn[Any]) -> None:
        turn.state["x"] = 1
        await turn.begin(script)

    assert (await told(router, "go", "a", "b", "c"))[-1] == "a b c [0]"


@pytest.mark.parametrize("typed", ["yes", None])
async def test_a_button_of_a_dialog_that_is_over_answers_no_question_of_the_next(typed: str | None) -> None:
    async def script(d: Dialog, what: str) -> str:
        return f"{what}: {await d.choose(f'{what}?', yes=True, no=False)}"

    router = Router()
    router.dialog()(script)

    @router.default()
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(script, turn.event.text)

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("refund")
        await ann.clicks("yes")
        await world.settle()
        (old, _), *_ = [each.choices for each in ann.seen if each.choices]
        await ann.says("delete all")
        await world.settle()
        world.post(ann, [(world.emulator("konnek").presses("whatsapp", ann.address, old), "an old press")])
        await world.settle()
        assert ann.texts == ["refund?", "refund: True", "delete all?"]
        await (ann.says(typed) if typed else ann.clicks("no"))
        await world.settle()
        assert ann.texts[3:] == [f"delete all: {typed is not None}"]


async def test_a_typed_key_in_a_prompt_answers_under_its_seal_only() -> None:
    async def script(d: Dialog) -> str:
        return f"got {await d.ask(Buttons('Which?', [Button(Track(no=7), 'Seven'), Button('all', 'All')]))}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.settle()
        forged = Button("Track[7]", "Number seven")
        world.post(ann, [(world.emulator("konnek").presses("whatsapp", ann.address, forged), "a forged press")])
        await world.settle()
        assert ann.texts == ["Which?", "Which?"]
        await ann.clicks("Seven")
        await world.settle()
        await ann.says("go")
        await ann.clicks("All")
        await world.settle()
        assert ann.texts[2:] == ["got Track[7]", "Which?", "got all"]


@pytest.mark.parametrize(
    ("one", "other"),
    [(Decimal("1.5"), Decimal("2.5")), (b"a", b"b"), ({1, 2}, {1, 3}), ([1], [2]), (Track(no=1), Track(no=2))],
)
def test_calls_with_other_arguments_are_told_apart(one: object, other: object) -> None:
    assert digest("pay", [one]) == digest("pay", [one])
    assert digest("pay", [one]) != digest("pay", [other])
    assert digest("pay", [object()]) == digest("pay", [object()])  # which has an address, another in each process


async def test_what_a_step_gave_is_no_other_thing_when_it_is_played_again() -> None:
    """Nor is what was answered, or what the dialog was begun with, whatever the script does to these."""

    def listed() -> list[int]:
        return [1]

    async def script(d: Dialog, begun: list[str]) -> str:
        found = await d.step(listed)
        found.append(2)
        begun.append("here")
        said = await d.ask("Words?", parse=str.split)
        said.append("so")
        await d.ask("Sure?")
        await d.ask("Really?")
        return f"{found} {begun} {said}"

    router = Router()
    router.dialog()(script)

    @router.default()
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(script, [])

    assert (await told(router, "go", "a b", "yes", "yes"))[-1] == "[1, 2] ['here'] ['a', 'b', 'so']"


@asynccontextmanager
async def busy(d: Dialog) -> AsyncIterator[None]:
    d.turn.state["busy"] = True
    try:
        yield
    finally:
        d.turn.say("Closed.")
        d.turn.state["busy"] = False


async def test_what_ends_with_a_dialog_does_not_end_while_it_waits() -> None:
    async def script(d: Dialog) -> str:
        async with busy(d):
            await d.ask("Well?")
        return "End."

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.settle()
        assert (ann.texts, await ann.state()) == (["Well?"], {"busy": True})
        await world.crash()
        await ann.says("so")
        await world.settle()
        assert (ann.texts, await ann.state()) == (["Well?", "Closed.", "End."], {"busy": False})


async def at_once(d: Dialog) -> list[str]:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(d.ask(what)) for what in ("A?", "B?")]
    return [each.result() for each in asked]


async def gathered(d: Dialog) -> list[str]:
    return list(await asyncio.gather(d.ask("A?"), d.ask("B?")))


async def in_time(d: Dialog) -> list[str]:
    return [await asyncio.wait_for(d.ask(what), 5) for what in ("A?", "B?")]


async def in_a_loop(d: Dialog) -> list[str]:
    found: list[str] = []
    while len(found) < 2:
        try:
            found.append(str(await d.ask("AB"[len(found)] + "?", parse=int)))
        except ValueError:
            raise AssertionError from None
        finally:
            await asyncio.sleep(0)
    return found


@pytest.mark.parametrize("script", [at_once, gathered, in_time, in_a_loop])
async def test_questions_follow_each_other_however_they_are_asked(script: Callable[..., Any]) -> None:
    assert await told(asking(script), "go", "1", "2") == ["A?", "B?", "1", "2"]


async def test_an_error_among_tasks_of_a_dialog_is_not_taken_for_a_wait() -> None:
    async def failing() -> None:
        raise OSError("no")

    async def script(d: Dialog) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(failing())
            group.create_task(d.ask("A?"))

    async with turns(asking(script), attempts=1) as world:
        await world.heard("go", "m-1")
        await world.settle()
        assert await world.said() == []
        (reason,) = await world.reasons()
        assert "ExceptionGroup" in reason


@pytest.mark.parametrize("overlap", ["merge", "latest"])
async def test_a_dialog_that_began_with_several_events_has_them_whenever_it_is_played_again(overlap: Any) -> None:
    async def script(d: Dialog) -> str:
        await d.say(f"{len(d.turn.events)} and {len(d.turn.skipped)}")
        here = [await d.ask(f"{number}?") for number in range(2)]
        return f"{here} {len(d.turn.events)} and {len(d.turn.skipped)}"

    router = Router()
    router.dialog()(script)

    @router.message(regex="go", overlap=overlap)
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(script)

    async with turns(router) as world:
        await world.dispatcher.lanes.stop(1)
        for number in range(3):
            await world.heard(f"go {number}", f"m-{number}")
        await world.dispatcher.lanes.start()
        for word in ("a", "b"):
            await world.settle()
            await world.heard(word, f"m-{word}")
        await world.settle()
        several = {"merge": "3 and 0", "latest": "1 and 2"}[overlap]
        assert await world.said() == [several, "0?", "1?", "['a', 'b'] 1 and 0"]


async def test_a_number_answers_the_question_that_waits_and_no_list_before_it() -> None:
    async def script(d: Dialog) -> str:
        pieces = await d.ask("Pieces?", choices=[1, 2, 5], parse=int)
        return f"{pieces}, {await d.ask('Tell me how many boxes.', parse=int)}"

    assert (await told(asking(script), "go", "7", "2"))[-1] == "7, 2"


class Denied(Exception):
    def __init__(self, code: int, answer: object) -> None:
        super().__init__(answer)
        self.code = code
        self.answer = answer


@pytest.mark.parametrize("local", [False, True])
async def test_an_error_of_a_step_is_the_same_the_first_time_as_when_it_is_played_again(*, local: bool) -> None:
    class Local(Exception):
        """No process that comes later knows this class."""

    def pay() -> None:
        raise Local("no") if local else Denied(51, object())

    async def script(d: Dialog) -> str:
        try:
            await d.step(pay)
        except Denied as error:
            await d.ask(f"{error.code}?")
            return f"{error.code}"
        except StepFailed as error:
            await d.ask(f"{type(error).__name__}?")
            return f"{error}"
        return "never"

    texts = await told(asking(script), "go", "so")
    if local:
        assert texts[0] == "StepFailed?"
        assert texts[1].endswith("Local: no")
    else:
        assert texts == ["51?", "51"]


async def test_a_dead_letter_that_is_replayed_takes_no_step_that_it_had_taken() -> None:
    keys: list[str] = []
    fails = [True]

    async def pay(no: int, *, key: str) -> int:
        keys.append(key)
        return no

    async def script(d: Dialog) -> str:
        paid = await d.step(pay, 7)
        if fails:
            raise OSError("no")
        return f"paid {paid}"

    async with turns(asking(script), attempts=1) as world:
        await world.heard("go", "m-1")
        await world.settle()
        await world.heard("hello", "m-2")
        await world.settle()
        (letter,) = await world.store.dead_letters()
        fails.clear()
        assert await world.store.replay(letter.id, world.clock.now())
        await world.settle()
        assert await world.said() == ["other: hello", "paid 7"]
        assert (len(keys), await world.store.steps(1)) == (1, [])


async def test_what_was_said_before_is_read_in_a_step_because_it_grows() -> None:
    async def reading(d: Dialog) -> str:
        said = await d.step(d.turn.transcript, 5)
        return f"{len(said)} {await d.ask('One?')} {await d.ask('Two?')}"

    async def careless(d: Dialog) -> None:
        await d.turn.history()

    async def whatever(turn: Turn[Any]) -> str:
        return f"{len(await turn.history())} said"

    router = asking(reading)
    router.message(text="how many", anytime=True)(whatever)
    assert await told(router, "a", "go", "b", "how many", "c") == ["other: a", "One?", "Two?", "6 said", "3 b c"]
    async with turns(asking(careless), attempts=1) as world:
        await world.heard("go", "m-1")
        await world.settle()
        (reason,) = await world.reasons()
        assert reason.endswith("a dialog reads what was said before in a step: await d.step(d.turn.transcript, 20)")


async def test_a_middleware_that_swallows_what_a_played_dialog_raises_loses_nothing() -> None:
    """The past is over for it, too: what it says leaves, and what others kept meanwhile stays."""
    broken: list[int] = []

    async def script(d: Dialog) -> str:
        d.turn.state["begun"] = d.turn.state.get("begun", 0) + 1
        if broken:
            d.turn.say("This was the past.")
            raise OSError("no")
        return f"{await d.ask('Well?')} {d.turn.state['n']}"

    router = asking(script)

    @router.message(text="count", anytime=True)
    async def count(turn: Turn[Any]) -> None:
        turn.state["n"] = turn.state.get("n", 0) + 1

    @router.middleware
    async def calm(turn: Turn[Any], call_next: CallNext) -> str | None:
        try:
            await call_next()
        except OSError:
            return f"Sorry, {turn.event.text}."
        return None

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("go", "count", "count"):
            await ann.says(word)
        await world.settle()
        broken.append(1)
        await ann.says("Ann")
        await world.settle()
        assert (ann.texts, await ann.state()) == (["Well?", "Sorry, Ann."], {"begun": 1, "n": 2})
        broken.clear()
        await ann.says("yes")
        await world.settle()
        assert ann.texts[2:] == ["yes 2"]


def test_a_dependency_need_not_say_what_it_makes() -> None:
    def number():  # type: ignore[no-untyped-def] # noqa: ANN202 - so authors write
        return 1

    router = Router()

    @router.default()
    async def go(_turn: Turn[Any], no: int = Depends(number)) -> None:
        del no
