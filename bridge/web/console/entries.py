"""A stored thing said, as the page shows it: plain JSON, every text as it was said.

    {"position", "key", "direction": "in" | "out", "kind", "text", "status", "at": ISO 8601,
     "header": {"text"} | {"media"}, "footer", "title": the list's own,
     "choices": [{"key", "title", "description", "section"}], "cards": [{"title", "image", "choices"}],
     "media": {"kind", "url", "name"}, "location": {"latitude", "longitude", "name"}, "code": JSON to read}

Of the fields from `header` on, those that say nothing are left out, but `choices` and `media` are always there.
`status` is one word: waiting, stored, sent, delivered, read, failed, expired or dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import Echo, Event, Message, Postback, Unrecognised, decode_event
from bridge.messages import (
    Audio,
    Button,
    Buttons,
    Cards,
    Document,
    Image,
    Location,
    Menu,
    Outgoing,
    Raw,
    Template,
    Text,
    Video,
    Voice,
    decode_message,
)
from bridge.store.admission import OWN_KEYS
from bridge.store.lifecycle import InboxState, OutboxState
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.store.looks import HistoryEntry, ThreadSummary

_WORDS: Final[Mapping[str, str]] = {
    InboxState.OPEN: "waiting",
    InboxState.DONE: "stored",
    InboxState.DEAD: "failed",
    OutboxState.SENT: "sent",
    OutboxState.EXPIRED: "expired",
    OutboxState.DROPPED: "dropped",
}


_LONGEST_NAME: Final = 200
"""Characters of a name in the list."""
_SAID: Final = frozenset({Message.tag, Postback.tag, Echo.tag, Unrecognised.tag})
"""Events that a person said."""


def shown_entry(entry: HistoryEntry) -> dict[str, Any] | None:
    """An entry for the page; None for one that no person said (a status, a timer)."""
    try:
        content = _heard(entry) if entry.direction == "in" else _said(decode_message(entry.content))
    except (ValueError, KeyError, TypeError):
        # Written by another version: the conversation is still worth showing.
        content = {"kind": "unknown", "text": ""}
    if content is None:
        return None
    return {
        "position": entry.position,
        "key": _sent_as(entry),
        "direction": entry.direction,
        "choices": [],
        "media": None,
        "status": _status(entry),
        "at": moment(entry.at).isoformat(timespec="milliseconds"),
        **content,
    }


def _sent_as(entry: HistoryEntry) -> str:
    """The id under which the page sent an event, so that it knows its own words again; a message's key."""
    own = entry.direction == "out" or entry.key.startswith(OWN_KEYS)
    return entry.key if own else entry.key.partition("/")[2]  # bridge.engine.ingest.event_key


def shown_conversation(thread: ThreadSummary) -> dict[str, Any]:
    """A line of the list: {"conversation", "name", "at", "waiting": whether something is still to be done}."""
    return {
        "conversation": thread.ref.conversation_id,
        "name": thread.contact.name[:_LONGEST_NAME] if thread.contact else "",
        "at": moment(thread.last_at).isoformat(timespec="milliseconds"),
        "waiting": bool(thread.open_events or thread.open_messages),
    }


def is_settled(entry: HistoryEntry) -> bool:
    """Whether an entry is through, so that a page which has it needs it no more."""
    return entry.state not in {InboxState.OPEN, OutboxState.OPEN}


def _status(entry: HistoryEntry) -> str:
    if entry.direction == "out" and entry.state == OutboxState.SENT and entry.status:
        return entry.status
    return _WORDS.get(entry.state, entry.state)


def _heard(entry: HistoryEntry) -> dict[str, Any] | None:
    if entry.kind not in _SAID:
        return None
    event: Event = decode_event(entry.kind, entry.content)
    match event:
        case Message():
            return _message(event)
        case Postback():
            return {"kind": "postback", "text": event.title or event.key}
        case Echo():
            return {"direction": "out", "kind": event.kind, "text": event.text}
        case Unrecognised():
            return {"kind": "unrecognised", "text": event.type}
        case _:
            return None


def _message(event: Message) -> dict[str, Any]:
    content: dict[str, Any] = {"kind": event.kind, "text": event.text}
    if event.media:
        content["text"] = event.text or event.media.caption
        content["media"] = {"kind": event.kind, "url": event.media.url, "name": event.media.name}
    if event.location:
        place = event.location
        content["location"] = {"latitude": place.latitude, "longitude": place.longitude, "name": place.name}
    return content


def _said(message: Outgoing) -> dict[str, Any]:
    content: dict[str, Any] = {"kind": message.kind, "text": ""}
    match message:
        case Text(text=text):
            content |= {"text": text}
        case Image() | Video() | Audio() | Voice() | Document():
            content |= {"text": message.caption, "media": _media(message)}
        case Location(latitude=latitude, longitude=longitude, name=name):
            content |= {"location": {"latitude": latitude, "longitude": longitude, "name": name}}
        case Buttons():
            content |= {"text": message.text, "choices": _choices(message.buttons), **_frame(message)}
        case Menu():
            content |= {"text": message.text, "title": message.title, "choices": _lines(message), **_frame(message)}
        case Cards(cards=cards):
            content["cards"] = [
                {"title": card.title, "image": card.image, "choices": _choices(card.buttons)} for card in cards
            ]
        case Template(name=name, language=language, params=params):
            content |= {"text": name, "code": _code({"language": language, "params": params})}
        case Raw(payload=payload):
            content |= {"code": _code(payload)}
    return content


def _frame(message: Buttons | Menu) -> dict[str, Any]:
    frame: dict[str, Any] = {}
    if isinstance(message.header, str):
        frame["header"] = {"text": message.header}
    elif message.header:
        frame["header"] = {"media": _media(message.header), "text": message.header.caption}
    if message.footer:
        frame["footer"] = message.footer
    return frame


def _media(message: Image | Video | Audio | Voice | Document) -> dict[str, str]:
    return {"kind": message.kind, "url": message.url, "name": message.name}


def _choices(buttons: Sequence[Button]) -> list[dict[str, str]]:
    return [{"key": button.key, "title": button.title} for button in buttons]


def _lines(message: Menu) -> list[dict[str, str]]:
    return [
        {"key": row.key, "title": row.title, "description": row.description, "section": section.title}
        for section in message.sections
        for row in section.rows
    ]


def _code(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
