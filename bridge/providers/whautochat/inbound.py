"""WhautoChat's webhook (wire.py) to an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.errors import Unmappable
from bridge.events import Contact, Echo, Event, Media, Message, Place, Status, Unrecognised
from bridge.providers.port import Inbound
from bridge.providers.reading import happened_at, identifier, part, text
from bridge.providers.whautochat import wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.events import MessageKind
    from bridge.providers.port import Webhook


@dataclass(frozen=True, slots=True)
class _Content:
    """What a message holds, whichever way it went."""

    kind: MessageKind
    text: str
    media: Media | None = None
    location: Place | None = None


def parse(webhook: Webhook) -> list[Inbound]:
    """The event in a webhook; none for what happens to contacts.

    `event.type` alone says which way a message went and on which channel: `message.channel` is spelled in several
    ways, and `isIncoming` is a text in some webhooks and a truth value in others. A thread is the channel and
    `contact.id`.

    Raises:
        Unmappable: no event type, nothing to know the event by, or no contact and so no thread.
    """
    told, message = part(webhook.json, "event"), part(webhook.json, "message")
    kind = text(told, "type").strip().lower()
    if not kind:
        raise Unmappable("event.type is missing or no text")
    if kind.startswith("contact_"):
        return []
    match = wire.MESSAGE_EVENT.fullmatch(kind)
    way, channel = match.groups() if match else ("", text(message, "channel").strip().lower())
    event_id = _event_id(told, message, kind, outgoing=way == "outgoing")
    contact = _contact(message, outgoing=way == "outgoing")
    about: dict[str, Any] = {
        "id": identifier(message, "id") or event_id,
        "contact": contact,
        "at": happened_at(
            webhook.received_at, message.get("timestamp"), told.get("timeStamp"), message.get("createdAt")
        ),
        "raw": webhook.json,
    }
    event: Event
    if channel not in wire.CHANNELS or not way:
        event = Unrecognised(type=kind, **about)
    elif way == "outgoing":
        event = _outgoing(message, about, event_id)
    else:
        event = _incoming(message, about)
    if not channel or not (contact.id or isinstance(event, Status)):
        raise Unmappable(f"{kind}: no {'message.contact.id' if channel else 'message.channel'}, so no thread")
    return [Inbound(key=event_id, channel=channel, conversation_id=contact.id or None, event=event)]


def _event_id(told: Mapping[str, Any], message: Mapping[str, Any], kind: str, *, outgoing: bool) -> str:
    """`event.id`, else the message's id with the type, because its later fates bear the same id.

    Those fates are told apart by `status`: sent, delivered and read are three events of one type.
    """
    if event_id := identifier(told, "id"):
        return event_id
    message_id = identifier(message, "id") or identifier(told, "key")
    if not message_id:
        raise Unmappable(f"{kind}: neither event.id nor message.id")
    status = text(message, "status").strip().lower() if outgoing else ""
    return ":".join(filter(None, (message_id, kind, status)))


def _contact(message: Mapping[str, Any], *, outgoing: bool) -> Contact:
    """The other side; `from` is a display name, and of an outgoing message our own."""
    contact = part(message, "contact")
    name = text(contact, "name") or ("" if outgoing else text(message, "from"))
    return Contact(id=identifier(contact, "id"), name=name, phone=identifier(contact, "phoneNumber") or None)


def _incoming(message: Mapping[str, Any], about: Mapping[str, Any]) -> Message:
    said = _content(message)
    return Message(
        text=said.text,
        kind=said.kind,
        media=said.media,
        location=said.location,
        reply_to=identifier(part(message, "replyToMessage"), "id") or None,
        **about,
    )


def _outgoing(message: Mapping[str, Any], about: Mapping[str, Any], event_id: str) -> Event:
    """The fate of a message of ours, or the message itself where no fate is told.

    An echo is a person's when `sentBy` names somebody who is not plainly a machine.
    """
    value = wire.STATUS_VALUES.get(text(message, "status").strip().lower())
    error = text(message, "errorMessage")
    if value is None and error:
        value = "failed"
    if value:
        news = {**about, "id": event_id}
        return Status(message_id=about["id"], value=value, error=error if value == "failed" else "", **news)
    said = _content(message)
    sender = text(message, "sentBy").strip().lower()
    human = bool(sender) and sender not in wire.MACHINES
    return Echo(text=said.text, kind=said.kind, media=said.media, human=human, **about)


def _content(message: Mapping[str, Any]) -> _Content:
    url, caption = text(message, "mediaUrl"), text(message, "caption")
    word = text(message, "type").strip().lower()
    words = text(message, "text") or caption
    kind = wire.KINDS.get(word)
    if kind == "location":
        return _Content(kind, words, location=_place(part(message, "location")))
    if url and kind in {None, "text"}:
        kind = wire.media_kind(url)
    if kind in wire.WITH_MEDIA:
        media = Media(url=url, mime_type=text(message, "mimeType"), caption=caption)
        return _Content(kind, words, media)
    return _Content(kind or ("text" if words else "unknown"), words)


def _place(location: Mapping[str, Any]) -> Place | None:
    """The degrees of a location, if they are there: how they come is inferred, so their absence is no error."""
    latitude, longitude = _degrees(location.get("latitude"), 90), _degrees(location.get("longitude"), 180)
    if latitude is None or longitude is None:
        return None
    return Place(latitude=latitude, longitude=longitude, name=text(location, "name"), address=text(location, "address"))


def _degrees(found: object, limit: int) -> float | None:
    try:
        degrees = float(found) if isinstance(found, int | float | str) and not isinstance(found, bool) else None
    except (ValueError, OverflowError):
        return None
    return degrees if degrees is not None and -limit <= degrees <= limit else None
