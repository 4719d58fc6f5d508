"""WhautoChat's webhook (wire.py) to an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.errors import Unmappable
from bridge.events import Contact, Echo, Event, Media, Message, Place, Status, Unrecognised
from bridge.providers.naming import identities, phone
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
    """The event in a webhook, or the two of a person's message that comes with its fate; none for contacts' events.

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
    events: dict[str, Event]
    if channel not in wire.CHANNELS or not way:
        events = {event_id: Unrecognised(type=kind, **about)}
    elif way == "outgoing":
        events = _outgoing(message, about, event_id)
    else:
        events = {_message_key(message, kind) or event_id: _incoming(message, about)}
    if not channel or not (contact.id or all(isinstance(each, Status) for each in events.values())):
        raise Unmappable(f"{kind}: no {'message.contact.id' if channel else 'message.channel'}, so no thread")
    return [
        Inbound(
            key=key,
            channel=channel,
            conversation_id=contact.id or None,
            event=event,
            former_keys=(event_id,) if isinstance(event, Message) else (),
            identities=_identities(channel, message),
        )
        for key, event in events.items()
    ]


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


def _message_key(message: Mapping[str, Any], kind: str) -> str:
    """The name of a contact's message: two webhooks of one workspace tell it under two event ids."""
    message_id = identifier(message, "id")
    return f"{message_id}:{kind}" if message_id else ""


def _contact(message: Mapping[str, Any], *, outgoing: bool) -> Contact:
    """The other side; `from` is a display name, and of an outgoing message our own."""
    contact = part(message, "contact")
    name = text(contact, "name") or ("" if outgoing else text(message, "from"))
    return Contact(id=identifier(contact, "id"), name=name, phone=identifier(contact, "phoneNumber") or None)


def _identities(channel: str, message: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Who the other side is: the contact's id, and on WhatsApp the number."""
    contact = part(message, "contact")
    number = phone(identifier(contact, "phoneNumber")) if channel == wire.WHATSAPP else None
    return identities(("id", identifier(contact, "id")), ("phone", number))


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


def _outgoing(message: Mapping[str, Any], about: Mapping[str, Any], event_id: str) -> dict[str, Event]:
    """The fate of a message, the message itself where no fate is told, or both for one that a person sent; by key.

    It may be a person's unless `sentBy` is plainly a machine, or is empty and a fate is told, as of most of ours. That
    it is none of ours only those can tell who stored ours: by its id. A person's message has a key of its own, made of
    that id, because what became of it comes in further webhooks, and it was said only once.
    """
    value = wire.STATUS_VALUES.get(text(message, "status").strip().lower())
    error = text(message, "errorMessage")
    if value is None and error:
        value = "failed"
    sender = text(message, "sentBy").strip().lower()
    human = sender not in wire.MACHINES and (bool(sender) or value is None)
    found: dict[str, Event] = {}
    if value is None or (human and value in wire.JUST_SENT and identifier(part(message, "contact"), "id")):
        said = _content(message)
        echo = Echo(text=said.text, kind=said.kind, media=said.media, human=human, **about)
        found[f"{about['id']}:said" if human else event_id] = echo
    if value is not None:
        news = {**about, "id": event_id}
        failure = error if value == "failed" else ""
        found[event_id] = Status(message_id=about["id"], value=value, error=failure, **news)
    return found


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
    if word == "reaction":  # its picture is in `text`, and nobody wrote it
        kind = "unknown"
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
