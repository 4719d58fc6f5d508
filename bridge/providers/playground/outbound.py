"""Sending to the playground: nothing leaves, because the console page shows what the store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.messages import MESSAGE_TYPES
from bridge.planning.capabilities import Capabilities
from bridge.providers.port import Sent

if TYPE_CHECKING:
    from bridge.providers.port import Outbound, Sending

CAPABILITIES: Final = Capabilities(
    kinds=frozenset(MESSAGE_TYPES),
    text=20_000,
    buttons=100,
    button_title=200,
    button_key=1_000,
    keys_return=True,
    rows=500,
    row_title=200,
    header=frozenset({"text", "image", "video", "document"}),
    footer=True,
    caption=True,
    reply_to=True,
    idempotency_key=True,
)
"""Everything the vocabulary has. A message is delivered by being stored, so repeating it cannot double it."""


def deliver(outbound: Outbound) -> Sending:
    """No request at all: the message is on the page as soon as it is committed."""
    yield from ()
    return Sent(message_id=outbound.key, status="delivered")
