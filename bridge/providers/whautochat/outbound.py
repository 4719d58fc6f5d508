"""A message to one of WhautoChat's nine endpoints, and its answers to outcomes.

Source: help.whauto.chat, REST API, "Messages". Every body names the contact (or, on WhatsApp, a bare phone number), the
workspace and the content; every answer is a MessageResponse {id, status, error}.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from bridge.errors import OutcomeUnknown, Rejected
from bridge.messages import Audio, Buttons, Cards, Document, Image, Raw, Template, Text, Video, Voice
from bridge.planning.capabilities import Capabilities
from bridge.planning.dialects import WHATSAPP
from bridge.providers.answers import json_object
from bridge.providers.naming import identities
from bridge.providers.optional import Place
from bridge.providers.places import e164, one_of
from bridge.providers.port import Request, Sent
from bridge.providers.reading import identifier, text
from bridge.providers.refusals import by_status
from bridge.providers.whautochat import wire
from bridge.strict_json import json_bytes
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.messages import Button, Card, Outgoing
    from bridge.providers.port import Outbound, Response, Sending

TemplateAs = Literal["string", "object"]

_DAY: Final = 86_400.0
_MEDIA: Final = frozenset({"image", "video", "audio", "voice", "document"})
_CHOOSING: Final = frozenset({"text", "buttons", "cards", "raw"})

CAPABILITIES: Final[Mapping[str, Capabilities]] = {
    wire.WHATSAPP: Capabilities(
        kinds=_MEDIA | {"text", "template", "raw"},
        text=4_096,
        schedule=True,
        statuses=True,
        window=_DAY,
        template_params=False,
        dialect=WHATSAPP,
    ),
    wire.MESSENGER: Capabilities(
        kinds=_MEDIA | _CHOOSING,
        text=2_000,
        buttons=3,
        button_title=20,
        button_key=1_000,
        schedule=True,
        statuses=True,
        window=_DAY,
    ),
    wire.INSTAGRAM: Capabilities(
        kinds=_CHOOSING,
        text=1_000,
        buttons=3,
        button_title=20,
        button_key=1_000,
        schedule=True,
        statuses=True,
        window=_DAY,
    ),
    wire.TELEGRAM: Capabilities(
        kinds=frozenset({"text", "buttons", "raw"}),
        text=4_096,
        buttons=10,
        button_title=64,
        button_key=64,
        utf16=True,
        statuses=True,
    ),
}
"""The kinds are the endpoints'. WhautoChat documents no limit: the numbers and the window of a day are each channel's
own (Meta's and Telegram's), and ten buttons are what still reads well under a message. That it passes WhatsApp's marks
on is inferred."""

NOTHING: Final = Capabilities(kinds=frozenset())
"""For the website's live chat, and whatever channel they add: there is no endpoint."""

_PHONE: Final = re.compile(r"\+[0-9][0-9 ()./-]{4,24}")
_OK: Final = 200
_CHECK: Final = "the API key and the subscription"


def place_of(to: str, channel: str | None) -> Place:
    """The conversation with a contact id; on WhatsApp also with a phone number, which begins with its plus.

    Raises:
        ValueError: the channel is not said, has no endpoint, or knows no phone numbers.
    """
    is_phone = to.strip().startswith("+")
    channel = one_of(channel or (wire.WHATSAPP if is_phone else None), wire.ENDPOINTS)
    if not is_phone:
        return Place(channel=channel, conversation_id=to, identities=(("id", to),))
    if channel != wire.WHATSAPP:
        raise ValueError(f"on {channel} WhautoChat knows contact ids, and no phone numbers")
    phone = e164(to)
    return Place(channel=channel, conversation_id=phone or to, phone=phone, identities=identities(("phone", phone)))


def send(outbound: Outbound, workspace_id: str, template_as: TemplateAs, headers: Mapping[str, str]) -> Sending:
    """The one POST that sends a message.

    `at` becomes `scheduleDateTime` where it still lay ahead when the message was committed; once it is past, the
    message is due and goes at once.

    Raises:
        Rejected, NotSent, OutcomeUnknown: see `outcome`; Rejected before any request for what the channel has no
            endpoint for, for a later time where the endpoint knows none, and for parameters of a template that is
            sent as a string.
    """
    channel, message = outbound.thread.channel, outbound.message
    _refuse_foreign(channel, message)
    endpoint, content = _content(channel, message, template_as)
    if endpoint not in wire.ENDPOINTS[channel]:
        raise Rejected(f"WhautoChat has no {endpoint} for {channel}")
    # A Raw may say itself whom it is for; both at once are an error.
    reached = content.keys() & {"contact", "recepient"}
    to = {} if reached else _to(channel, outbound.thread.conversation_id)
    told = {**to, "workspace": {"id": workspace_id}, **content}
    if message.at is not None and message.at > moment(outbound.created_at):
        if endpoint not in wire.SCHEDULED:
            raise Rejected(f"WhautoChat's {endpoint} for {channel} cannot be scheduled")
        later = message.at.astimezone(UTC).isoformat(timespec="milliseconds")
        told["scheduleDateTime"] = later.replace("+00:00", "Z")
    try:
        body = json_bytes(told)
    except orjson.JSONEncodeError as error:
        raise Rejected(f"it cannot be written as JSON: {error}") from None
    path = f"/v1/messages/{channel}/{endpoint}"
    response = yield Request(method="POST", path=path, headers=headers, body=body)
    return outcome(response)


