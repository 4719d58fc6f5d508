"""Messages to Konnek's send request, and its answers to outcomes (api.sprintasia.co.id/docs/konnek, send-message)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from bridge.messages import Audio, Buttons, Document, Image, Location, Menu, Raw, Text, Video, Voice
from bridge.planning.capabilities import Capabilities
from bridge.planning.dialects import PLAIN, WHATSAPP, Dialect
from bridge.providers import answers
from bridge.providers.konnek import wire
from bridge.providers.naming import is_user_id, name_on
from bridge.providers.optional import Place
from bridge.providers.places import e164, one_of
from bridge.providers.port import Request, Sent
from bridge.providers.refusals import by_status
from bridge.strict_json import json_bytes
from bridge.units import SECOND, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.messages import Outgoing
    from bridge.providers.port import Outbound, Response, Sending

_DAY: Final = 86_400.0
_GATEWAY_TIMEOUT: Final = 504
_WHATSAPP: Final = "whatsapp"


def _capabilities(
    text: int | None, button_key: int, window: float | None, *, utf16: bool = False, dialect: Dialect = PLAIN
) -> Capabilities:
    return Capabilities(
        kinds=frozenset({"text", "image", "video", "audio", "voice", "document", "location", "buttons", "menu", "raw"}),
        text=text,
        buttons=3,
        button_title=20,
        button_key=button_key,
        keys_return=True,
        rows=10,
        row_title=24,
        header=frozenset({"text", "image", "video", "document"}),
        footer=True,
        caption=True,
        reply_to=True,
        statuses=True,
        idempotency_key=True,
        window=window,
        utf16=utf16,
        dialect=dialect,
    )


CAPABILITIES: Final[Mapping[str, Capabilities]] = {
    "whatsapp": _capabilities(text=4_096, button_key=256, window=_DAY, dialect=WHATSAPP),
    "telegram": _capabilities(text=4_096, button_key=64, window=None, utf16=True),
    "line": _capabilities(text=5_000, button_key=300, window=None),
    "messenger": _capabilities(text=2_000, button_key=1_000, window=_DAY),
}
"""Konnek documents the kinds and, for all channels alike, headers, footers and a sample of three buttons, but no
limit. Every number here is inferred: three buttons, ten rows and the lengths of titles are WhatsApp's, which the
sample is shaped after; lengths of texts and keys and the windows are each channel's own.
That Konnek passes WhatsApp's marks on is inferred too."""

ANY_CHANNEL: Final = _capabilities(text=2_000, button_key=64, window=None, utf16=True)
"""For a channel of a name we do not know: the least of the others. How Konnek spells its channels is not documented."""


def place_of(to: str, channel: str | None, channels: Sequence[str]) -> Place:
    """The conversation with a username. On WhatsApp that is a phone number without its plus, as in the samples.

    Raises:
        ValueError: which channel, or what number, is not said.
    """
    channel = one_of(channel, channels)
    if channel.lower() != _WHATSAPP:
        return Place(channel=channel, conversation_id=to, identities=(name_on(channel, to),))
    if is_user_id(to):
        return Place(channel=channel, conversation_id=to, identities=(("user_id", to),))
    phone = e164(to)
    if phone is None:
        raise ValueError(f"on {channel} a contact is a phone number, like +6281234567890, or a user id of WhatsApp")
    return Place(channel=channel, conversation_id=phone[1:], phone=phone, identities=(("phone", phone),))


def send(outbound: Outbound, path: str | None, headers: Mapping[str, str]) -> Sending:
    """The one request that sends a message: `path` ends in the client id, `headers` hold the credentials.

    Raises:
        Rejected, NotSent, OutcomeUnknown: see `outcome`; Rejected before any request for what has no form here, and
        for a channel that the account does not have: it has no `path`.
    """
    if path is None:
        raise Rejected(f"{outbound.thread.channel} is none of the account's channels")
    message = outbound.message
    told = _content(message)
    if message.reply_to:
        told["reply_id"] = message.reply_to
    if token := outbound.address.get("reply_token"):
        told["reply_token"] = token
    _put_into_envelope(told, outbound)
    try:
        body = json_bytes(told)
    except orjson.JSONEncodeError as error:
        raise Rejected(f"it cannot be written as JSON: {error}") from None
    response = yield Request(method="POST", path=path, headers=headers, body=body)
    return outcome(response)


def send_path(channel: str, client_id: str) -> str:
    """`/{channel}/send/{clientID}`."""
    return f"/{quote(channel, safe='')}/send/{quote(client_id, safe='')}"


