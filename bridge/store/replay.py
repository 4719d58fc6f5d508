"""Dead letters and quarantine: what replaying one does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.events import Unrecognised
from bridge.store.lifecycle import INBOX, InboxMove, InboxState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.records import Arrival

SIDES: Final = ("in", "out")
"""How the ids of dead letters begin: those of events and those of messages."""
_DIGITS: Final = 18
"""A number of more digits is the id of no row."""


def letter_of(letter_id: str) -> tuple[str, int | None]:
    """The side and the number of "in-7"; the number is None when it is no id of a dead letter."""
    side, _, number = letter_id.partition("-")
    is_number = number.isascii() and number.isdecimal() and len(number) <= _DIGITS
    return side, int(number) if side in SIDES and is_number else None


def replay_of(
    state: InboxState, kind: str, thread_id: int | None, arrivals: Sequence[Arrival] | None
) -> InboxMove | None:
    """What replaying an event does to it; None: it cannot be replayed.

    `arrivals` (what a quarantined webhook now turns out to hold) take its place, unless it was understood and set
    aside only for its key: read anew, it would be set aside anew. An event without a thread stays where it is.
    """
    is_conflict = state is InboxState.QUARANTINED and thread_id is not None and kind != Unrecognised.tag
    if arrivals is not None and INBOX.can(state, InboxMove.REREAD) and not is_conflict:
        return InboxMove.REREAD
    return InboxMove.REPLAYED if INBOX.can(state, InboxMove.REPLAYED) and thread_id is not None else None


def replayed_key(row_id: int, key: str) -> str:
    """The key of a quarantined event after its reading took its place: its own is free for that."""
    return f"replayed:{row_id}:{key}"
