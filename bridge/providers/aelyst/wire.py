"""Aelyst's field names, words and tables, and how a conversation is written.

Sources, by the tag used in this folder:
    [seed]      developers.aelyst.ai, "Send a message": the one page at hand in full
    [docs]      developers.aelyst.ai, other pages, read in part: limits, message objects, webhook set-up
    [sibling]   respond.io's Developer API v2, which Aelyst shares paths, identifiers, errors and header names with; its
                public SDK and clients. What rests on it is inferred for Aelyst.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from bridge.units import PerPeriod

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.events import MessageKind, StatusValue

RECEIVED: Final = "message.received"
SENT: Final = "message.sent"
INCOMING: Final = "incoming"
OUTGOING: Final = "outgoing"
HARMLESS: Final = ("contact.", "conversation.", "comment.", "lifecycle.")
"""Beginnings of event types that say nothing a bot has to answer [docs, spelling: sibling]."""

AGENT: Final = "user"
"""The `sender.source` of a message that a person typed in Aelyst's inbox [sibling]."""

TAGS: Final = frozenset({"ACCOUNT_UPDATE", "POST_PURCHASE_UPDATE", "CONFIRMED_EVENT_UPDATE"})
"""The values of messageTag [seed]."""

TAGGED_SOURCES: Final = frozenset({"facebook", "instagram"})
"""Where a messageTag opens the closed 24 hour window [seed]."""

PAYLOAD_SOURCES: Final = frozenset({"telegram", "facebook", "viber", "line"})
"""Where a custom payload is taken [seed]."""

TELEGRAM: Final = "telegram"
TEMPLATE_SOURCE: Final = "whatsapp"

ATTACHMENT_OF: Final[Mapping[str, str]] = MappingProxyType(
    {"image": "image", "video": "video", "audio": "audio", "voice": "audio", "document": "file"}
)
"""The attachment type each of our media kinds goes out as [sibling]."""

KIND_OF: Final[Mapping[str, MessageKind]] = MappingProxyType(
    {"image": "image", "video": "video", "audio": "audio", "voice": "voice", "file": "document", "sticker": "sticker"}
)
"""What an attachment that comes in is to us; any other type goes by its MIME type."""

FATES: Final[Mapping[str, StatusValue | None]] = MappingProxyType(
    {"pending": None, "sent": "sent", "delivered": "delivered", "read": "read", "failed": "failed"}
)
"""The values of a message's `status` [docs]."""

PATH_RATE: Final = PerPeriod(5, 1.0)
"""So many requests for each method and concrete path, in a workspace [docs]."""

WAIT_QUEUED: Final = 60.0
"""Seconds to leave a message alone that "is currently in queue ... try again in a few minutes" (449) [seed]."""

UNKNOWN: Final = "unknown"
"""The channel of a conversation of which no source is known."""

SIGNATURE: Final = "X-Webhook-Signature"
"""base64 of the HMAC-SHA256 of the raw body, keyed with the signing key as text; name: [docs], rest: [sibling]."""

_IDENTIFIER: Final = re.compile(r"(?:([0-9]{1,18}):)?(?:(id|email|phone):)?(.+)")


@dataclass(frozen=True, slots=True)
class Conversation:
    """A contact on one channel, or on whichever it wrote on last (`channel_id` None).

    Written `87:40211907`: channel id, contact id; that is what webhooks give. For a first contact the same with an
    identifier of the page, `id:40211907`, `email:ann@example.org` or `phone:+60111222333`, with or without `87:` before
    it.
    """

    channel_id: int | None
    by: str
    value: str

    @property
    def path(self) -> str:
        """`/contact/{identifier}`, the value percent-encoded."""
        return f"/contact/{self.by}:{quote(self.value, safe='')}"


def conversation(text: str) -> Conversation | None:
    """What a conversation id says, or None when it says nothing to Aelyst."""
    match = _IDENTIFIER.fullmatch(text)
    if match is None or not text.isprintable() or not (match[1] or match[2]):
        return None
    return Conversation(int(match[1]) if match[1] else None, match[2] or "id", match[3])


def source(value: object) -> str:
    """The channel of a `channel.source`; there WhatsApp has a name for each partner that connects it [sibling]."""
    named = value.strip().lower() if isinstance(value, str) else ""
    return "whatsapp" if "whatsapp" in named else named or UNKNOWN


def identifier(value: object) -> str:
    """An id as text, whether it is written as a number or a text [docs and sibling differ]; "" when it is neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def struct(value: object) -> Mapping[str, Any]:
    """An object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def text_of(values: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that holds a text; "" when none does."""
    return next((found for name in names if isinstance(found := values.get(name), str) and found), "")
