"""Konnek's words: its tables, and how its structs are read.

Source: Sprint Asia's pages send-message, incoming-message and incoming-status at api.sprintasia.co.id/docs/konnek,
and for what those leave open the models of its public SDK, konnek_native_core. A webhook is one of

    {"from": {"username": "6281…", "name": "…", "avatar": "…", "description": "…"},
     "message": {"id": "…", "type": "…", "text": "…",
                 "media": {…}, "location": {…}, "postback": {…}, "interactive": {…}}}
    {"status": {"message_id": "…", "recipient_id": "…", "status": 2, "timestamp": "…", "times": 1760086805, …}}

A message may come with a "session" (SDK; whether a webhook has it is not documented): its `bot_status` is true while
Konnek leaves the conversation to the bot, and `handover_by` names who has it otherwise. The writer leaves zero values
where a struct is absent: null, {}, "", 0, or all of them nested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.events import MessageKind, StatusValue

AUTH_USERNAME: Final = "Auth-username"
AUTH_PASSWORD: Final = "Auth-password"  # noqa: S105 - the name of a header

STATUS_CODES: Final[Mapping[int, str]] = {
    -3: "Failed",
    -2: "Undelivered",
    -1: "Unsent",
    0: "Pending",
    1: "Sent",
    2: "Delivered",
    3: "Read",
}
"""All documented fates of a message."""

STATUS_VALUES: Final[Mapping[int, StatusValue | None]] = {
    -3: "failed",
    -2: "failed",
    -1: "failed",
    0: None,
    1: "sent",
    2: "delivered",
    3: "read",
}
"""What a fate means to a bot. Pending is no fate: the answer to the send said it already. Unsent is one: "not yet" is
Pending, so what stands below it, beside Failed and Undelivered, was given up; and a failure taken for a delay would
never be seen by anybody."""

MEDIA_TYPES: Final[Mapping[str, MessageKind]] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "voice": "voice",
    "document": "document",
    "file": "document",
    "sticker": "sticker",
}
"""Message types that come with a `media`. `file` and `sticker` are not in the table; they are read if they come."""

PRESS_TYPES: Final = frozenset({"postback", "button", "list", "interactive"})
"""Message types that mean a choice, where there is a `postback` with a key; without one the text is all there is."""

ZERO_TIME: Final = "0001-01-01T00:00:00Z"
"""The zero value of a time in the language their platform looks to be written in."""


def with_person(session: Mapping[str, Any]) -> bool | None:
    """Whether a session says that a person has the conversation; None when it does not say.

    That no bot is on is believed only together with who took over: alone it may be a zero value, or a channel that
    never had one of Konnek's own.
    """
    if session.get("bot_status") is True:
        return False
    handed_over = session.get("handover_by")
    return True if session.get("bot_status") is False and isinstance(handed_over, str) and handed_over.strip() else None


def struct(value: object) -> dict[str, Any] | None:
    """An object that holds something; None for whatever is absent, empty, all zeros, or no object at all."""
    if value and isinstance(value, dict):
        for item in value.values():
            if item and not _is_zero(item):
                return value
    return None


def _is_zero(value: object) -> bool:
    return value == ZERO_TIME or (isinstance(value, dict) and struct(value) is None)
