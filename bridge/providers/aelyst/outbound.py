"""Messages to Aelyst's `POST /contact/{identifier}/message`, and its answers to outcomes [seed] (wire.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from bridge.messages import Audio, Buttons, Document, Image, Raw, Template, Text, Video, Voice
from bridge.planning.capabilities import Capabilities
from bridge.planning.dialects import PLAIN, WHATSAPP
from bridge.providers import answers
from bridge.providers.aelyst import wire
from bridge.providers.optional import Place
from bridge.providers.places import e164
from bridge.providers.port import Request, Sent
from bridge.strict_json import json_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.messages import Outgoing
    from bridge.providers.port import Outbound, Response, Sending

_DAY: Final = 86_400.0
_MEDIA: Final = frozenset({"image", "video", "audio", "voice", "document"})
_QUEUED: Final = 449


def _capabilities(source: str, text: int, buttons: int) -> Capabilities:
    kinds = {"text", *_MEDIA}
    kinds |= {"buttons"} if buttons else set()
    kinds |= {"raw"} if source in wire.PAYLOAD_SOURCES else set()
    kinds |= {"template"} if source == wire.TEMPLATE_SOURCE else set()
    return Capabilities(
        kinds=frozenset(kinds),
        text=text,
        buttons=buttons,
        button_title=20 if buttons else None,
        window=_DAY if source in {wire.TEMPLATE_SOURCE, *wire.TAGGED_SOURCES} else None,
        tags=wire.TAGS if source in wire.TAGGED_SOURCES else frozenset(),
        template_language=True,
        utf16=source == wire.TELEGRAM,
        dialect=WHATSAPP if source == wire.TEMPLATE_SOURCE else PLAIN,
    )


CAPABILITIES: Final[Mapping[str, Capabilities]] = {
    source: _capabilities(source, text, buttons)
    for source, text, buttons in (
        ("whatsapp", 4_096, 3),
        ("facebook", 2_000, 13),
        ("instagram", 1_000, 13),
        ("telegram", 4_096, 13),
        ("line", 5_000, 13),
        ("viber", 7_000, 13),
    )
}
"""By `channel.source`. Which channels take a custom payload, and which a messageTag, is documented; the kinds of
message are the sibling's; every number is inferred from the channel behind Aelyst, and so are WhatsApp's marks."""

ANY_CHANNEL: Final = _capabilities("", 500, 0)
"""For an unknown source, and Threads, whose texts are the shortest: text and media. Choices are numbered."""


def place_of(to: str, channel: str | None) -> Place:
    """The conversation with a contact id, or with one of `id:`, `email:` and `phone:`; a bare number is a phone's.

    Without the id of a channel before it, `87:40211907`, Aelyst takes the channel on which the contact wrote last.

    Raises:
        ValueError: it is none of these.
    """
    phone = e164(to.removeprefix("phone:")) if to.startswith(("+", "phone:")) else None
    named = f"phone:{phone}" if phone else f"id:{to}" if to.isascii() and to.isdecimal() else to
    named = f"email:{named}" if "@" in named and ":" not in named else named
    if wire.conversation(named) is None:
        raise ValueError("want a phone number, an e-mail address, a contact id, or CHANNEL:CONTACT")
    kind, _, value = named.partition(":") if named.startswith(("id:", "email:", "phone:")) else ("", "", "")
    contact_id = named.rpartition(":")[2]
    return Place(
        channel=channel or (wire.TEMPLATE_SOURCE if phone else wire.UNKNOWN),
        conversation_id=named,
        phone=phone,
        identities=((kind, value.lower() if kind == "email" else value),) if kind else (("id", contact_id),),
    )


def send(outbound: Outbound, headers: Mapping[str, str]) -> Sending:
    """The one request that sends a message; `headers` hold the token.

    Raises:
        Rejected, NotSent, OutcomeUnknown: see `outcome`; Rejected before any request for what has no form here.
    """
    to = wire.conversation(outbound.thread.conversation_id)
    if to is None:
        raise Rejected("a conversation at Aelyst is CHANNEL:CONTACT, or one of id:, email: and phone: with its value")
    told = {"channelId": to.channel_id, "message": _content(outbound.message, outbound.thread.channel, to)}
    try:
        body = json_bytes(told)
    except orjson.JSONEncodeError as error:
        raise Rejected(f"it cannot be written as JSON: {error}") from None
    response = yield Request(method="POST", path=f"{to.path}/message", headers=headers, body=body)
    return outcome(response)


def _content(message: Outgoing, channel: str, to: wire.Conversation) -> dict[str, Any]:
    """The `message` of the request. Only a text has a place for a tag [seed]; the planner took captions off media."""
    match message:
        case Text(text=text, tag=tag):
            if tag and tag not in wire.TAGS:
                raise Rejected(f"a messageTag at Aelyst is one of {', '.join(sorted(wire.TAGS))}")
            return {"type": "text", "text": text, **({"messageTag": tag} if tag else {})}
        case Image() | Video() | Audio() | Voice() | Document():
            attachment = {"type": wire.ATTACHMENT_OF[message.kind], "url": message.url}
            return {"type": "attachment", "attachment": attachment}
        case Buttons(text=text, buttons=buttons):
            return {"type": "quick_reply", "title": text, "replies": [button.title for button in buttons]}
        case Template():
            if channel != wire.TEMPLATE_SOURCE:
                raise Rejected("Aelyst has templates for WhatsApp only")
            return {"type": "whatsapp_template", "template": _template(message)}
        case Raw(payload=payload):
            if channel not in wire.PAYLOAD_SOURCES or to.channel_id is None:
                names = ", ".join(sorted(wire.PAYLOAD_SOURCES))
                raise Rejected(f"a custom payload needs a channel id, and one of {names}")
            return {"type": "custom_payload", "payload": dict(payload)}
        case _:
            raise Rejected(f"Aelyst has no {message.kind}")


def _template(template: Template) -> dict[str, Any]:
    """Name, language and components [sibling]: `params["components"]` as they are, else all params fill the body."""
    if not template.language:
        raise Rejected("a template at Aelyst needs its language")
    named: dict[str, Any] = {"name": template.name, "languageCode": template.language}
    if "components" in template.params:
        named["components"] = template.params["components"]
    elif template.params:
        parameters = [{"type": "text", "text": str(value)} for value in template.params.values()]
        named["components"] = [{"type": "body", "parameters": parameters}]
    return named


def outcome(response: Response) -> Sent:
    """What the answer to a message means: a `messageId` is a success, else `code` and `message` say why [seed].

    Raises:
        NotSent: 429 after `Retry-After`; 401, which holds the whole account; 503 with Retry-After.
        Rejected: 400, and any other 3xx or 4xx: it was answered, and not with yes.
        OutcomeUnknown: 449, "in queue", worth no look for a minute at least: it may yet be sent; 5xx; and an answer
            that is not understood.
    """
    answer = answers.json_object(response) or {}
    message_id = wire.identifier(answer.get("messageId"))
    if response.status in answers.SUCCESS and message_id:
        return Sent(message_id=message_id)
    raise error_of(response)


def error_of(response: Response) -> SendError:
    """What an answer that is no success means. An error's `code` counts when it comes with HTTP 2xx too."""
    answer = answers.json_object(response) or {}
    status, wait = response.status, answers.retry_after(response)
    code = wire.identifier(answer.get("code"))[:40] or str(status)
    said = answer.get("code")
    if status in answers.SUCCESS and isinstance(said, int) and said in answers.ERROR:
        status = said
    reason = f"Aelyst says {wire.text_of(answer, 'message')[:200] or f'HTTP {response.status}'}"
    if status == answers.UNAUTHORISED:
        return NotSent(reason, code=code, pause=True)
    if status == _QUEUED:
        return OutcomeUnknown(reason, code=code, retry_after=max(wait or 0.0, wire.WAIT_QUEUED))
    if status in answers.NOT_TAKEN or (status == answers.UNAVAILABLE and wait is not None):
        return NotSent(reason, code=code, retry_after=wait, away=True)
    if status in answers.REDIRECT or status in answers.CLIENT_ERROR:
        return Rejected(reason, code=code)
    return OutcomeUnknown(reason, code=code, retry_after=wait)
