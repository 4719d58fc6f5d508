"""Identities: what names a person at an account, whose they are, and under which of them messages go out.

Only what a gateway asserts links two people: one webhook that names several identities. Where that contradicts what it
asserted before, they are kept apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import orjson

from bridge.events import FROM_CONTACT, Message, Postback, Send, Unrecognised
from bridge.frozen import changed
from bridge.strict_json import json_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bridge.events import ThreadRef
    from bridge.store.records import Arrival, InboxRow, OutboxRow, ThreadRow

Identity: TypeAlias = "tuple[str, str]"
"""The kind and the value of what names a person at an account."""

LASTING: Final = frozenset({"id", "user_id"})
"""Kinds that never go to another person: the gateway's own id of a contact, and a business-scoped user id.

A phone number, an address or a user name may change hands. Two people who have different values of one of these kinds
are not the same.
"""
CONVERSATION: Final = ":conversation"
"""In the address of an event or message: the conversation id that it came under, where that is not its thread's own."""
TAKEN: Final = "the gateway names another person under this conversation's id now"
"""Why a message does not leave that is for the person who had the conversation's id before."""


def encode_identities(named: Iterable[Identity]) -> bytes:
    """Identities as JSON."""
    return json_bytes(tuple(named))


def decode_identities(data: bytes) -> list[Identity]:
    """The inverse of `encode_identities`."""
    return [(kind, value) for kind, value in orjson.loads(data)] if data else []


def is_new_of(arrival: Arrival, thread: ThreadRow) -> bool:
    """Whether an arrival tells of its thread's person what is not known yet."""
    if not arrival.identities or arrival.identities == thread.named:
        return False
    return thread.contact_id is None or not isinstance(arrival.event, Send)


def addressed(arrival: Arrival, base: ThreadRow, thread: ThreadRow) -> Arrival:
    """An arrival under the id of another conversation (`base`) than its thread's own: answers go there."""
    if base.id == thread.id or not isinstance(arrival.event, Message | Postback | Unrecognised):
        return arrival
    return changed(arrival, address={**arrival.address, CONVERSATION: base.ref.conversation_id})


def address_after(thread: ThreadRow, rows: Sequence[InboxRow]) -> Mapping[str, str]:
    """Where a thread's messages go after a turn: what the last event carried, and the id the contact wrote under."""
    address = thread.address
    for row in rows:
        address = row.address or address
    if CONVERSATION not in address:
        return address
    for row in reversed(rows):
        if isinstance(row.event, FROM_CONTACT):
            return moved(address, row.address.get(CONVERSATION))
    return address


def moved(address: Mapping[str, str], conversation_id: str | None) -> dict[str, str]:
    """An address at another conversation id; None: at its thread's own."""
    plain = {name: value for name, value in address.items() if name != CONVERSATION}
    return plain if conversation_id is None else {**plain, CONVERSATION: conversation_id}


def addressee_of(row: OutboxRow) -> tuple[ThreadRef, Mapping[str, str]]:
    """Where a message goes, and what it carries beside that."""
    conversation_id = row.address.get(CONVERSATION)
    if conversation_id is None:
        return row.ref, row.address
    return replace(row.ref, conversation_id=conversation_id), moved(row.address, None)


def is_lost(thread: ThreadRow, address: Mapping[str, str]) -> bool:
    """Whether a message would reach another person: the id of its conversation has changed hands."""
    return address.get(CONVERSATION, thread.ref.conversation_id) in thread.lost


class Verdict(NamedTuple):
    """Whose the named identities are: `home` (None: somebody new), with whom `merged` are one person.

    `refused` are identities that stay with others.
    """

    home: int | None
    merged: list[int]
    refused: list[Identity]


def judge(
    named: Sequence[Identity],
    owners: Mapping[Identity, int],
    lasting: Mapping[int, frozenset[Identity]],
    current: int | None,
) -> Verdict:
    """Whose identities are that one webhook names together.

    `owners` has the person of each known identity, `lasting` the lasting identities of each person concerned, and
    `current` is whose the conversation is so far.
    """
    theirs = frozenset(identity for identity in named if identity[0] in LASTING)
    by_lasting = [owners[identity] for identity in named if identity in theirs and identity in owners]
    by_others = [owners[identity] for identity in named if identity not in theirs and identity in owners]
    candidates = [*by_lasting, *([] if current is None else [current]), *by_others]
    home = next((person for person in candidates if _fits(lasting.get(person, frozenset()), theirs)), None)
    merged: list[int] = []
    if home is not None:
        theirs |= lasting.get(home, frozenset())
        for person in candidates:
            if person != home and person not in merged and _fits(lasting.get(person, frozenset()), theirs):
                merged.append(person)
                theirs |= lasting.get(person, frozenset())
    kept = {home, *merged}
    return Verdict(home, merged, [identity for identity in named if owners.get(identity, home) not in kept])


def _fits(lasting: frozenset[Identity], theirs: frozenset[Identity]) -> bool:
    """Whether somebody with these lasting identities can be the one with those."""
    return bool(lasting & theirs) or not ({kind for kind, _ in lasting} & {kind for kind, _ in theirs})


def lose(thread: ThreadRow, conversation_id: str) -> ThreadRow:
    """A thread that must not write under a conversation id any more."""
    address = thread.address
    if address.get(CONVERSATION) == conversation_id:
        address = moved(address, None)
    return changed(thread, address=address, lost=(*thread.lost, conversation_id))
