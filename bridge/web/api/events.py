"""Outgoing events: what is posted to the webhooks of [events], in the models of the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from bridge.store.following import TYPES, EventType
from bridge.web.api.models import Letter, Said, ThreadNamed

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FollowedThread(ThreadNamed):
    """The conversation in which it happened. `contact_id` is the person, where it is one's."""

    contact_id: str | None


class _Data(_Out):
    thread: FollowedThread


class MessageData(_Data):
    """A message of the contact, of the bot, or of a person at the gateway; as it stands now."""

    message: Said


class FailureData(MessageData):
    """A message that failed, and why."""

    reason: str | None


class ThreadData(_Data):
    """It is the conversation itself that changed."""


class HandoffData(_Data):
    """A person has the conversation; the note is for them."""

    note: str


class PeopleData(_Data):
    """Two contacts are one from now on (`contact_id`), or two again."""

    contact_id: str
    other_id: str


class LetterData(_Data):
    """Something was given up."""

    letter: Letter


class MessageEvent(_Out):
    """Of a message."""

    type: Literal["message.received", "message.sent", "message.delivered", "message.read", "message.echoed"]
    timestamp: datetime
    data: MessageData


class FailureEvent(_Out):
    """Of a message that failed."""

    type: Literal["message.failed"]
    timestamp: datetime
    data: FailureData


class HandoffEvent(_Out):
    """Of a handoff."""

    type: Literal["thread.handed_off"]
    timestamp: datetime
    data: HandoffData


class ThreadEvent(_Out):
    """Of a conversation."""

    type: Literal["thread.returned", "contact.opted_out", "contact.opted_in"]
    timestamp: datetime
    data: ThreadData


class PeopleEvent(_Out):
    """Of people."""

    type: Literal["contact.merged", "contact.unmerged"]
    timestamp: datetime
    data: PeopleData


class LetterEvent(_Out):
    """Of a dead letter."""

    type: Literal["dead_letter.created"]
    timestamp: datetime
    data: LetterData


_ABOUT: Final[Mapping[EventType, tuple[type[BaseModel], str]]] = {
    "message.received": (MessageEvent, "A contact wrote, or pressed a button"),
    "message.sent": (MessageEvent, "The gateway took a message"),
    "message.delivered": (MessageEvent, "A message reached the contact's phone"),
    "message.read": (MessageEvent, "The contact read a message"),
    "message.failed": (FailureEvent, "A message did not reach the contact"),
    "message.echoed": (MessageEvent, "A person wrote to the contact in the gateway's own inbox"),
    "thread.handed_off": (HandoffEvent, "A person has the conversation from now on"),
    "thread.returned": (ThreadEvent, "The bot has the conversation again"),
    "contact.opted_out": (ThreadEvent, "The contact wants no messages any more"),
    "contact.opted_in": (ThreadEvent, "The contact wants messages again"),
    "contact.merged": (PeopleEvent, "Two contacts turned out to be one person"),
    "contact.unmerged": (PeopleEvent, "They were parted again"),
    "dead_letter.created": (LetterEvent, "An event or a message was given up"),
}
MODELS: Final[Mapping[str, type[BaseModel]]] = {kind: _ABOUT[kind][0] for kind in TYPES}
"""The model of each type's body."""


_HEADERS: Final = {
    "webhook-id": "The event's own id, the same on every try: what comes twice has it twice",
    "webhook-timestamp": "When it was tried, in seconds since 1970",
    "webhook-signature": "`v1,` and the HMAC-SHA256 of `id.timestamp.body`, one for each secret",
}
"""Those of Standard Webhooks."""


def described(kind: EventType) -> dict[str, Any]:
    """One type as OpenAPI has it, but for the schema of its body."""
    parameters = [
        {"name": name, "in": "header", "required": True, "description": about, "schema": {"type": "string"}}
        for name, about in _HEADERS.items()
    ]
    return {
        "operationId": kind.replace(".", "_"),
        "summary": _ABOUT[kind][1],
        "security": [],
        "parameters": parameters,
        "responses": {"204": {"description": "Any 2xx says that it was taken; all else, that it comes again"}},
    }
