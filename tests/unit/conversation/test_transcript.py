"""What a language model is given to read: who said what, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bridge import (
    Button,
    Buttons,
    Contact,
    Echo,
    Entry,
    Event,
    Image,
    Media,
    Outgoing,
    Place,
    Postback,
    Router,
    Text,
    Turn,
)
from bridge.conversation.transcript import pairs_of
from tests.support.bursting_bots import Gate, message
from tests.support.turn_engine import turns


async def test_a_transcript_is_ready_for_a_language_model() -> None:
    gate = Gate()
    read: list[Any] = []
    router = Router("llm")

    @router.message(overlap="merge")
    async def reply(turn: Turn) -> str:
        gate.entered.set()
        await gate.open.wait()
        read.append((await turn.transcript(), [entry.direction for entry in await turn.history()]))
        return f"answer {len(read)}"

    async with turns(router) as world:
        await world.heard("hello", "m-1")
        await gate.entered.wait()
        await world.heard("are you", "m-2")
        await world.heard("there", "m-3")
        gate.open.set()
        await world.settle()
        first, second = read
        assert first == ([{"role": "user", "content": "hello"}], [])
        assert second == (
            [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": "answer 1"},
                {"role": "user", "content": "are you\nthere"},
            ],
            ["in", "out"],
        )


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SAID: list[tuple[Event | Outgoing, str, str]] = [
    (message(text="hi"), "user", "hi"),
    (message(kind="image", media=Media(url="https://x.example/a.png", caption="look")), "user", "[image] look"),
    (message(kind="location", location=Place(latitude=1, longitude=2, name="Shop")), "user", "[location] Shop"),
    (Postback(id="p", contact=Contact(id="ann"), at=NOON, key="yes", title="Yes please"), "user", "Yes please"),
    (Echo(id="e", contact=Contact(id="ann"), at=NOON, text="I take over", human=True), "assistant", "I take over"),
    (Text("hello"), "assistant", "hello"),
    (Buttons("Sure?", [Button("y", "Yes"), Button("n", "No")]), "assistant", "Sure?\n- Yes\n- No"),
    (Image("https://x.example/a.png", caption="look"), "assistant", "[image] look"),
]


@pytest.mark.parametrize(("said", "role", "content"), SAID, ids=lambda each: type(each).__name__)
def test_everything_said_has_words(said: Any, role: str, content: str) -> None:
    entry = (
        Entry(direction="in", at=NOON, event=said)
        if isinstance(said, Event)
        else Entry(direction="out", at=NOON, message=said)
    )
    assert pairs_of([entry]) == [{"role": role, "content": content}]


def test_our_own_message_coming_back_is_not_said_twice() -> None:
    echo = Echo(id="e", contact=Contact(id="ann"), at=NOON, text="hello")
    entries = [
        Entry(direction="out", at=NOON, message=Text("hello")),
        Entry(direction="in", at=NOON, event=echo),
    ]
    assert pairs_of(entries) == [{"role": "assistant", "content": "hello"}]