def phone_number(conversation_id: str) -> str | None:
    """The number in a conversation id that is one, without its punctuation, else None.

    It is one when it begins with "+": WhautoChat's own contact ids do not. That is how a WhatsApp number that is no
    contact yet is written to.
    """
    return re.sub(r"[^+0-9]", "", conversation_id) if _PHONE.fullmatch(conversation_id) else None


def _to(channel: str, conversation_id: str) -> dict[str, Any]:
    """`contact` or `recepient` (their spelling), never both."""
    phone = phone_number(conversation_id) if channel == wire.WHATSAPP else None
    return {"recepient": {"phoneNumber": phone}} if phone else {"contact": {"id": conversation_id}}


def _refuse_foreign(channel: str, message: Outgoing) -> None:
    kinds = CAPABILITIES.get(channel, NOTHING).kinds
    if channel not in wire.ENDPOINTS or (message.kind not in kinds and not isinstance(message, Raw)):
        raise Rejected(f"WhautoChat carries no {message.kind} on {channel}")


def _content(channel: str, message: Outgoing, template_as: TemplateAs) -> tuple[str, Mapping[str, Any]]:
    """The endpoint and the content of its body. A plain text on Telegram is a template without buttons."""
    match message:
        case Text(text=said):
            bare = {"textMessage": said}
            return (wire.SEND_TEMPLATE, {**bare, "buttons": []}) if channel == wire.TELEGRAM else (wire.SEND_TEXT, bare)
        case Image() | Video() | Audio() | Voice() | Document():
            mime_type = wire.mime_type(message.kind, message.url, message.name)
            return wire.SEND_MEDIA, {"mediaUrl": message.url, "mimeType": mime_type}
        case Buttons() | Cards():
            return wire.SEND_TEMPLATE, _choosing(channel, message)
        case Template():
            return wire.SEND_TEMPLATE, _template(message, template_as)
        case Raw(payload=payload):
            return _raw_endpoint(channel, payload), payload
    raise Rejected(f"WhautoChat carries no {message.kind} on {channel}")


def _choosing(channel: str, message: Buttons | Cards) -> Mapping[str, Any]:
    """Elements, each a title with its buttons; on Telegram a text with buttons."""
    if isinstance(message, Cards):
        return {"elements": [_element(card) for card in message.cards]}
    pressable = _buttons(message.buttons)
    if channel == wire.TELEGRAM:
        return {"textMessage": message.text, "buttons": pressable}
    return {"elements": [{"title": message.text, "buttons": pressable}]}


def _element(card: Card) -> dict[str, Any]:
    """The schema has a title and buttons; an image has no place, so its URL stands under the title."""
    title = "\n".join(filter(None, (card.title, card.image)))
    if not title:
        raise Rejected("a card needs a title or an image")
    return {"title": title, "buttons": _buttons(card.buttons)}


def _buttons(buttons: Sequence[Button]) -> list[dict[str, str]]:
    """The pages say `"buttons": []` and no more. INFERRED: as Messenger, behind one of the endpoints, takes them."""
    return [{"type": "postback", "title": button.title, "payload": button.key} for button in buttons]


def _template(message: Template, template_as: TemplateAs) -> dict[str, Any]:
    """`template` as its name, or (newer revision of the page) as an object with the parameters beside it.

    As a string it has no language: the workspace's template of that name has one.
    """
    if template_as == "object":
        if taken := message.params.keys() & {"contact", "recepient", "workspace", "template"}:
            raise Rejected(f"a template's parameter may not be named {min(taken)}")
        language = {"language": message.language} if message.language else {}
        return {**message.params, "template": {"name": message.name, **language}}
    if message.params:
        raise Rejected('a template sent as a string has no parameters; set template_as = "object"')
    return {"template": message.name}


def _raw_endpoint(channel: str, payload: Mapping[str, Any]) -> str:
    """The endpoint a payload is for, by the fields only one of them has."""
    if "mediaUrl" in payload:
        return wire.SEND_MEDIA
    if channel == wire.TELEGRAM or payload.keys() & {"template", "elements", "buttons"}:
        return wire.SEND_TEMPLATE
    return wire.SEND_TEXT


def outcome(response: Response) -> Sent:
    """What an answer means: sent when it is HTTP 200, `id` is there and `error` is empty.

    Raises:
        Rejected: `error` is set (also with HTTP 200), `status` says failed, or HTTP 4xx.
        NotSent: 401 or 403, the account is refused (`pause`); 429, too many for now.
        OutcomeUnknown: 5xx, or nothing we understand.
    """
    answer = json_object(response) or {}
    error = _error(answer.get("error"))
    if response.status != _OK:
        raise by_status(response, error or _error(answer.get("message")), check=_CHECK)
    status = text(answer, "status").strip().lower()
    value = wire.STATUS_VALUES.get(status)
    if error or value == "failed":
        raise Rejected((error or f"status {status}")[:300], code=str(response.status))
    message_id = identifier(answer, "id")
    if not message_id:
        raise OutcomeUnknown("HTTP 200 with neither id nor error", code=str(response.status))
    return Sent(message_id=message_id, status=value)


def _error(found: object) -> str:
    """An error as text; whatever is set and is no text is shown as JSON."""
    if isinstance(found, str):
        return found.strip()
    return orjson.dumps(found).decode() if found else ""