def _put_into_envelope(told: dict[str, Any], outbound: Outbound) -> None:
    """What every request says. The page's table calls the time `timestamp`, its sample `timestampt`: both go out."""
    told["id"] = outbound.key
    told["times"] = outbound.created_at // SECOND
    told["timestamp"] = told["timestampt"] = stamp(outbound.created_at)
    told["recipient"] = outbound.thread.conversation_id


def _content(message: Outgoing) -> dict[str, Any]:
    """`type` and `body`, with header and footer where the kind has them; for Raw its payload, as it is."""
    match message:
        case Text(text=text):
            return {"type": "text", "body": {"text": text}}
        case Image() | Video() | Audio() | Voice() | Document():
            media = {"url": message.url, "name": message.name} if message.name else {"url": message.url}
            return {"type": message.kind, "body": _with_text(message.caption, {"media": media})}
        case Location(latitude=latitude, longitude=longitude, name=name):
            place = {"latitude": float(latitude), "longitude": float(longitude)}
            return {"type": "location", "body": _with_text(name, {"location": place})}
        case Buttons(text=text, buttons=buttons):
            pressable = [{"key": button.key, "title": button.title} for button in buttons]
            return {"type": "button", "body": {"text": text, "button": pressable}, **_around(message)}
        case Menu(text=text):
            return {"type": "list", "body": {"text": text, "list": _list(message)}, **_around(message)}
        case Raw(payload=payload):
            return dict(payload)
        case _:
            raise Rejected(f"Konnek has no {message.kind}")


def _with_text(text: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"text": text, **body} if text else body


def _list(menu: Menu) -> dict[str, Any]:
    """Descriptions are mandatory in the table, so an empty one is written out."""
    return {
        "title": menu.title,
        "sections": [
            {
                "title": section.title,
                "description": section.description,
                "actions": [
                    {"key": row.key, "title": row.title, "description": row.description} for row in section.rows
                ],
            }
            for section in menu.sections
        ],
    }


def _around(message: Buttons | Menu) -> dict[str, Any]:
    found: dict[str, Any] = {}
    match message.header:
        case None | "":
            pass
        case str(text):
            found["header"] = {"type": "text", "text": text}
        case medium:
            found["header"] = {"type": medium.kind, "media_url": medium.url}
    if message.footer:
        # Both are mandatory in the table, and we have one text: in `title` too, it might be shown twice.
        found["footer"] = {"title": "", "text": message.footer}
    return found


def outcome(response: Response) -> Sent:
    """What an answer means. `meta.status` decides; `meta.code` (a text in the table, a number in the sample) says why.

    Raises:
        NotSent: refused for now (code 500 and above, 408, 425, 429), or the account is refused (401: `pause`).
        Rejected: refused for good.
        OutcomeUnknown: an answer we do not understand, one that contradicts itself, or a time-out behind Konnek.
    """
    answer = answers.json_object(response) or {}
    meta = answer.get("meta")
    if not isinstance(meta, dict) or not isinstance(meta.get("status"), bool):
        raise by_status(response, "", check="username and password")
    if not meta["status"]:
        raise _refusal(response, meta)
    if response.status not in answers.SUCCESS:
        raise OutcomeUnknown(f"HTTP {response.status} around a success", code=str(response.status))
    data = answer.get("data")
    return _sent(data) if isinstance(data, dict) else Sent()


def _sent(data: Mapping[str, Any]) -> Sent:
    message_id, status = data.get("message_id"), data.get("status")
    return Sent(
        message_id=message_id if isinstance(message_id, str) and message_id else None,
        status=wire.STATUS_VALUES.get(status) if type(status) is int else None,
    )


def _refusal(response: Response, meta: Mapping[str, Any]) -> SendError:
    code = _number(meta.get("code")) or response.status
    texts = [text for text in (meta.get("message"), meta.get("errors")) if isinstance(text, str) and text]
    reason = f"Konnek says {': '.join(texts) or 'no'}"[:300]
    if code == answers.UNAUTHORISED:
        return NotSent(reason, code=str(code), pause=True)
    if code == _GATEWAY_TIMEOUT:  # a system behind Konnek did not answer: the message may be out
        return OutcomeUnknown(reason, code=str(code), retry_after=answers.retry_after(response))
    if code in answers.NOT_TAKEN or code >= answers.SERVER_ERROR.start:
        wait = answers.retry_after(response)
        return NotSent(reason, code=str(code), retry_after=wait, away=code in answers.NOT_TAKEN)
    return Rejected(reason, code=str(code))


def _number(code: object) -> int | None:
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) < len("10000"):
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None
