"""Contacts as an operator sees them: the columns of what is read, and how each is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from bridge.events import Contact, ThreadRef
from bridge.store.people.cards import CardThread

from .records import REF

if TYPE_CHECKING:
    from .records import Row

CARD_THREAD: Final = f"t.id, t.contact_id, {REF}, t.contact, t.last_heard, t.opted_out, t.leads_to, t.lost IS NOT NULL"
PAGE: Final = """
SELECT id FROM contacts WHERE merged_into IS NULL AND id < {before} ORDER BY id DESC LIMIT {limit}
"""
"""People, the newest first."""
NAMED: Final = "SELECT DISTINCT contact_id FROM identities WHERE value IN ({0}, {1}) ORDER BY contact_id"
"""Contacts by an identity, as it is given or as a phone number without its plus."""


def card_thread(row: Row) -> CardThread:
    """From the columns CARD_THREAD."""
    return CardThread(
        id=row[0],
        contact_id=row[1],
        ref=ThreadRef(*row[2:6]),
        contact=Contact(**orjson.loads(row[6])) if row[6] else None,
        last_heard=row[7],
        opted_out=row[8] > 0,
        leads_to=row[9],
        is_lost=bool(row[10]),
    )
