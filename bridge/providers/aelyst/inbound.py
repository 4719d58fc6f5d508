"""Aelyst's webhooks to events.

The page that describes the bodies is known in part; the shape is that of respond.io (wire.py says what rests on what).
So what a fact cannot do without is demanded, and everything else is read where it has the expected type.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import Unmappable
from bridge.events import Contact, Echo, Event, Media, Message, Place, Unrecognised
from bridge.providers.aelyst import wire
from bridge.providers.naming import identities, phone
from bridge.providers.port import Inbound
from bridge.units import SECOND, language_tag, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.events import MessageKind
    from bridge.providers.port import Webhook

    Struct = Mapping[str, Any]

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_FAST_CLOCKS: Final = timedelta(days=1)
_MILLISECONDS: Final = 10**11
"""From here on a number of this century counts milliseconds."""
_LARGEST: Final = 2**53
_WORDED: Final = frozenset({"story_reply", "quick_reply", "whatsapp_interactive"})
"""Types that are a text as long as they hold words."""


def parse(webhook: Webhook) -> list[Inbound]:
    """The one event in a webhook, or none where it means nothing to a bot.

    `message.received` is a Message; `message.sent`, and whatever else has outgoing traffic, an Echo. The key is that of
    the message, else `event_id`: two webhooks of one workspace tell the same message under two ids. The thread is
    `channel.id` and `contact.id`. A pressed quick reply comes as
    the text of its title: Aelyst knows no other trace of it.

    Raises:
        Unmappable: it lacks its type, its conversation, its id or what its kind consists of.
    """
    told = webhook.json
    named = wire.text_of(told, "event_type")
    if not named:
        raise Unmappable("event_type is missing or no text")
    if named.startswith(wire.HARMLESS):
        return []
    message = wire.struct(told.get("message"))
    channel, contact = wire.struct(told.get("channel")), wire.struct(told.get("contact"))
    person = _contact(contact, message)
    conversation_id = f"{_channel_id(channel, message)}:{person.id}"
    if wire.conversation(conversation_id) is None:
        raise Unmappable("channel.id or contact.id is nothing a message could be sent to")
    message_id = wire.identifier(message.get("messageId"))
    event_id = wire.identifier(told.get("event_id"))
    if not (event_id or message_id):
        raise Unmappable("neither event_id nor message.messageId is there")
    about = {
        "id": message_id or event_id,
        "contact": person,
        "at": at(message.get("timestamp"), webhook.received_at),
        "raw": told,
    }
    event = _event(named, message, about)
    return [
        Inbound(
            key=_message_key(event) if message_id and not isinstance(event, Unrecognised) else event_id or message_id,
            channel=wire.source(channel.get("source")),
            conversation_id=conversation_id,
            event=event,
            former_keys=(event_id or message_id,),
            identities=identities(("id", person.id), ("phone", phone(person.phone)), ("email", _email(person.email))),
        )
    ]


def _message_key(event: Event) -> str:
    """The message's id and its way; a medium that is pending comes again when it is there, and is an event then."""
    way = "sent" if isinstance(event, Echo) else "received"
    media = event.media if isinstance(event, Message | Echo) else None
    return f"{event.id}:{way}:pending" if media and not media.url else f"{event.id}:{way}"


def _event(named: str, message: Struct, about: Mapping[str, Any]) -> Event:
    if named not in {wire.RECEIVED, wire.SENT}:
        return Unrecognised(type=named, **about)
    content = message.get("message")
    if not isinstance(content, dict):
        raise Unmappable("message.message is missing or no object")
    traffic = wire.text_of(message, "traffic")
    if traffic not in {wire.INCOMING, wire.OUTGOING}:
        traffic = wire.INCOMING if named == wire.RECEIVED else wire.OUTGOING
    said = _said(content)
    if traffic == wire.INCOMING:
        reply_to = wire.identifier(message.get("replyToMessageId") or content.get("replyToMessageId"))
        return Message(reply_to=reply_to or None, **said, **about)
    said.pop("location", None)
    sender = wire.struct(message.get("sender"))
    return Echo(human=sender.get("source") == wire.AGENT, **said, **about)


def _said(content: Struct) -> dict[str, Any]:
    """Kind, text and what belongs to the kind, from the inner `message` with its `type`."""
    words = wire.text_of(content, "text", "title", "caption", "subject")
    match content.get("type"):
        case "text":
            if not isinstance(content.get("text"), str):
                raise Unmappable("message.message.text is missing or no text")
            return {"kind": "text", "text": content["text"]}
        case "attachment":
            return _attached(content.get("attachment"), words)
        case "location":
            return _located(content, words)
        case "email":
            return _mailed(content.get("attachments"), words)
        case str(named):
            words = words or _pressed(content)
            return {"kind": "text" if words and named in _WORDED else "unknown", "text": words}
        case _:
            raise Unmappable("message.message.type is missing or no text")


