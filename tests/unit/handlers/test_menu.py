"""The menu handler in whole conversations, driven through its rules and turns, without an engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bridge import Buttons, Contact, Menu, Message, Postback, Text, ThreadRef, Turn
from bridge.conversation.turn import as_messages, draft_of
from bridge.messages import choices_of
from bridge.planning.capabilities import Capabilities
from bridge.planning.plan import plan
from bridge.routing.router import rulebook_of
from handlers.menu import TEAS, router

if TYPE_CHECKING:
    from bridge import Event, Outgoing

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Visit:
    """A contact in the shop: what the engine would keep between turns, and the last answer."""

    def __init__(self, name: str = "Ann") -> None:
        self.contact = Contact(id="ann", name=name)
        self.thread = ThreadRef("shop", "playground", "web", "ann")
        self.state = b"{}"
        self.step: str | None = None
        self.heard: tuple[Outgoing, ...] = ()

    async def says(self, text: str) -> str:
        return await self._turn(Message(id="1", contact=self.contact, at=AT, text=text))

    async def presses(self, key: str) -> str:
        return await self._turn(Postback(id="1", contact=self.contact, at=AT, key=key))

    async def chooses(self, title: str) -> str:
        """Press what was offered last under this title."""
        offered = {choice.title: choice.key for message in self.heard for choice in choices_of(message)}
        return await self.presses(offered[title])

    async def _turn(self, event: Event) -> str:
        match = rulebook_of(router).match(event, self.thread, self.step)
        assert match is not None
        turn = Turn(event, self.thread, state=self.state, step=self.step)
        turn.reply(*as_messages(await match.handler.function(turn, **match.arguments)))
        self.state, self.step, self.heard = draft_of(turn).state.encode(), turn.step, turn.replies
        (said,) = turn.replies
        assert isinstance(said, Text | Buttons | Menu)
        return said.text


async def test_an_order_from_hello_to_thanks() -> None:
    ann = Visit()
    assert await ann.says(" Hello ") == "Hello, Ann, and welcome to the tea shop! What would you like?"
    assert await ann.chooses("See the teas") == "Which tea shall it be?"
    assert [choice.title for choice in choices_of(ann.heard[0])] == [tea.title for tea in TEAS.values()]
    assert await ann.chooses("Matcha") == "Matcha, a good choice. How many packs shall it be, 1 to 20?"
    assert await ann.says("3") == "3 x Matcha, 45 euro. Shall I order it?"
    assert await ann.chooses("Yes") == "Thank you! Your order no. 1: 3 x Matcha, 45 euro. It leaves our shop today."
    assert (ann.state, ann.step) == (b'{"orders":1}', None)


async def test_orders_are_counted_over_conversations() -> None:
    ann = Visit()
    for number in (1, 2):
        await ann.presses("tea:assam")
        await ann.says("2 packs, please")
        assert f"order no. {number}: 2 x Assam, 12 euro" in await ann.presses("order:yes")


async def test_a_contact_without_a_name_is_greeted_too() -> None:
    assert (await Visit(name="").says("/start")).startswith("Hello, and welcome")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("0", "We sell 1 to 20 packs at a time. How many shall it be?"),
        ("21", "We sell 1 to 20 packs at a time. How many shall it be?"),
        ("9" * 5000, 'Please write a number from 1 to 20, or "cancel". How many packs?'),
        ("a few", 'Please write a number from 1 to 20, or "cancel". How many packs?'),
        ("3rd", 'Please write a number from 1 to 20, or "cancel". How many packs?'),
    ],
)
async def test_a_number_that_cannot_be_sold_is_asked_for_again(text: str, answer: str) -> None:
    ann = Visit()
    await ann.presses("tea:sencha")
    assert await ann.says(text) == answer
    assert ann.step == "how many"


async def test_neither_yes_nor_no_asks_again() -> None:
    ann = Visit()
    await ann.presses("tea:sencha")
    asked = await ann.says("1")
    assert await ann.says("hmm") == asked
    assert [choice.title for choice in choices_of(ann.heard[0])] == ["Yes", "No"]


@pytest.mark.parametrize("way", ["cancel", "STOP", None])
async def test_an_order_can_be_dropped(way: str | None) -> None:
    ann = Visit()
    await ann.presses("tea:sencha")
    await ann.says("1")
    said = await ann.says(way) if way else await ann.chooses("No")
    assert said == "All right, nothing was ordered."
    assert (ann.state, ann.step) == (b"{}", None)


async def test_cancel_without_an_order_says_so() -> None:
    assert "no order to cancel" in await Visit().says("cancel")


async def test_another_tea_may_be_chosen_before_the_order_is_sure() -> None:
    ann = Visit()
    await ann.presses("tea:sencha")
    await ann.says("1")
    await ann.presses("tea:earl-grey")
    assert await ann.says("2") == "2 x Earl Grey, 14 euro. Shall I order it?"


@pytest.mark.parametrize("key", ["order:yes", "order:no", "gone"])
async def test_an_old_button_orders_nothing(key: str) -> None:
    ann = Visit()
    assert "did not understand" in await ann.presses(key)
    assert ann.state == b"{}"


async def test_a_tea_no_longer_sold_is_not_ordered() -> None:
    ann = Visit()
    assert "no longer have that one" in await ann.presses("tea:oolong")
    assert ann.step is None


@pytest.mark.parametrize("step", [None, "how many", "confirm"])
async def test_help_works_everywhere_and_changes_nothing(step: str | None) -> None:
    ann = Visit()
    ann.step = step
    assert '"teas"' in await ann.says("Help")
    assert (ann.state, ann.step) == (b"{}", step)


@pytest.mark.parametrize(
    ("word", "lines"),
    [
        ("hi", ["1. See the teas", "2. Get help"]),
        (
            "teas",
            ["Which tea shall it be?", "1. Sencha — green and fresh, 8 euro", "2. Matcha — green and strong, 15 euro"],
        ),
    ],
)
async def test_it_reads_well_where_a_channel_has_only_text(word: str, lines: list[str]) -> None:
    ann = Visit()
    await ann.says(word)
    (part,) = plan(ann.heard[0], Capabilities(kinds=frozenset({"text"})), now=0, last_heard=0).parts
    assert isinstance(part, Text)
    assert [line for line in part.text.splitlines() if line in lines] == lines
