"""Families: contacts that are one person, merged by a gateway's word or by an operator, and what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.errors import NoContact
from bridge.store.people.asking import Assertions, Family
from bridge.store.people.identities import LASTING
from bridge.strict_json import json_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bridge.store.people.asking import Asserted, Known, Process
    from bridge.store.people.identities import Identity

NOBODY: Final = b'{"fields":{},"tags":[]}'
"""What is kept of a contact in the beginning."""


def roots_of(contact_ids: Iterable[int]) -> Process[dict[int, int]]:
    """The person whose each contact is: the first of those merged, into whom the others are."""
    roots: dict[int, int] = {}
    for contact_id in sorted(contact_ids):
        if contact_id not in roots:
            family: list[Known] = yield Family(contact_id)
            if not family:
                raise NoContact(f"there is no contact {contact_id}")
            root = root_of(family)
            roots |= {contact.id: root.id for contact in family}
    return roots


def root_of(family: Sequence[Known]) -> Known:
    """Who goes on for all of a family."""
    return next(contact for contact in family if contact.into is None)


def lasting_of(account: str, roots: Mapping[int, int]) -> Process[dict[int, frozenset[Identity]]]:
    """The lasting identities of people at an account."""
    asserted: list[Asserted] = yield Assertions(sorted(roots))
    lasting: dict[int, frozenset[Identity]] = {}
    for identity in asserted:
        if identity.account == account and identity.kind in LASTING:
            person = roots[identity.contact_id]
            lasting[person] = lasting.get(person, frozenset()) | {(identity.kind, identity.value)}
    return lasting


def timezone_of(person: bytes | None) -> str | None:
    """The time zone that is kept of a person."""
    return orjson.loads(person).get("timezone") if person else None


def person_of(family: Sequence[Known], asserted: Sequence[Asserted]) -> bytes:
    """What every thread of a person has of them, as JSON: of two who were merged, the words of who went on count."""
    root = root_of(family)
    content: dict[str, Any] = {}
    tags: set[str] = set()
    fields: dict[str, Any] = {}
    into = {contact.id: contact.into for contact in family}
    for contact in sorted(family, key=lambda known: _way(known.id, into), reverse=True):
        kept = orjson.loads(contact.content)
        fields |= kept.pop("fields", {})
        tags |= set(kept.pop("tags", ()))
        content |= kept
    identities = [[identity.account, identity.kind, identity.value] for identity in asserted]
    person = {"id": root.id, "identities": identities, "fields": fields, "tags": sorted(tags), **content}
    return json_bytes(person)


def _way(contact_id: int, into: Mapping[int, int | None]) -> list[int]:
    """The contacts from the one who goes on to another: in their order each comes right before those merged into it."""
    way = [contact_id]
    while (parent := into[way[0]]) is not None:
        way.insert(0, parent)
    return way
