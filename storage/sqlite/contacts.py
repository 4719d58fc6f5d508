"""Contacts as an operator sees them, out of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.store.people.asking import Asserted, Known
from bridge.store.people.cards import ContactCard, card_of

from .. import contacts
from ..rows import CONTRADICTED
from . import people

if TYPE_CHECKING:
    import sqlite3

_PAGE: Final = contacts.PAGE.format(before="?", limit="?")
_NAMED: Final = contacts.NAMED.format("?", "?")
_THREADS: Final = f"""
SELECT {contacts.CARD_THREAD} FROM json_each(?) j
CROSS JOIN threads t ON t.contact_id = j.value AND t.contact_id IS NOT NULL
"""
_CONFLICTS: Final = f"""
SELECT {CONTRADICTED}, coalesce(i.contact_id, 0) FROM json_each(?) j
CROSS JOIN conflicts c ON c.contact_id = j.value
LEFT JOIN identities i ON (i.account, i.kind, i.value) = (c.account, c.kind, c.value)
"""
_CREATED: Final = "SELECT created_at FROM contacts WHERE id = ?"


def page(db: sqlite3.Connection, before: int, limit: int) -> list[ContactCard]:
    """People with lower numbers, the newest first."""
    return [found for row in db.execute(_PAGE, (before, limit)).fetchall() if (found := card(db, row[0])) is not None]


def named(db: sqlite3.Connection, value: str) -> list[ContactCard]:
    """People by an identity."""
    found = [card(db, row[0]) for row in db.execute(_NAMED, (value, f"+{value}")).fetchall()]
    return list({each.id: each for each in found if each is not None}.values())


def card(db: sqlite3.Connection, contact_id: int) -> ContactCard | None:
    """The person that a contact is; None: there is no such contact."""
    family = [Known(*row) for row in db.execute(people.FAMILY, (contact_id,))]
    if not family:
        return None
    ids = people.as_json([contact.id for contact in family])
    asserted = [Asserted(*row) for row in db.execute(people.ASSERTIONS, (ids,))]
    conflicts = [Asserted(*row) for row in db.execute(_CONFLICTS, (ids,))]
    threads = [contacts.card_thread(row) for row in db.execute(_THREADS, (ids,))]
    created_at: int = db.execute(_CREATED, (min(contact.id for contact in family),)).fetchone()[0]
    return card_of(family, asserted, conflicts, threads, created_at)
