"""In a group a question belongs to the person it was put to, and each member has a state of their own."""

from __future__ import annotations

from typing import Any

import pytest

from bridge import Button, Buttons, Dialog, Router, Turn
from bridge.conversation.members import MEMBERS_LIMIT, Members
from bridge.errors import HandlerError
from bridge.events import Echo
from tests.support.rule_events import said
from tests.support.turn_engine import turns

SIZES = [Button("s", "small"), Button("l", "large")]


def bot(*, anybody: bool = False) -> Router:
    router = Router()

    @router.message(text="order")
    async def order(turn: Turn[Any]) -> None:
        await turn.begin(ordering)

    @router.dialog(anybody=anybody)
    async def ordering(d: Dialog) -> str:
        size = await d.ask("Which size?", choices=["small", "large"], retry="small or large, please")
        return f"order: {size}"

    @router.message(text="menu", anybody=anybody)
    async def menu(turn: Turn[Any]) -> Buttons:
        del turn
        return Buttons("Which size?", SIZES)

    @router.message(text="count")
    async def count(turn: Turn[Any]) -> str:
        turn.state["n"] = turn.state.get("n", 0) + 1
        turn.member_state["n"] = turn.member_state.get("n", 0) + 1
        return f"{turn.contact.id}: {turn.member_state['n']} of {turn.state['n']}"

    @router.message(text="forget")
    async def forget(turn: Turn[Any]) -> None:
        turn.member_state.clear()

    @router.message(text="end", anytime=True)
    async def end(turn: Turn[Any]) -> None:
        turn.end()

    @router.postback()
    async def pressed(turn: Turn[Any]) -> str:
        return f"{turn.contact.id} takes {turn.event.key}"

    @router.default()
    async def other(turn: Turn[Any]) -> None:
        del turn

    return router


async def said_after(router: Router, *talk: tuple[str, str]) -> list[str]:
    async with turns(router) as world:
        for who, text in talk:
            await world.heard_in_group(who, text)
        assert await world.reasons() == []
        return [text for text in await world.said("room-1", "relay") if not text.startswith("Which size?")]


ANN, BOB = "ann-1", "bob-1"


async def test_nobody_else_answers_the_question_of_a_dialog() -> None:
    talk = ((ANN, "order"), (BOB, "did anybody see my keys"), (BOB, "large"), (BOB, "end"), (ANN, "small"))
    assert await said_after(bot(), *talk) == ["order: small"]


async def test_whoever_speaks_may_answer_where_the_dialog_says_so() -> None:
    assert await said_after(bot(anybody=True), (ANN, "order"), (BOB, "large")) == ["order: large"]


async def test_nobody_else_takes_a_choice_that_was_offered_to_one() -> None:
    talk = ((ANN, "menu"), (BOB, "2"), (BOB, "large"), (ANN, "1"))
    assert await said_after(bot(), *talk) == [f"{ANN} takes s"]


async def test_whoever_speaks_may_choose_where_the_rule_says_so() -> None:
    assert await said_after(bot(anybody=True), (ANN, "menu"), (BOB, "2")) == [f"{BOB} takes l"]


async def test_the_person_who_was_asked_may_end_the_dialog() -> None:
    assert await said_after(bot(), (ANN, "order"), (ANN, "end"), (ANN, "small")) == []


async def test_each_member_has_a_state_beside_that_of_all() -> None:
    talk = ((ANN, "count"), (BOB, "count"), (ANN, "count"), (ANN, "forget"), (ANN, "count"))
    assert await said_after(bot(), *talk) == [
        f"{ANN}: 1 of 1",
        f"{BOB}: 1 of 2",
        f"{ANN}: 2 of 3",
        f"{ANN}: 1 of 4",
    ]


async def test_a_dialog_keeps_no_state_of_members() -> None:
    router = Router()

    @router.message()
    async def begin(turn: Turn[Any]) -> None:
        await turn.begin(asking)

    @router.dialog()
    async def asking(d: Dialog) -> None:
        d.turn.member_state["n"] = 1

    async with turns(router, attempts=1) as world:
        await world.heard_in_group(ANN, "hi")
        (reason,) = await world.reasons()
    assert "a dialog has variables of its own" in reason


def test_only_a_contact_has_a_state_of_their_own() -> None:
    event = said("hello")
    echo = Echo(id=event.id, contact=event.contact, at=event.at)
    with pytest.raises(HandlerError, match="the turn of a message or a press"):
        Members(None).state_of(echo)


def test_what_the_members_leave_is_bounded_and_read_only_after_the_turn() -> None:
    members = Members(b'{"bob":{"x":"' + b"x" * MEMBERS_LIMIT + b'"}}')
    state = members.state_of(said("hello"))
    state["n"] = 1
    with pytest.raises(HandlerError, match="a thread may keep"):
        members.encode()
    members.close()
    with pytest.raises(HandlerError, match="the turn is over"):
        state["n"] = 2
