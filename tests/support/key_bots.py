"""Keys of buttons for tests, and messages that offer and press them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from bridge import Button, Buttons, Key, Postback
from bridge.events import Contact, ThreadRef
from bridge.messages import choices_of
from bridge.store.records import ThreadRow
from bridge.units import micros

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW: Final = micros(NOON)
ANN: Final = ThreadRow(id=1, ref=ThreadRef("shop", "konnek", "telegram", "ann"))
BOB: Final = ThreadRow(id=2, ref=ThreadRef("shop", "konnek", "telegram", "bob"))


class Track(Key):
    no: int


class Refund(Key, name="r", expires="15min"):
    no: int
    why: str = ""


def key_in(messages: Any) -> str:
    return choices_of(messages[0])[0].key


def offer(key: str | Key) -> Buttons:
    return Buttons("what?", [Button(key, "this")])


def press(key: str, at: datetime = NOON) -> Postback:
    return Postback(id="1", contact=Contact(id="ann"), at=at, key=key)
