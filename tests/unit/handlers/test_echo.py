"""The echo handler, driven through its rules and a turn, without an engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bridge import (
    Audio,
    Contact,
    Document,
    Image,
    Location,
    Media,
    Message,
    Place,
    Postback,
    Text,
    ThreadRef,
    Turn,
    Video,
    Voice,
)
from bridge.conversation.turn import as_messages
from bridge.routing.router import rulebook_of
from handlers.echo import router

if TYPE_CHECKING:
    from bridge import Event, Outgoing
    from bridge.events import MessageKind

ANN = Contact(id="ann")
THREAD = ThreadRef("shop", "playground", "web", "ann")
AT = datetime(2026, 1, 1, tzinfo=UTC)


async def answer(event: Event) -> tuple[Outgoing, ...]:
    match = rulebook_of(router).match(event, THREAD, None)
    assert match is not None
    return as_messages(await match.handler.function(Turn(event, THREAD), **match.arguments))


@pytest.mark.parametrize(
    ("kind", "cls"), [("image", Image), ("video", Video), ("audio", Audio), ("voice", Voice), ("document", Document)]
)
async def test_a_file_comes_back_as_the_same_kind_of_file(
    kind: MessageKind, cls: type[Image | Video | Audio | Voice | Document]
) -> None:
    media = Media(url="https://files.example/1", name="one", caption="look")
    event = Message(id="1", contact=ANN, at=AT, kind=kind, media=media)
    assert await answer(event) == (cls("https://files.example/1", name="one", caption="look"),)


async def test_a_place_comes_back_as_the_same_place() -> None:
    event = Message(
        id="1", contact=ANN, at=AT, kind="location", location=Place(latitude=-6.2, longitude=106.8, name="J")
    )
    assert await answer(event) == (Location(-6.2, 106.8, name="J"),)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Message(id="1", contact=ANN, at=AT, text="Good  morning "), "Good  morning "),
        (
            Message(id="1", contact=ANN, at=AT, kind="sticker"),
            "A message of the kind sticker arrived; I can only say words again.",
        ),
        (
            Message(id="1", contact=ANN, at=AT, kind="image", media=Media(url="")),
            "Your image arrived, but there is no file to fetch yet.",
        ),
        (Message(id="1", contact=ANN, at=AT, kind="location"), "A place arrived, but not where it is."),
        (Postback(id="1", contact=ANN, at=AT, key="tea:1", title="Sencha"), "You chose Sencha."),
        (Postback(id="1", contact=ANN, at=AT, key="tea:1"), "You chose tea:1."),
    ],
)
async def test_everything_else_is_answered_in_words(event: Event, text: str) -> None:
    assert await answer(event) == (Text(text),)
