"""A MessageInfo, as a relay posts it or message/list returns it, to an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from bridge.errors import Unmappable
from bridge.events import Contact, Echo, Event, Media, Message, Unrecognised
from bridge.providers.port import Inbound
from bridge.providers.relationlabs import wire
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.events import MessageKind
    from bridge.providers.port import Webhook

_KINDS: Final = frozenset({"image", "video", "audio", "voice", "document"})
_LAST_MILLI: Final = 253_402_300_799_999
"""The end of the year 9999, where datetime ends."""


@dataclass(frozen=True, slots=True)
class Said:
    """The content of a message, from either side."""

    kind: MessageKind
    text: str
    media: Media | None = None


def parse(webhook: Webhook, own: str | None) -> list[Inbound]:
    """The event in `{"im-message": MessageInfo}` or in a bare MessageInfo; none for the gateway's own notices.

    `own` is our relation id, if known.

    Raises:
        Unmappable: it is no MessageInfo.
    """
    info = webhook.json.get(wire.ENVELOPE, webhook.json)
    if not isinstance(info, dict):
        raise Unmappable(f"{wire.ENVELOPE} is no object")
    return read_message(info, own, raw=webhook.json, received_at=webhook.received_at)


def read_message(
    info: Mapping[str, Any], own: str | None, *, raw: Mapping[str, Any], received_at: int, channel: str | None = None
) -> list[Inbound]:
    """The event in one MessageInfo (fields: api/message/list; `channelType` only in socket events).

    The key is `id`, else `sendUuid`. The thread is `channelUuid`, else the peer's relation id; what has no channelUuid
    is of a peer. Where there is one and no `channelType` tells group from peer, it is `channel` if that is given, else
    a group: a wrong guess still answers where the question was asked. The address of a peer's thread holds its
    channelUuid, because there the id alone does not tell what it is.

    Raises:
        Unmappable: something is missing or of a wrong type.
    """
    kind = _needed(info, "type").upper()
    if kind in wire.NOTICES:
        return []
    key = wire.identifier(info.get("id")) or _text(info, "sendUuid")
    if not key:
        raise Unmappable("neither id nor sendUuid names the message")
    sender = _needed(info, "from")
    mark = _text(info, "sendUuid")
    ours = sender == own or (own is None and mark.startswith(f"{wire.NOBODY}-") and wire.key_of(mark) is not None)
    uuid = _text(info, "channelUuid")
    conversation = uuid or _peer(info, sender, ours=ours)
    named = wire.CHANNEL_TYPES.get(_text(info, "channelType").upper())
    place = (named or channel or wire.GROUP) if uuid else wire.PEER
    about = {
        "id": key,
        "contact": Contact(id=sender, name=_text(info, "fromName"), avatar=_text(info, "fromAvatar") or None),
        "at": moment(_created_at(info, received_at)),
        "raw": raw,
    }
    return [
        Inbound(
            key=key,
            channel=place,
            conversation_id=conversation,
            event=_echo(info, kind, mark, about) if ours else _event(info, kind, about),
            address={"channelUuid": uuid} if uuid and place == wire.PEER else {},
            identities=(("id", sender),) if place == wire.PEER and not ours else (),
        )
    ]


def _event(info: Mapping[str, Any], kind: str, about: Mapping[str, Any]) -> Event:
    said = _said(info, kind)
    if said is None:
        return Unrecognised(type=_needed(info, "type"), **about)
    quote = info.get("quote")
    reply_to = wire.identifier(quote.get("id")) or None if isinstance(quote, dict) else None
    return Message(text=said.text, kind=said.kind, media=said.media, reply_to=reply_to, **about)


def _echo(info: Mapping[str, Any], kind: str, mark: str, about: Mapping[str, Any]) -> Echo:
    """Our own message. With a sendUuid that is not of our making, a person (or another program) used our account."""
    content = info.get("content")
    said = _said(info, kind) or Said("unknown", content if isinstance(content, str) else "")
    key = wire.key_of(mark)
    return Echo(
        text=said.text, kind=said.kind, media=said.media, human=bool(mark) and key is None, message_key=key, **about
    )


def _said(info: Mapping[str, Any], kind: str) -> Said | None:
    """What is in `content`, or None for a type without documentation ("users can expand them on their own")."""
    if kind == wire.TEXT:
        return Said("text", _string(info, "content"))
    if kind in wire.STRUCTURED:
        return _structured(_string(info, "content"), kind)
    return None


def _structured(content: str, kind: str) -> Said:
    """IMAGE and CARD: a medium when the content says so and its first parameter is a URL, else the texts in it.

    The first parameter of an image is its URL, the others are storage key, thumbnail and size [client, see wire.py];
    what a card's parameters mean is not documented, so those that are no URLs are shown as they stand.
    """
    found = wire.pieces(content)
    parameters = [value for name, value in found.items() if name.startswith("p") and value]
    first = found.get("p1(text)", "") or (content.strip() if kind == "IMAGE" else "")
    word = found.get("type", "").lower() or kind.lower()
    if word in _KINDS and _is_url(first):
        return Said(cast("MessageKind", word), "", Media(url=first))
    texts = [value for value in parameters if not _is_url(value)] if kind == "CARD" else []
    return Said("unknown", "\n".join(texts) or content)


def _peer(info: Mapping[str, Any], sender: str, *, ours: bool) -> str:
    """The other side of a message without a channelUuid."""
    if not ours:
        return sender
    return _needed(info, "toRelationId", "our own message does not say to whom")


def _created_at(info: Mapping[str, Any], received_at: int) -> int:
    """Microseconds, from milliseconds in a string (or a number); when it is not there, the time of arrival."""
    given = info.get("createAt")
    if given is None or given == "":
        return received_at
    text = wire.identifier(given)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_LAST_MILLI)) and int(text) <= _LAST_MILLI):
        raise Unmappable("createAt is no time in milliseconds")
    return int(text) * 1000


def _is_url(text: str) -> bool:
    return text.startswith(("https://", "http://"))


def _needed(info: Mapping[str, Any], name: str, reason: str = "") -> str:
    found = _text(info, name)
    if not found:
        raise Unmappable(reason or f"{name} is missing or empty")
    return found


def _string(info: Mapping[str, Any], name: str) -> str:
    found = info.get(name)
    if not isinstance(found, str):
        raise Unmappable(f"{name} is missing or no text")
    return found


def _text(info: Mapping[str, Any], name: str) -> str:
    found = info.get(name)
    if found is not None and not isinstance(found, str):
        raise Unmappable(f"{name} is no text")
    return found or ""
