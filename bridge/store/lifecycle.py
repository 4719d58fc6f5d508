"""The states of events and messages, and every move between them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


OWN_KEYS: Final = ("timer:", "by hand:", "quarantine:", "conflict:", "replayed:", "gateway:")
"""How the event keys begin that are made here. A gateway's key never does: one that would has `gateway:` before it."""


class InboxState(StrEnum):
    """Where an event stands."""

    OPEN = "open"
    """Waits for its turn, or is in it."""
    HELD = "held"
    """Came while a person held the thread: kept until the thread is returned."""
    DONE = "done"
    """Its turn is committed, or it needed none."""
    DEAD = "dead"
    """Given up with a reason; its thread went on without it."""
    QUARANTINED = "quarantined"
    """Authentic and not understood: kept raw."""
    EARLY = "early"
    """News of a message that the store does not know yet: joined as soon as it does."""
    DROPPED = "dropped"
    """Put aside by a person."""


class Outcome(StrEnum):
    """What the last try of a message came to."""

    SENT = "sent"
    REJECTED = "rejected"
    """The provider refused it for good."""
    NOT_SENT = "not sent"
    """It did not leave, or the provider did not take it: safe to repeat."""
    UNKNOWN = "unknown"
    """It left, and no answer came."""
    CLAIMED = "claimed"
    """A try that must not be repeated has begun."""
    RESOLVED = "resolved"
    """No answer came, and a status told that it was sent."""


class OutboxState(StrEnum):
    """Where a message stands."""

    OPEN = "open"
    """Waits to be sent, or is being sent."""
    SENT = "sent"
    """The provider took it."""
    DEAD = "dead"
    """Refused, given up or parked, with a reason."""
    EXPIRED = "expired"
    """Was worth nothing any more when its time to leave came."""
    DROPPED = "dropped"
    """Put aside by a person."""


INBOX_MOVES: Final[Mapping[InboxState, frozenset[InboxState]]] = {
    InboxState.OPEN: frozenset({InboxState.DONE, InboxState.DEAD, InboxState.HELD}),
    InboxState.HELD: frozenset({InboxState.DONE, InboxState.OPEN}),
    InboxState.DONE: frozenset(),
    InboxState.DEAD: frozenset({InboxState.OPEN, InboxState.DROPPED}),
    InboxState.QUARANTINED: frozenset({InboxState.OPEN, InboxState.DONE, InboxState.DROPPED}),
    InboxState.EARLY: frozenset({InboxState.OPEN, InboxState.DONE}),
    InboxState.DROPPED: frozenset(),
}
"""Every move an event can make; the first state is OPEN, DONE, EARLY or QUARANTINED."""


OUTBOX_MOVES: Final[Mapping[OutboxState, frozenset[OutboxState]]] = {
    OutboxState.OPEN: frozenset({OutboxState.SENT, OutboxState.DEAD, OutboxState.EXPIRED}),
    OutboxState.SENT: frozenset(),
    OutboxState.DEAD: frozenset({OutboxState.OPEN, OutboxState.DROPPED}),
    OutboxState.EXPIRED: frozenset(),
    OutboxState.DROPPED: frozenset(),
}
"""Every move a message can make; the first state is OPEN, or DEAD where the plan dropped it."""


STATUS_RANK: Final[Mapping[str, int]] = {"sent": 1, "delivered": 2, "read": 3, "failed": 4}
"""A message's status only ever climbs: late and repeated news change nothing."""
