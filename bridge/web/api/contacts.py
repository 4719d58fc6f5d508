"""Contacts: people, whatever ids they have, and what the bot keeps of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from bridge.engine.erasing import erase_person
from bridge.errors import NoContact
from bridge.store.erasure import receipt
from bridge.store.port import MANY
from bridge.units import moment
from bridge.web.api import models
from bridge.web.api.calls import page_of, read_cursor
from bridge.web.api.problems import Refusal
from bridge.web.control_protocol import number_of

if TYPE_CHECKING:
    from bridge.store.people.cards import ContactCard
    from bridge.web.api.backend import Backend
    from bridge.web.api.calls import Call

_NO_CONTACT = "there is no contact of this id"
_LEFT = "a program reads the database: its log still holds what was erased, until that program ends"


async def contacts(call: Call) -> models.Contacts:
    """People, those first met last first; or those of an identity."""
    asked: models.ContactsAsked = call.query
    place = read_cursor(asked.cursor)
    shown_cards: list[tuple[ContactCard, models.ContactOut]] = []
    for backend in call.backends:
        if asked.identity is not None:
            cards = await backend.store.contacts_named(asked.identity)
        else:
            cards = await _seen(call, backend, MANY if place is None else place[0], asked.limit + 1)
        shown_cards += [(card, shown) for card in cards if (shown := _contact(call, card)) is not None]
    page, more = page_of(shown_cards, asked.limit, lambda each: (each[0].id, each[0].id))
    return models.Contacts(items=[shown for _, shown in page], next=more if asked.identity is None else None)


async def _seen(call: Call, backend: Backend, before: int, limit: int) -> list[ContactCard]:
    """The next people whom the token may see."""
    seen: list[ContactCard] = []
    while len(seen) < limit and (cards := await backend.store.contacts(before=before, limit=limit)):
        before = cards[-1].id
        seen += [card for card in cards if _accounts(call, card)]
    return seen


async def found(call: Call, contact_id: str) -> tuple[Backend, ContactCard, models.ContactOut]:
    """A person by the id of any of their contacts, and where they are. Raises Refusal."""
    try:
        backend, number = _number(call, contact_id)
        card = await backend.store.contact(number)
    except NoContact:
        card = None
    if card is None or (shown := _contact(call, card)) is None:
        raise Refusal(404, _NO_CONTACT)
    return backend, card, shown


async def contact(call: Call) -> models.ContactOut:
    """One person."""
    _, _, shown = await found(call, call.path["contact_id"])
    return shown


async def merge(call: Call) -> models.ContactOut:
    """Say that two contacts are one person, who goes on as the first."""
    backend, card, _ = await found(call, call.path["contact_id"])
    other_backend, other, _ = await found(call, call.body.other)
    if other_backend is not backend:
        raise Refusal(409, "the two are in different databases")
    await call.audit(backend, "merge", _all_of(call, card)[0], f"contact {card.id} with {other.id}")
    _all_of(call, other)
    if not await backend.store.merge_contacts(card.id, other.id, call.clock.now()):
        raise Refusal(409, "they are one person already")
    return await contact(call)


async def unmerge(call: Call) -> models.ContactOut:
    """Say that a contact who was merged is a person of their own."""
    backend, card, _ = await found(call, call.path["contact_id"])
    await call.audit(backend, "unmerge", _all_of(call, card)[0], f"contact {call.path['contact_id']}")
    number = _number(call, call.path["contact_id"])[1]
    if not await backend.store.unmerge_contact(number, call.clock.now()):
        raise Refusal(409, "they are a person of their own")
    return await contact(call)


async def erase(call: Call) -> models.ErasedContact:
    """Erase a person: all of their conversations, and what is known of them. It takes as long as there is much."""
    backend, card, _ = await found(call, call.path["contact_id"])
    await call.audit(backend, "erase", _all_of(call, card)[0], f"contact {card.id}")
    rows = await erase_person(backend.store, card.id, call.clock)
    left = [] if await backend.store.wipe() else [_LEFT]
    return models.ErasedContact(id=call.path["contact_id"], removed=receipt(rows), left=left)


def _number(call: Call, contact_id: str) -> tuple[Backend, int]:
    """Where the contact of an id is, and their number there. Raises NoContact."""
    for backend, own, _ in call.read_id(contact_id):
        if (number := number_of(own)) is not None:
            return backend, number
    raise NoContact


def _accounts(call: Call, card: ContactCard) -> list[str]:
    """The accounts at which the token sees a person."""
    named = {identity.account for identity in card.identities} | {thread.ref.account for thread in card.threads}
    return sorted(account for account in named if call.sees(account))


def _all_of(call: Call, card: ContactCard) -> list[str]:
    """The accounts of a person who is changed: the token has to see all of them. Raises Refusal."""
    named = {identity.account for identity in card.identities} | {thread.ref.account for thread in card.threads}
    if not named or not all(map(call.sees, named)):
        raise Refusal(404, _NO_CONTACT)
    return sorted(named)


def _contact(call: Call, card: ContactCard) -> models.ContactOut | None:
    """A person as far as the token sees them; None: not at all."""
    accounts = _accounts(call, card)
    if not accounts:
        return None
    kept: dict[str, Any] = orjson.loads(card.kept)
    return models.ContactOut(
        id=call.id_of(accounts[0], card.id),
        name=card.name,
        merged=[call.id_of(accounts[0], number) for number in card.merged],
        identities=[
            models.IdentityOut(account=known.account, kind=known.kind, value=known.value)
            for known in card.identities
            if known.account in accounts
        ],
        fields=kept["fields"],
        tags=kept["tags"],
        locale=kept.get("locale"),
        timezone=kept.get("timezone"),
        threads=[
            call.id_of(thread.ref.account, thread.id)
            for thread in card.threads
            if not thread.is_alias and thread.ref.account in accounts
        ],
        opted_out=sorted({thread.ref.account for thread in card.threads if thread.opted_out} & set(accounts)),
        created_at=moment(card.created_at),
    )
