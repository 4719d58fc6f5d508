"""Contacts as an operator sees them, out of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store.people.asking import Asserted, Known
from bridge.store.people.cards import ContactCard, card_of

from .. import contacts
from ..rows import CONTRADICTED
from . import people

if TYPE_CHECKING:
    from .connection import Fetch

_PAGE: Final = contacts.PAGE.format(before="$1", limit="$2")
_NAMED: Final = contacts.NAMED.format("$1", "$2")
_THREADS: Final = f"SELECT {contacts.CARD_THREAD} FROM threads t WHERE t.contact_id = ANY($1::bigint[])"
_CONFLICTS: Final = f"""
SELECT {CONTRADICTED}, coalesce(i.contact_id, 0) FROM conflicts c
LEFT JOIN identities i ON (i.account, i.kind, i.value) = (c.account, c.kind, c.value)
WHERE c.contact_id = ANY($1::bigint[])
"""
_CREATED: Final = "SELECT created_at FROM contacts WHERE id = $1"


async def page(fetch: Fetch, before: int, limit: int) -> list[ContactCard]:
    """People with lower numbers, the newest first."""
    found = [await card(fetch, row[0]) for row in await fetch(_PAGE, before, limit)]
    return [each for each in found if each is not None]


async def named(fetch: Fetch, value: str) -> list[ContactCard]:
    """People by an identity."""
    found = [await card(fetch, row[0]) for row in await fetch(_NAMED, value, f"+{value}")]
    return list({each.id: each for each in found if each is not None}.values())


async def card(fetch: Fetch, contact_id: int) -> ContactCard | None:
    """The person that a contact is; None: there is no such contact."""
    family = [Known(*row) for row in await fetch(people.FAMILY, [contact_id])]
    if not family:
        return None
    ids = [contact.id for contact in family]
    asserted = [Asserted(*row) for row in await fetch(people.ASSERTIONS, ids)]
    conflicts = [Asserted(*row) for row in await fetch(_CONFLICTS, ids)]
    threads = [contacts.card_thread(row) for row in await fetch(_THREADS, ids)]
    created_at: int = (await fetch(_CREATED, min(ids)))[0][0]
    return card_of(family, asserted, conflicts, threads, created_at)
