"""The playground's webhook to an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.errors import Unmappable
from bridge.events import Contact, Event, Media, Message, Place, Postback, Unrecognised
from bridge.providers.playground import wire
from bridge.providers.port import Inbound
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.providers.port import Webhook


def parse(webhook: Webhook) -> list[Inbound]:
    """The one event in a webhook (its format: wire.py).

    Raises:
        Unmappable: a field is missing, of the wrong type, or says two things at once.
    """
    said = webhook.json
    key = _identity(said, wire.ID)
    conversation = _identity(said, wire.CONVERSATION)
    who = {
        "id": key,
        "contact": Contact(id=conversation, name=_text(said, wire.NAME)),
        "at": moment(webhook.received_at),
        "raw": said,
    }
    return [Inbound(key=key, channel=wire.CHANNEL, conversation_id=conversation, event=_event(said, who))]


def _event(said: Mapping[str, Any], who: Mapping[str, Any]) -> Event:
    contents = [name for name in wire.CONTENTS if name in said]
    if len(contents) > 1:
        raise Unmappable(f"says {' and '.join(contents)} at once")
    match contents:
        case [wire.TEXT]:
            return Message(text=_needed(said, wire.TEXT), **who)
        case [wire.KEY]:
            return Postback(key=_needed(said, wire.KEY), title=_text(said, wire.TITLE), **who)
        case [wire.MEDIA]:
            return _media(_object(said, wire.MEDIA), who)
        case [wire.LOCATION]:
            return _location(_object(said, wire.LOCATION), who)
    if other := sorted(set(said) - wire.ABOUT):
        return Unrecognised(type=", ".join(other), **who)
    raise Unmappable(f"none of {', '.join(wire.CONTENTS)} is there")


def _media(given: Mapping[str, Any], who: Mapping[str, Any]) -> Message:
    mime_type = _text(given, "mime_type")
    kind = _text(given, "kind")
    if kind and kind not in wire.MEDIA_KINDS:
        raise Unmappable(f"media.kind is none of {', '.join(wire.MEDIA_KINDS)}")
    caption = _text(given, "caption")
    media = Media(url=_needed(given, "url"), name=_text(given, "name"), mime_type=mime_type, caption=caption)
    return Message(kind=wire.media_kind(kind, mime_type), text=caption, media=media, **who)


def _location(given: Mapping[str, Any], who: Mapping[str, Any]) -> Message:
    place = Place(
        latitude=_degrees(given, "latitude", 90),
        longitude=_degrees(given, "longitude", 180),
        name=_text(given, "name"),
    )
    return Message(kind="location", location=place, **who)


def _identity(values: Mapping[str, Any], name: str) -> str:
    found = _needed(values, name)
    if len(found) > wire.ID_LENGTH:
        raise Unmappable(f"{name} is longer than {wire.ID_LENGTH} characters")
    return found


def _needed(values: Mapping[str, Any], name: str) -> str:
    found = _text(values, name)
    if not found:
        raise Unmappable(f"{name} is missing or empty")
    return found


def _text(values: Mapping[str, Any], name: str) -> str:
    found = values.get(name)
    if found is not None and not isinstance(found, str):
        raise Unmappable(f"{name} is no text")
    return found or ""


def _object(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values[name]
    if not isinstance(found, dict):
        raise Unmappable(f"{name} is no object")
    return found


def _degrees(values: Mapping[str, Any], name: str, limit: int) -> float:
    found = values.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise Unmappable(f"{name} is no number")
    if not -limit <= found <= limit:  # NaN is not either
        raise Unmappable(f"{name} is not on the globe")
    return float(found)
