"""News of messages: which of it counts, what it settles, and what becomes of news that comes before its message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.frozen import dataclass
from bridge.store.lifecycle import OUTBOX, InboxMove, InboxState, OutboxMove, Outcome, climbs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.events import ThreadRef
    from bridge.store.lifecycle import OutboxState
    from bridge.store.records import Arrival


UNCONFIRMED: Final = "sent"
"""The last status that says nothing of a message's arrival."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """A message that was sent, and of which nobody has told yet that it was delivered."""

    row_id: int
    ref: ThreadRef
    message_id: str
    status: str = ""


class EarlyStatus(NamedTuple):
    """A status that came before its message was known; `wanted`: it has no thread yet and wants a turn."""

    inbox_id: int
    value: str
    error: str
    wanted: bool

    @property
    def move(self) -> InboxMove:
        """What happens to its event as soon as the message is known."""
        return InboxMove.JOINED if self.wanted else InboxMove.RECORDED


def early_state(arrival: Arrival) -> InboxState:
    """The state of a status whose message is not known: without that, only its own reference tells its thread."""
    return arrival.state if arrival.ref is not None else InboxState.EARLY


def is_wanted(arrival: Arrival) -> bool:
    """Whether a status waits for its message to have its turn."""
    return arrival.state is InboxState.OPEN and arrival.ref is None


def resolves(state: OutboxState, outcome: Outcome | None, value: str) -> bool:
    """Whether a status settles a message: one that a try without an answer left open, or dead, was sent after all."""
    return OUTBOX.can(state, OutboxMove.RESOLVED) and outcome is Outcome.UNKNOWN and value != "failed"


def highest(before: str | None, statuses: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """The status (value, error) that a message has after several more; None: none of them is news."""
    news = None
    for value, error in statuses:
        if climbs(before, value):
            before, news = value, (value, error)
    return news
