"""What the tests of rules are made of: events of one contact, a filter, and where a router would take them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bridge import Contact, Echo, Event, Message, Postback, Router, Status, ThreadRef, Turn, Unrecognised
from bridge.routing.router import rulebook_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.events import MessageKind, StatusValue


AT = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Contact(id="ann", name="Ann")
WEB = ThreadRef("shop", "konnek", "whatsapp", "ann")


def said(text: str = "", kind: MessageKind = "text") -> Message:
    return Message(id="1", contact=ANN, at=AT, text=text, kind=kind)


def pressed(key: str) -> Postback:
    return Postback(id="1", contact=ANN, at=AT, key=key)


def became(value: StatusValue) -> Status:
    return Status(id="1", contact=ANN, at=AT, message_id="m", value=value)


ECHO = Echo(id="1", contact=ANN, at=AT)
STRANGE = Unrecognised(id="1", contact=ANN, at=AT)


def matched(router: Router, event: Event, step: str | None = None, ref: ThreadRef = WEB) -> str | None:
    """The bare name of the handler that an event goes to."""
    match = rulebook_of(router).match(event, ref, step)
    return match.handler.name.partition(":")[2].rpartition(".")[2] if match else None


def found(router: Router, event: Event) -> Mapping[str, Any] | None:
    match = rulebook_of(router).match(event, WEB, None)
    return match.arguments if match else None


def named(name: str) -> Callable[[Turn], None]:
    def handler(_turn: Turn) -> None: ...

    handler.__qualname__ = name
    return handler


def is_long(event: Message) -> bool:
    return len(event.text) > 3