def _mailed(attachments: object, words: str) -> dict[str, Any]:
    """A letter, with the first of its attachments; all of them are in `raw`."""
    if isinstance(attachments, list) and attachments and isinstance(attachments[0], dict):
        return _attached(attachments[0], words)
    return {"kind": "text", "text": words}


def _pressed(content: Struct) -> str:
    """The title of a button or list line, as WhatsApp nests it (developers.facebook.com, webhooks, interactive)."""
    reply = wire.struct(content.get("interactive")) or content
    return next((title for each in ("button_reply", "list_reply") if (title := _title(reply.get(each)))), "")


def _title(reply: object) -> str:
    return wire.text_of(wire.struct(reply), "title", "text")


def _attached(attachment: object, words: str) -> dict[str, Any]:
    """A medium. While `isPending`, its url is not there yet, whatever stands in it."""
    if not isinstance(attachment, dict):
        raise Unmappable("message.message.attachment is missing or no object")
    url, mime_type = wire.text_of(attachment, "url"), wire.text_of(attachment, "mime", "mimeType")
    pending = attachment.get("isPending") is True
    if not url and not pending:
        raise Unmappable("message.message.attachment.url is missing, and it is not pending")
    caption = wire.text_of(attachment, "caption", "description") or words
    media = Media(
        url="" if pending else url,
        name=wire.text_of(attachment, "fileName"),
        mime_type=mime_type,
        size=_size(attachment.get("size")),
        caption=caption,
    )
    return {"kind": _kind(attachment.get("type"), mime_type), "text": caption, "media": media}


def _kind(named: object, mime_type: str) -> MessageKind:
    major = mime_type.partition("/")[0].strip().lower()
    for name in (named, major):
        if isinstance(name, str) and name in wire.KIND_OF:
            return wire.KIND_OF[name]
    return "document"


def _size(value: object) -> int | None:
    """Bytes, which come as a text of digits."""
    text = wire.identifier(value)
    found = int(text) if text.isascii() and text.isdigit() and len(text) < len(str(_LARGEST)) else 0
    return found or None


def _located(content: Struct, words: str) -> dict[str, Any]:
    """A place; how its degrees are nested is not documented, and without them it is only words."""
    given = wire.struct(content.get("location")) or content
    latitude, longitude = _degrees(given.get("latitude"), 90), _degrees(given.get("longitude"), 180)
    if latitude is None or longitude is None:
        return {"kind": "unknown", "text": words}
    place = Place(
        latitude=latitude,
        longitude=longitude,
        name=wire.text_of(given, "name"),
        address=wire.text_of(given, "address"),
    )
    return {"kind": "location", "text": words, "location": place}


def _degrees(value: object, limit: int) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -limit <= value <= limit:
        return None
    return float(value)


def _contact(contact: Struct, message: Struct) -> Contact:
    found = wire.identifier(contact.get("id")) or wire.identifier(message.get("contactId"))
    if not found:
        raise Unmappable("contact.id is missing")
    names = (wire.text_of(contact, "firstName").strip(), wire.text_of(contact, "lastName").strip())
    return Contact(
        id=found,
        name=" ".join(filter(None, names)),
        phone=wire.text_of(contact, "phone") or None,
        email=wire.text_of(contact, "email") or None,
        avatar=wire.text_of(contact, "profilePic") or None,
        locale=language_tag(wire.text_of(contact, "language")),
    )


def _email(text: str | None) -> str | None:
    """An address as two spellings of it compare."""
    return text.strip().lower() if text and "@" in text else None


def _channel_id(channel: Struct, message: Struct) -> str:
    found = wire.identifier(channel.get("id")) or wire.identifier(message.get("channelId"))
    if not found:
        raise Unmappable("channel.id is missing")
    return found


def at(stamp: object, received_at: int) -> datetime:
    """When it was said, in seconds (or milliseconds) since 1970 and believable; else when it came."""
    received = moment(received_at)
    if isinstance(stamp, str) and stamp.isascii() and stamp.isdigit() and len(stamp) < len(str(_LARGEST)):
        stamp = int(stamp)
    if isinstance(stamp, bool) or not isinstance(stamp, int | float) or not 0 < stamp < _LARGEST:
        return received
    seconds = stamp / 1_000 if stamp >= _MILLISECONDS else stamp
    if seconds >= _MILLISECONDS:
        return received
    found = moment(round(seconds * SECOND))
    return found if _EARLIEST <= found <= received + _FAST_CLOCKS else received
