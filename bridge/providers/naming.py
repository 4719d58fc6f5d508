"""Identities: what a gateway's names for people are worth, for bridge.store.people.

`id` is the gateway's own lasting id of a contact, `user_id` WhatsApp's business-scoped one, and `phone` a number in
E.164. `username` holds its channel, because the same name is another person's elsewhere.
"""

from __future__ import annotations

import re
from typing import Final

_PHONE: Final = re.compile(r"\+?([1-9]\d{7,14})", re.ASCII)
_USER_ID: Final = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[0-9A-Za-z]{1,128}")
"""A country, a full stop and up to 128 letters and digits (developers.facebook.com, Business-scoped user IDs)."""
_WHATSAPP: Final = "whatsapp"


def phone(text: str | None) -> str | None:
    """A phone number with its country, as +6281234567890; None for what is none."""
    match = _PHONE.fullmatch(text.strip()) if text else None
    return f"+{match[1]}" if match else None


def is_user_id(text: str) -> bool:
    """Whether a text is a business-scoped user id of WhatsApp."""
    return _USER_ID.fullmatch(text) is not None


def name_on(channel: str, name: str) -> tuple[str, str]:
    """The identity behind a name of a channel's own: on WhatsApp a phone number or a user id, else a user name."""
    if channel.lower() == _WHATSAPP:
        if is_user_id(name):
            return "user_id", name
        if number := phone(name):
            return "phone", number
    return "username", f"{channel.lower()}:{name}"


def identities(*named: tuple[str, str | None]) -> tuple[tuple[str, str], ...]:
    """The identities that are given, once each and in their order."""
    return tuple(dict.fromkeys((kind, value) for kind, value in named if value))
