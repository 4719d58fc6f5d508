"""Whose an echo is: by its id, by what may be on the wire, and by the words of what just left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pytest

from bridge.events import Contact, Echo
from bridge.messages import Button, Buttons, Image, Template, Text
from bridge.store.echoes import JUST_NOW, PATIENCE, RECENT, Tried, is_ours
from bridge.store.lifecycle import OutboxState
from bridge.testing.contract.store.desk import AT, NOON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.messages import Outgoing

ECHO: Final = Echo(id="e", contact=Contact(id="ann"), at=NOON, text="It is OPEN!", kind="text", human=True)
PICTURE: Final = replace(ECHO, text="", kind="image")


@dataclass(frozen=True)
class Outbox:
    """Implements bridge.store.echoes.Evidence."""

    messages: Sequence[Tried] = ()
    named: bool = False
    wire: bool = False

    def is_named(self, echo: Echo) -> bool:
        return self.named and echo.id == "e"

    def is_on_the_wire(self) -> bool:
        return self.wire

    def tried(self) -> Sequence[Tried]:
        return self.messages


def tried(
    message: Outgoing, ago: int = 0, state: OutboxState = OutboxState.SENT, *, unanswered: bool = False
) -> Outbox:
    return Outbox([Tried(message, state, AT - ago, unanswered)])


def test_its_id_decides() -> None:
    assert is_ours(ECHO, Outbox(named=True, wire=True), at=AT, waited=0) is True
    assert is_ours(ECHO, Outbox(), at=AT, waited=0) is False


def test_while_a_message_may_be_on_the_wire_nobody_knows_for_so_long() -> None:
    assert is_ours(ECHO, Outbox(wire=True), at=AT, waited=PATIENCE - 1) is None
    assert is_ours(ECHO, Outbox(wire=True), at=AT, waited=PATIENCE) is False


@pytest.mark.parametrize(
    ("message", "echo", "ours"),
    [
        (Text("it is open"), ECHO, True),
        (Text("it is open."), replace(ECHO, text="  It is open "), True),
        (Text("it is"), ECHO, False),  # a text is not cut
        (Buttons("It is open", [Button("y", "Yes")]), replace(ECHO, text="It is open! 1. Yes"), True),
        (Text("it is open"), replace(ECHO, text=""), False),
        (Text("?"), replace(ECHO, text="!"), False),  # no letters are no words
        (Image("https://x.example/a.png"), PICTURE, True),
        (Image("https://x.example/a.png"), replace(PICTURE, kind="video"), False),
        (Template("order_ready"), ECHO, True),  # its words are made at the gateway
    ],
)
def test_the_words_of_what_just_left_are_ours(message: Outgoing, echo: Echo, *, ours: bool) -> None:
    assert is_ours(echo, tried(message), at=AT, waited=0) is ours


@pytest.mark.parametrize(
    ("outbox", "echo", "ours"),
    [
        (tried(Text("It is open"), RECENT - 1), ECHO, True),
        (tried(Text("It is open"), RECENT), ECHO, False),
        (tried(Text("It is open"), RECENT, unanswered=True), ECHO, True),  # it never gets an id
        (tried(Text("It is open"), 0, OutboxState.DEAD), ECHO, False),  # what was refused has not left
        (tried(Text("It is open"), 0, OutboxState.DEAD, unanswered=True), ECHO, True),
        (tried(Image("https://x.example/a.png"), JUST_NOW - 1), PICTURE, True),
        (tried(Image("https://x.example/a.png"), JUST_NOW), PICTURE, False),
        (tried(Image("https://x.example/a.png"), RECENT - 1, unanswered=True), PICTURE, True),
        (tried(Image("https://x.example/a.png"), RECENT, unanswered=True), PICTURE, False),
    ],
)
def test_for_how_long(outbox: Outbox, echo: Echo, *, ours: bool) -> None:
    assert is_ours(echo, outbox, at=AT, waited=0) is ours


def test_any_of_the_last_messages_may_be_it() -> None:
    messages = [*tried(Text("no")).messages, *tried(Text("It is open")).messages]
    assert is_ours(ECHO, Outbox(messages), at=AT, waited=0)
