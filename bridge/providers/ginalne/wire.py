"""Raven's words: the field names and limits of `message:send`, and the webhook that mirrors them.

Outbound, source: Ginalne's page "Add Message As-User", POST {base_url}/message:send

    {"username": "...", "topic": {"type": "persona", "name": "..."},
     "recipient": [{"name": "...", "contact": [{"type": "whatsapp", "name": "...", "key": "+62..."}]}],
     "message": "..."}

Inbound is a CONVENTION OF THIS PROJECT: Ginalne documents no webhook, so whatever posts to us (a relay, a script beside
Raven) posts this, in the words of the above so that an answer needs no translation:

    {"event": "message.created", "event_id": "rvn-evt-000193",
     "username": "support_bot", "topic": {"type": "persona", "name": "Order questions"},
     "sender": {"name": "Dewi", "contact": [{"type": "whatsapp", "name": "Main Contact", "key": "+6281200012345"}]},
     "message": "Is order 5531 on its way?", "chat_id": 48212, "timestamp": 1760086800}

Required are `username`, `topic.type`, `topic.name`, `type` and `key` of the sender's first contact, and `message`. In
a group topic, `recipient` (an object of the same form as `sender`) may name the group an answer goes to; without it
the answer goes to the sender. `timestamp` is in seconds since 1970, or ISO 8601.
"""

from __future__ import annotations

from typing import Final

PERSONA: Final = "persona"
GROUP: Final = "group"
MASS: Final = "mass"
TOPIC_TYPES: Final = frozenset({PERSONA, GROUP, MASS})

WHATSAPP: Final = "whatsapp"
"""The only ContactKey the page shows; its full list is not public."""

SEND_PATH: Final = "/message:send"
LONGEST_MESSAGE: Final = 4096
LONGEST_NAME: Final = 255

MESSAGE_CREATED: Final = "message.created"

# What an answer carries beside its thread: the keys of an Inbound's address.
USERNAME: Final = "username"
TOPIC_TYPE: Final = "topic_type"
TOPIC_NAME: Final = "topic_name"
RECIPIENT_NAME: Final = "recipient_name"
CONTACT_TYPE: Final = "contact_type"
CONTACT_NAME: Final = "contact_name"
CONTACT_KEY: Final = "contact_key"
