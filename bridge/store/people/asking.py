"""What a process about people asks of a database and changes in it.

Each process of this room is a generator: it yields one of these, and a store sends back the answer.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from bridge.frozen import dataclass

if TYPE_CHECKING:
    from bridge.events import Contact, ThreadRef
    from bridge.store.people.identities import Identity
    from bridge.store.records import ThreadRow

T = TypeVar("T")


class Known(NamedTuple):
    """A contact as stored: `into` is the contact that it is merged into, `content` its fields, tags and so on."""

    id: int
    into: int | None
    content: bytes


class Asserted(NamedTuple):
    """An identity of a contact at an account."""

    account: str
    kind: str
    value: str
    contact_id: int


@dataclass(frozen=True, slots=True)
class Owners:
    """Ask: by identity, whose each is that is known (a dict)."""

    account: str
    named: Sequence[Identity]


@dataclass(frozen=True, slots=True)
class Family:
    """Ask: all contacts (list of Known) that are one person with this one."""

    contact_id: int


@dataclass(frozen=True, slots=True)
class Assertions:
    """Ask: the identities (list of Asserted) of contacts, in order."""

    contact_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class ThreadsOf:
    """Ask: the threads (list of ThreadRow) of contacts, by id."""

    contact_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class OptOuts:
    """Ask: the events by which contacts opted out at an account, as a list."""

    contact_ids: Sequence[int]
    account: str


@dataclass(frozen=True, slots=True)
class IsBare:
    """Ask: whether no event, message or timer of a thread waits."""

    thread_id: int


@dataclass(frozen=True, slots=True)
class NewContact:
    """Do: make a contact, first met at an account; its id."""

    account: str
    at: int


@dataclass(frozen=True, slots=True)
class NewThread:
    """Do: make a thread of a contact; the ThreadRow."""

    ref: ThreadRef
    contact: Contact
    at: int


@dataclass(frozen=True, slots=True)
class Link:
    """Do: an identity is a contact's."""

    account: str
    identity: Identity
    contact_id: int
    at: int


@dataclass(frozen=True, slots=True)
class Contradict:
    """Do: note that a contact is named by an identity which is another's."""

    account: str
    identity: Identity
    contact_id: int
    at: int


@dataclass(frozen=True, slots=True)
class Join:
    """Do: a contact is merged into another; None: into none any more."""

    contact_id: int
    into: int | None
    at: int


@dataclass(frozen=True, slots=True)
class KeepContact:
    """Do: keep what is known of a contact."""

    contact_id: int
    content: bytes
    at: int


@dataclass(frozen=True, slots=True)
class KeepOptOut:
    """Do: a contact opted out at an account by an event; 0: they did not."""

    contact_id: int
    account: str
    event_id: int


@dataclass(frozen=True, slots=True)
class KeepThread:
    """Do: keep whose a thread is. With `is_seen` its version climbs: a turn that saw it otherwise runs again."""

    thread: ThreadRow
    is_seen: bool = True


Request: TypeAlias = (
    Owners
    | Family
    | Assertions
    | ThreadsOf
    | OptOuts
    | IsBare
    | NewContact
    | NewThread
    | Link
    | Contradict
    | Join
    | KeepContact
    | KeepOptOut
    | KeepThread
)
Process: TypeAlias = Generator[Request, Any, T]
