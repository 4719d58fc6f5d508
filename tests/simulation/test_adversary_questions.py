"""Questions under attack: prompts of every kind, and whatever may be said or pressed for an answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Button, Card, Cards, Contact, Dialog, Media, Menu, Message, Row, Section
from bridge.conversation.questions import Question
from bridge.testing.world import World
from tests.support.dialog_bots import asking
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_an_answer_is_read_to_its_end_before_anything_else_happens() -> None:
    """And once only: what parse makes of it is kept."""
    read: list[str] = []

    async def slowly(said: str) -> int:
        await asyncio.sleep(0)
        read.append(said)
        return len(read)

    async def script(d: Dialog) -> str:
        return f"{await asyncio.gather(d.ask('A?', parse=slowly), d.ask('B?', parse=slowly), d.ask('C?'))}"

    async with turns(asking(script)) as world:
        for number, word in enumerate(("go", "a", "b", "c")):
            await world.heard(word, f"m-{number}")
        await world.settle()
        assert await world.said() == ["A?", "B?", "C?", "[1, 2, 'c']"]
        assert read == ["a", "b"]


async def test_what_goes_before_the_text_of_a_choice_is_said_too() -> None:
    async def script(d: Dialog) -> str:
        return f"got {await d.ask(['Look here.', 'Which?'], choices=['A', 'B'])}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await ann.clicks("B")
        await world.settle()
        assert ann.texts == ["Look here.", "Which?", "got B"]


@pytest.mark.parametrize(
    "prompt",
    [
        Menu("Which?", "Choose", [Section("All", [Row("a", "First"), Row("b", "Second")])]),
        Cards([Card("First", buttons=[Button("a", "First")]), Card("Second", buttons=[Button("b", "Second")])]),
    ],
)
async def test_a_prompt_with_its_own_rows_or_cards_gives_their_keys(prompt: Menu | Cards) -> None:
    async def script(d: Dialog) -> str:
        return f"got {await d.ask(prompt, parse=str.upper, retry='No.')}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.settle()
        presses = world.emulator("konnek").presses
        world.post(ann, [(presses("whatsapp", ann.address, Button("c", "Third")), "a press of something else")])
        world.post(ann, [(presses("whatsapp", ann.address, Button("b", "Second")), "a press")])
        await world.settle()
        assert ann.texts[-2:] == ["No.", "got B"]


async def test_a_caption_is_an_answer_and_a_press_may_bring_the_title_as_its_key() -> None:
    async def script(d: Dialog) -> str:
        return f"{await d.ask('A photo?')}, {await d.choose('Sure?', yes=1, no=2)}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.settle()
        await ann.sends("image", "https://cdn.example/1.jpg", "a cat")
        await world.settle()
        named = Button("No", "?")
        world.post(ann, [(world.emulator("konnek").presses("whatsapp", ann.address, named), "a press by title")])
        await world.settle()
        assert ann.texts[-1] == "a cat, 2"


class Size(IntEnum):
    SMALL = 1


@pytest.mark.parametrize("parse", [Counter, lambda _said: [Counter("a")], lambda _said: Size.SMALL, lambda _said: {1}])
async def test_an_answer_is_of_its_class_when_it_is_played_again(parse: Callable[[str], Any]) -> None:
    async def script(d: Dialog) -> str:
        return f"{await d.ask('Which?', parse=parse)!r} {await d.ask('Sure?')}"

    async with turns(asking(script)) as world:
        for number, word in enumerate(("go", "abc", "yes")):
            await world.heard(word, f"m-{number}")
        await world.settle()
        assert (await world.said())[-1] == f"{parse('abc')!r} yes"


async def test_a_caption_that_stands_with_its_medium_alone_is_an_answer() -> None:
    heard = Message(
        id="m-1",
        contact=Contact(id="ann"),
        at=datetime(2025, 10, 10, tzinfo=UTC),
        kind="image",
        media=Media(url="https://cdn.example/1.jpg", caption="a cat"),
    )
    assert await Question(prompt=(), mark="ask.0.", position=0).read(heard) == {"value": "a cat"}


async def test_a_button_of_an_earlier_question_answers_none_that_follows_it() -> None:
    async def script(d: Dialog) -> str:
        return f"{[await d.choose(f'{what}?', yes=True, no=False) for what in ('Refund', 'Close it')]}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await ann.clicks("yes")
        await world.settle()
        (first, _), _ = [each.choices for each in ann.seen if each.choices]
        world.post(ann, [(world.emulator("konnek").presses("whatsapp", ann.address, first), "the first press again")])
        await world.settle()
        assert ann.texts == ["Refund?", "Close it?"]
        await ann.clicks("no")
        await world.settle()
        assert ann.texts[2:] == ["[True, False]"]
