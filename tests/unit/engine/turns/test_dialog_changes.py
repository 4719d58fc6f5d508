"""A script that changed while conversations are in it: noticed by name and step, and dealt with as declared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from bridge import Dialog, NoAnswer, Returned, Router, Turn
from bridge.conversation.journal import decode_journal
from bridge.store.records import StepRow
from tests.support.dialog_bots import asking, other_words, quiz, shorter
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def other_end(d: Dialog) -> str:
    await d.say("Hello.")
    size = await d.ask("Size?")
    colour = await d.ask("Colour?", choices=["Red", "Blue"])
    return f"{colour}, {size}"


async def other_choices(d: Dialog) -> str:
    await d.say("Hello.")
    await d.ask("Size?")
    return str(await d.ask("Colour?", choices=["Red", "Green"]))


async def other_order(d: Dialog) -> str:
    size = await d.ask("Size?")
    await d.say("Hello.")
    return str(size)


async def with_a_step(d: Dialog) -> str:
    await d.step(paid, 7)
    return str(await d.ask("Size?"))


def paid(no: int) -> int:
    return no


CHANGES = [
    (other_words, "Size?", "step 2, ask, is another one now"),
    (other_choices, "Colour?", "step 3, ask, is another one now"),
    (other_order, "Size?", "step 1 was say and is ask now"),
    (with_a_step, "Size?", "step 1 was say and is step tests.unit.engine.turns.test_dialog_changes:paid now"),
    (shorter, "Size?", "step 2 was ask and the dialog ends before it now"),
]


async def begun(folder: Path, until: str, script: Callable[..., Any] = quiz) -> str:
    """A store with a dialog that waits at a question."""
    url = f"sqlite:///{folder}/test.db"
    async with turns(asking(script), url=url) as world:
        await world.heard("go", "m-1")
        await world.settle()
        if until == "Colour?":
            await world.heard("XL", "m-2")
            await world.settle()
        assert (await world.said())[-1].startswith(until)
    return url


async def after(url: str, router: Router, *words: str) -> tuple[list[str], list[dict[str, Any]]]:
    """What is said to these words in the next process, and what was logged of dialogs."""
    async with turns(router, url=url) as world:
        before = len(await world.said())
        with capture_logs() as lines:
            for number, word in enumerate(words):
                await world.heard(word, f"n-{number}")
                await world.settle()
        assert await world.reasons() == []
        return (await world.said())[before:], [dict(line) for line in lines if line["event"].startswith("dialog")]


@pytest.mark.parametrize("script", [quiz, other_end])
async def test_what_was_not_reached_yet_may_change(script: Callable[..., Any], tmp_path: Path) -> None:
    url = await begun(tmp_path, "Colour?")
    said, lines = await after(url, asking(script), "blue")
    assert (said, lines) == (["XL Blue"] if script is quiz else ["Blue, XL"], [])


@pytest.mark.parametrize(("script", "until", "reason"), CHANGES)
async def test_a_changed_script_is_named_and_begun_anew(
    script: Callable[..., Any], until: str, reason: str, tmp_path: Path
) -> None:
    url = await begun(tmp_path, until)
    said, lines = await after(url, asking(script), "L")
    told = [(line["handler"], line["reason"], line["outcome"], line["log_level"]) for line in lines]
    assert told == [("quiz v1", reason, "restart", "error")]
    first = {
        other_words: ["Hello.", "Which size?"],
        other_order: ["Size?"],
        shorter: ["Hello."],
        with_a_step: ["Size?"],
    }
    assert said == first.get(script, ["Hello.", "Size?"])


async def test_one_that_finishes_leaves_the_event_to_the_rules(tmp_path: Path) -> None:
    url = await begun(tmp_path, "Size?")
    said, lines = await after(url, asking(other_words, changed="finish"), "L", "M")
    assert (said, lines[0]["outcome"], len(lines)) == (["other: L", "other: M"], "finish", 1)


async def test_one_that_hands_off_keeps_the_event_for_a_person(tmp_path: Path) -> None:
    url = await begun(tmp_path, "Size?")
    router = asking(other_words, changed="handoff")
    missed: list[str] = []

    @router.on(Returned)
    async def back(turn: Turn[Returned]) -> str:
        missed.extend(event.text for event in turn.event.missed)  # type: ignore[attr-defined]
        return "I am back."

    said, lines = await after(url, router, "L", "M")
    assert (said, [line["outcome"] for line in lines]) == ([], ["handoff"])
    async with turns(router, url=url) as world:
        thread_id = (await world.store.threads())[0].id
        row = await world.store.thread(thread_id)
        assert row.hold.note == "the dialog quiz v1 cannot go on: step 2, ask, is another one now"
        await world.handoffs.give_back(thread_id)
        await world.settle()
        assert ((await world.said())[-1], missed) == ("I am back.", ["L", "M"])


async def test_one_that_took_a_step_is_not_begun_anew_but_handed_off(tmp_path: Path) -> None:
    url = await begun(tmp_path, "Size?", with_a_step)
    said, lines = await after(url, asking(other_words), "L")
    assert (said, [line["outcome"] for line in lines]) == ([], ["handoff"])


async def test_an_old_version_goes_on_as_long_as_it_is_registered(tmp_path: Path) -> None:
    url = await begun(tmp_path, "Size?")
    router = asking(other_words, 2)
    router.dialog(1, name="quiz")(quiz)
    said, lines = await after(url, router, "L", "red", "go")
    assert (said[0].splitlines()[0], said[1:], lines) == ("Colour?", ["L Red", "Hello.", "Which size?"], [])


async def test_without_its_version_the_newest_one_begins_anew(tmp_path: Path) -> None:
    url = await begun(tmp_path, "Size?")
    said, lines = await after(url, asking(other_words, 2), "L", "M")
    assert said == ["Hello.", "Which size?", "M"]
    assert [line["reason"] for line in lines] == ["no version 1 of it is registered"]


async def test_without_any_version_a_person_is_asked(tmp_path: Path) -> None:
    url = await begun(tmp_path, "Size?")
    said, lines = await after(url, asking(quiz, name="another"), "L")
    assert (said, [line["outcome"] for line in lines]) == ([], ["handoff"])


async def asks_for_the_time(d: Dialog) -> str:
    try:
        await d.ask("Size?", timeout=60)
    except NoAnswer:
        return f"{await d.ask('Still there?')}"
    return "never"


async def says_good_bye(d: Dialog) -> None:
    await d.ask("Size?", timeout=60, on_timeout=lambda _d: None)


async def catches_nothing(d: Dialog) -> None:
    await d.ask("Size?", timeout=60)


async def begins_another(d: Dialog) -> None:
    try:
        await d.ask("Size?", timeout=60)
    except NoAnswer:
        await d.turn.begin(begins_another)


@pytest.mark.parametrize("script", [says_good_bye, catches_nothing, begins_another])
async def test_one_that_ends_in_its_past_in_any_way_is_noticed(script: Callable[..., Any], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/test.db"
    async with turns(asking(asks_for_the_time), url=url) as world:
        await world.heard("go", "m-1")
        await world.settle()
        world.clock.advance(61)
        await world.store.fire_timers(world.clock.now(), 10)
        await world.settle()
        assert await world.said() == ["Size?", "Still there?"]
    said, lines = await after(url, asking(script), "yes")
    assert (said, [line["reason"] for line in lines]) == (
        ["Size?"],
        ["step 2 was ask and the dialog ends before it now"],
    )


def words(said: str) -> tuple[str, ...]:
    return tuple(said.split())


def numbers(said: str) -> tuple[int, ...]:
    return tuple(map(int, said.split()))


def reading(parse: Callable[[str], Any]) -> Callable[..., Any]:
    async def script(d: Dialog) -> str:
        found = await d.ask("Which?", parse=parse)
        await d.ask("Sure?")
        return repr(found)

    return script


async def test_an_answer_that_is_none_any_more_is_a_change_of_its_question(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/test.db"
    async with turns(asking(reading(words)), url=url) as world:
        for number, word in enumerate(("go", "a b")):
            await world.heard(word, f"m-{number}")
            await world.settle()
    said, lines = await after(url, asking(reading(numbers)), "yes", "1 2", "yes")
    reason = "step 1, ask, does not take the answer it was given any more"
    assert (said, [line["reason"] for line in lines]) == (["Which?", "Sure?", "(1, 2)"], [reason])


@pytest.mark.parametrize("ended", [False, True])
async def test_one_that_was_taking_a_step_is_not_begun_anew_but_handed_off(tmp_path: Path, *, ended: bool) -> None:
    """The step is in no journal yet; it is in the store's notes of steps."""
    url = await begun(tmp_path, "Size?")
    async with turns(asking(quiz), url=url) as world:
        (thread,) = await world.store.dialogs()
        run = decode_journal(thread.dialog or b"").run
        step = StepRow(thread_id=thread.id, run=run, position=2, call="c", key="k", at=1)
        await world.store.start_step(step)
        if ended:
            await world.store.end_step(replace(step, result=b"1"))
    said, lines = await after(url, asking(other_words), "L")
    assert (said, [line["outcome"] for line in lines]) == ([], ["handoff"])
