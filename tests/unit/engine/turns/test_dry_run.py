"""A rehearsal of the dialogs that wait: it finds what a changed script breaks, and has no effect whatever."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bridge.conversation.journal import Journal
from bridge.engine.turns.dry_run import Break, DryRun
from tests.support.dialog_bots import asking, other_words, quiz, shorter
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge import Dialog, Router, Turn
    from tests.support.turn_engine import Turns


async def other_end(d: Dialog) -> str:
    await d.say("Hello.")
    return f"{await d.ask('Size?')}, thank you"


async def raising(d: Dialog) -> None:
    del d
    raise OSError("no")


def line_of(function: Callable[..., Any]) -> int:
    return function.__code__.co_firstlineno


async def begun(world: Turns, *who: str) -> None:
    """Dialogs that wait at their first question."""
    for each in who or ("ann",):
        await world.heard("go", f"{each}-1", each)
    await world.settle()


async def breaks(router: Router, *who: str, script: Callable[..., Any] = quiz, **options: Any) -> list[Break | None]:
    """What is found by rehearsing with a router the dialogs that a script began; nothing in the store changes."""
    async with turns(asking(script)) as world:
        await begun(world, *who)
        before = await world.store.dialogs()
        dry_run = DryRun(world.store, router, **options)
        found = [await dry_run.of(thread) for thread in before]
        assert await world.store.dialogs() == before
        assert [await world.store.steps(thread.id) for thread in before] == [[] for _ in before]
        return found


@pytest.mark.parametrize(
    ("router", "problem"),
    [
        (asking(quiz), None),
        (asking(other_end), None),
        (asking(quiz, 2), (None, "no version 1 of it is registered", "restart")),
        (asking(quiz, name="another"), (None, "no version 1 of it is registered", "handoff")),
        (asking(other_words), (2, "step 2 was ask 'Size?' and is ask 'Which size?' now", "restart")),
        (
            asking(other_words, changed="finish"),
            (2, "step 2 was ask 'Size?' and is ask 'Which size?' now", "finish"),
        ),
        (asking(shorter), (2, "step 2 was ask 'Size?' and the dialog ends before it now", "restart")),
        (asking(raising), (1, f"it raises OSError: no ({__file__}:{line_of(raising) + 2})", "fail")),
    ],
)
async def test_a_rehearsal_tells_what_would_break_and_changes_nothing(
    router: Router, problem: tuple[int | None, str, str] | None
) -> None:
    (found,) = await breaks(router)
    assert (found and (found.step, found.reason, found.action)) == problem


async def sleeps(d: Dialog) -> str:
    await d.say("Hello.")
    await asyncio.sleep(0)
    return str(await d.ask("Size?"))


async def waits(d: Dialog) -> str:
    await d.say("Hello.")
    await asyncio.sleep(9)
    return str(await d.ask("Size?"))


async def gathers(d: Dialog) -> str:
    await d.say("Hello.")
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(1))
    return str(await d.ask("Size?"))


async def asks_for_the_loop(d: Dialog) -> str:
    await d.say("Hello.")
    asyncio.get_running_loop()
    return str(await d.ask("Size?"))


@pytest.mark.parametrize("script", [sleeps, waits, gathers, asks_for_the_loop])
async def test_a_rehearsal_of_what_awaits_something_else_ends_at_once_and_names_it(
    script: Callable[..., Any],
) -> None:
    (found,) = await breaks(asking(script))
    place = f"({__file__}:{line_of(script) + 2})"
    assert found == Break(step=2, reason=f"it awaits something else than its dialog {place}", action="unknown")


async def test_an_error_of_the_script_that_speaks_of_an_event_loop_is_its_own() -> None:
    async def refuses(d: Dialog) -> None:
        await d.say("Hello.")
        raise RuntimeError("no running event loop today")

    (found,) = await breaks(asking(refuses))
    assert found is not None
    assert found.action == "fail"
    assert found.reason.startswith("it raises RuntimeError: no running event loop today")


@pytest.mark.slow
async def test_rehearsals_of_what_blocks_are_cut_short_and_named() -> None:
    let_go = threading.Event()

    async def blocks(d: Dialog) -> None:
        await d.say("Hello.")
        let_go.wait()

    try:
        first, *_, last = await breaks(asking(blocks), "ann", "bob", "cleo", "dan", patience=0.4)
    finally:
        let_go.set()
    place = f"{__file__}:{line_of(blocks) + 2}"
    reason = f"it does not come to its question within 0.4 s: it is at {place}"
    assert first == Break(step=2, reason=reason, action="unknown")
    assert last is not None
    assert last.reason == "not rehearsed: 3 others of this script took longer than 0.4 s"


async def catches_everything(d: Dialog) -> None:
    with contextlib.suppress(BaseException):
        await d.say("Hello.")
        await d.ask("Size?")


async def test_a_rehearsal_of_what_swallows_the_end_of_its_turn_says_so() -> None:
    (found,) = await breaks(asking(catches_everything))
    assert found is not None
    assert (found.reason, found.action) == (
        "it catches the end of its own turn: catch Exception, not BaseException",
        "fail",
    )


async def test_no_rehearsal_takes_a_step_or_says_anything() -> None:
    taken: list[int] = []

    def take(no: int) -> int:
        taken.append(no)
        return no

    async def script(d: Dialog) -> str:
        first = await d.step(take, 1)
        d.turn.state["first"] = first
        d.turn.after(60, after_all)
        await d.ask("Size?")
        return f"{await d.step(take, 2)}"

    assert await breaks(asking(script), script=script) == [None]
    assert taken == [1]


async def after_all(_turn: Turn[Any]) -> None: ...


@pytest.mark.parametrize(("name", "reason"), [("quiz", None), ("another", "no version 1 of it is registered")])
async def test_one_that_is_to_begin_anew_needs_no_more_than_its_name(name: str, reason: str | None) -> None:
    async with turns(asking(quiz)) as world:
        await begun(world)
        (thread,) = await world.store.dialogs()
        anew = replace(thread, dialog=Journal(name="quiz", version=1, run="r", arguments=[]).encode())
        found = await DryRun(world.store, asking(quiz, 2, name=name)).of(anew)
        assert (found and found.reason) == reason


DOINGS = st.tuples(st.sampled_from(["ask", "choose", "ask", "say", "step", "handoff"]), st.sampled_from("abc"))


def acting(plan: list[tuple[str, str]], stepped: list[str]) -> Callable[..., Any]:
    """A script that does what a plan says, as it is at that time."""

    def step(what: str) -> str:
        stepped.append(what)
        return what

    async def script(d: Dialog) -> str:
        for doing, what in plan:
            match doing:
                case "say":
                    await d.say(what)
                case "ask":
                    await d.ask(what)
                case "choose":
                    await d.choose(what, x=1, y=2)
                case "step":
                    await d.step(step, what)
                case _:
                    await d.handoff(what)
        return "The end."

    return script


@pytest.mark.slow
@given(
    before=st.lists(DOINGS, max_size=5),
    after=st.lists(DOINGS, max_size=6),
    kept=st.integers(0, 5),
    answers=st.integers(0, 2),
    changed=st.sampled_from(["restart", "finish", "handoff"]),
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_a_rehearsal_foretells_what_the_next_answer_does(
    before: list[tuple[str, str]], after: list[tuple[str, str]], kept: int, answers: int, changed: Any
) -> None:
    asyncio.run(foretold([*before, ("ask", "z")], [*before[:kept], *after], answers, changed))


async def foretold(plan: list[tuple[str, str]], then: list[tuple[str, str]], answers: int, changed: Any) -> None:
    """The same process goes on with another plan: rehearsed, and then answered."""
    stepped: list[str] = []
    router = asking(acting(plan, stepped), changed=changed)
    async with turns(router) as world:
        for number, word in enumerate(("go", *["x"] * answers)):
            await world.heard(word, f"m-{number}")
            await world.settle()
        waiting = [each for each in await world.store.dialogs() if not each.is_held]
        plan[:] = then
        taken = list(stepped)
        found = [await DryRun(world.store, router).of(each) for each in waiting]
        assert stepped == taken
        with capture_logs() as lines:
            await world.heard("x", "last")
            await world.settle()
    told = [(line["reason"], line["outcome"]) for line in lines if line["event"] == "dialog_changed"]
    assert [(each is None) for each in found] == [not told for _ in waiting]
    for broken, (reason, outcome) in zip(filter(None, found), told, strict=True):
        assert broken.action == outcome
        assert reason.startswith(f"step {broken.step}")
