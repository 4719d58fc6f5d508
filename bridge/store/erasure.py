"""A conversation that is erased: what of it is counted, and the little that stays so that nothing happens twice."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.store.retention import KEYS_KEPT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.events import ThreadRef

BESIDE: Final = 100
"""Numbers on both sides of an event among which the others of its webhook are: each has the bytes of all."""
KINDS: Final = (
    "events",
    "messages",
    "tries",
    "timers",
    "steps",
    "media",
    "long keys",
    "webhooks of other conversations",
    "recipients",
    "threads",
    "identities",
    "contacts",
)
"""What a receipt counts."""


class Erased(NamedTuple):
    """A part of an erasure: how many rows of each kind it removed, and whether there may be more."""

    rows: Mapping[str, int]
    more: bool


class ErasedContact(NamedTuple):
    """The rows of a person that are removed, or none as long as there are `threads` of theirs."""

    rows: Mapping[str, int]
    threads: Sequence[int] = ()


def receipt(parts: Mapping[str, int]) -> dict[str, int]:
    """The rows of each kind, those of which there were none too."""
    return {kind: parts.get(kind, 0) for kind in KINDS}


def tombstone(account: str, key: str) -> str:
    """What is left of an event's key: it tells that the event was here, and not whose it was."""
    return hashlib.sha256(f"{account}\n{key}".encode()).hexdigest()


def keeps_tombstone(received_at: int, at: int) -> bool:
    """Whether a gateway may still deliver an event again."""
    return received_at > at - KEYS_KEPT


def long_keys_of(ref: ThreadRef, thread_id: int) -> tuple[str, str]:
    """How the names of the secrets begin that are a thread's long keys: today, and in earlier versions."""
    return f"postback {ref.channel} {ref.conversation_id} ", f"postback {thread_id} "
