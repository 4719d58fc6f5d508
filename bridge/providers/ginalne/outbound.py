"""A message to Raven's `message:send`, and its answers to outcomes.

Source: Ginalne's page "Add Message As-User". The page tells the texts of errors and not the shape of their body, so
the text is looked for in every likely place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import OutcomeUnknown, Rejected
from bridge.messages import Raw, Text
from bridge.planning.capabilities import Capabilities
from bridge.planning.dialects import WHATSAPP
from bridge.providers.answers import json_object
from bridge.providers.ginalne import wire
from bridge.providers.naming import is_user_id, name_on
from bridge.providers.optional import Place
from bridge.providers.places import e164
from bridge.providers.port import Request, Sent
from bridge.providers.refusals import by_status
from bridge.strict_json import json_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.providers.port import Outbound, Response, Sending

CAPABILITIES: Final = Capabilities(kinds=frozenset({"text", "raw"}), text=wire.LONGEST_MESSAGE)
"""Text of at most 4,096 characters, on every channel; the page has nothing else, and no key to tell repeats by."""

TO_WHATSAPP: Final = replace(CAPABILITIES, dialect=WHATSAPP)
"""That Raven passes WhatsApp's marks on is inferred."""

_OK: Final = 200
_EXPLANATIONS: Final = ("notification", "message", "error")
_CHECK: Final = "the token (is it valid, and not expired?) and the Pro subscription"


def place_of(to: str, channel: str | None) -> Place:
    """The topic of a persona by contact type and key, on WhatsApp a phone number; or a group or mass topic by its name.

    Raises:
        ValueError: it is no phone number, or too long for a topic's name.
    """
    channel = (channel or wire.WHATSAPP).lower()
    if len(to) > wire.LONGEST_NAME:
        raise ValueError(f"a contact key or the name of a topic has at most {wire.LONGEST_NAME} characters")
    if channel != wire.WHATSAPP:
        whose = () if channel in wire.TOPIC_TYPES else (name_on(channel, to),)
        return Place(channel=channel, conversation_id=to, identities=whose)
    if is_user_id(to):
        return Place(channel=channel, conversation_id=to, identities=(("user_id", to),))
    phone = e164(to)
    if phone is None:
        raise ValueError('want a phone number, like +6281234567890, or channel="group" and the name of a topic')
    return Place(channel=channel, conversation_id=phone, phone=phone, identities=(("phone", phone),))


def send(outbound: Outbound, username: str, topic: str, headers: Mapping[str, str]) -> Sending:
    """The one POST that sends a message; `topic` is the topic's name where no message has come yet.

    Raises:
        Rejected, NotSent, OutcomeUnknown: see `outcome`; Rejected before any request for what is no text, is longer
            than 4,096 characters, or has a topic's name longer than 255.
    """
    try:
        body = json_bytes({**_addressed(outbound, username, topic), **_content(outbound)})
    except orjson.JSONEncodeError as error:
        raise Rejected(f"it cannot be written as JSON: {error}") from None
    response = yield Request(method="POST", path=wire.SEND_PATH, headers=headers, body=body)
    return outcome(response)


def _content(outbound: Outbound) -> Mapping[str, Any]:
    """`message`; for Raw its payload as it is, over the address."""
    match outbound.message:
        case Text(text=text):
            if len(text) > wire.LONGEST_MESSAGE:
                raise Rejected(f"{len(text)} characters are more than Raven's {wire.LONGEST_MESSAGE}")
            return {"message": text}
        case Raw(payload=payload):
            return payload
        case message:
            raise Rejected(f"Raven carries no {message.kind}, only text")


def _addressed(outbound: Outbound, username: str, topic: str) -> dict[str, Any]:
    """Whom it goes to: as the contact's own webhook said (the address), else as far as the thread tells.

    Without an address a persona's thread is its contact type and key, which is all that is needed. A group's and a
    mass topic's is the topic's name, which then names the one recipient too: the page does not say how a group is
    addressed. More recipients of a mass topic go into a Raw.
    """
    channel, name = outbound.thread.channel, outbound.thread.conversation_id
    known = outbound.address
    shared = channel in {wire.GROUP, wire.MASS}
    topic_name = known.get(wire.TOPIC_NAME) or (name if shared else topic)
    if len(topic_name) > wire.LONGEST_NAME:
        raise Rejected(f"the topic's name is longer than {wire.LONGEST_NAME} characters")
    contact = {
        "type": known.get(wire.CONTACT_TYPE) or (wire.WHATSAPP if shared else channel),
        "name": _name(known.get(wire.CONTACT_NAME) or name),
        "key": known.get(wire.CONTACT_KEY) or name,
    }
    return {
        "username": known.get(wire.USERNAME) or username,
        "topic": {"type": known.get(wire.TOPIC_TYPE) or (channel if shared else wire.PERSONA), "name": topic_name},
        "recipient": [{"name": _name(known.get(wire.RECIPIENT_NAME) or name), "contact": [contact]}],
    }


def _name(text: str) -> str:
    """A display name, cut to what fits: nothing is addressed by it."""
    return text[: wire.LONGEST_NAME]


def outcome(response: Response) -> Sent:
    """What an answer means: sent when it is HTTP 200 and `data` is a number, the chat's id.

    Raises:
        Rejected: 400 and 404, with the provider's text, which names the index of recipient and contact.
        NotSent: 401, for "Unauthorized" and "Pro is not active!" alike: the account is refused (`pause`).
        OutcomeUnknown: any other answer that is no refusal (refusals.by_status).
    """
    if response.status != _OK:
        raise by_status(response, _explanation(response), check=_CHECK)
    chat_id = (json_object(response) or {}).get("data")
    if isinstance(chat_id, float) and chat_id.is_integer():
        chat_id = int(chat_id)
    if isinstance(chat_id, bool) or not isinstance(chat_id, int):
        raise OutcomeUnknown("HTTP 200 without a chat id in data", code=str(response.status))
    return Sent(message_id=str(chat_id))


def _explanation(response: Response) -> str:
    found = json_object(response)
    if found is None:
        plain = response.body.decode("utf-8", "replace").strip()
        return "" if plain.startswith(("<", "{", "[")) else plain.strip('"')
    texts = [value for name in _EXPLANATIONS for value in _texts(found.get(name))]
    return texts[0] if texts else ""


def _texts(value: object) -> list[str]:
    """A text, or those inside an error that is an object."""
    if isinstance(value, dict):
        return [text for name in _EXPLANATIONS if isinstance(text := value.get(name), str) and text]
    return [value] if isinstance(value, str) and value else []
