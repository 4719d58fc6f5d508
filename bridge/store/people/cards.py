"""Cards: what an operator sees of a person, over all contacts that were merged into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.frozen import dataclass
from bridge.store.people.families import person_of, root_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.events import Contact, ThreadRef
    from bridge.store.people.asking import Asserted, Known


class CardThread(NamedTuple):
    """A conversation on a card. `leads_to`: what is said under its id goes on in that thread."""

    id: int
    contact_id: int
    ref: ThreadRef
    contact: Contact | None
    last_heard: int | None
    opted_out: bool
    leads_to: int | None
    is_lost: bool

    @property
    def is_alias(self) -> bool:
        """As that of a ThreadRow."""
        return self.leads_to is not None and not self.is_lost


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactCard:
    """A person: `id` is the contact who goes on, `merged` those merged into them.

    `kept` is what threads have of them, as JSON. `conflicts` are identities under which they came, and which are
    another's (`contact_id` names who).
    """

    id: int
    merged: Sequence[int]
    name: str
    kept: bytes
    identities: Sequence[Asserted]
    conflicts: Sequence[Asserted]
    threads: Sequence[CardThread]
    created_at: int


def card_of(
    family: Sequence[Known],
    asserted: Sequence[Asserted],
    conflicts: Sequence[Asserted],
    threads: Sequence[CardThread],
    created_at: int,
) -> ContactCard:
    """The card of a family."""
    root = root_of(family)
    latest = sorted(threads, key=lambda thread: (thread.last_heard or 0, thread.id), reverse=True)
    names = (thread.contact.name for thread in latest if thread.contact is not None)
    return ContactCard(
        id=root.id,
        merged=[contact.id for contact in family if contact.id != root.id],
        name=next(filter(None, names), ""),
        kept=person_of(family, asserted),
        identities=asserted,
        conflicts=conflicts,
        threads=latest,
        created_at=created_at,
    )
