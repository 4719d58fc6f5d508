"""A dialog whose journal is full: it acts no more, a person has the conversation, and no answer is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bridge import Dialog, Router, Turn
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bridge.routing.rules import Changed
    from tests.support.turn_engine import Turns


def bot(script: Callable[..., Any], changed: Changed = "handoff") -> Router:
    router = Router("bot")

    @router.message(text="go")
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(script)

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        return f"other: {turn.event.text[:10]}"

    router.dialog(changed=changed)(script)
    return router


async def answer(world: Turns, *texts: str) -> None:
    for number, text in enumerate(texts):
        await world.heard(text, f"{text[:8]}-{number}")
        await world.settle()


async def form(d: Dialog) -> str:
    said = [await d.ask(f"Question {number}?") for number in range(12)]
    return f"Thank you: {sum(map(len, said))} letters"


LONG = [f"{number} {'a' * 9_300}" for number in range(8)]


async def test_answers_that_fill_a_journal_hand_the_conversation_to_a_person() -> None:
    async with turns(bot(form)) as world:
        with capture_logs() as lines:
            await answer(world, "go", *LONG, "yes", "hello?")
        thread = await world.store.thread(1)
        assert thread.dialog is None
        assert thread.hold.note is not None
        assert "cannot go on: its journal is full" in thread.hold.note
        assert await world.reasons() == [], "no answer is a dead letter"
        kept = await world.store.held(1, 10)
        assert [row.event.text[:6] for row in kept][-2:] == ["yes", "hello?"]  # type: ignore[attr-defined]
        assert [line["event"] for line in lines if line["log_level"] == "error"] == ["dialog_changed"]


async def test_where_a_script_says_finish_the_answer_goes_to_the_rules() -> None:
    async with turns(bot(form, "finish")) as world:
        await answer(world, "go", *LONG)
        assert (await world.said())[-2:] == ["other: 6 aaaaaaaa", "other: 7 aaaaaaaa"]


async def test_a_step_whose_result_has_no_room_is_not_taken_again() -> None:
    booked: list[str] = []

    async def book(seat: str, *, key: str) -> dict[str, str]:
        booked.append(key)
        return {"seat": seat, "pdf": "x" * 140_000}

    async def script(d: Dialog) -> str:
        seat = await d.ask("Which seat?")
        try:
            await d.step(book, seat)
        except Exception as error:  # noqa: BLE001 - as a careful author writes it
            return f"declined: {error}"
        return "sent" if await d.choose("Shall I send it?", yes=True, no=False) else "not sent"

    async with turns(bot(script, "restart")) as world:
        await answer(world, "go", "12a", "12b", "12c")
        assert len(booked) == 1
        assert await world.said() == ["Which seat?"]
        assert "its journal is full" in str((await world.store.thread(1)).hold.note)


@pytest.mark.parametrize("swallow", [False, True])
async def test_a_step_is_not_taken_where_its_result_may_find_no_room(*, swallow: bool) -> None:
    acted: list[str] = []

    async def act() -> None:
        acted.append("once")

    async def script(d: Dialog) -> str:
        for number in range(6):
            await d.ask(f"Question {number}?")
        try:
            await d.step(act)
        except BaseException:
            if not swallow:
                raise
        return "done"

    async with turns(bot(script)) as world:
        await answer(world, "go", *LONG[:5], "5 " + "a" * 13_000)
        assert acted == []
        assert "its journal is full" in str((await world.store.thread(1)).hold.note)
