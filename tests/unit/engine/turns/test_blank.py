"""Blank is never a value: neither as an answer of the contact nor as a reply of the bot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from bridge import Dialog, HandlerError, Router, Text, Turn
from bridge.testing.world import World
from tests.support.dialog_bots import asking
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from bridge.testing.contacts import Contact


async def _sends(ann: Contact, what: str) -> None:
    match what:
        case "picture":
            await ann.sends("image", "https://cdn.example/a.jpg", "")
        case "captioned":
            await ann.sends("image", "https://cdn.example/a.jpg", "my cat")
        case "place":
            await ann.locates(1.35, 103.8)
        case _:
            await ann.says(what)


@pytest.mark.parametrize("what", ["picture", "place", "\u200b", "  "])
@pytest.mark.parametrize("account", ["konnek", "aelyst"])
async def test_what_has_no_words_is_no_answer(account: str, what: str) -> None:
    async def script(d: Dialog) -> str:
        name = await d.ask("Your name?", retry="In words, please.")
        return f"{name}: {await d.ask('How many?', parse=len, retry='A number, please.')}"

    with World(asking(script)) as world:
        ann = world.contact(account, "telegram", "ann")
        for word in ("go", what, "captioned", what, "abc"):
            await _sends(ann, word)
            await world.settle()
            await world.crash()
        assert ann.texts == ["Your name?", "In words, please.", "How many?", "A number, please.", "my cat: 3"]


async def test_a_kind_that_a_question_accepts_is_the_answer_itself() -> None:
    async def script(d: Dialog) -> str:
        photo = await d.ask("A photo, please.", accept="image", retry="A photo!")
        where = await d.ask("Where?", accept=["text", "location"], choices=["Here"])
        assert photo.media is not None
        place = where if isinstance(where, str) else where.kind
        return f"{photo.media.url} {place} {await d.ask('Sure?')}"

    for answer, place in (("place", "location"), ("there", "text"), ("here", "Here")):
        with World(asking(script)) as world:
            ann = world.contact("konnek", "telegram", "ann")
            for word in ("go", "words", "place", "picture", answer, "yes"):
                await _sends(ann, word)
                await world.settle()
                await world.crash()
            assert ann.texts[:4] == ["A photo, please.", "A photo!", "A photo!", "Where?"]
            assert ann.texts[-1] == f"https://cdn.example/a.jpg {place} yes"


@pytest.mark.parametrize(
    ("keywords", "reason"),
    [({"accept": "smell"}, "names kinds"), ({"accept": ()}, "names kinds"), ({"parse": int}, "parse")],
)
async def test_an_accept_that_makes_no_sense_is_refused(keywords: dict[str, Any], reason: str) -> None:
    refused: list[str] = []

    async def script(d: Dialog) -> None:
        try:
            await d.ask("A photo?", **{"accept": "image", **keywords})
        except HandlerError as error:
            refused.append(str(error))

    with World(asking(script)) as world:
        await world.contact("konnek", "telegram", "ann").says("go")
        await world.settle()
    assert len(refused) == 1
    assert reason in refused[0]


@pytest.mark.parametrize("blank", ["", "   ", "\n\n", "\u200b", "\u00a0", Text("  ")])
async def test_a_blank_reply_is_dropped_with_one_warning(blank: str | Text) -> None:
    router, runs = Router(), list[str]()

    @router.default()
    async def reply(turn: Turn[Any]) -> list[str | Text]:
        runs.append(turn.event.id)
        return [blank, "tail"]

    async with turns(router) as world:
        with capture_logs() as logs:
            await world.heard("hi", "m-1")
            await world.wait_out()
        assert await world.said() == ["tail"]
        assert await world.reasons() == []
    assert len(runs) == 1
    assert [line["reason"] for line in logs if line["event"] == "message_dropped"] == ["text: its text is blank"]


async def test_an_error_that_would_come_again_is_not_tried_again() -> None:
    router, runs = Router(), list[str]()

    @router.default()
    async def reply(turn: Turn[Any]) -> Any:
        runs.append(turn.event.id)
        return 7

    async with turns(router) as world:
        await world.heard("hi", "m-1")
        await world.wait_out()
        assert len(runs) == 1
        (reason,) = await world.reasons()
        assert reason.startswith("given up at once: HandlerError: what is said is a text")
