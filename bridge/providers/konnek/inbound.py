"""Konnek's webhooks to events.

What a fact cannot do without is demanded, and its absence quarantines the webhook; what merely adorns it is read where
it has the documented type, and is otherwise left to `raw`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import Unmappable
from bridge.events import Contact, Event, Media, Message, Place, Postback, Status, Unrecognised
from bridge.providers.konnek import wire
from bridge.providers.naming import identities, is_user_id, name_on, phone
from bridge.providers.port import Inbound
from bridge.providers.reading import happened_at, identifier, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.events import MessageKind
    from bridge.providers.port import Webhook

    Struct = Mapping[str, Any]
    Identities = tuple[tuple[str, str], ...]

_LARGEST: Final = 2**63
"""A size beyond this is none, and no store could hold it."""
_MORE_IDS: Final = ("user_id", "contact_id")
_MORE_PHONES: Final = ("phone", "phone_number", "wa_id")
_UNDOCUMENTED: Final = frozenset({*_MORE_IDS, *_MORE_PHONES})


def parse(webhook: Webhook, channels: Sequence[str]) -> list[Inbound]:
    """The events in a webhook (its format: wire.py); none for a status that is not a fate yet.

    The thread is the channel and `from.username`; the event key is `message.id`, or the message id of a status with
    what it says of it.

    Raises:
        Unmappable: neither a message nor a status, or one that lacks what it cannot do without.
    """
    channel = webhook.channel or (channels[0] if len(channels) == 1 else None)
    if channel is None:
        raise Unmappable("the route names no channel, and the account has several")
    status = wire.struct(webhook.json.get("status"))
    message = wire.struct(webhook.json.get("message"))
    if not status and not message:
        raise Unmappable("neither a message nor a status")
    found = [_said(webhook, channel, message)] if message else []
    if status and (fate := _fate(webhook, channel, status)):
        found.append(fate)
    return found


def _said(webhook: Webhook, channel: str, message: Struct) -> Inbound:
    sender = wire.struct(webhook.json.get("from")) or {}
    username = _identity(sender, "username", "from.username")
    key = _identity(message, "id", "message.id")
    contact, named = _known(channel, username, text(sender, "name"), text(sender, "avatar"))
    at = happened_at(webhook.received_at, message.get("time"), message.get("unix_msg_time"))
    token = _around(webhook, message, "reply_token")
    about = {
        "id": key,
        "contact": contact,
        "at": at,
        "raw": webhook.json,
        "reply_to": _around(webhook, message, "reply_id") or None,
    }
    return Inbound(
        key=key,
        channel=channel,
        conversation_id=username,
        event=_event(message, about),
        address={"reply_token": token} if token else {},
        with_person=wire.with_person(session) if (session := wire.struct(webhook.json.get("session"))) else None,
        identities=_identities(named, sender),
    )


def _around(webhook: Webhook, message: Struct, name: str) -> str:
    """A text beside the message, or in it."""
    for values in (webhook.json, message):
        found = values.get(name)
        if found and isinstance(found, str):
            return found
    return ""


def _identities(named: Identities, sender: Struct) -> Identities:
    """Who a sender is; of the fields that are not documented only what shows by its form what it is."""
    if _UNDOCUMENTED.isdisjoint(sender):
        return named
    more = [text(sender, name).strip() for name in _MORE_IDS]
    return identities(
        *named,
        *(("user_id", value) for value in more if is_user_id(value)),
        *(("phone", phone(text(sender, name).strip())) for name in _MORE_PHONES),
    )


@lru_cache(4096)
def _known(channel: str, username: str, name: str = "", avatar: str = "") -> tuple[Contact, Identities]:
    """The contact and the identities behind a username: the same objects with each message, as long as all is the same.

    On WhatsApp the username is the number in international form (inferred from the samples).
    """
    kind, value = named = name_on(channel, username)
    number = value if kind == "phone" else None
    return Contact(id=username, name=name, phone=number, avatar=avatar or None), identities(named)


def _event(message: Struct, about: dict[str, Any]) -> Event:
    named = text(message, "type")
    kind = named.strip().casefold()
    postback = wire.struct(message.get("postback"))
    if postback and (key := text(postback, "key") or text(postback, "value")):  # only our own button or list has one
        return Postback(key=key, title=text(postback, "title") or text(message, "text"), **about)
    media = wire.struct(message.get("media"))
    if kind in wire.MEDIA_TYPES or kind == "media" or (media and not kind):
        return _media(kind, media or {}, _words(message), about)
    if kind == "location" or (not kind and wire.struct(message.get("location"))):
        return _location(message, about)
    if kind == "text" or not kind:
        return Message(text=_needed_words(message), **about)
    if kind in wire.PRESS_TYPES:  # no key came: a title may still tell the choice
        return Message(text=text(postback or {}, "title") or _needed_words(message), **about)
    del about["reply_to"]
    return Unrecognised(type=named, **about)


def _media(named: str, media: Struct, caption: str, about: Mapping[str, Any]) -> Message:
    url, mime_type = text(media, "url"), text(media, "mime_type")
    if not url and not text(media, "id"):
        raise Unmappable("message.media has neither url nor id")
    kind: MessageKind = wire.MEDIA_TYPES.get(named) or wire.MEDIA_TYPES.get(_major(mime_type)) or "document"
    size = media.get("size")
    has_size = isinstance(size, int) and not isinstance(size, bool) and 0 < size < _LARGEST
    found = Media(
        url=url, name=text(media, "name"), mime_type=mime_type, size=size if has_size else None, caption=caption
    )
    return Message(kind=kind, text=caption, media=found, **about)


def _location(message: Struct, about: Mapping[str, Any]) -> Message:
    given = message.get("location")
    if not isinstance(given, dict):
        raise Unmappable("message.location is missing")
    place = Place(
        latitude=_degrees(given, "latitude", 90),
        longitude=_degrees(given, "longitude", 180),
        name=text(given, "name"),
        address=text(given, "address"),
    )
    return Message(kind="location", text=_words(message), location=place, **about)


def _fate(webhook: Webhook, channel: str, status: Struct) -> Inbound | None:
    message_id = _identity(status, "message_id", "status.message_id")
    code = _code(status.get("status"))
    value = wire.STATUS_VALUES[code]
    if value is None:
        return None
    recipient = identifier(status, "recipient_id")
    key = f"{message_id}:{value}"
    event = Status(
        id=key,
        contact=_known(channel, recipient)[0],
        at=happened_at(webhook.received_at, status.get("timestamp") or status.get("timestampt"), status.get("times")),
        raw=webhook.json,
        message_id=message_id,
        value=value,
        error=wire.STATUS_CODES[code] if value == "failed" else "",
    )
    return Inbound(key=key, channel=channel, conversation_id=recipient or None, event=event)


def _code(value: object) -> int:
    """A status code of the table; a text of digits too, because their tables and samples differ in that elsewhere."""
    if isinstance(value, str) and re.fullmatch(r"-?\d", value, re.ASCII):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value not in wire.STATUS_CODES:
        raise Unmappable("status.status is none of -3 to 3")
    return value


def _identity(values: Struct, name: str, path: str) -> str:
    """An id as it is, to the letter; a whole number is its digits."""
    found = identifier(values, name)
    if not found:
        raise Unmappable(f"{path} is missing, empty or no text")
    return found


def _words(message: Struct) -> str:
    """What was said in words. A text of another type is refused: leaving it out would lose what was said."""
    found = message.get("text")
    if found is not None and not isinstance(found, str):
        raise Unmappable("message.text is no text")
    if found:
        return found
    body = (wire.struct(message.get("interactive")) or {}).get("body")
    return text(body, "text") if isinstance(body, dict) else ""


def _needed_words(message: Struct) -> str:
    found = _words(message)
    if not found and not isinstance(message.get("text"), str):
        raise Unmappable("there is nothing in message that is documented")
    return found


def _major(mime_type: str) -> str:
    return mime_type.partition("/")[0].strip().casefold()


def _degrees(values: Struct, name: str, limit: int) -> float:
    found = values.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise Unmappable(f"message.location.{name} is no number")
    if not -limit <= found <= limit:
        raise Unmappable(f"message.location.{name} is not on the globe")
    return float(found)
