"""Raven's webhook, a convention of this project (wire.py), to an event."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from bridge.errors import Unmappable
from bridge.events import Contact, Event, Message, Unrecognised
from bridge.providers.ginalne import wire
from bridge.providers.naming import identities, is_user_id, name_on
from bridge.providers.port import Inbound
from bridge.providers.reading import happened_at, identifier, part, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.providers.port import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    """A sender or recipient with the first of its contacts: only that one is answered, so it is read once."""

    name: str
    type: str
    contact_name: str
    key: str


def parse(webhook: Webhook) -> list[Inbound]:
    """The one event in a webhook.

    A persona's thread is its contact type and key, a group's the topic's name. In a mass topic everybody shares the
    name, so there too the thread is the sender's: one person's conversation is never mixed with another's.

    Raises:
        Unmappable: a required field is missing or of a wrong type.
    """
    said = webhook.json
    username = _needed(said, "username")
    topic = part(said, "topic")
    topic_type, topic_name = _needed(topic, "type", "topic."), _needed(topic, "name", "topic.")
    if topic_type not in wire.TOPIC_TYPES:
        raise Unmappable(f"topic.type is none of {', '.join(sorted(wire.TOPIC_TYPES))}")
    sender = _person(said, "sender")
    in_group = topic_type == wire.GROUP
    answered = _person(said, "recipient") if in_group and said.get("recipient") else sender
    return [
        Inbound(
            key=_key(webhook, topic_name),
            channel=wire.GROUP if in_group else sender.type.lower(),
            conversation_id=topic_name if in_group else sender.key,
            identities=() if in_group else _identities(said),
            event=_event(webhook, topic_name, sender),
            address={
                wire.USERNAME: username,
                wire.TOPIC_TYPE: topic_type,
                wire.TOPIC_NAME: topic_name,
                wire.RECIPIENT_NAME: answered.name,
                wire.CONTACT_TYPE: answered.type,
                wire.CONTACT_NAME: answered.contact_name,
                wire.CONTACT_KEY: answered.key,
            },
        )
    ]


def _event(webhook: Webhook, topic_name: str, sender: _Person) -> Event:
    said = webhook.json
    about: dict[str, Any] = {
        "id": _key(webhook, topic_name),
        "contact": Contact(
            id=sender.key,
            name=sender.name,
            phone=sender.key if sender.type.lower() == wire.WHATSAPP and not is_user_id(sender.key) else None,
        ),
        "at": happened_at(webhook.received_at, said.get("timestamp")),
        "raw": said,
    }
    kind = said.get("event") or wire.MESSAGE_CREATED
    if not isinstance(kind, str):
        raise Unmappable("event is no text")
    if kind != wire.MESSAGE_CREATED:
        return Unrecognised(type=kind, **about)
    return Message(text=_needed(said, "message"), **about)


def _key(webhook: Webhook, topic_name: str) -> str:
    """`event_id`, else topic and `chat_id`; all but the last way out are the same on every redelivery.

    Without any of these a timestamp makes the bytes of the webhook stand for it. Without even that two honest "ok"
    are the same bytes: the time of arrival keeps them apart, at the price of a redelivery that is not known again.
    """
    said = webhook.json
    if event_id := identifier(said, "event_id"):
        return event_id
    if chat_id := identifier(said, "chat_id"):
        return f"{topic_name}:{chat_id}"
    digest = sha256(webhook.body).hexdigest()
    return digest if said.get("timestamp") else f"{digest}:{webhook.received_at}"


def _person(said: Mapping[str, Any], name: str) -> _Person:
    person = part(said, name)
    contacts = person.get("contact")
    contact = contacts[0] if isinstance(contacts, list) and contacts else None
    if not isinstance(contact, dict):
        raise Unmappable(f"{name}.contact holds no contact")
    where = f"{name}.contact[0]."
    kind = _needed(contact, "type", where)
    if kind.lower() in wire.TOPIC_TYPES:
        raise Unmappable(f"{where}type is a topic's, not a contact's")
    key = identifier(contact, "key")
    if not key:
        raise Unmappable(f"{where}key is missing or empty")
    return _Person(name=text(person, "name"), type=kind, contact_name=text(contact, "name"), key=key)


def _identities(said: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Who a sender is: all contacts of a persona are one person's."""
    contacts = [contact for contact in part(said, "sender").get("contact", ()) if isinstance(contact, dict)]
    named = [(text(contact, "type").strip(), identifier(contact, "key")) for contact in contacts]
    return identities(*(name_on(kind, key) for kind, key in named if kind and key))


def _needed(values: Mapping[str, Any], name: str, where: str = "") -> str:
    found = text(values, name)
    if not found.strip():
        raise Unmappable(f"{where}{name} is missing or empty")
    return found
